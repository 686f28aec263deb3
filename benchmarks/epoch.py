"""Seconds per epoch of stage 4: fit beside the loop that everybody writes, pythae, Pyro, and the matrix products alone.

    OMP_NUM_THREADS=1 .venv-bench/bin/python benchmarks/epoch.py

All train the same networks on the same data with Adam, batches of 128 and one draw of z, in turn, so that what else the
machine does meets them alike. A round trains a few epochs and divides; what is done once a training (pythae's and Pyro's
preparations) is timed with the rest. Peak memory is that of a process which does nothing else. Writes epoch.json.
"""

import contextlib
import io
import logging
import math
import sys
import tempfile
import time

import torch
from measured import machine, peak_memory, ratios, rounds, write
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from vae_edu import VAE, Decoder, GaussianEncoder, data, fit

BATCH, LR, SIGMA = 128, 1e-3, 0.15
SIZES = {  # epochs: in a round
    "digits": {"n": 1437, "d": 64, "hidden": (256, 256), "m": 8, "epochs": 10, "rounds": 7},
    "60000 pictures": {"n": 60000, "d": 784, "hidden": (400,), "m": 20, "epochs": 1, "rounds": 5},
}


def pixels(n, d):
    """The digits where they fit, else noise of the same kind: what is in a picture does not change what an epoch costs."""
    if d == 64:
        return data.split(data.digits())[0].x[:n]
    return torch.rand(n, d, generator=torch.Generator().manual_seed(0))


def layers(*sizes):
    parts = []
    for n_in, n_out in zip(sizes, sizes[1:], strict=False):
        parts += [nn.Linear(n_in, n_out), nn.ReLU()]
    return nn.Sequential(*parts[:-1])


def products(x, d, hidden, m, epochs):
    """The matrix products of forward and backward pass, two for each layer behind the first and one less there."""
    widths = [(d, *hidden, 2 * m), (m, *reversed(hidden), d)]
    weights = [[torch.randn(b, a) for a, b in zip(w, w[1:], strict=False)] for w in widths]
    starts = [torch.randn(BATCH, w[0]) for w in widths]
    for _ in range(epochs):
        for _ in range(math.ceil(len(x) / BATCH)):
            for net, h in zip(weights, starts, strict=True):
                inputs = []
                for w in net:
                    inputs.append(h)
                    h = h @ w.T
                for k, w in reversed(list(enumerate(net))):
                    h.T @ inputs[k]
                    if k > 0 or net is weights[1]:
                        h = h @ w


def ours(x, d, hidden, m, epochs):
    g = torch.Generator().manual_seed(0)
    vae = VAE(GaussianEncoder(d, m, hidden, generator=g), Decoder(m, d, hidden[::-1], sigma_dec=SIGMA, generator=g))
    fit(vae, x, epochs=epochs, batch_size=BATCH, lr=LR, progress=False)


class Plain(nn.Module):
    """A VAE as it is written in a tutorial: the loss is the negative ELBO up to the constant that does not depend on weights."""

    def __init__(self, d, hidden, m):
        super().__init__()
        self.encoder, self.decoder = layers(d, *hidden, 2 * m), layers(m, *reversed(hidden), d)

    def forward(self, x):
        mu, logvar = self.encoder(x).chunk(2, -1)
        z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)
        squared = nn.functional.mse_loss(self.decoder(z), x, reduction="sum") / (2 * SIGMA**2)
        kld = -0.5 * torch.sum(1 + logvar - mu**2 - logvar.exp())
        return (squared + kld) / len(x)


def loop(x, d, hidden, m, epochs, loader=True, fused=False, look=True):
    """zero_grad, backward, step, .item(): as everybody writes it, or without one of its habits."""
    model = Plain(d, hidden, m)
    batches = DataLoader(TensorDataset(x), batch_size=BATCH, shuffle=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=LR, fused=fused)
    for _ in range(epochs):
        total = 0.0
        for batch in batches if loader else torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad()
            loss = model(batch[0] if loader else x[batch])
            loss.backward()
            optimizer.step()
            total += (loss.item() if look else loss.detach()) * (len(batch[0]) if loader else len(batch))
        float(total)


