"""Somebody else's VAE, as the estimators of this package want it: two distributions, q(z|x) and p(x|z)."""

import math

import torch
from torch import distributions, nn

from vae_edu import gaussian

SPREADS = {"std": lambda t: t.log(), "log_std": lambda t: t, "log_var": lambda t: t / 2}


def adapt(module, q=None, p=None, *, spread=None, shape=None, prior=None):
    """A VAE of another style as a model that ``evaluation`` and ``checkup`` can take.

    module: the nn.Module that holds all parameters. q: x (N, …) → a torch Normal over z (N, m), or a pair (mean,
    spread), of which ``spread`` says what the second is: "log_var", "log_std" or "std". p: z (n, m) → a torch
    distribution over x (n, …), such as Normal(vae.decode(z), 0.15) or Bernoulli(logits=vae.decode(z)). shape: that
    of one x, (d,) or (1, 28, 28). prior: a torch distribution over z, if it is not N(0, I).
    A VAE of this package needs none of these.

    Another prior is put into the likelihood: log p(x|z) + log p(z) - log N(z; 0, I), which leaves every ELBO and every
    importance weight as it is. Raises ValueError when q or p is not what it should be.
    """
    if q is None and p is None and hasattr(module, "decoder") and hasattr(module.decoder, "log_sigma"):
        decoder = module.decoder
        return Adapted(module, module.encode, lambda z: distributions.Normal(decoder(z), decoder.log_sigma.exp()),
                       "log_std", (decoder.data_dim,), None)  # fmt: skip
    if q is None or p is None or shape is None:
        raise ValueError("adapt needs q, x → its Gaussian, p, z → a distribution over x, and the shape of one x")
    return Adapted(module, q, p, spread, tuple(shape), prior)


class Adapted(nn.Module):
    """What ``adapt`` returns; ``encode`` and ``decoder.log_likelihood`` are those of the book's VAE."""

    def __init__(self, module, q, p, spread, shape, prior):
        super().__init__()
        self.module, self.q, self.p, self.spread, self.shape, self.prior = module, q, p, spread, shape, prior
        self.data_dim = math.prod(shape)

    @property
    def decoder(self):
        return self

    def encode(self, x, index=None):
        """mean and log_std of q(z|x), (N, m) each, for x (N, d)."""
        q = self.q(x.reshape(-1, *self.shape))
        if isinstance(q, distributions.Distribution):
            q = q.base_dist if isinstance(q, distributions.Independent) else q
            if not isinstance(q, distributions.Normal):
                raise ValueError(f"q(x) must be a Normal, one mean and one std for each latent, got {type(q).__name__}")
            mean, log_std = q.mean, q.stddev.log()
        else:
            if not isinstance(q, tuple | list) or len(q) != 2:
                raise ValueError(f"q(x) must be a Normal or a pair (mean, spread), got {type(q).__name__}")
            if self.spread not in SPREADS:
                raise ValueError(f"say what the second of q's pair is: spread='log_var', 'log_std' or 'std', got {self.spread!r}")
            mean, log_std = q[0], SPREADS[self.spread](q[1])
        if mean.ndim != 2 or mean.shape != log_std.shape or len(mean) != len(x):
            raise ValueError(f"q(x) must give ({len(x)}, m) for {len(x)} images, got {tuple(mean.shape)}, {tuple(log_std.shape)}")
        return mean, log_std

    def log_likelihood(self, x, z):
        """log p(x|z), (k, N), for x (N, d) and z (k, N, m), in nats; it includes the correction for another prior."""
        rows, x = z.reshape(-1, z.shape[-1]), x.expand(*z.shape[:-1], -1).reshape(-1, *self.shape)
        p = self.p(rows)
        over = p.batch_shape + p.event_shape
        if over != x.shape:
            raise ValueError(f"p(z) must be a distribution over {tuple(x.shape)} for {len(rows)} z, got one over {tuple(over)}")
        try:
            log_p = p.log_prob(x)
        except ValueError as error:
            hint = "; a Bernoulli takes 0 and 1 only: binarize grey pixels" if isinstance(p, distributions.Bernoulli) else ""
            raise ValueError(f"these x are impossible under p(x|z), a {type(p).__name__}{hint}") from error
        log_p = log_p.flatten(1).sum(1) if log_p.ndim > 1 else log_p
        if self.prior is not None:
            log_prior, zero = self.prior.log_prob(rows), torch.zeros_like(rows)
            log_p = log_p + (log_prior.sum(-1) if log_prior.ndim > 1 else log_prior) - gaussian.log_density(rows, zero, zero)
        return log_p.reshape(z.shape[:-1])
