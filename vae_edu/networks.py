"""Multilayer perceptrons, and the three networks that the stages are built from.

``hidden=()`` gives a linear map, for which much of the book has a closed form.
"""

import math
from itertools import pairwise
from numbers import Integral

import torch
from torch import nn

from vae_edu import gaussian


def check_count(name, value):
    """Raise ValueError unless value is a positive integer; NumPy's integers are, True is not."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} must be a positive integer, got {value!r}")


def mlp(sizes, generator):
    """Linear layers with ReLU between them: sizes (d, h, m) is d → h → m.

    Weights and biases start uniform in ±1/√(inputs), PyTorch's own default, drawn from generator.
    Raises ValueError when a size is not a positive integer.
    """
    for n in sizes:
        check_count(f"each layer size of {tuple(sizes)}", n)
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
        self.data_dim, self.latent_dim = data_dim, latent_dim
        self.net = mlp((data_dim, *_sizes(hidden), latent_dim), generator)

    def forward(self, x):
        return self.net(x)


class GaussianEncoder(nn.Module):
    """x (N, d) → mean and log_std, (N, m) each: a Gaussian in the latent space for each data point."""

    def __init__(self, data_dim, latent_dim, hidden=(), *, generator):
        super().__init__()
        self.data_dim, self.latent_dim = data_dim, latent_dim
        self.net = mlp((data_dim, *_sizes(hidden), 2 * latent_dim), generator)

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
        self.net = mlp((latent_dim, *_sizes(hidden), data_dim), generator)
        self.log_sigma = nn.Parameter(sigma_dec.log(), requires_grad=learn_sigma)

    def forward(self, z):
        return self.net(z)

    def log_likelihood(self, x, z):
        """log p(x|z) = log N(x; f(z), sigma_dec²), (N,), in nats. Book: (def-decoder-density)."""
        if x.shape[-1] != self.data_dim:
            raise ValueError(f"x must be (N, {self.data_dim}), as the decoder's images are, got {tuple(x.shape)}")
        return gaussian.log_density(x, self(z), self.log_sigma)

    def sample(self, n, generator):
        """n draws of x, (n, d): z from the prior, the mean f(z), *and the noise*."""
        z = gaussian.noise((n, self.latent_dim), generator, self.log_sigma)
        return gaussian.sample(self(z), self.log_sigma, generator)


def check_pair(encoder, decoder, gives):
    """Raise ValueError unless the encoder gives what the stage needs and its dimensions are the decoder's."""
    wrong = {"a point": GaussianEncoder, "a distribution": Encoder}[gives]
    if isinstance(encoder, wrong):
        raise ValueError(f"this stage needs an encoder that gives {gives}, got {type(encoder).__name__}")
    if isinstance(encoder, Decoder) or isinstance(decoder, Encoder | GaussianEncoder):
        raise ValueError(f"the encoder comes first, then the decoder; got {type(encoder).__name__}, {type(decoder).__name__}")
    for name in ("latent_dim", "data_dim"):
        if not (hasattr(encoder, name) and hasattr(decoder, name)):
            continue  # a network of one's own, which does not say
        if getattr(encoder, name) != getattr(decoder, name):
            raise ValueError(f"encoder and decoder differ in {name}: {getattr(encoder, name)} and {getattr(decoder, name)}")


def _sizes(hidden):
    """The widths of the hidden layers; a single number is not a tuple."""
    try:
        return tuple(hidden)
    except TypeError:
        raise ValueError(f"hidden is a tuple with one width per hidden layer, such as ({hidden!r},), got {hidden!r}") from None
