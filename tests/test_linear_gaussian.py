"""The linear model's closed forms, each against a computation that shares no formula with it."""

import numpy as np
import pytest
import scipy.optimize
import scipy.stats
import torch
from sklearn.decomposition import PCA
from torch.distributions import MultivariateNormal, kl_divergence

from vae_edu import gaussian
from vae_edu import linear_gaussian as lg
from vae_edu.data import digits

N, D, M = 5, 7, 3


def randn(generator, *shape):
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def a_model(seed=0, d=D, m=M, sigma=0.4):
    """Random points, model and generator."""
    generator = torch.Generator().manual_seed(seed)
    model = lg.LinearGaussian(randn(generator, d, m), randn(generator, d), torch.tensor(sigma, dtype=torch.float64))
    return 2 * randn(generator, N, d), model, generator


def a_covariance(generator, *batch):
    A = randn(generator, *batch, M, M)
    return A @ A.mT / M + 0.1 * torch.eye(M)


def covariance_of_x(W, b, sigma):
    return W @ W.T + sigma**2 * torch.eye(len(W), dtype=W.dtype)


def assert_close(left, right, tol=1e-10):
    torch.testing.assert_close(left, torch.as_tensor(right, dtype=left.dtype), rtol=tol, atol=tol)


@pytest.fixture(scope="module")
def x_digits():
    return digits().x.double()


# log p(x) and the posterior


@pytest.mark.parametrize(("m", "sigma"), [(1, 0.4), (3, 0.4), (3, 0.01), (3, 5.0), (9, 0.4)])
def test_log_marginal_is_the_density_of_torch_and_of_scipy(m, sigma):
    x, model, _ = a_model(m=m, sigma=sigma)
    C = covariance_of_x(*model)
    ours = lg.log_marginal(x, *model)
    assert ours.shape == (N,)
    assert_close(ours, MultivariateNormal(model.b, C).log_prob(x), tol=1e-9 if sigma == 0.01 else 1e-11)
    assert_close(ours, scipy.stats.multivariate_normal(model.b, C).logpdf(x), tol=1e-9 if sigma == 0.01 else 1e-11)


def test_log_marginal_keeps_its_digits_where_a_difference_of_large_numbers_loses_them():
    W = torch.tensor([[1e6], [0.0], [0.0]], dtype=torch.float64)  # axis-aligned: x has independent coordinates
    x, b, sigma = torch.tensor([[7.3e5, 2e-3, -1e-3]], dtype=torch.float64), torch.zeros(3, dtype=torch.float64), 1e-3
    exact = scipy.stats.norm.logpdf(x.numpy(), 0, np.sqrt([1e12 + 1e-6, 1e-6, 1e-6])).sum(-1)
    assert_close(lg.log_marginal(x, W, b, sigma), exact, tol=1e-12)


def test_posterior_is_the_joint_gaussian_conditioned_on_x():
    x, (W, b, sigma), _ = a_model()
    joint = torch.cat([torch.cat([torch.eye(M), W.T], 1), torch.cat([W, covariance_of_x(W, b, sigma)], 1)])  # of (z, x)
    mean_given_x = torch.linalg.solve(joint[M:, M:], (x - b).T).T @ joint[M:, :M]
    covariance_given_x = joint[:M, :M] - joint[:M, M:] @ torch.linalg.solve(joint[M:, M:], joint[M:, :M])
    mean, covariance = lg.posterior(x, W, b, sigma)
    assert mean.shape == (N, M) and covariance.shape == (M, M)
    assert_close(mean, mean_given_x)
    assert_close(covariance, covariance_given_x)


def test_gradients_reach_every_parameter():
    x, model, generator = a_model()
    q = randn(generator, N, M), a_covariance(generator, N)
    inputs = [t.clone().requires_grad_() for t in (x, *model, *q)]
    assert torch.autograd.gradcheck(lg.log_marginal, inputs[:4])
    symmetric = lambda x, W, b, sigma, mean, A: lg.elbo(x, W, b, sigma, mean, (A + A.mT) / 2)  # noqa: E731
    assert torch.autograd.gradcheck(symmetric, inputs)


# the ELBO and its gap