def pythae(x, d, hidden, m, epochs):
    from pythae.data.datasets import BaseDataset
    from pythae.models import VAE as PythaeVAE
    from pythae.models import VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    class Into(BaseEncoder):
        def __init__(self):
            super().__init__()
            self.net = layers(d, *hidden, 2 * m)

        def forward(self, x):
            mean, log_covariance = self.net(x).chunk(2, -1)
            return ModelOutput(embedding=mean, log_covariance=log_covariance)

    class OutOf(BaseDecoder):
        def __init__(self):
            super().__init__()
            self.net = layers(m, *reversed(hidden), d)

        def forward(self, z):
            return ModelOutput(reconstruction=self.net(z))

    logging.disable(logging.INFO)
    quiet = contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO())
    with tempfile.TemporaryDirectory() as folder, quiet[0], quiet[1]:
        config = BaseTrainerConfig(
            output_dir=folder, num_epochs=epochs, learning_rate=LR, per_device_train_batch_size=BATCH, no_cuda=True
        )
        model = PythaeVAE(VAEConfig(input_dim=(d,), latent_dim=m), Into(), OutOf())
        BaseTrainer(model, BaseDataset(x, torch.zeros(len(x))), training_config=config).train()


def pyro(x, d, hidden, m, epochs):
    import pyro.distributions as dist
    import pyro.infer
    import pyro.optim

    networks = Plain(d, hidden, m)

    def model(x):
        pyro.module("decoder", networks.decoder)
        with pyro.plate("data", len(x)):
            z = pyro.sample("z", dist.Normal(torch.zeros(len(x), m), 1.0).to_event(1))
            pyro.sample("x", dist.Normal(networks.decoder(z), SIGMA).to_event(1), obs=x)

    def guide(x):
        pyro.module("encoder", networks.encoder)
        with pyro.plate("data", len(x)):
            mean, log_std = networks.encoder(x).chunk(2, -1)
            pyro.sample("z", dist.Normal(mean, log_std.exp()).to_event(1))

    pyro.clear_param_store()
    svi = pyro.infer.SVI(model, guide, pyro.optim.Adam({"lr": LR}), pyro.infer.TraceMeanField_ELBO())
    loader = DataLoader(TensorDataset(x), batch_size=BATCH, shuffle=True)
    for _ in range(epochs):
        sum(svi.step(batch) for (batch,) in loader)


WAYS = {
    "matrix products": products,
    "fit": ours,
    "usual loop": loop,
    "… with fused Adam": lambda *given: loop(*given, fused=True),
    "… without DataLoader": lambda *given: loop(*given, loader=False),
    "… looking once an epoch": lambda *given: loop(*given, look=False),
    "… all three": lambda *given: loop(*given, loader=False, fused=True, look=False),
    "pythae": pythae,
    "Pyro": pyro,
}


def seconds(way, size):
    """Seconds per epoch of one training."""
    x = pixels(size["n"], size["d"])
    begin = time.perf_counter()
    WAYS[way](x, size["d"], size["hidden"], size["m"], size["epochs"])
    return (time.perf_counter() - begin) / size["epochs"]


def main():
    torch.set_num_threads(1)
    result = {"machine": machine(), "batch": BATCH, "sizes": {}}
    for name, size in SIZES.items():
        print(name, flush=True)
        measured = rounds({way: lambda way=way: seconds(way, size) for way in WAYS}, size["rounds"])
        memory = {way: peak_memory(__file__, "once", name, way) for way in ("nothing", *WAYS)}
        found = {"seconds": measured, "fit / other": ratios(measured, "fit"), "peak memory (MiB)": memory}
        result["sizes"][name] = size | found
        write(__file__, result)


if __name__ == "__main__":
    if sys.argv[1:2] == ["once"]:
        name, way = sys.argv[2:]
        pixels(SIZES[name]["n"], SIZES[name]["d"]) if way == "nothing" else seconds(way, SIZES[name])
    else:
        main()
