"""Larger pictures: 60000 of 28 × 28 pixels, as MNIST and its successors have them; held-out nats, bits per pixel, seconds.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/pictures.py FOLDER

FOLDER holds the four files train-images-idx3-ubyte.gz and so on; without one it is where Debian's package
dataset-fashion-mnist has them. The models: a VAE 784-400-20 with learned σ, one or one per pixel, ten epochs of fit on
pixels with fresh u at every visit, and probabilistic PCA with as many latents, in closed form, on one draw of u. Nothing was
chosen by test pictures. One model was added later: from 0.2 the σ of a black border do not get to where its training pixels
want them, in so few steps, so in the last VAE each starts at the standard deviation of its pixel. Writes pictures.json.
"""

import math
import pathlib
import sys
import time

import torch
from held_out_likelihood import DequantizedVAE, seeded
from measured import machine, write

from vae_edu import Decoder, GaussianEncoder, data, evaluation, fit, linear_gaussian

FOLDER = pathlib.Path("/usr/share/datasets/fashion-mnist")
EPOCHS, LR, M, HIDDEN, SEEDS, K = 10, 1e-3, 20, (400,), (0, 1), 100
LEVELS = 256


class Pictures(DequantizedVAE):
    def loss(self, x, index=None, generator=None):
        y = data.dequantize(x, generator, levels=LEVELS)
        return -self.elbo(y, None, generator).mean()


def load(folder, part):
    return data.load_idx(folder / f"{part}-images-idx3-ubyte.gz", folder / f"{part}-labels-idx1-ubyte.gz").x


def bits_per_pixel(nats, d):
    """Of the grey levels themselves: the density of (k + u)/256 is that of k + u times 256 for each pixel."""
    return math.log2(LEVELS) - nats / (d * math.log(2))


def main(folder):
    torch.set_num_threads(1)
    x, test = load(folder, "train"), load(folder, "t10k")
    y, d = data.dequantize(test, seeded(100), levels=LEVELS), x.shape[1]
    result = {"machine": machine(), "pictures": folder.name, "N": len(x), "test": len(y), "d": d}
    result |= {"epochs": EPOCHS, "K": K, "models": []}

    some = data.dequantize(x[:10000], seeded(300), levels=LEVELS)  # training pictures, as many as test pictures

    def note(model, seed, seconds, log_p, **more):
        nats = log_p.mean().item()
        row = {"model": model, "seed": seed, "seconds": round(seconds, 1), "log_p": round(nats, 1), **more}
        row |= {"median": round(log_p.median().item(), 1), "below_zero": round((log_p < 0).double().mean().item(), 4)}
        row["standard_error"] = round(log_p.std().item() / len(log_p) ** 0.5, 1)
        row["bits_per_pixel"] = round(bits_per_pixel(nats, d), 3)
        result["models"].append(row)
        print(*row.values(), flush=True)
        write(__file__, result)

    begin = time.perf_counter()
    u = data.dequantize(x, seeded(200), levels=LEVELS).double()
    own = u.std(0).float()
    ppca = linear_gaussian.max_likelihood(u, M)
    seconds = time.perf_counter() - begin
    note("pPCA", None, seconds, linear_gaussian.log_marginal(y.double(), *ppca))
    del u
    starts = {"VAE, one σ": torch.tensor(0.2), "VAE, one σ per pixel": torch.full((d,), 0.2)}
    starts["VAE, one σ per pixel, from its own"] = own
    for kind, sigma_dec in starts.items():
        for seed in SEEDS:
            g = seeded(seed)
            decoder = Decoder(M, d, HIDDEN, sigma_dec=sigma_dec, learn_sigma=True, generator=g)
            vae = Pictures(GaussianEncoder(d, M, HIDDEN, generator=g), decoder, 0.0)
            begin = time.perf_counter()
            fit(vae, x, epochs=EPOCHS, lr=LR, seed=seed, progress=False)
            seconds = time.perf_counter() - begin
            elbo = evaluation.held_out_elbo(vae, y, 5, seeded(8)).value.item()
            log_p = evaluation.log_likelihoods(vae, y, K, seeded(7))
            train = evaluation.log_likelihoods(vae, some, K, seeded(9)).mean().item()
            least = decoder.log_sigma.exp().min().item()
            note(kind, seed, seconds, log_p, train=round(train, 1), elbo=round(elbo, 1), smallest_sigma=round(least, 4))


if __name__ == "__main__":
    if sys.argv[1:] or FOLDER.exists():
        main(pathlib.Path(sys.argv[1]) if sys.argv[1:] else FOLDER)
    else:
        print(f"the larger pictures are left out: there is no {FOLDER}, and no other folder was named")
