"""Held-out ELBO and likelihood, against the linear VAE whose log p(x) and ELBO are known exactly."""

import math

import numpy as np
import pytest
import scipy.stats
import torch

from vae_edu import VAE, Autoencoder, Decoder, Encoder, GaussianEncoder, MapLatent, VariationalLatent, evaluation
from vae_edu import linear_gaussian as lg

N, D, M = 40, 6, 2


def seed(n=0):
    return torch.Generator().manual_seed(n)


@pytest.fixture
def model():
    """A linear VAE in float64 whose q misses the posterior by a little."""
    decoder = Decoder(M, D, sigma_dec=0.6, generator=seed(1))
    decoder.net[0].weight.data *= 1.5
    model = VAE(GaussianEncoder(D, M, generator=seed(2)), decoder).double()
    W, b, sigma = parameters(model)
    gain = torch.linalg.solve(W.T @ W + sigma**2 * torch.eye(M, dtype=torch.float64), W.T)
    layer = model.encoder.net[0]
    layer.weight.data = torch.cat([gain * 0.9, torch.zeros_like(gain)])
    layer.bias.data = torch.cat([-gain @ b, torch.full((M,), math.log(0.5), dtype=torch.float64)])
    return model


def parameters(model):
    return model.decoder.net[0].weight.detach(), model.decoder.net[0].bias.detach(), model.decoder.log_sigma.detach().exp()


@pytest.fixture
def x():
    return torch.randn(N, D, generator=seed(3), dtype=torch.float64)


def log_p(model, x):
    """log p(x) by scipy: N(b, WWᵀ + sigma² I)."""
    W, b, sigma = (np.asarray(t) for t in parameters(model))
    return torch.as_tensor(scipy.stats.multivariate_normal(b, W @ W.T + sigma**2 * np.eye(D)).logpdf(x))


def exact_elbo(model, x):
    mean, log_std = (t.detach() for t in model.encode(x))
    return lg.elbo(x, *parameters(model), mean, torch.diag_embed((2 * log_std).exp()))


def test_the_elbo_of_each_image_is_the_closed_form(model, x):
    repeated = torch.stack([evaluation.elbos(model, x, 50, seed(k)) for k in range(200)])
    z = (repeated.mean(0) - exact_elbo(model, x)) / (repeated.std(0) / 200**0.5)
    assert z.shape == (N,) and z.abs().max() < 4.5  # the largest of 40
    assert 0.7 < z.std() < 1.3


def test_its_kl_is_exact_so_that_only_the_reconstruction_is_sampled(model, x):
    q = torch.distributions.Normal(*(f(t.detach()) for f, t in zip((lambda t: t, torch.exp), model.encode(x), strict=True)))
    kl = torch.distributions.kl_divergence(q, torch.distributions.Normal(torch.zeros_like(q.mean), 1.0)).sum(-1)
    z = q.mean + q.stddev * torch.randn(1, N, M, generator=seed(7), dtype=torch.float64)
    W, b, sigma = parameters(model)
    likelihood = torch.distributions.Normal(z @ W.T + b, sigma).log_prob(x).sum(-1).mean(0)
    torch.testing.assert_close(evaluation.elbos(model, x, 1, seed(7)), likelihood - kl, rtol=1e-10, atol=1e-10)


def test_many_weights_find_log_p_of_each_image(model, x):
    found = evaluation.log_likelihoods(model, x, 20_000, seed(0))
    torch.testing.assert_close(found, log_p(model, x), rtol=0, atol=0.05)
    torch.testing.assert_close(log_p(model, x), lg.log_marginal(x, *parameters(model)), rtol=1e-10, atol=0)
    assert (log_p(model, x) - exact_elbo(model, x)).mean() > 0.1  # the ELBO would not pass


def test_at_the_posterior_one_weight_is_enough(model, x):
    W, b, sigma = parameters(model)
    U, S, _ = torch.linalg.svd(W, full_matrices=False)
    model.decoder.net[0].weight.data = W = U * S  # orthogonal columns: the posterior is a diagonal Gaussian
    M_diagonal = S**2 + sigma**2
    gain = W.T / M_diagonal[:, None]
    model.encoder.net[0].weight.data = torch.cat([gain, torch.zeros_like(gain)])
    model.encoder.net[0].bias.data = torch.cat([-gain @ b, 0.5 * (sigma**2 / M_diagonal).log()])
    truth = lg.log_marginal(x, W, b, sigma)
    torch.testing.assert_close(evaluation.log_likelihoods(model, x, 1, seed()), truth, rtol=1e-10, atol=1e-10)


def test_the_bound_rises_with_k_and_stays_below_the_truth(model, x):
    one, ten, many = (evaluation.log_likelihoods(model, x, k, seed(k), repeats=400).mean() for k in (1, 10, 100))
    assert exact_elbo(model, x).mean() - 0.02 < one < ten < many < log_p(model, x).mean() + 0.005


def test_repeats_average_logarithms_and_do_not_tighten_the_bound(model, x):
    repeated = evaluation.log_likelihoods(model, x, 1, seed(), repeats=2000).mean()
    assert abs(repeated - exact_elbo(model, x).mean()) < 0.02
    assert repeated < evaluation.log_likelihoods(model, x, 2000, seed()).mean() - 0.1


def test_the_average_is_over_images_with_its_standard_error(model, x):
    for held_out, each in (
        (evaluation.held_out_elbo(model, x, 30, seed()), evaluation.elbos(model, x, 30, seed())),
        (
            evaluation.held_out_log_likelihood(model, x, 30, seed(), repeats=2),
            evaluation.log_likelihoods(model, x, 30, seed(), repeats=2),
        ),
    ):
        np.testing.assert_allclose(held_out.value, each.numpy().mean())
        np.testing.assert_allclose(held_out.standard_error, scipy.stats.sem(each.numpy()))


