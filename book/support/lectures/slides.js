Reveal.initialize({
  width: 1280, height: 720, margin: 0.05, hash: true, center: false, slideNumber: "c/t", transition: "none", controls: false,
  plugins: [RevealNotes],
  keyboardCondition: () => !document.activeElement.closest(".moving"), // the keys are the figure's, as long as it has the focus
});