@pytest.mark.parametrize("batch", [(), (N,)])
def test_elbo_plus_the_divergence_to_the_posterior_is_log_marginal(batch):
    x, model, generator = a_model()
    for _ in range(5):
        mean, covariance = randn(generator, N, M), a_covariance(generator, *batch)
        gap = kl_divergence(MultivariateNormal(mean, covariance), MultivariateNormal(*lg.posterior(x, *model)))
        value = lg.elbo(x, *model, mean, covariance)
        assert value.shape == (N,)
        assert_close(value + gap, MultivariateNormal(model.b, covariance_of_x(*model)).log_prob(x))


def test_elbo_of_the_posterior_is_log_marginal():
    x, model, _ = a_model()
    assert_close(lg.elbo(x, *model, *lg.posterior(x, *model)), lg.log_marginal(x, *model))


@pytest.mark.parametrize("batch", [(), (N,)])
def test_full_kl_divergence_is_that_of_torch(batch):
    generator = torch.Generator().manual_seed(1)
    mean, covariance = randn(generator, N, M), a_covariance(generator, *batch)
    prior = MultivariateNormal(torch.zeros(M, dtype=mean.dtype), torch.eye(M, dtype=mean.dtype))
    assert_close(lg.kl_divergence_full(mean, covariance), kl_divergence(MultivariateNormal(mean, covariance), prior))


def test_full_kl_divergence_of_a_diagonal_covariance_is_the_diagonal_one():
    generator = torch.Generator().manual_seed(1)
    mean, log_std = randn(generator, N, M), randn(generator, N, M)
    full = lg.kl_divergence_full(mean, torch.diag_embed((2 * log_std).exp()))
    assert_close(full, gaussian.kl_divergence(mean, log_std))


def test_the_gap_of_the_best_diagonal_is_log_marginal_minus_elbo_and_the_divergence_to_the_posterior():
    x, model, _ = a_model()
    mean, log_std = lg.best_diagonal(x, *model)
    covariance = torch.diag_embed((2 * log_std).exp())
    gap = lg.diagonal_gap(model.W, model.sigma)
    assert gap > 0.1
    assert_close(lg.log_marginal(x, *model) - lg.elbo(x, *model, mean, covariance), gap.expand(N))
    to_posterior = kl_divergence(MultivariateNormal(mean, covariance), MultivariateNormal(*lg.posterior(x, *model)))
    assert_close(to_posterior, gap.expand(N))


def test_a_minimizer_of_the_divergence_to_the_posterior_finds_the_best_diagonal():
    x, model, _ = a_model()
    exact = MultivariateNormal(*(t[0] if i == 0 else t for i, t in enumerate(lg.posterior(x, *model))))

    def divergence(parameters):
        p = torch.tensor(parameters, requires_grad=True)
        value = kl_divergence(MultivariateNormal(p[:M], torch.diag(torch.exp(2 * p[M:]))), exact)
        return value.item(), torch.autograd.grad(value, p)[0].numpy()

    found = scipy.optimize.minimize(divergence, np.zeros(2 * M), jac=True, method="BFGS", options={"gtol": 1e-10})
    mean, log_std = lg.best_diagonal(x, *model)
    assert_close(torch.cat([mean[0], log_std[0]]), found.x, tol=1e-7)
    assert_close(lg.diagonal_gap(model.W, model.sigma), found.fun, tol=1e-10)


def test_every_step_away_from_the_best_diagonal_lowers_the_elbo():
    x, model, generator = a_model()
    mean, log_std = lg.best_diagonal(x, *model)
    best = lg.elbo(x, *model, mean, torch.diag_embed((2 * log_std).exp()))
    for _ in range(20):
        step, stretch = 1e-3 * randn(generator, N, M), 1e-3 * randn(generator, N, M)
        assert (lg.elbo(x, *model, mean + step, torch.diag_embed((2 * (log_std + stretch)).exp())) < best).all()


def test_the_gap_is_zero_for_orthogonal_columns_and_a_rotation_opens_it():
    _, (W, _, sigma), generator = a_model()
    U, S, _ = torch.linalg.svd(W, full_matrices=False)
    rotation = torch.linalg.qr(randn(generator, M, M)).Q
    assert lg.diagonal_gap(U * S, sigma).abs() < 1e-12
    assert lg.diagonal_gap(U * S @ rotation, sigma) > 0.1


