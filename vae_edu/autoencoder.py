"""Stage 1: z is a point, computed from x by an encoder."""

from torch import nn

from vae_edu.networks import check_pair


class Autoencoder(nn.Module):
    """minimize R = 1/N Σ_i ‖x_i - f(e(x_i))‖² over encoder e and decoder f. Book: (def-ae-loss).

    No prior and no noise: there is nothing to sample from.
    Raises ValueError when encoder and decoder do not fit each other.
    """

    loss_label = "squared error (sum over dimensions, mean over data)"

    def __init__(self, encoder, decoder):
        super().__init__()
        check_pair(encoder, decoder, gives="a point")
        self.encoder, self.decoder = encoder, decoder

    def loss(self, x, index=None, generator=None):
        return ((x - self.reconstruct(x, index)) ** 2).sum(-1).mean()

    def encode(self, x, index=None):
        return self.encoder(x)  # (N, m)

    def decode(self, z):
        return self.decoder(z)

    def reconstruct(self, x, index=None):
        return self.decode(self.encode(x, index))
