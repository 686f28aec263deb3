// A point in the latent plane that can be dragged, and what the decoder makes of it, computed here.
function latent(figure) {
  const data = JSON.parse(figure.querySelector("[type='application/json']").textContent);
  const {side, limits: [left, right, low, high], box} = data;
  const floats = (text) => new Float32Array(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
  const svg = (tag, attributes) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const name in attributes) element.setAttribute(name, attributes[name]);
    return element;
  };
  const make = (tag, properties, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };

  // Linear layers with ReLU between them, as in networks.mlp
  const network = (layers) => {
    const parsed = layers.map(([weight, bias]) => [floats(weight), floats(bias)]);
    return (input) => parsed.reduce((h, [weight, bias], k) => Array.from(bias, (sum, i) => {
      for (let j = 0; j < h.length; j++) sum += weight[i * h.length + j] * h[j];
      return k < parsed.length - 1 ? Math.max(0, sum) : sum;
    }), input);
  };
  const decode = network(data.decoder);
  const encode = data.encoder && ((x) => {
    const out = network(data.encoder)(x);
    return [out.slice(0, 2), out.slice(2).map(Math.exp)]; // mean, std
  });

  // The codes: which is nearest, and how dense is their aggregate?
  const mean = floats(data.mean), std = data.std && floats(data.std), n = data.labels.length;
  const nearest = (z) => {
    let best = 0, distance = Infinity;
    for (let i = 0; i < n; i++) {
      const d = Math.hypot(z[0] - mean[2 * i], z[1] - mean[2 * i + 1]);
      if (d < distance) [best, distance] = [i, d];
    }
    return [data.labels[best], distance];
  };
  const logNormal = (u, s) => -0.5 * u * u / (s * s) - Math.log(s) - 0.5 * Math.log(2 * Math.PI);
  const logPrior = (z) => logNormal(z[0], 1) + logNormal(z[1], 1);
  const logAggregate = (z) => {
    const terms = Array.from({length: n}, (_, i) =>
      logNormal(z[0] - mean[2 * i], std[2 * i]) + logNormal(z[1] - mean[2 * i + 1], std[2 * i + 1]));
    const peak = Math.max(...terms);
    return peak + Math.log(terms.reduce((sum, term) => sum + Math.exp(term - peak), 0) / n);
  };

  const paint = (canvas, x) => { // grey levels, 0 is paper and 1 is ink
    const context = canvas.getContext("2d"), pixels = context.createImageData(side, side);
    x.forEach((ink, k) => pixels.data.set([0, 0, 0].fill(255 * (1 - Math.min(1, Math.max(0, ink)))).concat(255), 4 * k));
    context.putImageData(pixels, 0, 0);
  };
  const article = (label) => (label === 8 ? "an 8" : `a ${label}`);
  const number = (value) => value.toFixed(2).replace("-", "\u2212");
  const point = (z) => `(${number(z[0])}, ${number(z[1])})`;

  // The plane: its picture, and over it a drawing in the picture's own units
  const still = figure.querySelector("img");
  const width = 420, height = 400;
  const toX = (z1) => width * (box[0] + box[2] * (z1 - left) / (right - left));
  const toY = (z2) => height * (box[1] + box[3] * (high - z2) / (high - low));
  const overlay = svg("svg", {viewBox: `0 0 ${width} ${height}`, "aria-hidden": true});
  const ellipses = () => encode ? [2, 1].map(() => svg("ellipse", {visibility: "hidden"})) : [];
  const small = ellipses(), large = ellipses(), marker = svg("circle", {r: 7, class: "ring"});
  // Ellipses of a few pixels want a lens: a second look at the same picture, in the corner that is farther from them
  const lens = svg("svg", {width: 0, height: 0}), dot = svg("circle", {class: "dot"}), frame = svg("rect", {class: "lens"});
  const times = svg("text", {"text-anchor": "end"});
  const again = svg("g", {style: "filter: var(--turn, none)"}); // dark pages turn pictures round
  again.append(svg("rect", {width, height, fill: "white"}), svg("image", {href: data.plane, width, height}));
  lens.append(again, ...large, dot);
  overlay.append(...small, marker, ...(encode ? [lens, frame, times] : []));
  const magnify = (center, reach) => { // reach: the half axes of the larger ellipse, in units of the drawing
    for (const element of [lens, frame, times]) element.setAttribute("display", Math.max(...reach) < 25 ? "inline" : "none");
    const size = 120, side = Math.min(size, 2.6 * Math.max(...reach));
    const corner = [toX(center[0]) - side / 2, toY(center[1]) - side / 2];
    const x = width * box[0] + (center[0] > (left + right) / 2 ? 0 : width * box[2] - size);
    const y = height * box[1] + (center[1] > (low + high) / 2 ? height * box[3] - size : 0);
    for (const element of [lens, frame]) {
      for (const [name, value] of Object.entries({x, y, width: size, height: size})) element.setAttribute(name, value);
    }
    lens.setAttribute("viewBox", [...corner, side, side].join(" "));
    dot.setAttribute("r", side / 40);
    times.setAttribute("x", x + size - 6);
    times.setAttribute("y", y + size - 8);
    times.textContent = `${(size / side).toFixed(size < 3 * side ? 1 : 0)} ×`;
  };
  const plane = make("div", {className: "plane"}, make("img", {src: data.plane, alt: still.alt, width, height}), overlay);
  still.before(plane);
  still.hidden = true; // not removed, which would break off its loading

  // Beside it: the decoded image, and the image to encode where there is an encoder
  const canvas = (name) => {
    const element = make("canvas", {width: side, height: side});
    element.setAttribute("role", "img");
    element.setAttribute("aria-label", name);
    return element;
  };
  const decoded = canvas("f(z), the decoded image");
  const panel = make("div", {className: "panel"}, make("div", {}, make("span", {textContent: "f(z)"}), decoded));
  const text = make("p", {className: "reading"});
  const said = make("span", {className: "said"}); // for screen readers, when the hand rests
  said.setAttribute("role", "status");
  const sliders = [["z₁", left, right], ["z₂", low, high]].map(([name, min, max], k) => {
    const slider = make("input", {type: "range", id: `${figure.id}-${k}`, min, max, step: (max - min) / 100});
    slider.addEventListener("input", () => move(z.map((value, j) => j === k ? +slider.value : value)));
    return slider;
  });
  const controls = make("div", {className: "control"}, ...["z₁", "z₂"].map((name, k) =>
    make("div", {className: "line"}, make("label", {htmlFor: sliders[k].id, textContent: name}), sliders[k])));
  plane.after(panel, controls, text, said);

  let z;
  function move(to, about = "") {
    z = [Math.min(right, Math.max(left, to[0])), Math.min(high, Math.max(low, to[1]))];
    for (const circle of [marker, dot]) {
      circle.setAttribute("cx", toX(z[0]));
      circle.setAttribute("cy", toY(z[1]));
    }
    paint(decoded, decode(z));
    const [label, distance] = nearest(z);
    let line = `z = ${point(z)}. The nearest code, ${number(distance)} away, is that of ${article(label)}.`;
    if (std) line += ` log p(z) = ${number(logPrior(z))}, log q̄(z) = ${number(logAggregate(z))} nats.`;
    text.textContent = about + line;
    sliders.forEach((slider, k) => {
      slider.value = z[k];
      slider.setAttribute("aria-valuetext", `${number(z[k])}; nearest code: ${label}`);
    });
  }

  const drag = (event) => {
    const frame = overlay.getBoundingClientRect();
    const x = (event.clientX - frame.left) / frame.width, y = (event.clientY - frame.top) / frame.height;
    move([left + (right - left) * (x - box[0]) / box[2], high - (high - low) * (y - box[1]) / box[3]]);
  };
  const follow = (element, draw) => { // a finger or the mouse, from press to release
    element.addEventListener("pointerdown", (event) => {
      element.setPointerCapture(event.pointerId);
      draw(event);
      event.preventDefault();
    });
    element.addEventListener("pointermove", (event) => element.hasPointerCapture(event.pointerId) && draw(event));
  };
  follow(overlay, drag);

  if (encode) {
    let x = new Float32Array(side * side), cell = [side >> 1, side >> 1], last, timer;
    const pad = canvas("x, the image to encode: draw with the pointer, or with the arrow keys and the space bar");
    pad.setAttribute("role", "application");
    pad.tabIndex = 0;
    const show = (name) => {
      paint(pad, x);
      const [center, width] = encode(x);
      const one = [toX(width[0]) - toX(0), toY(0) - toY(width[1])];
      for (const pair of [small, large]) pair.forEach((ellipse, k) => {
        const reach = 2 - k; // two standard deviations, then one
        ellipse.setAttribute("cx", toX(center[0]));
        ellipse.setAttribute("cy", toY(center[1]));
        ellipse.setAttribute("rx", reach * one[0]);
        ellipse.setAttribute("ry", reach * one[1]);
        ellipse.setAttribute("visibility", "visible");
      });
      magnify(center, one.map((pixels) => 2 * pixels));
      const error = decode(center).reduce((sum, f, k) => sum + (x[k] - f) ** 2, 0);
      const kl = center.reduce((sum, m, k) => sum + 0.5 * (m * m + width[k] ** 2 - 1) - Math.log(width[k]), 0);
      move(center, `${name}: q(z|x) has mean ${point(center)}, standard deviations ${point(width)}, KL ${number(kl)} nats; ` +
        `at its mean the decoder is off by ${number(error)} in squared error.\n`);
      clearTimeout(timer);
      timer = setTimeout(() => { said.textContent = text.textContent; }, 400);
    };
    const ink = ([column, row]) => { // a brush a little wider than a pixel
      for (let r = 0; r < side; r++) for (let c = 0; c < side; c++) {
        const d = Math.hypot(r - row, c - column);
        if (d < 1.2) x[side * r + c] = Math.max(x[side * r + c], d < 0.75 ? 1 : 0.35);
      }
    };
    follow(pad, (event) => {
      const frame = pad.getBoundingClientRect();
      const at = [event.clientX - frame.left, event.clientY - frame.top].map((v) => side * v / frame.width - 0.5);
      if (event.type === "pointerdown") last = at;
      const steps = Math.ceil(2 * Math.hypot(at[0] - last[0], at[1] - last[1])) || 1;
      for (let s = 1; s <= steps; s++) ink(at.map((v, k) => Math.round(last[k] + (v - last[k]) * s / steps)));
      last = at;
      show("Your drawing");
    });
    const cursor = () => {
      paint(pad, x);
      const context = pad.getContext("2d");
      context.fillStyle = "rgba(213, 94, 0, 0.6)";
      context.fillRect(...cell, 1, 1);
    };
    pad.addEventListener("keydown", (event) => {
      const step = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[event.key];
      if (step) {
        cell = cell.map((v, k) => Math.min(side - 1, Math.max(0, v + step[k])));
        said.textContent = `column ${cell[0] + 1}, row ${cell[1] + 1}`;
      } else if (event.key === " ") {
        ink(cell);
        show("Your drawing");
      } else return;
      event.preventDefault();
      cursor();
    });
    pad.addEventListener("focus", () => pad.matches(":focus-visible") && cursor());
    pad.addEventListener("blur", () => paint(pad, x));
    const buttons = Object.entries(data.images).map(([name, pixels]) => {
      const thumbnail = make("canvas", {width: side, height: side});
      thumbnail.setAttribute("aria-hidden", true);
      paint(thumbnail, Array.from(floats(pixels)));
      const button = make("button", {type: "button"}, thumbnail);
      button.setAttribute("aria-label", `encode ${name}`);
      button.addEventListener("click", () => { x = floats(pixels); show(name); });
      return button;
    });
    const clear = make("button", {type: "button", textContent: "clear"});
    clear.addEventListener("click", () => { x.fill(0); show("An empty image"); });
    panel.prepend(make("div", {}, make("span", {textContent: "x"}), pad));
    controls.prepend(make("div", {className: "line picks"}, ...buttons, clear));
    paint(pad, x);
  }
  move(data.start);
  figure.decode = decode; // for the tests, which compare with torch
  figure.encode = encode;
}
