"""The Monte Carlo estimators against quadrature, closed forms and autograd; every z-score has a fixed seed."""

import math

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import torch
from torch.distributions import Normal

from vae_edu import annealing, gaussian, gradients
from vae_edu import estimators as mc
from vae_edu import linear_gaussian as lg
from vae_edu.data import curve
from vae_edu.networks import Decoder

# the toy: a curve in the plane with noise of std .3, three points, and a q for each that misses its posterior
SIGMA = 0.3
X = torch.tensor([[0.8, 0.5], [-0.4, -0.9], [1.6, -0.3]], dtype=torch.float64)
MEAN = torch.tensor([[0.5], [-0.5], [1.4]], dtype=torch.float64)
LOG_STD = torch.tensor([[0.25], [0.3], [0.5]], dtype=torch.float64).log()


def toy(x, z):
    return gaussian.log_density(x, curve(z), torch.tensor(SIGMA, dtype=z.dtype).log())


def seed(n=0):
    return torch.Generator().manual_seed(n)


def assert_mean(samples, expected):
    """Within 4 standard errors, entry by entry."""
    value, standard_error = mc.estimate(samples)
    z = (value - torch.as_tensor(expected, dtype=value.dtype)) / standard_error
    assert z.shape == samples.shape[1:] and (z.abs() < 4).all(), z


# oracles in numpy and scipy, one point at a time


def log_likelihood_np(x, z):
    f = np.stack([1.5 * np.tanh(z), 0.8 * np.sin(2 * z)], -1)
    return scipy.stats.norm.logpdf(np.asarray(x), f, SIGMA).sum(-1)


def gauss_hermite(g, mean=0.0, std=1.0, nodes=80):
    """E[g(z)] for z ~ N(mean, std²): the probabilists' nodes, whose weights sum to √(2π)."""
    z, w = np.polynomial.hermite_e.hermegauss(nodes)
    return (w * g(mean + std * z)).sum() / math.sqrt(2 * math.pi)


def trapezoid(g, mean=0.0, std=1.0):
    z = np.linspace(mean - 12 * std, mean + 12 * std, 20001)
    return scipy.integrate.trapezoid(scipy.stats.norm.pdf(z, mean, std) * g(z), z)


def log_p(x):
    return math.log(trapezoid(lambda z: np.exp(log_likelihood_np(x, z))))


def elbo_integrand(x, q):
    return lambda z: log_likelihood_np(x, z) + scipy.stats.norm.logpdf(z) - q.logpdf(z)


Q = [scipy.stats.norm(a, math.exp(b)) for a, b in zip(MEAN[:, 0].tolist(), LOG_STD[:, 0].tolist(), strict=True)]
LOG_P = torch.tensor([log_p(x) for x in X], dtype=torch.float64)
ELBO = torch.tensor([trapezoid(elbo_integrand(x, q), q.mean(), q.std()) for x, q in zip(X, Q, strict=True)], dtype=torch.float64)


def test_the_quadratures_agree_with_each_other():
    for x, q, expected, elbo in zip(X, Q, LOG_P.tolist(), ELBO.tolist(), strict=True):
        joint = lambda z, x=x: math.exp(log_likelihood_np(x, z) + scipy.stats.norm.logpdf(z))  # noqa: E731
        assert math.log(scipy.integrate.quad(joint, -9, 9, epsabs=1e-12)[0]) == pytest.approx(expected, abs=1e-9)
        assert gauss_hermite(elbo_integrand(x, q), q.mean(), q.std()) == pytest.approx(elbo, abs=1e-9)


# the ELBO


def test_three_forms_of_the_elbo_have_the_expectation_that_quadrature_finds():
    forms = mc.elbo(toy, X, MEAN, LOG_STD, 20_000, seed())
    for samples in forms:
        assert samples.shape == (20_000, 3)
        assert_mean(samples, ELBO)
    assert (ELBO < LOG_P - 0.01).all()


