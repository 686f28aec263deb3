"""Monte Carlo: the ELBO and the importance-weighted bound, from z ~ q = N(mean, diag(std²)).

One convention: every function returns samples, whose first axis is n independent draws from ``generator``;
``estimate`` turns them into a mean with its standard error. Memory stays small: z is drawn a chunk at a time.

x: (N, d); mean, log_std: (N, m). log_likelihood(x, z): log p(x|z) for x (N, d) and z (k, N, m), returns (k, N), in
nats: ``decoder.log_likelihood``, or any such function. The prior is N(0, I).
"""

import math
from typing import NamedTuple

import torch

from vae_edu import gaussian
from vae_edu.networks import check_count

ROWS = 2**14  # z's drawn at a time


class Estimate(NamedTuple):
    """A mean over draws, and the standard deviation of that mean."""

    value: torch.Tensor
    standard_error: torch.Tensor


class Elbo(NamedTuple):
    """Samples of the ELBO, (n, N) each, from the same draws of z: one expectation, three variances."""

    log_ratio: torch.Tensor  # log p(x, z) - log q(z)
    with_kl: torch.Tensor  # log p(x|z) - KL(q ‖ N(0, I)), KL exact
    with_entropy: torch.Tensor  # log p(x, z) + H(q), H exact


def estimate(samples):
    """Mean of independent samples (n, ...) over the first axis, and its standard error std / √n, (...) each.

    Raises ValueError for fewer than 2 samples, and for an Elbo, which has three forms: choose one.
    """
    if isinstance(samples, Elbo):
        raise ValueError(f"an Elbo has three forms, {', '.join(samples._fields)}: estimate one of them")
    if samples.ndim == 0 or len(samples) < 2:
        raise ValueError(f"a standard error needs at least 2 samples along the first axis, got {tuple(samples.shape)}")
    return Estimate(samples.mean(0), samples.std(0) / math.sqrt(len(samples)))


@torch.no_grad()
def elbo(log_likelihood, x, mean, log_std, n, generator):
    """n samples of the ELBO of each x in its three forms; see Elbo. Nothing here carries a gradient.

    Raises ValueError when shapes do not fit, an input is not finite or n is not a positive integer.
    """
    likelihood, prior, q = torch.cat([*_terms(log_likelihood, x, mean, log_std, n, generator)], 1)  # (n, N) each
    kl, entropy = gaussian.kl_divergence(mean, log_std), gaussian.entropy(log_std)
    return Elbo(likelihood + prior - q, likelihood - kl, likelihood + prior + entropy)


@torch.no_grad()
def importance_weighted(log_likelihood, x, mean, log_std, k, n, generator):
    """n samples, (n, N), of log 1/k Σ_j w_j with w_j = p(x, z_j) / q(z_j): on average at most log p(x), rising with k.

    k = 1 is the ELBO. Costs n·k draws, and memory for a chunk of them. Nothing here carries a gradient: see
    ``gradients``. Raises ValueError as ``elbo`` does. Source: Burda et al. 2016.
    """
    check_count("k, the number of weights in one sample,", k)
    check_count("n, the number of samples,", n)
    largest = torch.full((n, len(x)), torch.finfo(mean.dtype).min, dtype=mean.dtype, device=mean.device)
    total, seen = torch.zeros_like(largest), 0  # Σ w = total · e^largest, chunk by chunk
    for likelihood, prior, q in _terms(log_likelihood, x, mean, log_std, n * k, generator):
        log_w = likelihood + prior - q  # (chunk, N)
        sample = (seen + torch.arange(len(log_w), device=log_w.device)) // k  # that each weight belongs to
        before, largest = largest, largest.scatter_reduce(0, sample[:, None].expand_as(log_w), log_w, "amax")
        total = (total * (before - largest).exp()).index_add(0, sample, (log_w - largest[sample]).exp())
        seen += len(log_w)
    return largest + total.log() - math.log(k)


def _terms(log_likelihood, x, mean, log_std, n, generator):
    """log p(x|z), log p(z) and log q(z) at n draws of z, stacked, (3, chunk, N) at a time."""
    check_points(x, mean)
    for z, _ in draws(mean, log_std, n, generator):
        likelihood = checked(log_likelihood(x, z), z, "log_likelihood(x, z)")
        prior = gaussian.log_density(z, torch.zeros_like(z), torch.zeros_like(z))
        yield torch.stack([likelihood, prior, gaussian.log_density(z, mean, log_std)])


def check_points(x, mean):
    """ValueError when x cannot be (N, d) beside mean (N, m), or is not finite."""
    if x.ndim != 2 or mean.ndim != 2 or len(x) != len(mean):
        raise ValueError(f"x must be (N, d) and mean (N, m), got {tuple(x.shape)} and {tuple(mean.shape)}")
    if not x.isfinite().all():
        raise ValueError("x holds NaN or infinite values")


def draws(mean, log_std, n, generator):
    """n draws in chunks: z = mean + std ε, and ε, (k, N, m) each."""
    check_count("n, the number of draws,", n)
    if mean.ndim == 0 or log_std.shape != mean.shape:
        raise ValueError(f"mean and log_std must have one shape, (N, m), got {tuple(mean.shape)} and {tuple(log_std.shape)}")
    if not (mean.isfinite().all() and log_std.isfinite().all()):
        raise ValueError("mean or log_std holds NaN or infinite values")
    chunk = max(1, ROWS // max(1, mean.shape[:-1].numel()))
    for start in range(0, n, chunk):
        noise = gaussian.noise((min(chunk, n - start), *mean.shape), generator, mean)
        yield mean + log_std.exp() * noise, noise


def checked(values, z, name):
    """values, one for each z (k, N, m); ValueError when they have another shape, (k, N), or hold NaN."""
    if values.shape != z.shape[:-1]:
        raise ValueError(f"{name} must have shape {tuple(z.shape[:-1])}, summed over the last axis, got {tuple(values.shape)}")
    if values.isnan().any():
        raise ValueError(f"{name} is NaN for {int(values.isnan().sum())} of {values.numel()} draws")
    return values
