"""What a second buys: held-out log-likelihood of dequantized digits against the seconds of training.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/budget.py

The split, the networks and the noise on the encoder's input are those of chapter 15, chosen there by validation images.
fit and the loop that everybody writes train the same model for as many epochs, from the same weights; the loop as it is
mostly seen, with a DataLoader and a constant learning rate, so that two causes differ: run once more with fit's falling
one, it differs in one. A rate that falls to 0 along half a cosine leads half as far; so fit runs with twice the rate, too.
Beside them what needs no gradient. Three seeds. Writes budget.json.
"""

import math
import statistics
import time

import torch
from held_out_likelihood import KINDS, LR, gaussians, seeded, vae
from measured import machine, write
from torch.utils.data import DataLoader, TensorDataset

from vae_edu import data, evaluation, fit

EPOCHS, SEEDS, K = (4, 12, 40, 120, 400), (0, 1, 2), 500
BATCH = 128


def by_fit(model, x, epochs, seed, lr=LR):
    fit(model, x, epochs=epochs, batch_size=BATCH, lr=lr, seed=seed, progress=False)


def by_loop(model, x, epochs, seed, falls=False):
    noise = seeded(seed)
    loader = DataLoader(TensorDataset(x), batch_size=BATCH, shuffle=True, generator=seeded(seed + 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=LR)
    steps = epochs * len(loader)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: (1 + math.cos(math.pi * step / steps)) / 2 if falls else 1.0
    )
    for _ in range(epochs):
        for (batch,) in loader:
            optimizer.zero_grad()
            loss = model.loss(batch, None, noise)
            loss.backward()
            optimizer.step()
            schedule.step()
            loss.item()


WAYS = {
    "fit": by_fit,
    "fit, twice the rate": lambda *given: by_fit(*given, lr=2 * LR),
    "usual loop": by_loop,
    "usual loop, falling rate": lambda *given: by_loop(*given, falls=True),
}


def main():
    torch.set_num_threads(1)
    train, test = data.split(data.digits())
    y = data.dequantize(test.x, seeded(100))
    result = {"machine": machine(), "epochs": EPOCHS, "seeds": SEEDS, "K": K, "trained": [], "fitted": []}
    for way in WAYS.values():  # what is imported and prepared at a first call is no training
        way(vae(8, KINDS["VAE, one σ per pixel"], 0, 0.1), train.x, 1, 0)
    for epochs in EPOCHS:
        for seed in SEEDS:
            for name, way in WAYS.items():
                model = vae(8, KINDS["VAE, one σ per pixel"], seed, 0.1)
                begin = time.perf_counter()
                way(model, train.x, epochs, seed)
                seconds = time.perf_counter() - begin
                log_p = evaluation.log_likelihoods(model, y, K, seeded(7)).mean().item()
                row = {"way": name, "epochs": epochs, "seed": seed, "seconds": round(seconds, 3), "log_p": round(log_p, 2)}
                result["trained"].append(row)
                print(*row.values(), flush=True)
        write(__file__, result)
    result["fitted"] = fitted(train.x, y)
    write(__file__, result)


def fitted(x, y, n_rounds=5):
    """What needs no gradient: log p of y, and the median of the seconds for fitting, scoring and drawing ten images."""
    copies, rows, seconds = data.dequantize(x.repeat(10, 1), seeded(500)), {}, {}
    for _ in range(n_rounds + 1):
        begin = time.perf_counter()
        for name, m, log_p, _, _ in gaussians(copies, y, (8,), seed=0):
            rows[name] = {"way": name, "m": m, "log_p": round(log_p.mean().item(), 2)}
            seconds.setdefault(name, []).append(round(time.perf_counter() - begin, 3))
            begin = time.perf_counter()
    found = [row | {"seconds": statistics.median(seconds[name][1:])} for name, row in rows.items()]
    print(*found, sep="\n", flush=True)
    return found


if __name__ == "__main__":
    main()
