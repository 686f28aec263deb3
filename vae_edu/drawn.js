// Figures whose picture is a formula: drawn here for any value, moved by a slider or by their own curves and points.
function drawn(figure) {
  const data = JSON.parse(figure.querySelector("[type='application/json']").textContent);
  const number = (value, digits = 2) => value.toFixed(digits).replace("-", "\u2212").replace(/^\u2212(0\.?0*)$/, "$1");
  const svg = (tag, attributes, ...children) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const name in attributes) element.setAttribute(name, attributes[name]);
    element.append(...children);
    return element;
  };
  const make = (tag, properties, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  const BLUE = "#0072b2", ORANGE = "#d55e00", range = (from, to, n) => Array.from({length: n}, (_, k) => from + (to - from) * k / (n - 1));
  const normal = (z, mean, std) => Math.exp(-(((z - mean) / std) ** 2) / 2) / std / Math.sqrt(2 * Math.PI);

  // A panel with axes. x, y: [from, to]; log: a logarithmic axis; drag(x, y): what moves when somebody pulls there.
  const panels = make("div", {className: "panels"});
  function panel({x, y, xlabel, ylabel, log = false, ticks, drag, width = 300}) {
    const [left, right, top, bottom] = [44, width - 8, 10, 168], scale = log ? Math.log : (v) => v;
    const X = (v) => left + (right - left) * (scale(v) - scale(x[0])) / (scale(x[1]) - scale(x[0]));
    const Y = (v) => bottom - (bottom - top) * (v - y[0]) / (y[1] - y[0]);
    const inside = svg("svg", {x: left, y: top, width: right - left, height: bottom - top, viewBox: `${left} ${top} ${right - left} ${bottom - top}`});
    const root = svg("svg", {viewBox: `0 0 ${width} 206`, class: drag ? "chart pull" : "chart", "aria-hidden": true, style: `width: ${width}px`},
      svg("path", {d: `M${left} ${top}V${bottom}H${right}`, class: "axis"}),
      svg("text", {x: (left + right) / 2, y: 202, "text-anchor": "middle"}, xlabel),
      svg("text", {x: 12, y: (top + bottom) / 2, "text-anchor": "middle", transform: `rotate(-90 12 ${(top + bottom) / 2})`}, ylabel), inside);
    for (const v of ticks.x) root.append(svg("text", {x: X(v), y: 184, "text-anchor": "middle"}, number(v, Number.isInteger(v) ? 0 : 1)));
    for (const v of ticks.y) root.append(svg("text", {x: left - 5, y: Y(v) + 4, "text-anchor": "end"}, number(v, Number.isInteger(v) ? 0 : 1)));
    if (drag) {
      const pull = (event) => {
        const box = root.getBoundingClientRect(), u = (event.clientX - box.left) * width / box.width, v = (event.clientY - box.top) * 206 / box.height;
        const share = Math.min(1, Math.max(0, (u - left) / (right - left))), value = scale(x[0]) + share * (scale(x[1]) - scale(x[0]));
        drag(log ? Math.exp(value) : value, y[0] + (y[1] - y[0]) * Math.min(1, Math.max(0, (bottom - v) / (bottom - top))));
      };
      root.addEventListener("pointerdown", (event) => { root.setPointerCapture(event.pointerId); pull(event); });
      root.addEventListener("pointermove", (event) => root.hasPointerCapture(event.pointerId) && pull(event));
    }
    panels.append(root);
    const line = (points) => points.map(([a, b], k) => `${k ? "L" : "M"}${X(a).toFixed(1)} ${Y(b).toFixed(1)}`).join("");
    const add = (tag, attributes) => inside.appendChild(svg(tag, attributes));
    return {
      path: (attributes) => {
        const element = add("path", {fill: "none", ...attributes});
        return (points) => element.setAttribute("d", line(points));
      },
      dot: (attributes) => {
        const element = add("circle", {r: 7, ...attributes});
        return (a, b) => {
          element.setAttribute("cx", X(a));
          element.setAttribute("cy", Y(b));
        };
      },
      bar: (attributes) => {
        const element = add("rect", attributes);
        return (a, b, low, high, fill) => { // from a to b, from low to high
          const place = {x: X(a), width: Math.max(0, X(b) - X(a)), y: Y(Math.max(low, high)), height: Math.abs(Y(high) - Y(low))};
          for (const name in place) element.setAttribute(name, place[name]);
          if (fill) element.setAttribute("fill", fill);
        };
      },
      words: (attributes) => {
        const element = add("text", attributes);
        return (a, b, text) => {
          element.setAttribute("x", X(a));
          element.setAttribute("y", Y(b));
          element.textContent = text;
        };
      },
    };
  }

  // Sliders for all that moves. state changes by set(); show() draws.
  const state = {...data.start}, controls = make("div", {className: "control"}), reading = make("p", {className: "reading"});
  const sliders = {};
  const set = (changes) => {
    for (const name in changes) {
      const {min, max} = data.sliders[name];
      state[name] = Math.min(max, Math.max(min, changes[name]));
      sliders[name].value = data.sliders[name].log ? Math.log(state[name]) : state[name];
    }
    reading.textContent = show(state);
    for (const name in sliders) sliders[name].setAttribute("aria-valuetext", `${number(state[name])}. ${reading.textContent}`);
  };
  for (const [name, {label, min, max, log}] of Object.entries(data.sliders)) {
    const turn = log ? Math.log : (v) => v, id = `${figure.id}-${name}`;
    const slider = make("input", {type: "range", id, min: turn(min), max: turn(max), step: (turn(max) - turn(min)) / 200});
    slider.addEventListener("input", () => set({[name]: log ? Math.exp(slider.value) : +slider.value}));
    sliders[name] = slider;
    controls.append(make("div", {className: "line"}, make("label", {htmlFor: id, textContent: label}), slider));
  }

  const SCENES = {
    noise() { // chapter 2: what σ asserts of the residuals, and what it costs
      const {heap, error, mean, grain} = data, d = mean.length, side = Math.round(Math.sqrt(d));
      const price = (s) => error / (2 * s * s) + d / 2 * Math.log(2 * Math.PI * s * s);
      const image = make("canvas", {width: side, height: side});
      image.setAttribute("role", "img");
      image.setAttribute("aria-label", "a draw from p(x|z)");
      panels.append(make("div", {className: "draw"}, make("span", {textContent: "draw from p(x|z)"}), image));
      const left = panel({x: [-1, 1], y: [0, 9], xlabel: "residual (grey values)", ylabel: "density", ticks: {x: [-1, 0, 1], y: [0, 3, 6, 9]}, drag: (r) => set({sigma: Math.abs(r)})});
      const right = panel({x: [0.06, 1], y: [-60, 80], log: true, xlabel: "σ (grey values)", ylabel: "NLL (nats)", ticks: {x: [0.1, 0.3, 1], y: [-50, 0, 50]}, drag: (s) => set({sigma: s})});
      left.path({class: "shade"})([[-1, 0], ...heap.flatMap((h, k) => [[-1 + 2 * k / heap.length, h], [-1 + 2 * (k + 1) / heap.length, h]]), [1, 0]]);
      right.path({class: "grey"})(range(Math.log(0.06), 0, 120).map((t) => [Math.exp(t), price(Math.exp(t))]));
      const curve = left.path({stroke: BLUE, "stroke-width": 2.5}), dot = right.dot({fill: BLUE}), context = image.getContext("2d");
      return ({sigma}) => {
        curve(range(-1, 1, 241).map((r) => [r, normal(r, 0, sigma)]));
        dot(sigma, price(sigma));
        const pixels = context.createImageData(side, side);
        mean.forEach((f, k) => pixels.data.set([0, 0, 0].fill(255 * (1 - Math.min(1, Math.max(0, f + sigma * grain[k])))).concat(255), 4 * k));
        context.putImageData(pixels, 0, 0);
        return `σ = ${number(sigma)}: ${number(price(sigma), 1)} nats per image.`;
      };
    },
    peaks() { // chapter 5: q against a posterior with two peaks, x = z² + noise
      const noise = data.noise, grid = range(-6, 6, 2401), step = grid[1] - grid[0];
      const elbo = (x, mu, s) => {
        const z2 = mu * mu + s * s, z4 = mu ** 4 + 6 * mu * mu * s * s + 3 * s ** 4;
        return -(x * x - 2 * x * z2 + z4) / (2 * noise * noise) - z2 / 2 + Math.log(s) + 0.5 - Math.log(noise) - 0.5 * Math.log(2 * Math.PI);
      };
      const posterior = (x) => {
        const joint = grid.map((z) => normal(x, z * z, noise) * normal(z, 0, 1)), evidence = joint.reduce((sum, v) => sum + v, 0) * step;
        return {density: joint.map((v) => v / evidence), logP: Math.log(evidence)};
      };
      const both = data.which === "x", pull = both ? undefined : (z) => set({mu: z});
      const left = panel({width: 420, x: [-2.5, 2.5], y: [0, 3.2], xlabel: "z (latent units)", ylabel: "density", ticks: {x: [-2, -1, 0, 1, 2], y: [0, 1, 2, 3]}, drag: pull});
      const shade = left.path({class: "shade"}), other = left.path({stroke: ORANGE, "stroke-width": 2, "stroke-dasharray": "6 4"});
      const curve = left.path({stroke: BLUE, "stroke-width": 2.5});
      const draw = (density) => shade([[-6, 0], ...grid.map((z, k) => [z, density[k]]), [6, 0]]);
      const bell = (line, mu, s) => line(range(-2.5, 2.5, 401).map((z) => [z, normal(z, mu, s)]));
      if (!both) {
        const {density, logP} = posterior(data.x), right = panel({width: 200, x: [0, 2], y: [-14, 1], xlabel: "", ylabel: "nats", ticks: {x: [], y: [-14, -10, -5, 0]}});
        const lower = right.bar({fill: BLUE}), upper = right.bar({fill: ORANGE}), words = right.words({fill: BLUE}), gap = right.words({fill: ORANGE});
        right.path({class: "grey"})([[0, logP], [2, logP]]);
        right.words({class: "ink"})(1.05, logP + 0.4, "log p(x)");
        draw(density);
        return ({mu, s}) => {
          const value = elbo(data.x, mu, s), shown = number(value), total = number(logP);
          bell(curve, mu, s);
          lower(0.2, 0.9, -14, Math.max(-14, value));
          upper(0.2, 0.9, Math.max(-14, value), logP);
          words(1.05, Math.max(-13.4, value - 0.9), "ELBO");
          gap(1.05, logP - value > 1.6 ? Math.max((logP + value) / 2, -9) : -40, "KL");
          const cents = Math.round(100 * logP) - Math.round(100 * value); // so that the printed numbers add up
          return `μ = ${number(mu)}, s = ${number(s)}: ELBO ${shown} + KL ${number(cents / 100)} = ${total} nats.`;
        };
      }
      const right = panel({width: 200, x: [-0.6, 1.6], y: [0, 2.4], xlabel: "the valley, a peak", ylabel: "KL (nats)", ticks: {x: [], y: [0, 1, 2]}});
      const bars = [BLUE, BLUE].map((fill) => right.bar({fill}));
      return ({x}) => {
        const {density, logP} = posterior(x), c = x - noise * noise / 2, r = noise * noise, root = c * c - 3 * r;
        const found = [[0, Math.sqrt((c + Math.sqrt(c * c + 6 * r)) / 6)]];
        if (root >= 0) { const s2 = (c - Math.sqrt(root)) / 6; found.push([Math.sqrt(c - 3 * s2), Math.sqrt(s2)]); }
        const gaps = found.map(([mu, s]) => logP - elbo(x, mu, s)), best = gaps.length > 1 && gaps[1] < gaps[0] ? 1 : 0;
        draw(density);
        bell(curve, ...found[best]);
        if (found.length > 1) bell(other, ...found[1 - best]);
        else other([[0, -1], [0, -1]]);
        bars.forEach((bar, k) => {
          bar(k - 0.35, k + 0.35, 0, k < gaps.length ? gaps[k] : 0, k === best ? BLUE : ORANGE);
        });
        return `x = ${number(x)}: the best q has μ = ${number(found[best][0])}, s = ${number(found[best][1])}, KL ${number(gaps[best])} nats` +
          (found.length > 1 ? `; the other candidate ${number(gaps[1 - best])}.` : "; there is no other candidate.");
      };
    },
    bowl() { // chapter 6: the divergence from N(0, 1), term by term
      const parts = (mu, s) => [mu * mu / 2, (s * s - 1) / 2, -Math.log(s)], kl = (mu, s) => parts(mu, s).reduce((a, b) => a + b);
      const left = panel({width: 250, x: [-4, 5], y: [0, 2.4], xlabel: "z (latent units)", ylabel: "density", ticks: {x: [-4, -2, 0, 2, 4], y: [0, 1, 2]}, drag: (z) => set({mu: z})});
      const middle = panel({width: 215, x: [-1.6, 3.6], y: [-0.6, 3.6], xlabel: "nats", ylabel: "", ticks: {x: [-1, 0, 1, 2, 3], y: []}});
      const right = panel({width: 250, x: [-2.5, 2.5], y: [0.05, 3], xlabel: "μ (latent units)", ylabel: "s (latent units)", ticks: {x: [-2, -1, 0, 1, 2], y: [1, 2, 3]}, drag: (mu, s) => set({mu, s})});
      left.path({class: "shade"})([[-4, 0], ...range(-4, 5, 200).map((z) => [z, normal(z, 0, 1)]), [5, 0]]);
      for (const height of [0.1, 0.5, 1, 2, 3]) { // μ² = 2 (KL + log s) + 1 - s²
        const edge = range(0.02, 3.2, 1200).map((s) => [2 * (height + Math.log(s)) + 1 - s * s, s]).filter(([square]) => square >= 0);
        const half = (side) => edge.map(([q, s]) => [side * Math.sqrt(q), s]), [[, low], [, high]] = [edge[0], edge.at(-1)];
        right.path({stroke: "#56b4e9"})([[0, low], ...half(-1), [0, high], ...half(1).reverse(), [0, low]]);
      }
      const names = ["½ μ²", "½ (s² − 1)", "−log s", "KL"], bars = names.map((_, k) => middle.bar({fill: k < 3 ? "#56b4e9" : BLUE}));
      names.forEach((name, k) => middle.words({class: "ink"})(-1.55, 3 - k + 0.36, name));
      middle.path({class: "grey"})([[0, -0.6], [0, 3.6]]);
      right.dot({fill: ORANGE, r: 5})(0, 1);
      const curve = left.path({stroke: BLUE, "stroke-width": 2.5}), dot = right.dot({fill: BLUE});
      return ({mu, s}) => {
        curve(range(-4, 5, 600).map((z) => [z, normal(z, mu, s)]));
        dot(mu, s);
        const terms = parts(mu, s), total = kl(mu, s), cents = terms.map((v) => Math.round(100 * v)), sum = cents[0] + cents[1] + cents[2];
        [...terms, total].forEach((v, k) => bars[k](Math.min(0, v), Math.max(0, v), 3 - k - 0.3, 3 - k + 0.3));
        return `μ = ${number(mu)}, s = ${number(s)}: ${number(cents[0] / 100)} + ${number(cents[1] / 100)} + ${number(cents[2] / 100)} = ${number(sum / 100)} nats.`
          .replace(/\+ \u2212/g, "\u2212 ");
      };
    },
  };
  const still = figure.querySelector("img");
  still.before(panels, controls, reading);
  still.hidden = true;
  const show = SCENES[data.scene]();
  set({});
  for (const name in state) set({[name]: state[name]});
  figure.moved = {state, set}; // for the tests
}