def test_every_sample_of_the_three_forms_is_its_formula_at_the_same_z():
    z = MEAN + LOG_STD.exp() * torch.randn(6, 3, 1, generator=seed(), dtype=torch.float64)
    q, prior = Normal(MEAN, LOG_STD.exp()), Normal(torch.zeros_like(MEAN), 1.0)
    likelihood, log_prior = Normal(curve(z), SIGMA).log_prob(X).sum(-1), prior.log_prob(z).sum(-1)
    forms = mc.elbo(toy, X, MEAN, LOG_STD, 6, seed())
    close = {"rtol": 1e-12, "atol": 1e-12}
    torch.testing.assert_close(forms.log_ratio, likelihood + log_prior - q.log_prob(z).sum(-1), **close)
    torch.testing.assert_close(forms.with_kl, likelihood - torch.distributions.kl_divergence(q, prior).sum(-1), **close)
    torch.testing.assert_close(forms.with_entropy, likelihood + log_prior + q.entropy().sum(-1), **close)


def test_a_linear_decoder_has_the_exact_elbo_and_at_the_posterior_a_log_ratio_without_variance():
    decoder = Decoder(2, 5, sigma_dec=0.6, generator=seed(1)).double()
    U, S, _ = torch.linalg.svd(decoder.net[0].weight.detach(), full_matrices=False)
    decoder.net[0].weight.data = 2 * U * S  # orthogonal columns: the posterior is a diagonal Gaussian
    model = decoder.net[0].weight, decoder.net[0].bias, decoder.log_sigma.exp()
    x = torch.randn(4, 5, generator=seed(2), dtype=torch.float64)
    mean, log_std = (t.detach() for t in lg.best_diagonal(x, *model))
    ratio = mc.elbo(decoder.log_likelihood, x, mean, log_std, 50, seed()).log_ratio
    torch.testing.assert_close(ratio, lg.log_marginal(x, *model).detach().expand(50, 4), rtol=1e-10, atol=1e-10)
    exact = lg.elbo(x, *model, mean + 0.2, torch.diag_embed((2 * (log_std + 0.3)).exp())).detach()
    for samples in mc.elbo(decoder.log_likelihood, x, mean + 0.2, log_std + 0.3, 20_000, seed()):
        assert_mean(samples, exact)


def test_a_decoder_takes_many_draws_at_once_as_it_takes_one():
    decoder = Decoder(2, 6, (8,), sigma_dec=0.5, generator=seed()).double()
    z = torch.randn(7, 3, 2, generator=seed(), dtype=torch.float64)
    x = torch.rand(3, 6, generator=seed(), dtype=torch.float64)
    torch.testing.assert_close(decoder.log_likelihood(x, z), torch.stack([decoder.log_likelihood(x, z_k) for z_k in z]))


# the importance-weighted bound


def test_one_weight_is_the_elbo():
    bound = mc.importance_weighted(toy, X, MEAN, LOG_STD, 1, 20_000, seed())
    torch.testing.assert_close(bound, mc.elbo(toy, X, MEAN, LOG_STD, 20_000, seed()).log_ratio, rtol=0, atol=1e-12)
    assert_mean(bound, ELBO)


def test_the_bound_rises_with_the_number_of_weights_to_log_p():
    bound = lambda k, n: mc.estimate(mc.importance_weighted(toy, X, MEAN, LOG_STD, k, n, seed(k)))  # noqa: E731
    one, five, fifty = bound(1, 4000), bound(5, 4000), bound(50, 4000)
    for low, high in ((one, five), (five, fifty)):
        assert (high.value - low.value > 4 * torch.hypot(high.standard_error, low.standard_error)).all()
    assert (fifty.value < LOG_P).all()
    last, error = bound(5000, 50)
    assert (last < LOG_P + 4 * error).all() and (LOG_P - last < 0.01).all()


def test_the_exponential_of_the_bound_is_an_unbiased_estimate_of_p():
    assert_mean(mc.importance_weighted(toy, X, MEAN, LOG_STD, 5, 20_000, seed()).exp(), LOG_P.exp())


