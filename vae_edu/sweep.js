// A slider over pictures that were drawn in advance.
function sweep(figure) {
  const {label, values, frames, start} = JSON.parse(figure.querySelector("[type='application/json']").textContent);
  const image = figure.querySelector("img");
  const row = document.createElement("div");
  row.className = "control";
  row.innerHTML = '<label></label> <output></output> <input type="range" min="0" step="1">';
  const [name, shown, slider] = row.children;
  slider.id = name.htmlFor = figure.id + "-value";
  name.textContent = label;
  slider.max = values.length - 1;
  slider.value = start;
  const show = () => {
    shown.textContent = values[slider.value];
    slider.setAttribute("aria-valuetext", values[slider.value]);
  };
  // the other pictures are fetched when somebody reaches for the slider
  const fetchAll = () => frames.forEach((frame) => { new Image().src = frame; });
  slider.addEventListener("pointerenter", fetchAll, {once: true});
  slider.addEventListener("focus", fetchAll, {once: true});
  slider.addEventListener("input", () => {
    image.src = frames[slider.value];
    show();
  });
  show();
  image.after(row);
}
