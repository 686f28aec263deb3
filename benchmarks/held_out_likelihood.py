"""The tables of chapter 15: held-out log-likelihood of dequantized digits, in nats, image by image.

    OMP_NUM_THREADS=1 python benchmarks/held_out_likelihood.py

Seven experiments. Nothing of a model is chosen on an image that is reported, and no test image stops a training. (That a
hundred steps refine q well enough was seen on 60 test images of split 0: that is the estimator's affair.)

choice    which noise on the encoder's input and how many epochs, by the likelihood of validation images: 288 of the 1438
          training images of each split
wider     by how much to widen q, by the largest bound on 100 of those validation images
table     every model, trained on all 1438, on the 359 test images; three splits, each with its own u, weights and noise
luck      the first split again, with other weights and noise of training
annealed  annealed importance sampling beside importance weights; on images drawn from the model also from above
folds     every image scored by a model that has not seen it: four random folds, or four of whole sheets
curves    ELBO during a training, training and validation images, without and with noise on the encoder's input

The networks' widths and the ten components were fixed beforehand, by the time that they take. Writes
held_out_likelihood.json beside this file, again after every model, so that an interrupted run leaves what it has.
About twenty minutes on one core.
"""

import itertools
import json
import math
import os
import pathlib
import platform
import sys
import time

import numpy as np
import torch
from sklearn.decomposition import FactorAnalysis
from sklearn.mixture import GaussianMixture

from vae_edu import VAE, Decoder, GaussianEncoder, annealing, data, estimators, evaluation, fit, gaussian, linear_gaussian