@pytest.mark.parametrize("shift", [-1e4, 1e4])
def test_the_bound_survives_weights_that_no_float_can_hold(shift):
    bound = mc.importance_weighted(toy, X, MEAN, LOG_STD, 20, 10, seed())
    shifted = mc.importance_weighted(lambda x, z: toy(x, z) + shift, X, MEAN, LOG_STD, 20, 10, seed())
    torch.testing.assert_close(shifted, bound + shift, rtol=0, atol=1e-9)


def test_groups_of_weights_share_no_draw():
    bound = mc.importance_weighted(toy, X, MEAN, LOG_STD, 2, 3, seed())
    log_w = mc.elbo(toy, X, MEAN, LOG_STD, 6, seed()).log_ratio
    expected = torch.stack([log_w[2 * i : 2 * i + 2].exp().mean(0).log() for i in range(3)])
    torch.testing.assert_close(bound, expected)


# annealed importance sampling

LINEAR = lg.LinearGaussian(
    torch.tensor([[1.2, 0.3], [-0.4, 0.9], [0.5, -0.7]], dtype=torch.float64),
    torch.tensor([0.1, -0.2, 0.3], dtype=torch.float64),
    torch.tensor(0.4, dtype=torch.float64),
)
X_LINEAR = torch.tensor([[0.8, 0.5, -0.1], [-1.4, 0.9, 1.0]], dtype=torch.float64)


def linear(x, z):
    return gaussian.log_density(x, z @ LINEAR.W.T + LINEAR.b, LINEAR.sigma.log())


def posterior_samples(n):
    mean, covariance = lg.posterior(X_LINEAR, *LINEAR)
    noise = torch.randn(n, *mean.shape, generator=seed(9), dtype=torch.float64)
    return mean + noise @ torch.linalg.cholesky(covariance).T


def annealed(steps, n, start=None, **more):
    return annealing.annealed_importance(linear, X_LINEAR, 2, steps, n, seed(1), start=start, **more)


@pytest.mark.parametrize("leapfrog", [1, 3])
def test_annealed_weights_average_to_p_and_backwards_their_inverses_to_its_inverse(leapfrog):
    exact = lg.log_marginal(X_LINEAR, *LINEAR)
    up = annealed(30, 1500, leapfrog=leapfrog)
    down = annealed(30, 1500, posterior_samples(1500), leapfrog=leapfrog)
    assert up.shape == down.shape == (1500, 2)
    assert_mean((up - exact).exp(), torch.ones(2))
    assert_mean((exact - down).exp(), torch.ones(2))
    assert (up.mean(0) < exact - 0.05).all() and (down.mean(0) > exact + 0.05).all()


def test_more_steps_close_the_gap_from_both_sides():
    exact = lg.log_marginal(X_LINEAR, *LINEAR)
    for start, sign in ((None, 1), (posterior_samples(100), -1)):
        few, many = (sign * (exact - annealed(steps, 100, start)).mean() for steps in (20, 200))
        assert 0 < many < few / 4 and many < 0.2


def test_one_step_is_importance_sampling_from_the_prior_and_its_backward_twin():
    z = posterior_samples(4)
    torch.testing.assert_close(annealed(1, 4, z), linear(X_LINEAR, z))
    log_w = annealing.annealed_importance(toy, X, 1, 1, 5000, seed())
    assert_mean(log_w.exp(), LOG_P.exp())


def test_annealing_finds_the_quadrature_of_a_curved_decoder():
    assert_mean(annealing.annealed_importance(toy, X, 1, 40, 1500, seed()).exp(), LOG_P.exp())