def test_the_standard_error_is_the_spread_of_the_average_over_other_images(model):
    """300 sets of 40 images from the model itself, each with fresh draws of z."""
    W, b, sigma = parameters(model)
    z = torch.randn(300, N, M, generator=seed(4), dtype=torch.float64)
    sets = z @ W.T + b + sigma * torch.randn(300, N, D, generator=seed(5), dtype=torch.float64)
    generator = seed(6)
    for of in (
        lambda x: evaluation.held_out_elbo(model, x, 1, generator),
        lambda x: evaluation.held_out_log_likelihood(model, x, 5, generator),
    ):
        found = [of(x) for x in sets]
        spread = torch.stack([value for value, _ in found]).std()
        claimed = torch.stack([error for _, error in found]).mean()
        assert claimed == pytest.approx(spread.item(), rel=0.15)  # a std from 300 has a relative error of 4 %


def test_stage_3_is_evaluated_on_the_data_points_of_its_table(x):
    decoder = Decoder(M, D, sigma_dec=0.6, generator=seed(1))
    table = VariationalLatent(decoder, N, generator=seed(2)).double()
    exact = exact_elbo(table, x)
    assert abs(evaluation.held_out_elbo(table, x, 2000, seed()).value - exact.mean()) < 0.02
    with pytest.raises(ValueError, match="x has 39 rows but the model holds latents for 40 data points: .* decoder frozen"):
        evaluation.held_out_elbo(table, x[:39], 5, seed())


def test_float32_stays_float32_and_nothing_carries_a_gradient(x):
    model = VAE(GaussianEncoder(D, M, (8,), generator=seed()), Decoder(M, D, (8,), sigma_dec=0.5, generator=seed(1)))
    for result in (
        *evaluation.held_out_elbo(model, x.float(), 5, seed()),
        *evaluation.held_out_log_likelihood(model, x.float(), 5, seed()),
    ):
        assert result.shape == () and result.dtype == torch.float32 and not result.requires_grad
    assert all(p.grad is None for p in model.parameters())


def test_the_same_seed_gives_the_same_number(model, x):
    value = lambda n: evaluation.held_out_log_likelihood(model, x, 5, seed(n)).value
    assert value(0) == value(0) != value(1)


CALLS = [
    lambda model, x: evaluation.held_out_elbo(model, x, 5, seed()),
    lambda model, x: evaluation.held_out_log_likelihood(model, x, 5, seed()),
]


@pytest.mark.parametrize("call", CALLS)
def test_data_that_cannot_be_the_models_is_refused_in_the_readers_terms(model, x, call):
    with pytest.raises(ValueError, match=r"x must be \(N, 6\), got \(6, 40\): did you transpose it\?"):
        call(model, x.T)
    for wrong in (x[:, :5], x[0], x[None]):
        with pytest.raises(ValueError, match=r"x must be \(N, 6\)"):
            call(model, wrong)
    with pytest.raises(ValueError, match="x is torch.float32 but the model is torch.float64"):
        call(model, x.float())
    x[3, 1] = torch.nan
    with pytest.raises(ValueError, match="NaN or infinite values, the first in row 3"):
        call(model, x)


@pytest.mark.parametrize("call", CALLS)
def test_one_image_has_no_standard_error(model, x, call):
    with pytest.raises(ValueError, match="at least 2 samples"):
        call(model, x[:1])


@pytest.mark.parametrize("n", [0, -1, 2.0])
def test_a_number_of_draws_that_is_none_is_refused(model, x, n):
    for call in (
        lambda: evaluation.held_out_elbo(model, x, n, seed()),
        lambda: evaluation.held_out_log_likelihood(model, x, n, seed()),
        lambda: evaluation.held_out_log_likelihood(model, x, 2, seed(), repeats=n),
    ):
        with pytest.raises(ValueError, match="must be a positive integer"):
            call()


@pytest.mark.parametrize("call", CALLS)
def test_a_stage_whose_z_is_a_point_has_no_elbo(x, call):
    decoder = Decoder(M, D, sigma_dec=0.6, generator=seed())
    for points in (Autoencoder(Encoder(D, M, generator=seed()), decoder), MapLatent(decoder, N, generator=seed())):
        with pytest.raises(ValueError, match="a point has no ELBO"):
            call(points.double(), x)


class AsList(torch.nn.Module):
    """An encoder of another style: it returns [mean, log_std]."""

    def __init__(self, encoder):
        super().__init__()
        self.inner, self.latent_dim = encoder, encoder.latent_dim

    def forward(self, x):
        return list(self.inner(x))


def test_an_encoder_that_returns_a_list_has_a_q_too(model, x):
    expected = evaluation.elbos(model, x, 5, seed())
    model.encoder = AsList(model.encoder)
    torch.testing.assert_close(evaluation.elbos(model, x, 5, seed()), expected)


@pytest.mark.parametrize("call", CALLS)
def test_a_numpy_array_is_refused_by_its_name(model, x, call):
    with pytest.raises(ValueError, match=r"x must be a torch tensor, got ndarray: use torch\.as_tensor\(x\)"):
        call(model, x.numpy())


@pytest.mark.parametrize("layer", [lambda: torch.nn.BatchNorm1d(2 * M), torch.nn.Dropout], ids=["batch norm", "dropout"])
@pytest.mark.parametrize("call", CALLS)
def test_a_model_whose_training_mode_matters_is_refused_in_it(model, x, call, layer):
    model.encoder.net.append(layer().double())
    with pytest.raises(ValueError, match=r"in training mode, .* (BatchNorm1d|Dropout) .* call model\.eval\(\) first"):
        call(model, x)
    call(model.eval(), x)
