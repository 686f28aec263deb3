"""What is wrong with a VAE? A report in words: what was measured, what it means, the mend, and where to read on."""

import contextlib
import math

import torch
from torch import nn

from vae_edu import estimators, gaussian
from vae_edu.fingerprint import fingerprint
from vae_edu.verdicts import Finding, draw_in_words, loss_in_words

MATTER = nn.modules.batchnorm._BatchNorm | nn.modules.dropout._DropoutNd  # layers that differ between train and eval mode


@torch.no_grad()
def checkup(model, x, x_test=None, *, loss=None, generator):
    """Examine a VAE: print a report, line by line, and return it as a list of Findings.

    model: what ``adapt`` returns. x: training data, (N, d) or (N, …), the first 256 of which are looked at; x_test:
    data that were not trained on. loss: x → the training loss of one batch, for a VAE of this package
    ``lambda x: vae.loss(x, None, rng)``; without it neither the loss nor the draw of z is examined. The model is examined
    in eval mode, and left as it was.
    """
    x, x_test = (None if data is None else data.reshape(len(data), -1)[:256] for data in (x, x_test))
    findings, was_training = [_pixels(x)], model.training
    model.eval()
    try:
        if broken := _not_finite(model, x):
            findings.append(broken)
        else:
            findings += [] if loss is None else _loss(model, x, loss, generator)
            findings += [_latents(model, x), *_heads(model, x), *_second_moments(model, x), _bound(model, x, generator)]
            findings += [_train_mode(model, x)] if any(isinstance(layer, MATTER) for layer in model.modules()) else []
            findings += [] if x_test is None else [_held_out(model, x, x_test, generator)]
    finally:
        model.train(was_training)
    print(*findings, sep="\n")
    return findings


def _pixels(x):
    low, high = x.min().item(), x.max().item()
    if max(abs(low), abs(high)) > 20:
        return Finding("scale of x", "wrong", f"x lies between {low:g} and {high:g}", "Networks and σ expect numbers near 1.",
                       f"(x - {low:g}) / {high - low:g}", "9")  # fmt: skip
    return Finding("scale of x", "fine", f"x lies between {low:.3g} and {high:.3g}")


def _not_finite(model, x):
    """A Finding where numbers overflow on the way from x to f, or None."""
    first = []

    def look(layer, _, out):
        if not first and isinstance(out, torch.Tensor) and not out.isfinite().all():
            first.append(names[layer])

    names = {layer: f"{name}, {layer}" for name, layer in model.module.named_modules() if not list(layer.children())}
    with contextlib.ExitStack() as stack:
        for layer in names:
            stack.callback(layer.register_forward_hook(look).remove)
        mean, log_std = model.encode(x)
        with contextlib.suppress(ValueError):  # torch's own, about parameters that are NaN
            model.p(mean)
    if first or not (mean.isfinite().all() and log_std.isfinite().all()):
        where = f"first behind the layer {first[0]}" if first else "in q"
        return Finding("numbers", "wrong", f"NaN or infinite {where}; the largest |x| is {x.abs().max():.3g}",
                       "", "scale x; then train again, with a smaller step, from finite weights", "9")  # fmt: skip
    if log_std.abs().max() > 10:  # a std of 22 000, or of 1/22 000, where the prior's is 1
        text = f"the log stds of q go from {log_std.min():.3g} to {log_std.max():.3g}, the largest |x| is {x.abs().max():.3g}"
        return Finding("numbers", "wrong", text, "Their exponentials overflow, or are 0.", "scale x", "9")


def _loss(model, x, loss, generator):
    try:
        found = fingerprint(loss, model, x, generator=generator)
    except ValueError as error:
        return [Finding("loss", "undecided", str(error))]
    return [loss_in_words(found, model, x), draw_in_words(found)]