SPLITS, SEEDS, LATENTS, HIDDEN = (0, 1, 2), (0, 1, 2), (2, 8, 16), (256, 256)
EPOCHS, LR, NOISES = (150, 400), 3e-3, (0.0, 0.1)
FOLDS = 4
COPIES = 10  # draws of u for each training image that the closed-form and EM models are fitted to
K, WIDER, REFINE = 1000, (1.0, 1.2, 1.4, 1.7), 100  # weights an image; factors on q's std; steps that refine q
ANNEALED = {"images": 30, "steps": 500, "chains": 8}
# The labels spell one form of 130 digits fourteen times (a few are missing): where each sheet begins
SHEETS = (0, 130, 256, 386, 516, 646, 776, 906, 1029, 1157, 1287, 1415, 1545, 1667, 1797)
KINDS = {"VAE, one σ": 0.15, "VAE, one σ per pixel": [0.15] * 64}
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
    """Keeps [epoch, ELBO of each of two sets of images] every 10 epochs, while fit is at work."""

    def watch(self, sets, batches):
        self.sets, self.every, self.calls, self.curve = sets, 10 * batches, 0, []

    def loss(self, x, index=None, generator=None):
        if self.calls % self.every == 0:
            values = [evaluation.held_out_elbo(self, y, 20, seeded(0)).value.item() for y in self.sets]
            self.curve.append([10 * self.calls // self.every, *(round(v, 2) for v in values)])
        self.calls += 1
        return super().loss(x, index, generator)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def vae(m, sigma_dec, seed, input_noise, kind=DequantizedVAE):
    generator = seeded(seed)
    decoder = Decoder(m, 64, HIDDEN, sigma_dec=torch.tensor(sigma_dec), learn_sigma=True, generator=generator)
    return kind(GaussianEncoder(64, m, HIDDEN, generator=generator), decoder, input_noise)


def refined(model, y, steps, generator, draws=4, lr=0.03):
    """q of each image, improved by Adam on its own ELBO, from where the encoder puts it: mean and log_std, (N, m) each."""
    q = [t.detach().clone().requires_grad_() for t in model.encode(y)]
    optimizer = torch.optim.Adam(q, lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        z = gaussian.sample(q[0].expand(draws, *q[0].shape), q[1], generator)
        elbo = model.decoder.log_likelihood(y, z).mean(0) - gaussian.kl_divergence(*q)
        q[0].grad, q[1].grad = torch.autograd.grad(-elbo.sum(), q)
        optimizer.step()
        schedule.step()
    return [t.detach() for t in q]


def scores(model, y, k, seed, wider):
    """log p of each image, with q refined and widened; and means over the images that show what is left of the bias."""
    mean, log_std = refined(model, y, REFINE, seeded(seed))
    ratios = estimators.elbo(
        model.decoder.log_likelihood, y, mean, log_std + math.log(wider), k, seeded(seed + 1)
    ).log_ratio
    half = ratios.unflatten(0, (2, k // 2)).logsumexp(1) - math.log(k // 2)
    encoders = evaluation.log_likelihoods(model, y, k, seeded(seed + 2)).mean()  # its q as it is
    elbo = evaluation.held_out_elbo(model, y, 100, seeded(seed + 3)).value
    means = {"half_K": half.mean(), "encoders_q": encoders, "elbo": elbo}
    return ratios.logsumexp(0) - math.log(k), {name: round(v.item(), 3) for name, v in means.items()}


def gaussians(x, y, latents, seed):
    """(model, m, log p of y, ten draws, smallest σ) of everything that is fitted to x, dequantized, without a gradient."""
    normal = torch.distributions.MultivariateNormal
    x, y = x.double(), y.double()

    def drawn(mean, covariance):
        factor = torch.linalg.cholesky(torch.as_tensor(covariance))
        return torch.as_tensor(mean) + torch.randn(10, 64, generator=seeded(3), dtype=torch.float64) @ factor.T

    full = normal(x.mean(0), x.T.cov(correction=0))
    yield "Gaussian, full covariance", None, full.log_prob(y), drawn(full.mean, full.covariance_matrix), None
    for m in latents:
        W, b, sigma = ppca = linear_gaussian.max_likelihood(x, m)
        covariance = W @ W.T + sigma**2 * torch.eye(64, dtype=torch.float64)
        yield "pPCA", m, linear_gaussian.log_marginal(y, *ppca), drawn(b, covariance), sigma.item()
    for m in latents:
        fa = FactorAnalysis(m, svd_method="lapack", max_iter=1000, tol=1.0).fit(x.numpy())
        log_p = torch.as_tensor(fa.score_samples(y.numpy()))
        yield "factor analysis", m, log_p, drawn(fa.mean_, fa.get_covariance()), fa.noise_variance_.min() ** 0.5
    mixture = GaussianMixture(10, random_state=seed, max_iter=200).fit(x.numpy())
    draws = np.random.default_rng(3).permutation(mixture.sample(200)[0])[:10]
    yield "mixture of 10 Gaussians", None, torch.as_tensor(mixture.score_samples(y.numpy())), torch.as_tensor(draws), None


class Run:
    """The experiments, one method each; every result goes to ``self.result`` and at once to the file."""

    def __init__(self, path, epochs, k, splits, seeds, annealed):
        self.path, self.epochs, self.k, self.splits, self.seeds, self.annealed = path, epochs, k, splits, seeds, annealed
        self.digits = data.digits()
        self.models, self.chosen, self.candidates = {}, {}, {}
        settings = {"splits": splits, "seeds": seeds, "latents": LATENTS, "hidden": HIDDEN, "epochs": epochs, "lr": LR}
        settings |= {"noises": NOISES, "K": k, "widers": WIDER, "refine": REFINE, "copies": COPIES}
        machine = {"processor": processor(), "cores": os.cpu_count(), "threads": 1}
        machine |= {"python": platform.python_version(), "torch": torch.__version__}
        self.result = {"settings": settings | {"annealed": annealed, "sheets": SHEETS}, "machine": machine}
        self.result |= {"complete": False, "seconds": 0, "samples": {}}
        self.result |= {name: [] for name in ("choice", "wider", "table", "luck", "annealed", "folds", "curves")}

    def note(self, experiment, row, log_p=None):
        if log_p is not None:
            row = row | {"value": round(log_p.mean().item(), 3), "log_p": [round(v, 2) for v in log_p.tolist()]}
        self.result[experiment].append(row)
        print(round(time.process_time()), experiment, *(v for v in row.values() if not isinstance(v, list)), flush=True)
        self.write()

    def write(self):
        self.result["seconds"] = round(time.process_time())
        dump = lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":"))  # noqa: E731
        lines = []
        for key, value in self.result.items():  # a row a line
            rows = isinstance(value, list) and value
            lines.append(f'"{key}":' + ("[\n" + ",\n".join(map(dump, value)) + "\n]" if rows else dump(value)))
        self.path.write_text("{" + ",\n".join(lines) + "}\n", encoding="utf-8")

    def sets(self, split):
        """Training and test images; the first 288 of the training images, in their random order, are for validation."""
        train, test = data.split(self.digits, seed=split)
        return train.x[288:], train.x[:288], train.x, data.dequantize(test.x, seeded(100 + split))

    def trained(self, kind, m, seed, x, noise, epochs):
        model = vae(m, KINDS[kind], seed, noise)
        fit(model, x, epochs=epochs, lr=LR, seed=seed, progress=False)
        for parameter in model.parameters():
            parameter.requires_grad_(False)
        return model

    def choice(self):
        for split, kind in itertools.product(self.splits, KINDS):
            train, validation, *_ = self.sets(split)
            y_train, y = data.dequantize(train[:288], seeded(500)), data.dequantize(validation, seeded(600 + split))
            found = {}
            for noise, epochs in itertools.product(NOISES, self.epochs):
                model = self.trained(kind, 8, split, train, noise, epochs)
                log_p = evaluation.log_likelihoods(model, y, 500, seeded(7)).mean().item()
                elbos = [evaluation.held_out_elbo(model, v, 50, seeded(8)).value.item() for v in (y_train, y)]
                row = {"split": split, "model": kind, "noise": noise, "epochs": epochs, "validation": round(log_p, 2)}
                self.note("choice", row | {"train_elbo": round(elbos[0], 2), "validation_elbo": round(elbos[1], 2)})
                found[noise, epochs] = log_p, model
            self.chosen[split, kind] = max(found, key=lambda setting: found[setting][0])
            self.candidates[split, kind] = found[self.chosen[split, kind]][1], y[:100]

    def widen(self):
        total = dict.fromkeys(WIDER, 0.0)
        for (split, kind), (model, y) in self.candidates.items():
            bounds = {wider: scores(model, y, self.k, 1000, wider)[0].mean().item() for wider in WIDER}
            self.note("wider", {"split": split, "model": kind, "bounds": [round(v, 3) for v in bounds.values()]})
            total = {wider: total[wider] + bounds[wider] for wider in WIDER}
        self.wider = self.result["settings"]["wider"] = max(total, key=total.get)

    def vae_row(self, experiment, split, kind, m, seed):
        _, _, train, y = self.sets(split)
        model = self.trained(kind, m, seed, train, *self.chosen[split, kind])
        log_p, more = scores(model, y, self.k, 1000 + 10 * seed, self.wider)
        row = {"model": kind, "m": m, "split": split, "seed": seed} | more
        self.note(experiment, row | {"sigma": [round(s, 5) for s in model.decoder.log_sigma.exp().reshape(-1).tolist()]}, log_p)
        return model

    def table(self):
        for split in self.splits:
            _, _, train, y = self.sets(split)
            copies = data.dequantize(train.repeat(COPIES, 1), seeded(200 + split))
            for name, m, log_p, drawn, sigma in gaussians(copies, y, LATENTS, split):
                row = {"model": name, "m": m, "split": split, "seed": split}
                self.note("table", row | ({"smallest_sigma": round(sigma, 5)} if sigma else {}), log_p)
                self.keep_samples(row, drawn)
            for kind, m in itertools.product(KINDS, LATENTS):
                model = self.models[split, kind, m] = self.vae_row("table", split, kind, m, split)
                mean = model.decode(torch.randn(10, m, generator=seeded(3)))
                drawn = gaussian.sample(mean, model.decoder.log_sigma, seeded(4))
                self.keep_samples({"model": kind, "m": m, "split": split}, drawn)

    def keep_samples(self, row, drawn):
        if row["split"] == self.splits[0] and row["m"] in (None, 8):
            self.result["samples"][row["model"]] = [" ".join(f"{v:.2f}" for v in image) for image in drawn.tolist()]

    def luck(self):
        for kind, m, seed in itertools.product(KINDS, LATENTS[1:], self.seeds):
            if seed != self.splits[0]:  # that one is in the table
                self.vae_row("luck", self.splits[0], kind, m, seed)

    def anneal(self):
        n, steps, chains = self.annealed.values()
        split = self.splits[0]
        y = self.sets(split)[-1][:n]
        for kind, m in itertools.product(KINDS, LATENTS[:2]):
            model = self.models[split, kind, m]
            z = torch.randn(n, m, generator=seeded(20))
            drawn = gaussian.sample(model.decode(z), model.decoder.log_sigma, seeded(21))

            def run(x, start=None, model=model, m=m):
                chains_ = chains if start is None else len(start)
                return annealing.annealed_importance(
                    model.decoder.log_likelihood, x, m, steps, chains_, seeded(22), start=start
                )

            for images, x in (("test", y), ("drawn", drawn)):
                up = run(x)
                found = {"annealed": up.logsumexp(0) - math.log(chains), "annealed_mean": up.mean(0)}
                found["importance"], _ = scores(model, x, self.k, 1000, self.wider)
                if images == "drawn":  # its z is an exact posterior sample
                    found["from_above"] = run(x, z.expand(2, n, m)).mean(0)
                row = {"model": kind, "m": m, "split": split, "images": images}
                self.note("annealed", row | {name: [round(v, 2) for v in values.tolist()] for name, values in found.items()})

    def folds(self):
        n, kind = len(self.digits.x), "VAE, one σ per pixel"
        y = data.dequantize(self.digits.x, seeded(100))
        sheet = torch.bucketize(torch.arange(n), torch.tensor(SHEETS[1:]), right=True)
        ways = {"sheets": sheet * FOLDS // 14, "random": torch.randperm(n, generator=seeded(0)) * FOLDS // n}
        for name, fold in ways.items():
            found = {}
            for k in range(FOLDS):
                x, out = self.digits.x[fold != k], fold == k
                for model, m, log_p, *_ in gaussians(data.dequantize(x.repeat(COPIES, 1), seeded(200)), y[out], (8,), 0):
                    found.setdefault((model, m), torch.zeros(n))[out] = log_p.float()
            for (model, m), log_p in found.items():
                self.note("folds", {"model": model, "m": m, "folds": name}, log_p)
        for name, fold in ways.items():
            log_p = torch.zeros(n)
            for k in range(FOLDS):
                model = self.trained(kind, 8, k, self.digits.x[fold != k], *self.chosen[self.splits[0], kind])
                log_p[fold == k], _ = scores(model, y[fold == k], self.k, 1000, self.wider)
            self.note("folds", {"model": kind, "m": 8, "folds": name}, log_p)

    def curves(self):
        for split, noise in itertools.product(self.splits, NOISES):
            train, validation, *_ = self.sets(split)
            watched = [data.dequantize(x, seeded(500)) for x in (train[:288], validation)]
            model = vae(8, KINDS["VAE, one σ per pixel"], split, noise, Watched)
            model.watch(watched, math.ceil(len(train) / 128))
            fit(model, train, epochs=max(self.epochs), lr=LR, seed=split, progress=False)
            self.note("curves", {"split": split, "noise": noise, "curve": model.curve})

    def all(self):
        for experiment in (self.choice, self.widen, self.table, self.anneal, self.luck, self.folds, self.curves):
            experiment()
        self.result["complete"] = True
        self.write()


def processor():
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


if __name__ == "__main__":
    torch.set_num_threads(1)
    if "--quick" in sys.argv:  # does it run? Two minutes, and nothing stored
        Run(pathlib.Path(os.devnull), (2, 3), 20, (0,), (0, 1), {"images": 3, "steps": 10, "chains": 2}).all()
    else:
        Run(PATH, EPOCHS, K, SPLITS, SEEDS, ANNEALED).all()
