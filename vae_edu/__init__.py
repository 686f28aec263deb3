"""The code behind the book: read the modules in this order.

gaussian, networks, autoencoder, map_latent, variational, vae, linear_gaussian, estimators, gradients,
annealing, training, evaluation, adapted, fingerprint, verdicts, checkup, data, checks, exercises,
figures, explorers, live.

One decoder, four ways to choose z:

|                                | z is a point              | z is a distribution q         |
|--------------------------------|---------------------------|-------------------------------|
| free: one entry per data point | stage 2, ``MapLatent``    | stage 3, ``VariationalLatent``|
| amortized: computed from x     | stage 1, ``Autoencoder``  | stage 4, ``VAE``              |

Conventions everywhere: x is (N, d), z is (N, m); densities sum over the last axis and return (N,);
a loss sums over dimensions and averages over data points, in nats (the autoencoder's squared error
is the one exception); randomness comes from an explicit ``torch.Generator``.
"""

from vae_edu.autoencoder import Autoencoder
from vae_edu.map_latent import MapLatent
from vae_edu.networks import Decoder, Encoder, GaussianEncoder
from vae_edu.training import fit
from vae_edu.vae import VAE
from vae_edu.variational import VariationalLatent

__version__ = "0.2.0"
__all__ = ["Autoencoder", "Decoder", "Encoder", "GaussianEncoder", "MapLatent", "VAE", "VariationalLatent", "fit"]
