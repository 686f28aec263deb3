"""How good is a model on images that it has not seen? ELBO and importance-weighted log-likelihood, in nats per image.

For stages 3 and 4, which have a q. The two functions that end in ``s`` give one number for each image; the other two
average over the images and add a standard error, which says how much the average would change with other images of
the same kind. Only dequantized pixels have likelihoods that may be compared between models: data.dequantize.

A stage-3 model holds entries for its own data points only. To evaluate it on others, freeze its decoder and ``fit``
a fresh VariationalLatent to them first.
"""

import torch
from torch import nn

from vae_edu import estimators
from vae_edu.training import check_data


@torch.no_grad()
def elbos(model, x, n, generator):
    """The ELBO of each image, E_q[log p(x|z)] - KL(q ‖ N(0, I)), (N,), in nats: n draws of z, KL exact.

    x: (N, d). Raises ValueError when x cannot be the model's data, when model has no q and when n < 1.
    """
    x, mean, log_std = _posterior(model, x)
    return estimators.elbo(model.decoder.log_likelihood, x, mean, log_std, n, generator).with_kl.mean(0)


@torch.no_grad()
def log_likelihoods(model, x, k, generator, repeats=1):
    """log 1/k Σ_j p(x, z_j) / q(z_j) of each image, averaged over repeats, (N,), in nats.

    On average at most log p(x), and the nearer the larger k. x: (N, d). Costs k · repeats decodings an image.
    Raises ValueError as ``elbos`` does, and when k < 1 or repeats < 1. Source: Burda et al. 2016.
    """
    x, mean, log_std = _posterior(model, x)
    return estimators.importance_weighted(model.decoder.log_likelihood, x, mean, log_std, k, repeats, generator).mean(0)


def held_out_elbo(model, x, n, generator):
    """Mean over the images of ``elbos``, and its standard error: an Estimate of two numbers, in nats per image.

    Raises ValueError as ``elbos`` does, and for fewer than 2 images.
    """
    return estimators.estimate(elbos(model, x, n, generator))


def held_out_log_likelihood(model, x, k, generator, repeats=1):
    """Mean over the images of ``log_likelihoods``, and its standard error: an Estimate of two numbers, nats per image.

    The standard error counts the choice of images and the draws of z. It does not count the bias, downwards, that
    is left at this k; to see that, double k. Raises ValueError as ``log_likelihoods`` does, and for fewer than 2 images.
    """
    return estimators.estimate(log_likelihoods(model, x, k, generator, repeats))


def _posterior(model, x):
    """x as rows, and mean and log_std of q for each, after the questions that a reader may have forgotten to ask."""
    if isinstance(x, torch.Tensor) and x.shape[1:] == getattr(model, "shape", None):
        x = x.flatten(1)  # images, of a model that somebody adapted
    check_data(model, x)
    for part in model.modules():
        if part.training and isinstance(part, nn.modules.batchnorm._BatchNorm | nn.modules.dropout._DropoutNd):
            raise ValueError(
                f"the model is in training mode, in which its {type(part).__name__} scores an image by its neighbours or by "
                "chance: call model.eval() first"
            )
    q = model.encode(x)
    if isinstance(q, torch.Tensor):
        raise ValueError(f"{type(model).__name__} gives a point z, and a point has no ELBO: stages 3 and 4 have a q")
    mean, log_std = q
    return x, mean, log_std
