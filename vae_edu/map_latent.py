"""Stage 2: z is a point, one free entry per data point; the prior enters."""

import torch
from torch import nn

from vae_edu import gaussian
from vae_edu.networks import check_count


def lookup(table, x, index):
    """The rows of a table of latents (N, m) that belong to the data points x; ``index`` (None: all, in order) says which.

    Raises IndexError when an index names no row, ValueError when x has other rows than index says.
    """
    if index is None:
        index = torch.arange(len(table), device=table.device)
    if not isinstance(index, torch.Tensor) or index.ndim != 1 or index.dtype != torch.int64:
        raise ValueError(f"index must be a tensor of row numbers, torch.tensor([0, 5, …]), got {index!r}")
    if len(index) != len(x):
        raise ValueError(
            f"x has {len(x)} rows and index {len(index)}: this model holds latents for {len(table)} data points, and index "
            "says which of them the rows of x are"
        )
    if len(index) and (index.min() < 0 or index.max() >= len(table)):
        raise IndexError(
            f"index must be between 0 and {len(table) - 1}, got {index.min()} to {index.max()}: "
            f"this model holds latents for {len(table)} data points only; for other data, fit a fresh "
            "table with the decoder frozen"
        )
    return table[index]


class MapLatent(nn.Module):
    """maximize 1/N Σ_i [ log p(x_i|z_i) + log p(z_i) ] over decoder and z_1 … z_N. Book: (joint-map).

    n_points: number N of data points; ``index`` says which of them the rows of x are.
    """

    loss_label = "−log p(x, z) (nats per data point)"

    def __init__(self, decoder, n_points, *, generator):
        super().__init__()
        check_count("n_points", n_points)
        self.decoder, self.n_points = decoder, n_points
        self.z = nn.Parameter(0.1 * torch.randn(n_points, decoder.latent_dim, generator=generator))

    def loss(self, x, index=None, generator=None):
        return -self.log_joint(x, self.encode(x, index)).mean()

    def log_joint(self, x, z):
        """log p(x, z) = log p(x|z) + log N(z; 0, I), (N,), in nats."""
        zero = torch.zeros((), dtype=z.dtype, device=z.device)
        return self.decoder.log_likelihood(x, z) + gaussian.log_density(z, zero, zero)

    def encode(self, x, index=None):
        return lookup(self.z, x, index)  # (N, m)

    def decode(self, z):
        return self.decoder(z)

    def reconstruct(self, x, index=None):
        return self.decode(self.encode(x, index))

    def sample(self, n, generator):
        return self.decoder.sample(n, generator)
