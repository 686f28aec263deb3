// Formulas, then Reveal. Notes get MathML: the speaker's window has no style sheet of KaTeX.
for (const math of document.querySelectorAll(".tex")) {
  const output = math.closest(".notes") ? "mathml" : "html";
  katex.render(math.textContent, math, {displayMode: math.dataset.display === "1", output});
}
Reveal.initialize({
  width: 1280, height: 720, margin: 0.05, hash: true, center: false, slideNumber: "c/t", transition: "none", controls: false,
  plugins: [RevealNotes],
  keyboardCondition: () => !document.activeElement.closest(".moving"), // the keys are the figure's, as long as it has the focus
});
