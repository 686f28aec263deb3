"""The table of chapter 15: held-out log-likelihood of dequantized digits, in nats per image, for six models.

    OMP_NUM_THREADS=1 python benchmarks/held_out_likelihood.py

Everything is computed for three seeds, each with its own 80/20 split, dequantization noise and initial weights. The
epochs and the noise on the encoder's input were set after four trials on the split of seed 0; seeds 1 and 2 had no part
in it, and no test image stops any training. Writes held_out_likelihood.json beside this file, again after every model,
so that an interrupted run leaves what it has. About ten minutes on one core.
"""

import json
import os
import pathlib
import platform
import sys
import time

import numpy as np
import torch
from sklearn.decomposition import FactorAnalysis
from sklearn.mixture import GaussianMixture

from vae_edu import VAE, Decoder, GaussianEncoder, data, evaluation, fit, gaussian, linear_gaussian

SEEDS, LATENTS, HIDDEN = (0, 1, 2), (2, 8, 16), (256, 256)
EPOCHS, LR, INPUT_NOISE = 400, 2e-3, 0.1
K, COPIES = 5000, 20  # importance weights an image; draws of u that the closed-form and EM models are fitted to
PATH = pathlib.Path(__file__).with_suffix(".json")


class DequantizedVAE(VAE):
    """A VAE of dequantized pixels: fresh u at every visit, and Gaussian noise on what the encoder sees of them.

    Any q gives a lower bound, so the noise on the encoder's input leaves one; the decoder's target has only u.
    """

    def __init__(self, encoder, decoder, input_noise):
        super().__init__(encoder, decoder)
        self.input_noise = input_noise

    def loss(self, x, index=None, generator=None):
        y = data.dequantize(x, generator)
        mean, log_std = self.encode(y + self.input_noise * torch.randn(y.shape, generator=generator))
        return -(self.expected_log_likelihood(y, mean, log_std, generator) - self.kl(mean, log_std)).mean()


