"""What is in a loss? Found by regression over perturbed weights, without reading the code that computes it.

A loss of a VAE is a sum of a few terms with unknown weights: ``weight · ‖x - f‖² + weight · ‖μ‖² + …``. Perturb the
network, and the loss and its terms change together; which multiples they are is a linear regression. The z that the loss
has drawn is read off where it enters the decoder, so the terms are taken at the same z and the regression has no noise.
"""

import contextlib
import functools
from typing import NamedTuple

import torch
from torch import distributions, nn

KLS = (  # the terms of the KL as it should be, and of two that take a log-variance for a log-std, or the other way round
    ("‖μ‖²", "‖s‖²", "Σ log s"),
    ("‖μ‖²", "Σ s", "Σ log s"),
    ("‖μ‖²", "Σ s⁴", "Σ log s"),
    ("‖z‖²", "‖ε‖²", "Σ log s"),  # the KL of one draw, log q(z) - log p(z)
)
RECONSTRUCTIONS = "‖x - f‖²", "cross-entropy", "cross-entropy of a second sigmoid", "-log p(x|z)", "Σ |x - f|"


class Fingerprint(NamedTuple):
    """loss ≈ Σ_k weight_k · term_k + constant, terms summed over dimensions and averaged over the batch.

    weights and errors: {term: number}, first the reconstruction's; the errors are standard deviations. unexplained: of the
    variance of the loss without its reconstruction, over the perturbed weights, the share that the terms leave. noise:
    (n, N, m), the ε = (z - mean) / std that each of the n losses drew; log_std: (n, N, m), the log of the std that q had then. cut: whether
    no gradient can flow from the decoder back through z.
    """

    weights: dict
    errors: dict
    unexplained: float
    noise: torch.Tensor
    log_std: torch.Tensor
    cut: bool


@torch.no_grad()
def fingerprint(loss, model, x, *, n=80, generator):
    """The Fingerprint of loss(x): which multiples of ‖x - f‖² (or a cross-entropy), ‖μ‖², ‖s‖² and Σ log s are in it.

    loss: x (N, …) → a number, the training loss of one batch. model: what ``adapt`` returns. Every matrix of the
    model is perturbed n times, and put back. Raises ValueError when no layer receives z, or the loss is not finite.
    """
    x, images = x.reshape(len(x), -1), x.reshape(-1, *model.shape)
    matrices = [p for p in model.parameters() if p.ndim > 1]
    kept = [p.clone() for p in matrices]
    entrance, values, terms, noise, log_stds = _entrance(model, x), [], [], [], []
    try:
        for k in range(n):
            for parameter, value in zip(matrices, kept, strict=True):
                size, moved = torch.randn((), generator=generator), torch.randn(value.shape, generator=generator).to(value)
                parameter.copy_(value * (0.3 * size).exp() * (1 + 0.2 * moved) if k else value)
            with _inputs(entrance) as seen, torch.set_grad_enabled(k == 0):
                values.append(torch.as_tensor(loss(images)).item())
            if k == 0:
                cut = bool(seen) and not any(z.requires_grad for z in seen)
                seen = [z.detach() for z in seen]
            mean, log_std = model.encode(x)
            if not seen or any(z.numel() % mean.numel() for z in seen):
                shapes = [tuple(z.shape) for z in seen]
                raise ValueError(f"the loss decodes z of the shapes {shapes}, which are no draws for {tuple(mean.shape)}")
            z = torch.cat([z.reshape(-1, *mean.shape) for z in seen])  # (L, N, m)
            terms.append(_terms(model, images, z, mean, log_std))
            noise.append((z[0] - mean) / log_std.exp())
            log_stds.append(log_std)
    finally:
        for parameter, value in zip(matrices, kept, strict=True):
            parameter.copy_(value)
    values = torch.tensor(values, dtype=torch.float64)
    table = {name: torch.tensor([t[name] for t in terms], dtype=torch.float64) for name in terms[0]}
    usable = values.isfinite() & torch.stack([*table.values()]).isfinite().all(0)
    if usable.sum() < n / 2:
        raise ValueError(f"the loss is {values[0].item():.4g}, and finite for {int(usable.sum())} of {n} perturbed networks only")
    fits = [
        _regression({name: table[name][usable] for name in (reconstruction, *kl)}, values[usable])
        for reconstruction in RECONSTRUCTIONS if reconstruction in table for kl in KLS
    ]  # fmt: skip
    least = min(rest for *_, rest in fits)
    best = next(fit for fit in fits if fit[2] <= 10 * least)  # of those that explain as much, the first
    return Fingerprint(*best, torch.stack(noise), torch.stack(log_stds), cut)


