// KaTeX for slides and sheets. Speaker's notes get MathML: their window has no style sheet of KaTeX.
for (const formula of document.querySelectorAll(".tex")) {
  const output = formula.closest(".notes") ? "mathml" : "html";
  katex.render(formula.textContent, formula, {displayMode: formula.dataset.display === "1", output});
}
