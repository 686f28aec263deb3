// The book's table, trained: four ways to choose z, their losses, gradients derived by hand, Adam as in fit.
// Arrays are flat, row after row: x is (B, d), z is (B, m). Losses sum over pixels, average over images, and are in nats.

const LOG_2PI = Math.log(2 * Math.PI);

function randomNumbers(seed) { // mulberry32, and Box and Muller
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  const shuffled = (n) => {
    const order = Int32Array.from({length: n}, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = Math.floor(uniform() * (i + 1));
      [order[i], order[j]] = [order[j], order[i]];
    }
    return order;
  };
  return {uniform, normal, shuffled};
}

// Linear layers with ReLU between them. Weights (in, out) and biases (out) are stretches of theta; grad has the same layout.
function network(sizes, theta, grad, from) {
  const layers = [];
  for (let k = 0; k + 1 < sizes.length; k++) {
    const [n, out] = [sizes[k], sizes[k + 1]], bias = from + n * out, end = bias + out;
    layers.push({n, out, W: theta.subarray(from, bias), b: theta.subarray(bias, end),
                 gW: grad.subarray(from, bias), gb: grad.subarray(bias, end)});
    from = end;
  }
  return {layers, end: from};
}

function start(net, random) { // uniform in ±1/√(inputs), as in networks.mlp
  const entry = (n) => (2 * random.uniform() - 1) / Math.sqrt(n);
  for (const {n, out, W, b} of net.layers) {
    for (let o = 0; o < out; o++) for (let j = 0; j < n; j++) W[j * out + o] = entry(n);
    for (let o = 0; o < out; o++) b[o] = entry(n);
  }
}

function forward(net, input, B) { // the values of all layers, from the input to the output
  const values = [input];
  net.layers.forEach(({n, out, W, b}, k) => {
    const h = values[k], y = new Float64Array(B * out), last = k === net.layers.length - 1;
    for (let i = 0; i < B; i++) {
      const row = y.subarray(i * out, (i + 1) * out);
      row.set(b);
      for (let j = 0; j < n; j++) {
        const value = h[i * n + j];
        if (value === 0) continue; // half of all pixels, and of what comes out of a ReLU
        for (let o = 0, w = j * out; o < out; o++) row[o] += value * W[w + o];
      }
      if (!last) for (let o = 0; o < out; o++) if (row[o] < 0) row[o] = 0;
    }
    values.push(y);
  });
  return values;
}

// slope: ∂loss/∂output. Adds to grad; returns ∂loss/∂input, but for entries of 0 in an image, where nobody needs it.
function backward(net, values, slope, B, image = false) {
  for (let k = net.layers.length - 1; k >= 0; k--) {
    const {n, out, W, gW, gb} = net.layers[k], h = values[k], before = new Float64Array(B * n);
    for (let i = 0; i < B; i++) {
      const g = slope.subarray(i * out, (i + 1) * out);
      for (let o = 0; o < out; o++) gb[o] += g[o];
      for (let j = 0; j < n; j++) {
        const value = h[i * n + j];
        if (value === 0 && (k > 0 || image)) continue; // a closed ReLU lets nothing through, a black pixel moves no weight
        let sum = 0;
        for (let o = 0, w = j * out; o < out; o++) {
          gW[w + o] += value * g[o];
          sum += W[w + o] * g[o];
        }
        before[i * n + j] = sum;
      }
    }
    slope = before;
  }
  return slope;
}