def _latents(model, x):
    mean, log_std = model.encode(x)
    kl = gaussian.kl_divergence(mean.T[..., None], log_std.T[..., None]).mean(1)  # (m,), each latent's share
    used = int((kl > 0.01).sum())
    if not used:
        meaning = "The posterior has collapsed: z says nothing about x."
        return Finding("latents", "wrong", f"the KL is {kl.sum():.2g} nats", meaning, "a smaller σ or KL weight", "10")
    text = f"{used} of {len(kl)} latents are in use; KL {kl.sum():.3g} nats"
    verdict, meaning = ("fine", "") if used == len(kl) else ("note", "The others are dead.")
    return Finding("latents", verdict, text, meaning, "", "14")


def _heads(model, x):
    """Values of q that many images share to the last bit: something holds them."""
    mean, log_std = model.encode(x)
    if (share := (mean == 0).double().mean().item()) > 0.02 and mean.min() == 0:
        yield Finding("mean of q", "wrong", f"{100 * share:.0f} % of the means are 0, none is negative",
                      "The encoder ends with a ReLU.", "no activation behind the last layer", "9")  # fmt: skip
    for name, bound in (("largest", log_std.max()), ("smallest", log_std.min())):
        share = (log_std == bound).double().mean().item()
        if share > 0.02 and log_std.numel() > 100 and log_std.std() > 1e-4:
            yield Finding("std of q", "note", f"{100 * share:.0f} % of the log stds are the {name} one, {bound:.3g}",
                          "A clamp holds them, and there they have no gradient.", "", "9")  # fmt: skip


def _second_moments(model, x):
    mean, log_std = model.encode(x)
    moments = (mean**2 + (2 * log_std).exp()).mean(0)  # (m,)
    if model.prior is None and (moments.max() > 2 or moments.min() < 0.5):
        text = f"E[μ² + s²] lies between {moments.min():.2g} and {moments.max():.2g}; under the prior it is 1"
        yield Finding("prior", "note", text, "Codes are elsewhere than the prior's draws.", "", "13")


def _bound(model, x, generator):
    log_w = estimators.elbo(model.log_likelihood, x, *model.encode(x), 256, generator).log_ratio.double()  # (256, N)
    elbo, half, full = (log_w[:k].logsumexp(0).mean().item() - math.log(k) for k in (1, 128, 256))
    elbo, size = log_w.mean().item(), (1 / log_w.softmax(0).square().sum(0)).median().item()
    text = f"ELBO {elbo:.4g}, importance bound {full:.4g} nats per data point (K = 256, of which {size:.0f} count)"
    if size < 3:
        return Finding("bound", "note", text, f"q misses the posterior: doubling K added {full - half:.2g} nats.", "", "15")
    meaning = f"The gap is at least {full - elbo:.2g} nats; doubling K added {full - half:.2g}."
    return Finding("bound", "fine", text, meaning, "", "11")


def _train_mode(model, x):
    mean, _ = model.encode(x)
    kept = {name: value.clone() for name, value in model.state_dict().items()}
    model.train()
    moved = (model.encode(x)[0] - mean).square().mean().sqrt().item()
    model.load_state_dict(kept)  # batch norm has counted this batch
    model.eval()
    return Finding("modes", "note", f"codes move by {moved:.2g} between train and eval mode", "Evaluate in the latter.", "", "15")


def _held_out(model, x, x_test, generator):
    elbos = lambda x: estimators.elbo(model.log_likelihood, x, *model.encode(x), 20, generator).with_kl.mean(0)  # noqa: E731
    (seen, e), (new, f) = estimators.estimate(elbos(x)), estimators.estimate(elbos(x_test))
    text = f"ELBO {seen:.4g} on training data, {new:.4g} held out"
    if seen - new > max(1.0, 4 * math.hypot(e, f)):
        meaning = "The network has learned its images by heart."
        return Finding("held out", "note", text, meaning, "noise on the encoder's input", "15")
    return Finding("held out", "fine", text)