class Watched(DequantizedVAE):
    """Keeps the ELBO of some training and of all test images, every 10 epochs, while fit is at work."""

    def watch(self, train, test, batches):
        self.watched, self.every, self.calls, self.curve = (train, test), 10 * batches, 0, []

    def loss(self, x, index=None, generator=None):
        if self.calls % self.every == 0:
            values = [evaluation.held_out_elbo(self, y, 20, seeded(0)).value.item() for y in self.watched]
            self.curve.append([10 * self.calls // self.every, *(round(v, 2) for v in values)])
        self.calls += 1
        return super().loss(x, index, generator)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def vae(m, per_pixel, seed, kind=DequantizedVAE, input_noise=INPUT_NOISE):
    generator = seeded(seed)
    sigma_dec = torch.full((64,), 0.15) if per_pixel else 0.15
    decoder = Decoder(m, 64, HIDDEN, sigma_dec=sigma_dec, learn_sigma=True, generator=generator)
    return kind(GaussianEncoder(64, m, HIDDEN, generator=generator), decoder, input_noise)


def table(seeds, epochs, k, note):
    """Every model for every seed: note(row, samples) is called with each result."""
    for seed in seeds:
        train, test = data.split(data.digits(), seed=seed)
        y_test = data.dequantize(test.x, seeded(100 + seed))  # the same for every model
        copies = data.dequantize(train.x.repeat(COPIES, 1), seeded(200 + seed)).double()

        def report(model, m, log_p, start, samples, seed=seed, **more):
            log_p = torch.as_tensor(log_p, dtype=torch.float64)
            value, error = log_p.mean().item(), (log_p.std() / len(log_p) ** 0.5).item()
            row = {"model": model, "m": m, "seed": seed, "value": round(value, 2), "standard_error": round(error, 2)}
            note(row | more | {"seconds": round(time.process_time() - start, 1)}, samples)

        def normal(mean, covariance, n=10):
            factor = torch.linalg.cholesky(covariance)
            return mean + torch.randn(n, 64, generator=seeded(3), dtype=torch.float64) @ factor.T

        start = time.process_time()
        density = torch.distributions.MultivariateNormal(copies.mean(0), copies.T.cov(correction=0))
        report(
            "Gaussian, full covariance",
            None,
            density.log_prob(y_test.double()),
            start,
            normal(density.mean, density.covariance_matrix),
        )
        for m in LATENTS:
            start = time.process_time()
            W, b, sigma = ppca = linear_gaussian.max_likelihood(copies, m)
            covariance = W @ W.T + sigma**2 * torch.eye(64, dtype=torch.float64)
            log_p = linear_gaussian.log_marginal(y_test.double(), *ppca)
            report("pPCA", m, log_p, start, normal(b, covariance), smallest_sigma=round(sigma.item(), 5))
        for m in LATENTS:
            start = time.process_time()
            fa = FactorAnalysis(m, svd_method="lapack", max_iter=2000, tol=1e-3).fit(copies.numpy())
            drawn = normal(torch.as_tensor(fa.mean_), torch.as_tensor(fa.get_covariance()))
            smallest = round(float(np.sqrt(fa.noise_variance_.min())), 5)
            report("factor analysis", m, fa.score_samples(y_test.double().numpy()), start, drawn, smallest_sigma=smallest)
        start = time.process_time()
        mixture = GaussianMixture(10, random_state=seed, max_iter=200).fit(copies.numpy())
        drawn = torch.as_tensor(np.random.default_rng(3).permutation(mixture.sample(200)[0])[:10])
        report("mixture of 10 Gaussians", None, mixture.score_samples(y_test.double().numpy()), start, drawn)
        for per_pixel in (False, True):
            for m in LATENTS:
                start = time.process_time()
                model = vae(m, per_pixel, seed)
                fit(model, train.x, epochs=epochs, lr=LR, seed=seed, progress=False)
                log_p = evaluation.log_likelihoods(model, y_test, k, seeded(300 + seed))
                with torch.no_grad():
                    mean = model.decode(torch.randn(10, m, generator=seeded(3)))
                    drawn = gaussian.sample(mean, model.decoder.log_sigma, seeded(4))
                more = {
                    "elbo": round(evaluation.held_out_elbo(model, y_test, 100, seeded(400 + seed)).value.item(), 2),
                    "train_elbo": round(
                        evaluation.held_out_elbo(model, copies[: len(train.x)].float(), 20, seeded(0)).value.item(), 2
                    ),
                    "smallest_sigma": round(model.decoder.log_sigma.exp().min().item(), 5),
                }
                report("VAE, one σ per pixel" if per_pixel else "VAE, one σ", m, log_p, start, drawn, **more)


def learning_curves(epochs):
    """[epoch, training ELBO, test ELBO] without and with noise on the encoder's input; m = 8, one σ per pixel, seed 0."""
    train, test = data.split(data.digits())
    y_train, y_test = (data.dequantize(part.x, seeded(100)) for part in (train, test))
    curves = {}
    for noise in (0.0, INPUT_NOISE):
        model = vae(8, True, 0, Watched, noise)
        model.watch(y_train[: len(y_test)], y_test, -(-len(train.x) // 128))
        fit(model, train.x, epochs=epochs, lr=LR, progress=False)
        curves[f"{noise:g}"] = model.curve
    return curves


def processor():
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def main(seeds=SEEDS, epochs=EPOCHS, k=K, path=PATH):
    torch.set_num_threads(1)
    settings = {
        "seeds": seeds,
        "epochs": epochs,
        "lr": LR,
        "hidden": HIDDEN,
        "input_noise": INPUT_NOISE,
        "K": k,
        "copies": COPIES,
    }
    machine = {
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": 1,
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
    result = {"settings": settings, "machine": machine, "complete": False, "seconds": 0, "rows": [], "samples": {}, "curves": {}}

    def write():
        result["seconds"] = round(time.process_time())
        path.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

    def note(row, samples):
        print(*row.values(), flush=True)
        result["rows"].append(row)
        if row["seed"] == seeds[0] and row["m"] in (None, 8):
            result["samples"][row["model"]] = [" ".join(f"{v:.2f}" for v in image) for image in samples.tolist()]
        write()

    result["curves"] = learning_curves(epochs)
    table(seeds, epochs, k, note)
    result["complete"] = True
    write()


if __name__ == "__main__":
    if "--quick" in sys.argv:  # does it run? A minute, and nothing stored
        main((0,), 3, 20, pathlib.Path("/dev/null"))
    else:
        main()
