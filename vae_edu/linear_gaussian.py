"""The exactly solvable model, probabilistic PCA: z ~ N(0, I_m), then x = W z + b + sigma ε with ε ~ N(0, I_d).

Here log p(x), the posterior, the ELBO and its gap have closed forms, all through one m × m matrix, M = WᵀW + sigma² I.

x: (N, d), W: (d, m), b: (d,); sigma: one std, in the units of x. Gradients reach each of them. Raises ValueError when
shapes do not fit, x is not finite or sigma is not positive. Source: Tipping & Bishop 1999, JRSS-B 61.
"""

from numbers import Integral
from typing import NamedTuple

import torch

from vae_edu import gaussian


class LinearGaussian(NamedTuple):
    """The parameters; ``log_marginal(x, *model)`` passes them on."""

    W: torch.Tensor
    b: torch.Tensor
    sigma: torch.Tensor


def log_marginal(x, W, b, sigma):
    """log p(x) = log N(x; b, C) with C = WWᵀ + sigma² I, (N,), in nats.

    Determinant lemma: log det C = (d - m) log sigma² + log det M. Woodbury's identity: (x-b)ᵀC⁻¹(x-b) =
    ‖x - b - W z‖² / sigma² + ‖z‖² at the posterior mean z, a sum, so that nothing cancels.
    """
    sigma = _check(x, W, b, sigma)
    d, m = W.shape
    if m >= d:  # M is then the larger matrix, and nearly singular
        C = W @ W.mT + sigma**2 * torch.eye(d, dtype=W.dtype, device=W.device)
        return torch.distributions.MultivariateNormal(b, C).log_prob(x)
    z, _ = posterior(x, W, b, sigma)
    distance = ((x - b - z @ W.mT) ** 2).sum(-1) / sigma**2 + (z**2).sum(-1)  # (N,)
    log_det = (d - m) * torch.log(sigma**2) + 2 * _factor(W, sigma).diagonal().log().sum()
    return -0.5 * (distance + log_det + d * gaussian.LOG_2PI)


def posterior(x, W, b, sigma):
    """p(z|x) = N(mean, covariance): mean M⁻¹Wᵀ(x - b), (N, m), and covariance sigma² M⁻¹, (m, m), for every x alike.

    It is the best Gaussian q: its ELBO is log p(x).
    """
    sigma = _check(x, W, b, sigma)
    M_inverse = torch.cholesky_inverse(_factor(W, sigma))
    return (x - b) @ W @ M_inverse, sigma**2 * M_inverse


def best_diagonal(x, W, b, sigma):
    """The q = N(mean, diag(std²)) of largest ELBO: the posterior's mean, and std_j² = sigma² / M_jj.

    Returns mean and log_std, (N, m) each. The posterior's own variances, sigma² (M⁻¹)_jj, are never smaller.
    """
    mean, _ = posterior(x, W, b, sigma)
    log_std = 0.5 * torch.log(sigma**2 / _M(W, sigma).diagonal())
    return mean, log_std.expand_as(mean)


def diagonal_gap(W, sigma):
    """log p(x) - ELBO of ``best_diagonal`` = ½ (Σ_j log M_jj - log det M), the same for every x, in nats.

    Zero if and only if the columns of W are orthogonal. W: (..., d, m), say one Jacobian for each x; returns (...).
    """
    sigma = _positive(sigma, W)
    diagonals = _M(W, sigma).diagonal(dim1=-2, dim2=-1), _factor(W, sigma).diagonal(dim1=-2, dim2=-1)
    return 0.5 * diagonals[0].log().sum(-1) - diagonals[1].log().sum(-1)


def kl_divergence_full(mean, covariance):
    """KL( N(mean, covariance) ‖ N(0, I) ) = ½ [ ‖mean‖² + tr(covariance) - log det(covariance) - m ].

    mean: (N, m); covariance: (m, m) for all points, or (N, m, m). Returns (N,), in nats.
    Raises ValueError when covariance has another shape, or is not symmetric and positive definite.
    """
    m = mean.shape[-1]
    if covariance.shape not in {(m, m), (*mean.shape, m)}:
        raise ValueError(f"covariance must be ({m}, {m}) or {(*mean.shape, m)}, got {tuple(covariance.shape)}")
    factor, failed = torch.linalg.cholesky_ex(covariance)
    if failed.any() or not torch.allclose(covariance, covariance.mT, atol=1e-5 * covariance.abs().max().item()):
        raise ValueError("covariance must be symmetric and positive definite")
    log_det = 2 * factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    return 0.5 * ((mean**2).sum(-1) + covariance.diagonal(dim1=-2, dim2=-1).sum(-1) - log_det - m)


