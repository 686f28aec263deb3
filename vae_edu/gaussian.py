"""Gaussians with a diagonal covariance: log-density, entropy, sample, KL divergence.

Every function takes a mean and a ``log_std`` (never a variance, never a log-variance), sums over
the last axis and works in the float dtype that it is given. ``log_std`` is a tensor that broadcasts
against x: () for one std, (d,) for one per dimension, (N, d) for one per entry.
"""

import math

import torch

LOG_2PI = math.log(2 * math.pi)


def log_density(x, mean, log_std):
    """log N(x; mean, diag(std²)) = -Σ_j [ (x_j - mean_j)² / (2 std_j²) + log std_j + ½ log 2π ].

    x, mean: (N, d). Returns (N,), in nats. Book: (gaussian-log-density).
    """
    r = (x - mean) / torch.exp(log_std)  # (N, d)
    normalizer = (log_std + 0.5 * LOG_2PI).expand_as(r)  # a view, where log_std is one number
    return -0.5 * (r**2).sum(-1) - normalizer.sum(-1)


def entropy(log_std):
    """H(N(mean, diag(std²))) = Σ_j [ log std_j + ½ log 2πe ], whatever the mean.

    log_std: (N, m). Returns (N,), in nats.
    """
    return (log_std + 0.5 * (LOG_2PI + 1)).sum(-1)


def noise(shape, generator, like):
    """Standard normal numbers of this shape, in the dtype and on the device of the tensor ``like``.

    Raises ValueError without a generator: torch's global one would give other numbers each time.
    """
    if not isinstance(generator, torch.Generator):
        raise ValueError(f"generator must be a torch.Generator, got {generator!r}: use torch.Generator().manual_seed(0)")
    return torch.randn(shape, generator=generator, dtype=like.dtype, device=like.device)


def sample(mean, log_std, generator):
    """mean + std * ε with ε ~ N(0, I): a draw through which gradients reach mean and log_std.

    mean: (N, m). Returns (N, m). Raises ValueError without a generator.
    """
    mean, log_std = torch.broadcast_tensors(mean, log_std)  # each entry has noise of its own
    return mean + torch.exp(log_std) * noise(mean.shape, generator, mean)


def kl_divergence(mean, log_std):
    """KL( N(mean, diag(std²)) ‖ N(0, I) ) = ½ Σ_j [ mean_j² + std_j² - 2 log std_j - 1 ].

    mean, log_std: (N, m). Returns (N,), in nats. Source: Kingma & Welling 2014, appendix B.
    """
    return 0.5 * (mean**2 + torch.exp(2 * log_std) - 2 * log_std - 1).sum(-1)