// A stage: 1 autoencoder, 2 points in a table, 3 distributions in a table, 4 VAE. Its rows, from the encoder or the table,
// are z (stages 1, 2) or mean and log std (stages 3, 4). Decoders of one seed are the same in all stages.
function createStage({stage, N, d, m, hidden, sigma, learnSigma, seed, logStd = -2}) {
  const point = stage < 3, free = stage === 2 || stage === 3, width = point ? m : 2 * m;
  const count = (sizes) => sizes.slice(1).reduce((sum, out, k) => sum + out * (sizes[k] + 1), 0);
  const decoderSizes = [m, ...hidden, d], encoderSizes = [d, ...hidden, width];
  const size = count(decoderSizes) + 1 + (free ? N * width : count(encoderSizes));
  const theta = new Float64Array(size), grad = new Float64Array(size);
  const decoder = network(decoderSizes, theta, grad, 0), at = decoder.end;
  const model = {stage, N, d, m, width, point, free, theta, grad, decoder, at, learnSigma, rows: at + 1};
  start(decoder, randomNumbers(seed));
  theta[at] = Math.log(sigma); // log σ, learned or not
  const random = randomNumbers(seed + 1000);
  if (free) {
    for (let i = 0; i < N; i++) for (let j = 0; j < width; j++) theta[at + 1 + i * width + j] = j < m ? 0.1 * random.normal() : logStd;
  } else {
    model.encoder = network(encoderSizes, theta, grad, at + 1);
    start(model.encoder, random);
    if (!point && logStd !== -2) for (let j = m; j < width; j++) model.encoder.layers.at(-1).b[j] = logStd;
  }
  return model;
}

function rowsOf(model, x, index, B) { // the layers of the encoder, or the entries of the table as the only one
  if (!model.free) return forward(model.encoder, x, B);
  const rows = new Float64Array(B * model.width);
  index.forEach((i, b) => rows.set(model.theta.subarray(model.rows + i * model.width, model.rows + (i + 1) * model.width), b * model.width));
  return [rows];
}

// The loss of a batch, its two parts, and its gradient in model.grad. noise: (B, m), standard normal; weight: of KL or prior.
function lossOf(model, x, index, noise, weight) {
  const B = index.length, {m, width, point, d} = model, sigma = Math.exp(model.theta[model.at]);
  model.grad.fill(0);
  const layers = rowsOf(model, x, index, B), rows = layers.at(-1), z = new Float64Array(B * m);
  let prior = 0; // -log p(z), or the KL
  for (let i = 0; i < B; i++) for (let j = 0; j < m; j++) {
    const mean = rows[i * width + j];
    if (point) {
      z[i * m + j] = mean;
      prior += 0.5 * (mean * mean + LOG_2PI);
    } else {
      const log = rows[i * width + m + j], std = Math.exp(log);
      z[i * m + j] = mean + std * noise[i * m + j];
      prior += 0.5 * (mean * mean + std * std - 1) - log;
    }
  }
  const values = forward(model.decoder, z, B), f = values.at(-1), slope = new Float64Array(B * d);
  const scale = model.stage === 1 ? 2 : 1 / (sigma * sigma);
  let squares = 0;
  for (let i = 0; i < B * d; i++) {
    const r = f[i] - x[i];
    squares += r * r;
    slope[i] = scale * r / B;
  }
  squares /= B;
  prior /= B;
  const byZ = backward(model.decoder, values, slope, B), byRows = new Float64Array(B * width);
  for (let i = 0; i < B; i++) for (let j = 0; j < m; j++) {
    const g = byZ[i * m + j], at = i * width + j, std = point ? 0 : Math.exp(rows[at + m]);
    byRows[at] = g + (model.stage === 1 ? 0 : weight * rows[at] / B);
    if (!point) byRows[at + m] = g * std * noise[i * m + j] + weight * (std * std - 1) / B;
  }
  if (model.free) index.forEach((i, b) => { for (let j = 0; j < width; j++) model.grad[model.rows + i * width + j] += byRows[b * width + j]; });
  else backward(model.encoder, layers, byRows, B, true);
  if (model.learnSigma && model.stage > 1) model.grad[model.at] = d - squares / (sigma * sigma);
  const misfit = model.stage === 1 ? squares : squares / (2 * sigma * sigma) + d * Math.log(sigma) + 0.5 * d * LOG_2PI;
  return {loss: misfit + (model.stage === 1 ? 0 : weight * prior), misfit, prior, squares};
}

