"""Gradients of expectations over z ~ q = N(mean, diag(std²)), with respect to mean and log_std, by Monte Carlo.

Conventions as in ``estimators``: samples, whose first axis is n independent draws.
"""

from typing import NamedTuple

import torch

from vae_edu import estimators, gaussian
from vae_edu.networks import check_count


class Gradient(NamedTuple):
    """Samples of the gradient with respect to mean and log_std, (n, N, m) each."""

    mean: torch.Tensor
    log_std: torch.Tensor


@torch.no_grad()
def pathwise_gradient(f, mean, log_std, n, generator):
    """n samples of ∇E_q[f(z)] by z = mean + std ε: ∇f(z) for mean, ∇f(z) std ε for log_std. Unbiased for smooth f.

    f: z (k, N, m) → (k, N), differentiable. Raises ValueError when shapes do not fit or an input is not finite.
    Source: Kingma & Welling 2014, section 2.4.
    """
    samples = []
    for z, noise in estimators.draws(mean, log_std, n, generator):
        with torch.enable_grad():
            value = estimators.checked(f(z.requires_grad_()), z, "f(z)")
            (slope,) = torch.autograd.grad(value.sum(), z)  # (k, N, m): each value depends on its own z alone
        samples.append(Gradient(slope, slope * log_std.exp() * noise))
    return Gradient(*map(torch.cat, zip(*samples, strict=True)))


@torch.no_grad()
def score_gradient(f, mean, log_std, n, generator, baseline=0.0):
    """n samples of ∇E_q[f(z)] = E_q[(f(z) - baseline) ∇log q(z)]: ∇log q is ε / std for mean, ε² - 1 for log_std.

    f: z (k, N, m) → (k, N), which need not be differentiable. baseline: anything that does not depend on z, one number
    or (N,); the expectation is the same for all. Raises ValueError as ``pathwise_gradient``. Source: Williams 1992.
    """
    samples = []
    for z, noise in estimators.draws(mean, log_std, n, generator):
        value = (estimators.checked(f(z), z, "f(z)") - baseline).unsqueeze(-1)  # (k, N, 1)
        samples.append(Gradient(value * noise / log_std.exp(), value * (noise**2 - 1)))
    return Gradient(*map(torch.cat, zip(*samples, strict=True)))


@torch.no_grad()
def importance_gradient(log_likelihood, x, mean, log_std, k, n, generator, doubly=False):
    """n samples of the gradient of the importance-weighted bound with respect to mean and log_std; see Gradient.

    Σ_j v_j ∇log w_j with v_j = w_j / Σ_i w_i, z moved along (equation iw-gradient), as autograd of ``importance_weighted``
    would give it. doubly: Σ_j v_j² (∂log w_j / ∂z) ∇z_j instead, with the same mean and less noise where q is good: at
    k = 1 it drops the score term, and where q is the posterior it is 0. Raises ValueError as ``importance_weighted``.
    Source: Burda et al. 2016; Tucker et al. 2019.
    """
    check_count("n, the number of samples,", n)
    check_count("k, the number of weights in one sample,", k)
    estimators.check_points(x, mean)
    std, samples = log_std.exp(), []
    for _ in range(n):
        z, noise = map(torch.cat, zip(*estimators.draws(mean, log_std, k, generator), strict=True))  # (k, N, m) each
        with torch.enable_grad():
            likelihood = estimators.checked(log_likelihood(x, z.requires_grad_()), z, "log_likelihood(x, z)")
            log_w = likelihood + gaussian.log_density(z, torch.zeros_like(z), torch.zeros_like(z))
            log_w = log_w - gaussian.log_density(z, mean, log_std)
            (slope,) = torch.autograd.grad(log_w.sum(), z)
        v = log_w.softmax(0).unsqueeze(-1)  # (k, N, 1)
        by_mean, by_log_std = slope, slope * std * noise
        if doubly:
            v = v**2
        else:  # log q also contains mean and log_std themselves
            by_mean, by_log_std = by_mean - noise / std, by_log_std - (noise**2 - 1)
        samples.append(Gradient((v * by_mean).sum(0), (v * by_log_std).sum(0)))
    return Gradient(*map(torch.stack, zip(*samples, strict=True)))