def elbo(x, W, b, sigma, mean, covariance):
    """E_q[log p(x|z)] - KL(q ‖ N(0, I)) for q = N(mean, covariance), exact, (N,), in nats, where

    E_q[log p(x|z)] = log N(x; W mean + b, sigma² I) - tr(W covariance Wᵀ) / (2 sigma²).
    mean: (N, m); covariance as in ``kl_divergence_full``: torch.diag_embed(std.square()) for a diagonal q.
    """
    sigma = _check(x, W, b, sigma)
    if mean.shape != (len(x), W.shape[1]):
        raise ValueError(f"mean must be ({len(x)}, {W.shape[1]}), one row for each x, got {tuple(mean.shape)}")
    spread = (W.mT @ W * covariance).sum((-2, -1))  # tr(W covariance Wᵀ)
    expected = gaussian.log_density(x, mean @ W.mT + b, sigma.log()) - spread / (2 * sigma**2)
    return expected - kl_divergence_full(mean, covariance)


def max_likelihood(x, m, sigma=None):
    """The LinearGaussian that maximizes Σ_i log p(x_i) over W, b and, unless it is given, sigma.

    b = mean of x, W = U_m max(Λ_m - sigma² I, 0)^½, sigma² = mean of λ_{m+1} … λ_d, with λ_1 ≥ λ_2 ≥ … and U from
    the covariance 1/N Σ_i (x_i - b)(x_i - b)ᵀ. W R with any rotation R does as well. With a given sigma, the columns
    with λ_j ≤ sigma² are zero: min(m, #{λ_j > sigma²}) latents are active.
    Raises ValueError when m is out of range, and when x lies in m dimensions: the likelihood then has no maximum.
    """
    if x.ndim != 2 or len(x) < 2 or not x.isfinite().all():
        raise ValueError(f"x must be (N, d), finite, with N ≥ 2 points, got {tuple(x.shape)}")
    d, given = x.shape[1], sigma is not None
    if not isinstance(m, Integral) or isinstance(m, bool) or not 1 <= m < d + given:
        raise ValueError(f"m must be an integer, 0 < m {'≤' if given else '<'} d = {d}, got {m!r}")
    b = x.mean(0)
    eigenvalues, U = torch.linalg.eigh((x - b).mT @ (x - b) / len(x))
    eigenvalues, U = eigenvalues.flip(0), U.flip(1)  # the largest first
    if not given:
        sigma = eigenvalues[m:].mean().clamp(min=0).sqrt()
        if sigma**2 <= d * torch.finfo(x.dtype).eps * eigenvalues[0]:
            raise ValueError(f"x, {tuple(x.shape)}, lies in {m} dimensions, so that sigma = 0: use a smaller m or more points")
    sigma = _positive(sigma, x)
    W = U[:, :m] * (eigenvalues[:m] - sigma**2).clamp(min=0).sqrt()
    return LinearGaussian(W.contiguous(), b, sigma)  # eigh's memory order is not the one that optimizers expect


def _M(W, sigma):
    return W.mT @ W + sigma**2 * torch.eye(W.shape[-1], dtype=W.dtype, device=W.device)  # (..., m, m)


def _factor(W, sigma):
    """The Cholesky factor of M; a ValueError where rounding has swallowed sigma² and log det M would be noise."""
    M = _M(W, sigma)
    factor, failed = torch.linalg.cholesky_ex(M)
    smallest, largest = factor.diagonal(dim1=-2, dim2=-1).amin(-1) ** 2, M.diagonal(dim1=-2, dim2=-1).amax(-1)
    if (failed.bool() | (smallest < 4 * torch.finfo(M.dtype).eps * largest)).any():
        raise ValueError(f"WᵀW + sigma² I is singular in {M.dtype}: use float64, a larger sigma or fewer latents")
    return factor


def _positive(sigma, like):
    sigma = torch.as_tensor(sigma, dtype=like.dtype, device=like.device)
    if sigma.shape != () or not 0 < sigma < torch.inf:
        raise ValueError(f"sigma is one standard deviation and must be positive and finite, got {sigma.tolist()}")
    return sigma


def _check(x, W, b, sigma):
    if not x.dtype == W.dtype == b.dtype or not W.is_floating_point():
        raise ValueError(f"x, W and b must have one float dtype, got {x.dtype}, {W.dtype} and {b.dtype}")
    if W.ndim != 2 or b.shape != W.shape[:1]:
        raise ValueError(f"W must be (d, m) and b (d,), got {tuple(W.shape)} and {tuple(b.shape)}")
    if x.ndim != 2 or x.shape[1] != len(W):
        hint = ": did you transpose it?" if x.ndim == 2 and x.shape[0] == len(W) else ""
        raise ValueError(f"x must be (N, {len(W)}), got {tuple(x.shape)}{hint}")
    if not x.isfinite().all():
        raise ValueError("x holds NaN or infinite values")
    return _positive(sigma, W)