def test_an_image_drawn_with_its_z_is_caught_between_both_directions_for_a_deep_decoder():
    decoder = Decoder(2, 6, (16,), sigma_dec=0.1, generator=seed(1))
    z = torch.randn(8, 2, generator=seed(2))
    x = gaussian.sample(decoder(z).detach(), decoder.log_sigma.detach(), seed(3))
    run = lambda steps, start=None: annealing.annealed_importance(decoder.log_likelihood, x, 2, steps, 4, seed(4), start=start)  # noqa: E731
    start = z.expand(4, 8, 2)
    few, many = (run(steps, start) - run(steps) for steps in (15, 100))
    assert many.dtype == torch.float32 and not many.requires_grad and decoder.net[0].weight.grad is None
    assert 0 < many.mean() < few.mean() / 2
    grid = torch.cartesian_prod(*[torch.linspace(-5, 5, 151)] * 2)  # the integral over z, by the trapezoid rule
    joint = decoder.log_likelihood(x, grid[:, None]) + gaussian.log_density(grid, torch.zeros(2), torch.zeros(2))[:, None]
    log_p = joint.detach().logsumexp(0) + 2 * math.log(10 / 150)
    assert run(100).mean() < log_p.mean() < run(100, start).mean()
    assert torch.equal(run(15), run(15))


def test_annealing_refuses_what_it_cannot_use():
    for bad in ({"m": 0}, {"steps": 0}, {"n": 1.5}, {"leapfrog": -1}):
        settings = {"m": 2, "steps": 3, "n": 2, "leapfrog": 1} | bad
        with pytest.raises(ValueError, match=f"{next(iter(bad))} must be a positive integer"):
            annealing.annealed_importance(linear, X_LINEAR, generator=seed(), **settings)
    with pytest.raises(ValueError, match=r"start must be \(n, N, m\) = \(3, 2, 2\), .* got \(2, 2, 2\)"):
        annealed(3, 3, posterior_samples(2))
    for bad in (X_LINEAR[0], X_LINEAR / 0):
        with pytest.raises(ValueError, match=r"x must be \(N, d\), without NaN"):
            annealing.annealed_importance(linear, bad, 2, 3, 2, seed())
    with pytest.raises(ValueError, match=r"log_likelihood\(x, z\) must have shape \(2, 2\)"):
        annealing.annealed_importance(lambda x, z: linear(x, z).unsqueeze(-1), X_LINEAR, 2, 3, 2, seed())


# memory


def test_weights_are_added_up_chunk_by_chunk_and_never_all_in_memory(monkeypatch):
    whole = mc.elbo(toy, X, MEAN, LOG_STD, 7 * 40, seed()).log_ratio.unflatten(0, (40, 7)).logsumexp(1) - math.log(7)
    torch.testing.assert_close(mc.importance_weighted(toy, X, MEAN, LOG_STD, 7, 40, seed()), whole, rtol=1e-12, atol=0)
    monkeypatch.setattr(mc, "ROWS", 30)  # ten draws at a time, so that samples begin and end within a chunk
    noise = torch.cat([n for _, n in mc.draws(MEAN, LOG_STD, 7 * 40, seed())])
    log_w = toy(X, MEAN + LOG_STD.exp() * noise) + Normal(0.0, 1.0).log_prob(MEAN + LOG_STD.exp() * noise).sum(-1)
    log_w -= Normal(MEAN, LOG_STD.exp()).log_prob(MEAN + LOG_STD.exp() * noise).sum(-1)
    chunked = mc.importance_weighted(toy, X, MEAN, LOG_STD, 7, 40, seed())
    torch.testing.assert_close(chunked, log_w.unflatten(0, (40, 7)).logsumexp(1) - math.log(7), rtol=1e-12, atol=0)


def test_a_weight_of_zero_is_no_trouble_and_a_nan_is_named():
    nowhere = lambda x, z: toy(x, z).where(z[..., 0] > 0.5, -torch.inf)  # noqa: E731
    log_w = mc.elbo(nowhere, X, MEAN, LOG_STD, 40, seed()).log_ratio
    expected = log_w.unflatten(0, (10, 4)).exp().mean(1).log()
    torch.testing.assert_close(mc.importance_weighted(nowhere, X, MEAN, LOG_STD, 4, 10, seed()), expected)
    for call in (mc.elbo, lambda *a: mc.importance_weighted(*a[:4], 2, *a[4:])):
        with pytest.raises(ValueError, match=r"log_likelihood\(x, z\) is NaN for \d+ of \d+ draws"):
            call(lambda x, z: toy(x, z) * torch.nan, X, MEAN, LOG_STD, 5, seed())


