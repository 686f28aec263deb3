"""Stage 4: z is a distribution q(z|x) = N(mean(x), diag(std(x)²)), computed from x by an encoder."""

from torch import nn

from vae_edu.networks import check_pair
from vae_edu.variational import VariationalLatent


class VAE(VariationalLatent):
    """Stage 3 with its table of N entries replaced by one network; nothing else changes.

    encoder: x (N, d) → mean, log_std (N, m). Source: Kingma & Welling 2014.
    Raises ValueError when encoder and decoder do not fit each other.
    """

    def __init__(self, encoder, decoder):
        nn.Module.__init__(self)  # no table
        check_pair(encoder, decoder, gives="a distribution")
        self.encoder, self.decoder = encoder, decoder

    def encode(self, x, index=None):
        return self.encoder(x)  # (N, m) each
