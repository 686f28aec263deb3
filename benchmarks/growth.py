"""How the seconds of an epoch of fit grow: with N, d, m, the width, the batch and the threads, one at a time.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/growth.py

The middle is the digits' network: 64-256-256-16, 8-256-256-64, batches of 128, on noise of 4096 rows, since what is in a
picture does not change what an epoch costs. Every round asks all values of all causes in turn. Writes growth.json.
"""

import sys
import time

import torch
from measured import machine, rounds, write

from vae_edu import VAE, Decoder, GaussianEncoder, fit

MIDDLE = {"N": 4096, "d": 64, "m": 8, "width": 256, "batch": 128, "threads": 1}
VALUES = {
    "N": (256, 1024, 4096, 16384),
    "d": (16, 64, 256, 1024),
    "m": (2, 8, 32, 128),
    "width": (32, 64, 128, 256, 512, 1024),
    "batch": (16, 32, 64, 128, 256, 512),
    "threads": (1, 2),
}


def seconds(N, d, m, width, batch, threads):
    """Of one epoch: the second of a training, after one that warms up."""
    torch.set_num_threads(threads)
    x, g = torch.rand(N, d, generator=torch.Generator().manual_seed(0)), torch.Generator().manual_seed(0)
    hidden = (width, width)
    vae = VAE(GaussianEncoder(d, m, hidden, generator=g), Decoder(m, d, hidden, sigma_dec=0.15, generator=g))
    fit(vae, x[:batch], epochs=1, batch_size=batch, progress=False)
    begin = time.perf_counter()
    fit(vae, x, epochs=1, batch_size=batch, progress=False)
    return time.perf_counter() - begin


def main(n_rounds):
    wide = MIDDLE | {"width": 1024}  # where a second thread has something to do
    asked = {f"{cause} {value}": MIDDLE | {cause: value} for cause, values in VALUES.items() for value in values}
    asked |= {f"threads {value} at width 1024": wide | {"threads": value} for value in VALUES["threads"]}
    measured = rounds({name: lambda given=given: seconds(**given) for name, given in asked.items()}, n_rounds)
    write(__file__, {"machine": machine(), "middle": MIDDLE, "seconds": measured})


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 7)