def test_chunks_are_fresh_draws_and_no_chunk_exceeds_the_limit(monkeypatch):
    monkeypatch.setattr(mc, "ROWS", 1000)
    rows = []

    def recorded(x, z):
        rows.append(z.shape[:-1].numel())
        return toy(x, z)

    forms = mc.elbo(recorded, X, MEAN, LOG_STD, 20_000, seed())
    assert sum(rows) == 3 * 20_000 and 900 < max(rows) <= 1000
    assert forms.log_ratio[:, 0].unique().numel() == 20_000
    for samples in forms:
        assert_mean(samples, ELBO)
    for gradient in (gradients.pathwise_gradient, gradients.score_gradient):
        assert gradient(lambda z: z.sum(-1), MEAN, LOG_STD, 1001, seed()).mean.shape == (1001, 3, 1)
    monkeypatch.setattr(mc, "ROWS", 2)  # fewer than there are points: one draw at a time
    assert mc.elbo(toy, X, MEAN, LOG_STD, 5, seed()).with_kl.shape == (5, 3)


# gradients


def smooth(z):
    return (torch.sin(2 * z) + 0.3 * z**2).sum(-1)


def smooth_np(z):
    return np.sin(2 * z) + 0.3 * z**2


def finite_differences(mean, log_std, h=1e-5):
    """∂/∂mean and ∂/∂log_std of E_q[smooth], by central differences of Gauss–Hermite quadrature."""
    E = lambda a, b: gauss_hermite(smooth_np, a, math.exp(b))  # noqa: E731
    return (E(mean + h, log_std) - E(mean - h, log_std)) / (2 * h), (E(mean, log_std + h) - E(mean, log_std - h)) / (2 * h)


@pytest.mark.parametrize("estimator", [gradients.pathwise_gradient, gradients.score_gradient])
def test_both_gradients_have_the_expectation_that_finite_differences_of_quadrature_find(estimator):
    mean, log_std = torch.tensor([[0.3], [-1.0]], dtype=torch.float64), torch.tensor([[0.7], [0.4]], dtype=torch.float64).log()
    expected = torch.tensor([finite_differences(a, b) for a, b in zip(mean[:, 0].tolist(), log_std[:, 0].tolist(), strict=True)])
    samples = estimator(smooth, mean, log_std, 40_000, seed())
    assert samples.mean.shape == samples.log_std.shape == (40_000, 2, 1)
    assert_mean(samples.mean[..., 0], expected[:, 0])
    assert_mean(samples.log_std[..., 0], expected[:, 1])


def test_every_pathwise_sample_is_autograds_through_the_reparameterized_draw():
    decoder = Decoder(2, 6, (8,), sigma_dec=0.5, generator=seed()).double()
    x, mean = torch.rand(3, 6, generator=seed(), dtype=torch.float64), torch.randn(3, 2, generator=seed(1), dtype=torch.float64)
    log_std = (mean - 1).requires_grad_()
    samples = gradients.pathwise_gradient(lambda z: decoder.log_likelihood(x, z), mean.requires_grad_(), log_std, 1, seed(2))
    value = decoder.log_likelihood(x, gaussian.sample(mean, log_std, seed(2))).sum()
    for left, right in zip(samples, torch.autograd.grad(value, [mean, log_std]), strict=True):
        torch.testing.assert_close(left[0], right, rtol=1e-12, atol=1e-12)


def test_every_score_sample_is_f_times_autograds_gradient_of_log_q():
    mean, log_std = MEAN.clone().requires_grad_(), LOG_STD.clone().requires_grad_()
    samples = gradients.score_gradient(smooth, mean, log_std, 1, seed(), baseline=0.7)
    z = gaussian.sample(mean, log_std, seed()).detach()
    log_q = Normal(mean, log_std.exp()).log_prob(z).sum()
    for left, right in zip(samples, torch.autograd.grad(log_q, [mean, log_std]), strict=True):
        torch.testing.assert_close(left[0], (smooth(z)[:, None] - 0.7) * right, rtol=1e-10, atol=1e-10)