def test_the_gap_takes_one_matrix_for_each_point():
    _, (_, _, sigma), generator = a_model()
    W = randn(generator, N, D, M)
    assert_close(lg.diagonal_gap(W, sigma), torch.stack([lg.diagonal_gap(W_i, sigma) for W_i in W]), tol=1e-12)


def test_the_best_diagonal_underestimates_every_marginal_variance():
    x, model, _ = a_model()
    _, log_std = lg.best_diagonal(x, *model)
    _, covariance = lg.posterior(x, *model)
    assert (torch.exp(2 * log_std) < covariance.diagonal()).all()


# maximum likelihood


def skewed_data():
    generator = torch.Generator().manual_seed(3)
    return randn(generator, 60, 5) * torch.tensor([3.0, 2.0, 1.0, 0.7, 0.5]) @ randn(generator, 5, 5) + randn(generator, 5)


@pytest.mark.parametrize("sigma", [None, 1.1])
def test_max_likelihood_is_where_gradient_ascent_ends(sigma):
    x = skewed_data()
    generator = torch.Generator().manual_seed(4)
    W, b, log_sigma = randn(generator, 5, 2), torch.zeros(5, dtype=x.dtype), torch.tensor(0.0, dtype=x.dtype)
    if sigma is not None:
        log_sigma = torch.tensor(sigma, dtype=x.dtype).log()
    free = [W.requires_grad_(), b.requires_grad_()] + ([log_sigma.requires_grad_()] if sigma is None else [])
    optimizer = torch.optim.LBFGS(free, max_iter=120, line_search_fn="strong_wolfe", tolerance_grad=1e-9, tolerance_change=0)

    def loss():
        optimizer.zero_grad()
        value = -MultivariateNormal(b, covariance_of_x(W, b, log_sigma.exp())).log_prob(x).mean()
        value.backward()
        return value

    optimizer.step(loss)
    best = lg.max_likelihood(x, 2, sigma)
    assert_close(-lg.log_marginal(x, *best).mean(), loss().detach(), tol=1e-9)
    assert_close(covariance_of_x(*best), covariance_of_x(W, b, log_sigma.exp()).detach(), tol=1e-4)
    assert_close(best.b, b.detach(), tol=1e-5)


def test_max_likelihood_is_sklearns_pca_but_for_its_n_minus_1(x_digits):
    pca = PCA(10, svd_solver="full").fit(x_digits.numpy())
    shrink = (len(x_digits) - 1) / len(x_digits)
    W, b, sigma = lg.max_likelihood(x_digits, 10)
    assert_close(sigma**2, pca.noise_variance_ * shrink)
    assert_close(covariance_of_x(W, b, sigma), pca.get_covariance() * shrink)
    assert_close(b, pca.mean_)
    assert W.is_contiguous()  # or LBFGS cannot start from it
    ours = lg.log_marginal(x_digits, W, b, sigma)
    oracle = MultivariateNormal(b, torch.as_tensor(pca.get_covariance() * shrink))
    assert_close(ours, oracle.log_prob(x_digits), tol=1e-9)
    assert 0 < ours.mean() - pca.score(x_digits.numpy()) < 1e-3  # N - 1 costs likelihood, and not much


def test_latents_are_active_as_far_as_eigenvalues_exceed_the_given_variance(x_digits):
    active = [(lg.max_likelihood(x_digits, 40, s).W.norm(dim=0) > 0).sum().item() for s in (1.0, 0.5, 0.3, 0.151)]
    assert active == [0, 5, 12, 29]
    assert (lg.max_likelihood(x_digits, 10, 0.3).W.norm(dim=0) > 0).sum() == 10  # never more than m


def test_the_given_sigma_of_the_maximum_gives_the_maximum_back(x_digits):
    free = lg.max_likelihood(x_digits, 10)
    for left, right in zip(lg.max_likelihood(x_digits, 10, free.sigma), free, strict=True):
        assert_close(left, right, tol=1e-12)


def test_at_maximum_likelihood_the_best_diagonal_leaves_no_gap(x_digits):
    W, _, sigma = lg.max_likelihood(x_digits, 10)
    assert lg.diagonal_gap(W, sigma).abs() < 1e-10


# bad input


