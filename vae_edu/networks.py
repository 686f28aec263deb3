"""Multilayer perceptrons, and the three networks that the stages are built from.

``hidden=()`` gives a linear map, for which much of the book has a closed form.
"""

import math
from itertools import pairwise

import torch
from torch import nn

from vae_edu import gaussian


def mlp(sizes, generator):
    """Linear layers with ReLU between them: sizes (d, h, m) is d → h → m.

    Weights and biases start uniform in ±1/√(inputs), PyTorch's own default, drawn from generator.
    Raises ValueError when a size is not a positive integer.
    """
    if any(not isinstance(n, int) or n < 1 for n in sizes):
        raise ValueError(f"layer sizes must be positive integers, got {tuple(sizes)}")
    layers = []
    for n_in, n_out in pairwise(sizes):
        linear = nn.utils.skip_init(nn.Linear, n_in, n_out)
        for parameter in linear.parameters():
            nn.init.uniform_(parameter, -1 / math.sqrt(n_in), 1 / math.sqrt(n_in), generator=generator)
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class Encoder(nn.Module):
    """x (N, d) → z (N, m): a point in the latent space for each data point."""

    def __init__(self, data_dim, latent_dim, hidden=(), *, generator):
        super().__init__()
        self.latent_dim = latent_dim
        self.net = mlp((data_dim, *hidden, latent_dim), generator)

    def forward(self, x):
        return self.net(x)


class GaussianEncoder(nn.Module):
    """x (N, d) → mean and log_std, (N, m) each: a Gaussian in the latent space for each data point."""

    def __init__(self, data_dim, latent_dim, hidden=(), *, generator):
        super().__init__()
        self.latent_dim = latent_dim
        self.net = mlp((data_dim, *hidden, 2 * latent_dim), generator)

    def forward(self, x):
        return self.net(x).chunk(2, dim=-1)


class Decoder(nn.Module):
    """The generative model of all four stages: z ~ N(0, I_m), then x ~ N(f(z), sigma_dec²).

    sigma_dec: std of the observation noise, in the units of x: one number, or (d,) for one per
    dimension. Fixed unless ``learn_sigma``.
    Raises ValueError when sigma_dec is not positive or has the wrong length.
    """

    def __init__(self, latent_dim, data_dim, hidden=(), *, sigma_dec, learn_sigma=False, generator):
        super().__init__()
        sigma_dec = torch.as_tensor(sigma_dec, dtype=torch.get_default_dtype())
        if sigma_dec.shape not in {(), (data_dim,)}:
            raise ValueError(f"sigma_dec must be one number or ({data_dim},), got {tuple(sigma_dec.shape)}")
        if not (sigma_dec > 0).all() or not sigma_dec.isfinite().all():
            raise ValueError(f"sigma_dec is a standard deviation and must be positive and finite, got {sigma_dec.min():g}")
        self.latent_dim, self.data_dim = latent_dim, data_dim
        self.net = mlp((latent_dim, *hidden, data_dim), generator)
        self.log_sigma = nn.Parameter(sigma_dec.log(), requires_grad=learn_sigma)

    def forward(self, z):
        return self.net(z)

    def log_likelihood(self, x, z):
        """log p(x|z) = log N(x; f(z), sigma_dec²), (N,), in nats. Book: (def-decoder-density)."""
        return gaussian.log_density(x, self(z), self.log_sigma)

    def sample(self, n, generator):
        """n draws of x, (n, d): z from the prior, the mean f(z), *and the noise*."""
        z = torch.randn(n, self.latent_dim, generator=generator, dtype=self.log_sigma.dtype, device=self.log_sigma.device)
        return gaussian.sample(self(z), self.log_sigma, generator)


def check_pair(encoder, decoder, gives):
    """Raise ValueError unless the encoder gives what the stage needs and both have the same latent dimension."""
    wrong = {"a point": GaussianEncoder, "a distribution": Encoder}[gives]
    if isinstance(encoder, wrong):
        raise ValueError(f"this stage needs an encoder that gives {gives}, got {type(encoder).__name__}")
    if encoder.latent_dim != decoder.latent_dim:
        raise ValueError(f"encoder and decoder differ in latent_dim: {encoder.latent_dim} and {decoder.latent_dim}")