function adam(model, lr, tableLr, state) { // one step, in place; state remembers both moments
  state.first ??= new Float64Array(model.theta.length);
  state.second ??= new Float64Array(model.theta.length);
  state.steps = (state.steps ?? 0) + 1;
  const one = 1 - 0.9 ** state.steps, two = Math.sqrt(1 - 0.999 ** state.steps), {first, second} = state, {theta, grad} = model;
  for (let i = 0; i < theta.length; i++) {
    const g = grad[i];
    first[i] += 0.1 * (g - first[i]);
    second[i] += 0.001 * (g * g - second[i]);
    if (i === model.at && !model.learnSigma) continue;
    const rate = model.free && i >= model.rows ? tableLr : lr;
    theta[i] -= rate / one * first[i] / (Math.sqrt(second[i]) / two + 1e-8);
  }
}

// A training as in fit: fresh order each epoch, half a cosine from lr to 0, a table's rate N/B times as large.
// weight(epoch) is that of KL or prior. step() does one batch; after an epoch it returns the epoch's means, else null.
function createTraining(model, x, {epochs, batch = 128, lr = 3e-3, seed, weight}) {
  const {N, d, m} = model, random = randomNumbers(seed + 2000), batches = Math.ceil(N / batch), state = {};
  let order, done = 0, sums;
  const step = () => {
    const epoch = Math.floor(done / batches), k = done % batches;
    if (k === 0) [order, sums] = [random.shuffled(N), {loss: 0, misfit: 0, prior: 0, squares: 0}];
    const index = order.subarray(k * batch, (k + 1) * batch), B = index.length, rows = new Float64Array(B * d);
    index.forEach((i, b) => rows.set(x.subarray(i * d, (i + 1) * d), b * d));
    const found = lossOf(model, rows, index, Float64Array.from({length: B * m}, random.normal), weight(epoch));
    const rate = lr * (1 + Math.cos(Math.PI * done / (epochs * batches))) / 2;
    adam(model, rate, rate * batches, state);
    for (const name in sums) sums[name] += found[name] * B / N;
    done += 1;
    return done % batches ? null : sums;
  };
  return {step, epoch: () => done / batches, ended: () => done >= epochs * batches};
}

// Rows of held-out images: the encoder's, or a search with the decoder frozen, from the entry of the most similar x.
function heldOutRows(model, x, trainX, steps = 60) {
  const {d, width, N, m} = model, B = x.length / d;
  if (!model.free) return forward(model.encoder, x, B).at(-1);
  const {theta} = model, own = {...model, N: B, theta: new Float64Array(model.rows + B * width), grad: new Float64Array(model.rows + B * width)};
  own.theta.set(theta.subarray(0, model.rows));
  own.decoder = network([m, ...model.decoder.layers.map(({out}) => out)], own.theta, own.grad, 0);
  for (let b = 0; b < B; b++) {
    let best = 0, least = Infinity;
    for (let i = 0; i < N; i++) {
      let sum = 0;
      for (let k = 0; k < d; k++) sum += (x[b * d + k] - trainX[i * d + k]) ** 2;
      if (sum < least) [best, least] = [i, sum];
    }
    own.theta.set(theta.subarray(model.rows + best * width, model.rows + (best + 1) * width), model.rows + b * width);
  }
  const index = Int32Array.from({length: B}, (_, b) => b), state = {}, random = randomNumbers(0);
  for (let t = 0; t < steps; t++) {
    lossOf(own, x, index, Float64Array.from({length: B * m}, random.normal), 1);
    adam(own, 0, 0.05 * (1 + Math.cos(Math.PI * t / steps)) / 2, state); // the decoder's rate is 0: it is frozen
  }
  return own.theta.slice(model.rows);
}
