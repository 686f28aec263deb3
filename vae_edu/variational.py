"""Stage 3: z is a distribution q_i = N(mean_i, diag(std_i²)), one free entry per data point."""

import torch
from torch import nn

from vae_edu import gaussian
from vae_edu.map_latent import lookup
from vae_edu.networks import check_count


class VariationalLatent(nn.Module):
    """maximize 1/N Σ_i ELBO_i over decoder and (mean_i, log_std_i), i = 1 … N, where

    ELBO_i = E_{q_i}[ log p(x_i|z) ] - KL(q_i ‖ N(0, I)).

    The expectation is a Monte Carlo estimate with one reparameterized sample; the KL is exact.
    n_points: number N of data points; ``index`` says which of them the rows of x are.
    """

    loss_label = "−ELBO (nats per data point)"

    def __init__(self, decoder, n_points, *, generator):
        super().__init__()
        check_count("n_points", n_points)
        self.decoder, self.n_points = decoder, n_points
        self.mean = nn.Parameter(0.1 * torch.randn(n_points, decoder.latent_dim, generator=generator))
        # small stds at first: with std 1 every z says nothing about its x, and the decoder learns to ignore it
        self.log_std = nn.Parameter(torch.full((n_points, decoder.latent_dim), -2.0))

    def loss(self, x, index=None, generator=None):
        return -self.elbo(x, index, generator).mean()

    def elbo(self, x, index=None, generator=None):
        """Expected log-likelihood minus KL, (N,), in nats."""
        mean, log_std = self.encode(x, index)
        return self.expected_log_likelihood(x, mean, log_std, generator) - self.kl(mean, log_std)

    def expected_log_likelihood(self, x, mean, log_std, generator):
        """E_q[ log p(x|z) ], estimated from one draw of z, (N,), in nats."""
        return self.decoder.log_likelihood(x, gaussian.sample(mean, log_std, generator))

    def kl(self, mean, log_std):
        """KL(q ‖ N(0, I)), exact, (N,), in nats."""
        return gaussian.kl_divergence(mean, log_std)

    def encode(self, x, index=None):
        return lookup(self.mean, x, index), lookup(self.log_std, x, index)  # (N, m) each

    def decode(self, z):
        return self.decoder(z)

    def reconstruct(self, x, index=None):
        mean, _ = self.encode(x, index)
        return self.decode(mean)

    def sample(self, n, generator):
        return self.decoder.sample(n, generator)
