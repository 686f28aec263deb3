"""How good is a model on images that it has not seen? ELBO and importance-weighted log-likelihood, in nats per image.

For stages 3 and 4, which have a q. The two functions that end in ``s`` give one number for each image; the other two
average over the images and add a standard error, which says how much the average would change with other images of
the same kind. Only dequantized pixels have likelihoods that may be compared between models: data.dequantize.

A stage-3 model holds entries for its own data points only. To evaluate it on others, freeze its decoder and ``fit``
a fresh VariationalLatent to them first.
"""

import torch

from vae_edu import estimators


@torch.no_grad()
def elbos(model, x, n, generator):
    """The ELBO of each image, E_q[log p(x|z)] - KL(q ‖ N(0, I)), (N,), in nats: n draws of z, KL exact.

    x: (N, d). Raises ValueError when x cannot be the model's data, when model has no q and when n < 1.
    """
    mean, log_std = _posterior(model, x)
    return estimators.elbo(model.decoder.log_likelihood, x, mean, log_std, n, generator).with_kl.mean(0)


@torch.no_grad()
def log_likelihoods(model, x, k, generator, repeats=1):
    """log 1/k Σ_j p(x, z_j) / q(z_j) of each image, averaged over repeats, (N,), in nats.

    On average at most log p(x), and the nearer the larger k. x: (N, d). Costs k · repeats decodings an image.
    Raises ValueError as ``elbos`` does, and when k < 1 or repeats < 1. Source: Burda et al. 2016.
    """
    mean, log_std = _posterior(model, x)
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
    """mean and log_std of q for each row of x, after the questions that a reader may have forgotten to ask."""
    d = model.decoder.data_dim
    if x.ndim != 2 or x.shape[1] != d:
        hint = ": did you transpose it?" if x.ndim == 2 and x.shape[0] == d else ""
        raise ValueError(f"x must be (N, {d}), got {tuple(x.shape)}{hint}")
    if x.dtype != model.decoder.log_sigma.dtype:
        raise ValueError(f"x is {x.dtype} but the model is {model.decoder.log_sigma.dtype}: convert one of them")
    if not x.isfinite().all():
        raise ValueError(f"x holds NaN or infinite values, the first in row {(~x.isfinite()).any(-1).nonzero()[0].item()}")
    if len(x) != getattr(model, "n_points", len(x)):
        raise ValueError(
            f"x has {len(x)} rows but the model holds latents for {model.n_points} data points: for other data, fit "
            "a fresh table with the decoder frozen"
        )
    q = model.encode(x)
    if not isinstance(q, tuple):
        raise ValueError(f"{type(model).__name__} gives a point z, and a point has no ELBO: stages 3 and 4 have a q")
    return q