def test_the_score_function_needs_no_derivative_of_f():
    samples = gradients.score_gradient(lambda z: (z > 0).double().sum(-1), MEAN, LOG_STD, 20_000, seed())
    density = scipy.stats.norm.pdf(0, MEAN[:, 0], LOG_STD[:, 0].exp())  # P(z > 0) = Φ(mean / std)
    assert_mean(samples.mean[..., 0], density)
    assert_mean(samples.log_std[..., 0], -MEAN[:, 0].numpy() * density)


def trace_of_score(d, s, delta):
    """E‖f ε/s‖² - δ² for f = -‖z - a‖²/2, by E r² = d, E r⁴ = d(d+2), E r⁶ = d(d+2)(d+4) of r = ‖ε‖."""
    square = delta**4 * d + s**4 * d * (d + 2) * (d + 4) + 4 * delta**2 * s**2 * (d + 2) + 2 * delta**2 * s**2 * d * (d + 2)
    return square / (4 * s**2) - delta**2  # ‖z - a‖² = δ² + 2 δ s ε_1 + s² r², squared, times r²


@pytest.mark.parametrize(("s", "ratio", "with_baseline"), [(0.1, 3142.5, 117.5), (0.5, 58.5, 9.5), (1.0, 36.375, 6.125)])
def test_in_the_quadratic_toy_the_variances_are_the_exact_ones(s, ratio, with_baseline):
    d, delta, n = 8, 1.0, 60_000
    mean, a = torch.zeros(1, d, dtype=torch.float64), torch.full((d,), delta / math.sqrt(d), dtype=torch.float64)
    log_std = torch.full_like(mean, math.log(s))
    f = lambda z: -((z - a) ** 2).sum(-1) / 2  # noqa: E731
    best = -(delta**2 + s**2 * (d + 2)) / 2  # E[f ‖ε‖²] / E‖ε‖²
    score = trace_of_score(d, s, delta)
    assert score / (d * s**2) == pytest.approx(ratio, rel=1e-12)
    assert (score - best**2 * d / s**2) / (d * s**2) == pytest.approx(with_baseline, rel=1e-12)
    for samples, trace in [
        (gradients.pathwise_gradient(f, mean, log_std, n, seed()), d * s**2),
        (gradients.score_gradient(f, mean, log_std, n, seed()), score),
        (gradients.score_gradient(f, mean, log_std, n, seed(), baseline=best), score - best**2 * d / s**2),
    ]:
        assert_mean(samples.mean[:, 0], a)  # the gradient is a - mean
        assert_mean(((samples.mean[:, 0] - a) ** 2).sum(-1), trace)
        assert_mean(samples.log_std[:, 0], torch.full((d,), -(s**2), dtype=torch.float64))


def test_a_baseline_for_each_point_leaves_the_expectation():
    baseline = torch.tensor([3.0, -2.0, 0.5], dtype=torch.float64)
    samples = gradients.score_gradient(smooth, MEAN, LOG_STD, 40_000, seed(), baseline)
    expected = torch.tensor([finite_differences(a, b) for a, b in zip(MEAN[:, 0].tolist(), LOG_STD[:, 0].tolist(), strict=True)])
    assert_mean(samples.mean[..., 0], expected[:, 0])
    assert_mean(samples.log_std[..., 0], expected[:, 1])


@pytest.mark.parametrize(("k", "pathwise", "score"), [(1, 0.20, 0.33), (10, 50.0, 0.50)])
def test_for_a_fast_sine_the_score_function_has_the_smaller_variance(k, pathwise, score):
    mean = log_std = torch.zeros(1, 1, dtype=torch.float64)
    slope = k * math.exp(-(k**2) / 2)  # of E sin kz
    exact = (  # E[cos 2kε] = e^{-2k²}, and E[ε² cos 2kε] = (1 - 4k²) e^{-2k²}
        k**2 * (1 + math.exp(-2 * k**2)) / 2 - slope**2,
        (1 - (1 - 4 * k**2) * math.exp(-2 * k**2)) / 2 - slope**2,
    )
    assert exact == (pytest.approx(pathwise, abs=5e-3), pytest.approx(score, abs=6e-3))
    for estimator, variance in zip((gradients.pathwise_gradient, gradients.score_gradient), exact, strict=True):
        samples = estimator(lambda z: torch.sin(k * z).sum(-1), mean, log_std, 20_000, seed()).mean[:, 0, 0]
        assert_mean((samples - slope) ** 2, variance)


