// The page around table.js: choose cells of the table, train, watch. Nothing runs before somebody presses a button.
function live(figure) {
  const data = JSON.parse(figure.querySelector("[type='application/json']").textContent);
  const d = 64, m = 2, side = 8, N = data.train.length / d, H = data.held.length / d;
  const unpack = (text) => Float64Array.from(text, (c) => (c.charCodeAt(0) - 65) / 16); // "A" is 0, "Q" is 16 of 16
  const x = unpack(data.train), held = unpack(data.held), labels = Array.from(data.labels, Number);
  const make = (tag, properties = {}, ...children) => {
    const element = document.createElement(tag);
    for (const name in properties) {
      if (name.includes("-") || name === "role" || name === "for") element.setAttribute(name, properties[name]);
      else element[name] = properties[name];
    }
    element.append(...children);
    return element;
  };
  const number = (value, digits = 1) => value.toFixed(digits).replace("-", "\u2212").replace(/^\u2212(0\.?0*)$/, "$1");

  // ---- What can be set: name, words, values from the first to the last, how a value is read
  const STAGES = {1: "Autoencoder", 2: "MapLatent", 3: "VariationalLatent", 4: "VAE"};
  const CONTROLS = [
    ["sigma", "σ of the decoder", [0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1], (v) => `${v}`],
    ["learn", "σ is", [0, 1], (v) => (v ? "learned, from there" : "fixed")],
    ["weight", "weight of the KL, or the prior", [0, 0.25, 0.5, 1, 2, 4, 16, 64], (v) => (v === 0 ? "0: off" : `${v}`)],
    ["warm", "warm-up of this weight", [0, 5, 15, 30], (v) => (v ? `${v} epochs` : "none")],
    ["start", "log s at the start", [-2, -1, 0], (v) => (v ? number(v, 0) : "0: as wide as the prior")],
    ["width", "hidden units", [16, 32, 64, 128], (v) => `${v}`],
    ["lr", "step size of Adam", [0.001, 0.003, 0.01, 0.03, 0.05], (v) => `${v}`],
    ["epochs", "epochs, until the step is 0", [15, 30, 60, 120], (v) => `${v}`],
    ["seed", "seed of weights and noise", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], (v) => `${v}`],
    ["speed", "speed", [1, 2, 3], (v) => ["a batch at a time", "an epoch a second", "as fast as it can"][v - 1]],
  ];
  const DEFAULTS = {
    first: 4, second: 0, sigma: 0.15, learn: 0, weight: 1, warm: 0, start: -2,
    width: 64, lr: 0.003, epochs: 30, seed: 0, speed: 3,
  };
  const state = {...DEFAULTS};

  // ---- The panes: one training each, and its pictures
  const canvas = (width, height, name, className) =>
    make("canvas", {width, height, className, role: "img", "aria-label": name});
  const ink = () => getComputedStyle(figure).color;
  const luminance = (color) => color.match(/\d+/g).slice(0, 3).reduce((sum, v) => sum + v / 3, 0);
  const scaleOf = (canvas) => canvas.width / (canvas.clientWidth || canvas.width / 2); // of its own dots, to a dot of the page
  const hue = (digit) => (data.colors[digit] === "#222222" ? ink() : data.colors[digit]); // black cannot be seen in the dark

  function pane(stage) {
    const plane = canvas(640, 640, "latent plane", "plane"), decoded = canvas(9 * side, 9 * side, "decoded plane", "pixels");
    const curves = ["misfit", "prior"].map((name) => canvas(640, 260, name, "curve"));
    const [rebuilt, drawn] = ["held-out images", "draws"].map((name) => canvas(H * 9 - 1, 17, name, "pixels strip"));
    const reading = make("p", {className: "numbers"}), unit = make("span");
    const point = stage < 3, model = createStage({
      stage, N, d, m, hidden: [state.width], sigma: state.sigma, learnSigma: Boolean(state.learn), seed: state.seed,
      logStd: state.start,
    });
    const training = createTraining(model, x, {
      epochs: state.epochs, lr: state.lr, seed: state.seed, batch: 64,
      weight: (epoch) => state.weight * (state.warm ? Math.min(1, epoch / state.warm) : 1),
    });
    const dice = randomNumbers(7), z = Float64Array.from({length: H * m}, dice.normal);
    const grain = Float64Array.from({length: H * d}, dice.normal), history = [];
    const misfit = stage === 1 ? "squared error" : "misfit, −log p(x|z)", prior = point ? "−log p(z)" : "KL(q ‖ p)";
    const element = make("section", {className: "pane", "aria-label": `stage ${stage}`},
      make("p", {className: "name", textContent: `${stage} · ${STAGES[stage]}`}), reading,
      make("div", {className: "pair"},
        make("div", {}, make("span", {textContent: point ? "codes z" : "q(z|x): means, some with one s"}), plane, unit),
        make("div", {}, make("span", {textContent: "f(z) over the same plane"}), decoded)),
      make("div", {className: "pair"},
        make("div", {}, make("span", {textContent: `${misfit} (${stage === 1 ? "grey values²" : "nats"})`}), curves[0]),
        make("div", {}, make("span", {textContent: stage === 1 ? "no prior in its loss" : `${prior} (nats)`}), curves[1])),
      make("span", {textContent: "held-out images, and rebuilt"}), rebuilt,
      make("span", {textContent: stage === 1 ? "z from N(0, I), decoded: it was never told of this"
        : "drawn from the prior: f(z), and with the noise σ"}),
      drawn);

    const decode = (z) => forward(model.decoder, z, z.length / m).at(-1);
    const means = (rows) => Float64Array.from({length: rows.length / model.width * m},
      (_, k) => rows[Math.floor(k / m) * model.width + k % m]);
    const paint = (target, images, columns, gap) => { // images one after the other, row by row
      const context = target.getContext("2d"), pixels = context.createImageData(target.width, target.height), size = side + gap;
      pixels.data.fill(255);
      images.forEach((value, k) => {
        const image = Math.floor(k / d), row = Math.floor(k % d / side) + size * Math.floor(image / columns);
        const at = 4 * ((k % side) + size * (image % columns) + row * target.width);
        pixels.data.fill(255 * (1 - Math.min(1, Math.max(0, value))), at, at + 3);
      });
      context.putImageData(pixels, 0, 0);
    };

    let reach = 3, moment = 0;
    function drawPlane() {
      const rows = rowsOf(model, x, Int32Array.from({length: N}, (_, i) => i), N).at(-1), {width} = model;
      const size = Float64Array.from({length: N},
        (_, i) => Math.max(Math.abs(rows[i * width]), Math.abs(rows[i * width + 1]))).sort();
      while (size[Math.floor(0.98 * N)] > reach) reach *= 2;
      moment = 0;
      for (let i = 0; i < N; i++) for (let j = 0; j < m; j++) {
        moment += (rows[i * width + j] ** 2 + (point ? 0 : Math.exp(2 * rows[i * width + m + j]))) / (N * m);
      }
      const context = plane.getContext("2d"), scale = scaleOf(plane), at = (v) => 320 + 300 * v / reach, color = ink();
      const paper = luminance(color) > 128 ? "black" : "white", hues = data.colors.map((_, k) => hue(k));
      context.clearRect(0, 0, 640, 640);
      context.strokeStyle = context.fillStyle = color;
      context.globalAlpha = 0.35;
      context.lineWidth = 1.5;
      context.strokeRect(20, 20, 600, 600);
      context.setLineDash([6, 6]);
      context.beginPath(); // the prior's two standard deviations
      context.arc(320, 320, 600 / reach, 0, 2 * Math.PI);
      context.stroke();
      context.setLineDash([]);
      const groups = data.colors.map(() => ({x: 0, y: 0, n: 0}));
      for (let i = 0; i < N; i++) {
        const [a, b] = [at(rows[i * width]), at(-rows[i * width + 1])], group = groups[labels[i]];
        group.x += a; group.y += b; group.n += 1;
        if (a < 20 || a > 620 || b < 20 || b > 620) continue;
        context.fillStyle = context.strokeStyle = hues[labels[i]];
        context.globalAlpha = 0.75;
        context.fillRect(a - 2.5, b - 2.5, 5, 5);
        if (!point && i % 12 === 0) {
          context.lineWidth = 2;
          context.beginPath();
          const [s1, s2] = [m, m + 1].map((j) => 300 * Math.exp(rows[i * width + j]) / reach);
          context.ellipse(a, b, s1, s2, 0, 0, 2 * Math.PI);
          context.stroke();
        }
      }
      context.globalAlpha = 1;
      context.textAlign = "center";
      context.font = `bold ${11 * scale}px sans-serif`;
      groups.forEach((group, digit) => {
        const [a, b] = [group.x / group.n, group.y / group.n].map((v) => Math.min(620 - 8 * scale, Math.max(20 + 8 * scale, v)));
        context.fillStyle = hues[digit];
        context.beginPath();
        context.arc(a, b, 8 * scale, 0, 2 * Math.PI);
        context.fill();
        context.fillStyle = hues[digit] === color ? paper : "white";
        context.fillText(digit, a, b + 4 * scale);
      });
      unit.textContent = `from −${reach} to ${reach} latent units; dashed: radius 2`;
      const grid = [];
      for (let r = 0; r < 9; r++) for (let c = 0; c < 9; c++) grid.push((c - 4) / 4 * reach, (4 - r) / 4 * reach);
      paint(decoded, decode(Float64Array.from(grid)), 9, 0);
    }

    function drawCurve(target, values, color) {
      const context = target.getContext("2d"), shown = values.slice(-state.epochs), scale = scaleOf(target);
      const left = 38 * scale, bottom = 260 - 20 * scale, width = 630 - left;
      context.clearRect(0, 0, 640, 260);
      context.strokeStyle = context.fillStyle = ink();
      context.font = `${11 * scale}px sans-serif`;
      context.lineWidth = 1.5;
      context.globalAlpha = 0.35;
      context.strokeRect(left, 10, width, bottom - 10);
      context.globalAlpha = 1;
      context.textAlign = "center";
      context.fillText("epoch", left + width / 2, 260 - 5 * scale);
      context.fillText("0", left, 260 - 5 * scale);
      context.textAlign = "right";
      context.fillText(state.epochs, 630, 260 - 5 * scale);
      if (shown.length === 0) return;
      const later = shown.slice(shown.length > 4 ? 2 : 0); // the first two run off the top
      const low = Math.min(...shown), high = Math.max(low + 0.1, ...later);
      context.fillText(number(high), left - 4 * scale, 10 + 10 * scale);
      context.fillText(number(low), left - 4 * scale, bottom);
      context.strokeStyle = color;
      context.lineWidth = 2 * scale;
      context.beginPath();
      const y = (value) => Math.max(10, bottom - (bottom - 10) * (value - low) / (high - low));
      shown.forEach((value, k) => context.lineTo(left + width * (k + 1) / state.epochs, y(value)));
      context.stroke();
    }

    function draw() {
      drawPlane();
      drawCurve(curves[0], history.map((h) => h.misfit), "#0072b2");
      if (stage > 1) drawCurve(curves[1], history.map((h) => h.prior), "#d55e00");
      const f = decode(z), sigma = Math.exp(model.theta[model.at]);
      paint(drawn, [...f, ...(stage === 1 ? f.map(() => 0) : f.map((v, k) => v + sigma * grain[k]))], H, 1);
      paint(rebuilt, [...held, ...decode(means(heldOutRows(model, held, x)))], H, 1);
      const words = say();
      reading.textContent = words;
      plane.setAttribute("aria-label", `latent plane, coloured by digit. ${words}`);
    }

    const epoch = () => number(training.epoch(), training.epoch() % 1 ? 1 : 0);
    function say() {
      const last = history.at(-1), sigma = Math.exp(model.theta[model.at]);
      if (!last) return `Epoch ${epoch()}: nothing is learned yet.`;
      const spread = `, mean square of ${point ? "z" : "μ, plus s²,"} ${number(moment, 2)}`;
      if (stage === 1) return `Epoch ${epoch()}: squared error ${number(last.misfit, 2)}${spread}.`;
      const price = `${point ? "−log p(z)" : "KL"} ${number(last.prior, 2)}`, sum = number(last.misfit + last.prior);
      const learned = state.learn ? `, σ ${number(sigma, 3)}` : "";
      return `Epoch ${epoch()}: misfit ${number(last.misfit)} and ${price} nats, together ${sum}${spread}${learned}.`;
    }

    const step = () => {
      const means = training.step();
      if (means) history.push({...means});
      return Boolean(means);
    };
    return {element, step, draw, say, ended: training.ended, epoch: training.epoch, model, history, stage};
  }

  // ---- The page
  const bench = make("div", {className: "bench"}), said = make("p", {className: "said", role: "status"});
  let panes = [], running = false, timer;
  function reset() {
    running = false;
    clearTimeout(timer);
    panes = [state.first, state.second].filter(Boolean).map(pane);
    bench.replaceChildren(...panes.map((one) => one.element));
    bench.classList.toggle("two", panes.length === 2);
    panes.forEach((one) => one.draw());
    show();
  }

  const ended = () => panes.every((one) => one.ended());
  let drawnAt = 0, waiting = 0; // in milliseconds
  function run() { // slices of time, so that the page stays awake
    if (!running) return;
    const begin = performance.now();
    if (state.speed > 1 || begin > waiting) {
      waiting = begin + 150;
      const from = Math.floor(panes[0].epoch()), whole = () => state.speed === 2 && Math.floor(panes[0].epoch()) > from;
      do panes.forEach((one) => one.ended() || one.step());
      while (state.speed > 1 && performance.now() - begin < 28 && !ended() && !whole());
      if (whole()) waiting = begin + 1000;
    }
    if (ended()) return pause();
    if (begin - drawnAt > (matchMedia("(prefers-reduced-motion: reduce)").matches ? 3000 : state.speed === 3 ? 250 : 100)) {
      panes.forEach((one) => one.draw());
      drawnAt = performance.now();
    }
    timer = setTimeout(run, state.speed === 2 ? Math.max(0, waiting - performance.now()) : 0);
  }
  function pause() {
    running = false;
    panes.forEach((one) => one.draw());
    const words = panes.map((one) => `Stage ${one.stage}. ${one.say()}`);
    said.textContent = words.join(" ") + (ended() ? " The training has ended." : "");
    show();
  }

  const button = (text, click, more) => {
    const element = make("button", {type: "button", textContent: text, ...more});
    element.addEventListener("click", click);
    return element;
  };
  const train = button("Train", () => {
    if (running) return pause();
    if (ended()) reset();
    running = true;
    said.textContent = "Training.";
    show();
    run();
  }, {className: "main"});
  const once = button("One step", () => {
    running = false;
    panes.forEach((one) => one.ended() || one.step());
    pause();
  });
  const link = make("a", {textContent: "link to these settings", className: "link"});

  const cells = {};
  const choose = make("div", {className: "cells2"}, make("span"),
    make("b", {textContent: "z is a point"}), make("b", {textContent: "z is a distribution q"}));
  for (const [row, stages] of [["free: one entry per image", [2, 3]], ["amortized: computed from x", [1, 4]]]) {
    choose.append(make("b", {textContent: row}));
    for (const stage of stages) {
      cells[stage] = button(`${stage} · ${STAGES[stage]}`, () => {
        if (state.first === stage && state.second) [state.first, state.second] = [state.second, 0];
        else if (state.second === stage) state.second = 0;
        else if (state.first !== stage) [state.first, state.second] = both.checked ? [state.first, stage] : [stage, 0];
        reset();
      });
      choose.append(cells[stage]);
    }
  }
  const both = make("input", {type: "checkbox", id: `${figure.id}-both`});
  both.addEventListener("change", () => {
    state.second = both.checked ? (state.first === 4 ? 3 : 4) : 0;
    reset();
  });

  const sliders = {};
  const controls = make("div", {className: "settings"}, ...CONTROLS.map(([name, words, values, read]) => {
    const slider = make("input", {type: "range", min: 0, max: values.length - 1, step: 1, id: `${figure.id}-${name}`});
    const output = make("output", {for: slider.id});
    slider.addEventListener("input", () => {
      state[name] = values[slider.value];
      if (name === "speed") show();
      else reset();
    });
    sliders[name] = {slider, output, values, read};
    return make("div", {className: "line"}, make("label", {htmlFor: slider.id, textContent: words}), slider, output);
  }));

  const answer = make("div", {className: "question"});
  const start = ({name, question, expect, ...settings}) => button(name, () => {
    Object.assign(state, DEFAULTS, settings);
    answer.replaceChildren(make("p", {textContent: question}),
      make("details", {}, make("summary", {textContent: "What to expect"}), make("p", {textContent: expect})));
    reset();
  });
  const experiments = make("div", {className: "picks"}, ...data.experiments.map(start));

  function show() { // the state, in all controls
    for (const name in sliders) {
      const {slider, output, values, read} = sliders[name];
      slider.value = values.indexOf(state[name]);
      output.textContent = read(state[name]);
      slider.setAttribute("aria-valuetext", read(state[name]));
    }
    for (const stage in cells) cells[stage].setAttribute("aria-pressed", [state.first, state.second].includes(+stage));
    both.checked = state.second !== 0;
    train.textContent = running ? "Pause" : ended() ? "Train again" : panes[0].epoch() ? "Go on" : "Train";
    link.href = "?" + new URLSearchParams(state);
    link.hidden = location.pathname.includes("/lab"); // in JupyterLab the address is not the page's
  }
  function fromLink() {
    const asked = Object.fromEntries(new URLSearchParams(location.search));
    for (const name in DEFAULTS) {
      const value = Number(asked[name]), allowed = sliders[name]?.values ?? (name === "first" ? [1, 2, 3, 4] : [0, 1, 2, 3, 4]);
      if (name in asked && allowed.includes(value)) state[name] = value;
    }
    if (state.first === state.second) state.second = 0;
  }
  figure.querySelector("img").before(
    make("p", {textContent: "Start with an experiment, or with the table."}), experiments, answer, choose,
    make("div", {className: "line"}, both,
      make("label", {htmlFor: both.id, textContent: "two cells side by side, with the same decoder at the start"})),
    make("div", {className: "line buttons"}, train, once, button("Reset", reset), link),
    make("details", {className: "more", open: innerWidth > 700}, make("summary", {textContent: "Settings"}), controls), bench, said);
  figure.querySelector("img").hidden = true;
  fromLink();
  reset();
  figure.live = {state, panes: () => panes, reset, running: () => running}; // for the tests
}