def inner(p):
    """A distribution without the Independent around it."""
    return p.base_dist if isinstance(p, distributions.Independent) else p


def _terms(model, images, z, mean, log_std):
    """{name: number}: every term that a loss may hold, at this z (L, N, m)."""
    p = inner(model.p(z.flatten(0, 1)))
    target = images.expand(len(z), *images.shape).flatten(0, 1)
    noise = (z - mean) / log_std.exp()
    found = {"‖μ‖²": mean**2, "‖s‖²": (2 * log_std).exp(), "Σ s": log_std.exp(), "Σ s⁴": (4 * log_std).exp(), "Σ log s": log_std}
    found |= {"‖z‖²": (z**2).flatten(0, 1), "‖ε‖²": (noise**2).flatten(0, 1)}
    if isinstance(p, distributions.Bernoulli):
        cross_entropy = functools.partial(nn.functional.binary_cross_entropy_with_logits, target=target, reduction="none")
        found |= {"cross-entropy": cross_entropy(p.logits), "cross-entropy of a second sigmoid": cross_entropy(p.probs)}
    if isinstance(p, distributions.Categorical) or len(getattr(p, "scale", torch.ones(1)).unique()) > 1:
        found["-log p(x|z)"] = -p.log_prob(target)
    if not isinstance(p, distributions.Categorical):
        found |= {"‖x - f‖²": (target - p.mean) ** 2, "Σ |x - f|": (target - p.mean).abs()}
    return {name: term.flatten(1).double().sum(1).mean().item() for name, term in found.items()}


def _regression(terms, values):
    """weights, their errors, and the share of the variance, without the first term's, that is left over."""
    X = torch.stack([*terms.values(), torch.ones_like(values)], 1)
    scale = X.norm(dim=0).clamp(min=1e-30)  # a term that is always 0 gets no weight
    inverse = torch.linalg.pinv((X / scale).T @ (X / scale))
    weights = inverse @ (X / scale).T @ values
    rest = (values - X / scale @ weights).square().sum()
    errors = (rest / (len(X) - X.shape[1]) * inverse.diagonal()).sqrt() / scale
    named = [dict(zip(terms, each.tolist(), strict=False)) for each in (weights / scale, errors)]
    without = values - weights[0] / scale[0] * X[:, 0]
    spread, all_of_it = ((v - v.mean()).square().sum() for v in (without, values))
    return *named, (rest / (spread if spread > 1e-10 * all_of_it else all_of_it)).item()


def _entrance(model, x):
    """The layer to which p(x|z) hands its z: the first whose input is that tensor."""
    z, calls = model.encode(x[:2])[0].clone(), []
    with contextlib.ExitStack() as stack:
        for layer in [layer for layer in model.modules() if not list(layer.children())]:
            hook = layer.register_forward_pre_hook(lambda layer, inputs: calls.append((layer, inputs[0])))
            stack.callback(hook.remove)
        model.p(z)
    found = [layer for layer, entering in calls if entering.data_ptr() == z.data_ptr()]
    if not found:
        raise ValueError("no layer of the module receives the z that p is given, so the z that the loss draws cannot be seen")
    return found[0]


@contextlib.contextmanager
def _inputs(layer):
    """What enters a layer meanwhile."""
    seen = []
    hook = layer.register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0]))
    yield seen
    hook.remove()