def test_bad_input_is_named_in_the_readers_terms():
    x, (W, b, sigma), _ = a_model()
    with pytest.raises(ValueError, match=r"x must be \(N, 7\), got \(7, 5\): did you transpose it\?"):
        lg.log_marginal(x.T, W, b, sigma)
    with pytest.raises(ValueError, match=r"W must be \(d, m\) and b \(d,\), got \(3, 7\) and \(7,\)"):
        lg.posterior(x, W.T, b, sigma)
    with pytest.raises(ValueError, match="NaN or infinite"):
        lg.best_diagonal(x / 0, W, b, sigma)
    for bad in (0.0, -1.0, float("nan"), float("inf"), torch.ones(7)):
        with pytest.raises(ValueError, match="sigma is one standard deviation"):
            lg.log_marginal(x, W, b, bad)
        with pytest.raises(ValueError, match="sigma is one standard deviation"):
            lg.diagonal_gap(W, bad)
    with pytest.raises(ValueError, match=r"mean must be \(5, 3\), one row for each x, got \(1, 3\)"):
        lg.elbo(x, W, b, sigma, torch.zeros(1, 3), torch.eye(3))


def test_a_covariance_that_is_none_is_refused():
    mean = torch.zeros(N, M, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"covariance must be \(3, 3\) or \(5, 3, 3\), got \(5, 3\)"):
        lg.kl_divergence_full(mean, torch.ones(N, M))
    lopsided = torch.eye(M, dtype=torch.float64) + torch.ones(M, M).triu(1)
    for bad in (-torch.eye(M), torch.zeros(M, M), lopsided):
        with pytest.raises(ValueError, match="symmetric and positive definite"):
            lg.kl_divergence_full(mean, bad)


def test_max_likelihood_refuses_what_has_no_maximum():
    x = skewed_data()
    for m in (0, 5, 6, 2.0):
        with pytest.raises(ValueError, match="m must be an integer, 0 < m < d = 5"):
            lg.max_likelihood(x, m)
    with pytest.raises(ValueError, match="0 < m ≤ d = 5, got 6"):
        lg.max_likelihood(x, 6, sigma=0.1)
    assert lg.max_likelihood(x, 5, sigma=0.1).W.shape == (5, 5)
    for bad in (x[:1], x[0], x / 0):
        with pytest.raises(ValueError, match=r"x must be \(N, d\), finite, with N ≥ 2"):
            lg.max_likelihood(bad, 2)
    with pytest.raises(ValueError, match=r"x, \(3, 5\), lies in 2 dimensions"):
        lg.max_likelihood(x[:3], 2)
    with pytest.raises(ValueError, match="lies in 2 dimensions"):
        lg.max_likelihood(torch.ones(10, 5, dtype=torch.float64), 2)
    with pytest.raises(ValueError, match="sigma is one standard deviation"):
        lg.max_likelihood(x, 2, sigma=-0.1)


@pytest.mark.parametrize("seed", range(5))
def test_a_precision_that_swallows_sigma_is_refused_and_not_infinite(seed):
    W = torch.randn(6, 1, generator=torch.Generator().manual_seed(seed)).expand(6, 3).contiguous()  # equal columns
    x, b = torch.zeros(2, 6), torch.zeros(6)
    for call in (lambda: lg.log_marginal(x, W, b, 1e-4), lambda: lg.posterior(x, W, b, 1e-4), lambda: lg.diagonal_gap(W, 1e-4)):
        with pytest.raises(ValueError, match="singular in torch.float32: use float64, a larger sigma or fewer latents"):
            call()
    assert lg.log_marginal(x.double(), W.double(), b.double(), 1e-4).isfinite().all()


def test_with_as_many_latents_as_dimensions_a_small_sigma_is_no_trouble():
    W = torch.randn(4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x = torch.randn(3, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    C = W.numpy() @ W.numpy().T + 1e-12 * np.eye(4)
    expected = scipy.stats.multivariate_normal(np.zeros(4), C).logpdf(x.numpy())
    np.testing.assert_allclose(lg.log_marginal(x, W, torch.zeros(4).double(), 1e-6).numpy(), expected, rtol=1e-9)


def test_mixed_and_integer_dtypes_are_named():
    x, W, b = torch.zeros(2, 4), torch.ones(4, 2), torch.zeros(4)
    for arguments in ((x.double(), W, b), (x, W.double(), b), (x.long(), W.long(), b.long())):
        with pytest.raises(ValueError, match="x, W and b must have one float dtype, got torch"):
            lg.log_marginal(*arguments, 0.5)
