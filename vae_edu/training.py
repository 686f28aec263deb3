"""One training loop for all four stages."""

import contextlib
import math
import os
from dataclasses import dataclass, field
from numbers import Integral, Real

import torch

from vae_edu.networks import check_count


@dataclass
class History:
    """What ``fit`` measured: the training loss of each epoch, averaged over the epoch's data points."""

    label: str
    loss: list = field(default_factory=list)

    def plot(self, ax=None):
        """Loss against epoch; returns the axes."""
        from vae_edu import figures

        return figures.training_curve(self, ax)


@torch.enable_grad()
def fit(model, x, *, epochs, batch_size=128, lr=3e-3, seed=0, device="cpu", progress=True):
    """Minimize ``model.loss`` on x by Adam, in place; returns a History.

    x: (N, d), finite, of the model's dtype; it stays in memory as one tensor. Each epoch visits every
    data point once in a fresh order. The learning rate falls from lr to 0 along half a cosine, since
    the noise of single-sample gradients stalls a constant one. Parameters with ``requires_grad=False``
    stay as they are. A free latent meets one gradient an epoch where the networks meet N/batch_size, so
    its learning rate is that many times larger. Same seed, same machine, same numbers.

    Ctrl-C stops it: the model is as the last batch left it, and the History holds the epochs that were completed.

    Raises ValueError for data or settings that cannot work, and FloatingPointError when the loss stops
    being finite; the model then has the parameters from before the epoch that failed.
    """
    if not hasattr(model, "loss") or not hasattr(model, "decoder"):
        raise ValueError(f"fit trains a stage, which has a loss and a decoder; {type(model).__name__} is none")
    check_data(model, x)
    if not isinstance(seed, Integral):
        raise ValueError(f"seed must be an integer, got {seed!r}")
    check_count("epochs", epochs)
    check_count("batch_size", batch_size)
    if not (isinstance(lr, Real) and not isinstance(lr, bool) and 0 < lr < math.inf):
        raise ValueError(f"lr must be positive and finite, got {lr!r}")
    model.to(device)
    latents = [p for p in model.parameters(recurse=False) if p.requires_grad]  # held by the stage itself
    networks = [p for child in model.children() for p in child.parameters() if p.requires_grad]
    if not latents + networks:
        raise ValueError("nothing to fit: every parameter of the model is frozen (requires_grad=False)")
    x = x.detach().to(device)
    generator = torch.Generator(device).manual_seed(seed)
    batches = math.ceil(len(x) / batch_size)
    groups = [{"params": networks, "initial_lr": lr}, {"params": latents, "initial_lr": lr * batches}]
    optimizer = torch.optim.Adam(groups, fused=True)  # fused: a step passes over the parameters once, not a dozen times
    step, steps = 0, epochs * batches
    history = History(model.loss_label)

    from tqdm.auto import tqdm  # imported here: in a notebook it pulls in ipywidgets

    off = not progress or os.environ.get("TQDM_DISABLE", "0") != "0"  # in a notebook tqdm overlooks the variable
    with tqdm(total=epochs, leave=False, unit="epoch", disable=off) as bar, _denormals_flushed(), _interruptible(history):
        for epoch in range(1, epochs + 1):
            before = {name: value.clone() for name, value in model.state_dict().items()}
            total = torch.zeros((), dtype=x.dtype, device=device)
            for index in torch.randperm(len(x), generator=generator, device=device).split(batch_size):
                loss = model.loss(x[index], index, generator)
                optimizer.zero_grad()
                loss.backward()
                for group in optimizer.param_groups:
                    group["lr"] = group["initial_lr"] * (1 + math.cos(math.pi * step / steps)) / 2
                optimizer.step()
                step += 1
                total += loss.detach() * len(index)
            mean_loss = total.item() / len(x)
            if not math.isfinite(mean_loss + sum(p.detach().sum().item() for p in latents + networks)):
                model.load_state_dict(before)
                became = "infinite in its gradients" if math.isfinite(mean_loss) else mean_loss
                raise FloatingPointError(
                    f"the loss became {became} in epoch {epoch} of {epochs}; the model keeps its parameters from before that "
                    f"epoch. {_what_to_try(model, x, lr)}"
                )
            history.loss.append(mean_loss)
            bar.set_postfix(loss=f"{mean_loss:.4g}", refresh=False)
            bar.update()
    return history


@torch.no_grad()
def _what_to_try(model, x, lr):
    """What may have made a loss infinite, with the numbers that tell."""
    largest, q = x.abs().max().item(), model.encode(x)
    words = f"The largest |x| is {largest:.3g}"
    if isinstance(q, tuple) and not q[1].max() < 5:  # a std of 150, where the prior's is 1
        words += f", the largest log_std of q {q[1].max().item():.3g}"
    if largest > 20:
        low, high = x.min().item(), x.max().item()
        return f"{words}: scale x, say (x - {low:.3g}) / {high - low:.3g}, which lies between 0 and 1"
    return f"{words}: try a smaller lr (now {lr:g})" + (" or a larger sigma_dec" if hasattr(model, "sample") else "")


@contextlib.contextmanager
def _denormals_flushed():
    """Round denormal numbers to 0, in this thread, and no longer afterwards.

    A ReLU unit that dies leaves Adam's moments shrinking into denormal numbers, on which a processor is many times slower.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)  # its reach is the whole process: NumPy and Python, too


@contextlib.contextmanager
def _interruptible(history):
    """Ctrl-C ends the training and loses nothing."""
    try:
        yield
    except KeyboardInterrupt:
        print(f"stopped after {len(history.loss)} epochs; the model keeps what it has learned")


def check_data(model, x):
    """Raise ValueError, in the reader's terms, when x cannot be the model's data."""
    d = model.decoder.data_dim
    if not isinstance(x, torch.Tensor):
        raise ValueError(f"x must be a torch tensor, got {type(x).__name__}: use torch.as_tensor(x)")
    if x.ndim != 2 or x.shape[1] != d:
        hint = ": did you transpose it?" if x.ndim == 2 and x.shape[0] == d else ""
        raise ValueError(f"x must be (N, {d}), got {tuple(x.shape)}{hint}")
    if len(x) == 0:
        raise ValueError("x holds no data points")
    dtype = next(model.parameters()).dtype
    if x.dtype != dtype:
        raise ValueError(f"x is {x.dtype} but the model is {dtype}: use x.to({dtype})")
    if not all(math.isfinite(extreme) for extreme in x.detach().aminmax()):  # NaN is both; one pass, and no copy of x
        raise ValueError(f"x holds NaN or infinite values, the first in row {(~x.isfinite()).any(-1).nonzero()[0].item()}")
    n_points = getattr(model, "n_points", len(x))
    if len(x) != n_points:
        raise ValueError(
            f"x has {len(x)} rows but the model holds latents for {n_points} data points: for other data, fit a fresh table "
            "with the decoder frozen"
        )