def bound_of_two_weights(x, mean, log_std):
    """E log (w_1 + w_2) / 2 by Gauss–Hermite quadrature in both draws."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(100)
    z = mean + math.exp(log_std) * nodes
    log_w = log_likelihood_np(x, z) + scipy.stats.norm.logpdf(z) - scipy.stats.norm.logpdf(z, mean, math.exp(log_std))
    return weights @ np.logaddexp(log_w[:, None], log_w) @ weights / (2 * math.pi) - math.log(2)


@pytest.mark.parametrize("doubly", [False, True])
@pytest.mark.slow
def test_both_gradients_of_the_importance_bound_have_the_expectation_that_quadrature_finds(doubly):
    samples = gradients.importance_gradient(toy, X, MEAN, LOG_STD, 2, 4000, seed(), doubly)
    h, expected = 1e-4, []
    for x, mean, log_std in zip(X, MEAN[:, 0].tolist(), LOG_STD[:, 0].tolist(), strict=True):
        at = lambda a, b, x=x, mean=mean, log_std=log_std: bound_of_two_weights(x, mean + a, log_std + b)  # noqa: E731
        expected.append([(at(h, 0) - at(-h, 0)) / (2 * h), (at(0, h) - at(0, -h)) / (2 * h)])
    expected = np.array(expected)
    assert_mean(samples.mean[..., 0], expected[:, 0])
    assert_mean(samples.log_std[..., 0], expected[:, 1])


def test_a_sample_of_the_plain_importance_gradient_is_autograds_of_the_bound():
    mean, log_std = MEAN.clone().requires_grad_(), LOG_STD.clone().requires_grad_()
    samples = gradients.importance_gradient(toy, X, MEAN, LOG_STD, 7, 1, seed())
    z = mean + log_std.exp() * torch.randn(7, 3, 1, generator=seed(), dtype=torch.float64)
    log_w = toy(X, z) + (Normal(0, 1).log_prob(z) - Normal(mean, log_std.exp()).log_prob(z)).sum(-1)
    for left, right in zip(samples, torch.autograd.grad(log_w.logsumexp(0).sum(), [mean, log_std]), strict=True):
        torch.testing.assert_close(left[0], right, rtol=1e-10, atol=1e-10)


def test_at_the_posterior_the_doubly_reparameterized_gradient_is_zero_in_each_draw_and_the_plain_one_is_not():
    W, b, sigma = torch.tensor([[0.9], [-0.4]]).double(), torch.zeros(2).double(), 0.7
    linear = lambda x, z: gaussian.log_density(x, z @ W.T + b, torch.tensor(sigma, dtype=torch.float64).log())  # noqa: E731
    mean, covariance = lg.posterior(X, W, b, sigma)
    log_std = covariance.sqrt().log().expand(3, 1)
    plain, doubly = (gradients.importance_gradient(linear, X, mean, log_std, 5, 4, seed(), kind) for kind in (False, True))
    assert max(g.abs().max() for g in doubly) < 1e-12 and min(g.abs().min() for g in plain) > 1e-4


def test_samples_carry_no_graph_and_leave_the_model_alone():
    decoder = Decoder(2, 4, (8,), sigma_dec=0.5, learn_sigma=True, generator=seed())
    x, mean = torch.rand(3, 4, generator=seed()), torch.zeros(3, 2, requires_grad=True)
    f = lambda z: decoder.log_likelihood(x, z)  # noqa: E731
    results = [*gradients.pathwise_gradient(f, mean, mean, 2, seed()), *gradients.score_gradient(f, mean, mean, 2, seed())]
    for doubly in (False, True):
        results += gradients.importance_gradient(decoder.log_likelihood, x, mean, mean, 2, 2, seed(), doubly)
    results += [*mc.elbo(decoder.log_likelihood, x, mean, mean, 2, seed())]
    results += [mc.importance_weighted(decoder.log_likelihood, x, mean, mean, 2, 2, seed())]
    assert not any(t.requires_grad for t in results) and all(t.dtype == torch.float32 for t in results)
    assert mean.grad is None and all(p.grad is None for p in decoder.parameters())


def test_the_same_seed_gives_the_same_samples_and_another_gives_others():
    draw = lambda n: mc.elbo(toy, X, MEAN, LOG_STD, 4, seed(n)).log_ratio  # noqa: E731
    assert torch.equal(draw(0), draw(0)) and not torch.equal(draw(0), draw(1))


# the estimate, and bad input


def test_an_estimate_is_the_mean_and_its_standard_error():
    samples = torch.randn(50, 3, generator=seed(), dtype=torch.float64)
    value, standard_error = mc.estimate(samples)
    np.testing.assert_allclose(value, samples.numpy().mean(0))
    np.testing.assert_allclose(standard_error, scipy.stats.sem(samples.numpy()))
    for bad in (samples[:1], samples[0, 0]):
        with pytest.raises(ValueError, match="at least 2 samples"):
            mc.estimate(bad)
    with pytest.raises(ValueError, match="three forms, log_ratio, with_kl, with_entropy: estimate one of them"):
        mc.estimate(mc.elbo(toy, X, MEAN, LOG_STD, 2, seed()))


@pytest.mark.parametrize("n", [0, -1, 2.0])
def test_a_number_of_draws_that_is_none_is_refused(n):
    calls = [
        lambda: mc.elbo(toy, X, MEAN, LOG_STD, n, seed()),
        lambda: mc.importance_weighted(toy, X, MEAN, LOG_STD, 2, n, seed()),
        lambda: mc.importance_weighted(toy, X, MEAN, LOG_STD, n, 2, seed()),
        lambda: gradients.pathwise_gradient(smooth, MEAN, LOG_STD, n, seed()),
        lambda: gradients.score_gradient(smooth, MEAN, LOG_STD, n, seed()),
        lambda: gradients.importance_gradient(toy, X, MEAN, LOG_STD, 2, n, seed()),
        lambda: gradients.importance_gradient(toy, X, MEAN, LOG_STD, n, 2, seed()),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="must be a positive integer"):
            call()


def test_bad_input_is_named_in_the_readers_terms():
    with pytest.raises(ValueError, match=r"x must be \(N, d\) and mean \(N, m\), got \(2, 2\) and \(3, 1\)"):
        mc.elbo(toy, X[:2], MEAN, LOG_STD, 2, seed())
    with pytest.raises(ValueError, match=r"x must be \(N, d\)"):
        mc.importance_weighted(toy, X[0], MEAN, LOG_STD, 2, 2, seed())
    with pytest.raises(ValueError, match="x holds NaN"):
        mc.elbo(toy, X / 0, MEAN, LOG_STD, 2, seed())
    with pytest.raises(ValueError, match=r"one shape, \(N, m\), got \(3, 1\) and \(1,\)"):
        mc.elbo(toy, X, MEAN, LOG_STD[0], 2, seed())
    for mean, log_std in ((MEAN / 0, LOG_STD), (MEAN, (0 * LOG_STD).log())):
        with pytest.raises(ValueError, match="mean or log_std holds NaN"):
            gradients.pathwise_gradient(smooth, mean, log_std, 2, seed())
    with pytest.raises(ValueError, match=r"log_likelihood\(x, z\) must have shape \(2, 3\), summed .* got \(2, 3, 2\)"):
        mc.elbo(lambda x, z: Normal(curve(z), SIGMA).log_prob(x), X, MEAN, LOG_STD, 2, seed())
    for gradient in (gradients.pathwise_gradient, gradients.score_gradient):
        with pytest.raises(ValueError, match=r"f\(z\) must have shape \(2, 3\), summed over the last axis, got \(2, 3, 1\)"):
            gradient(torch.sin, MEAN, LOG_STD, 2, seed())
