"""gaussian.py against torch.distributions, scipy, quadrature and closed forms: values and gradients."""

import math

import pytest
import scipy.integrate
import scipy.stats
import torch
from torch.distributions import Independent, Normal
from torch.distributions import kl_divergence as torch_kl_divergence

from vae_edu import gaussian

N, D = 7, 3
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}
any_dtype = pytest.mark.parametrize("dtype", list(TOLERANCE), ids=str)
any_log_std_shape = pytest.mark.parametrize("shape", [(), (D,), (N, D)], ids=str)


def numbers(shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def problem(shape, dtype=torch.float64):
    """x, mean (N, D) and log_std of the given shape; they take gradients."""
    tensors = numbers((N, D), seed=0), numbers((N, D), seed=1), 0.5 * numbers(shape, seed=2)
    return [t.to(dtype).requires_grad_() for t in tensors]


def assert_close(ours, theirs):
    """Same shape, same dtype, same numbers."""
    torch.testing.assert_close(ours, theirs, rtol=TOLERANCE[ours.dtype], atol=TOLERANCE[ours.dtype])


def normal(mean, log_std):
    return Independent(Normal(*torch.broadcast_tensors(mean, log_std.exp())), 1)


@any_dtype
@any_log_std_shape
def test_log_density_and_its_gradients_are_those_of_torch_distributions(shape, dtype):
    x, mean, log_std = problem(shape, dtype)
    ours, theirs = gaussian.log_density(x, mean, log_std), normal(mean, log_std).log_prob(x)
    assert ours.shape == (N,)
    assert_close(ours, theirs)
    inputs = (x, mean, log_std)
    for ours_d, theirs_d in zip(torch.autograd.grad(ours.sum(), inputs), torch.autograd.grad(theirs.sum(), inputs), strict=True):
        assert_close(ours_d, theirs_d)


@any_log_std_shape
def test_log_density_is_scipys(shape):
    x, mean, log_std = (t.detach().numpy() for t in problem(shape))
    for i, ours in enumerate(gaussian.log_density(*problem(shape)).tolist()):
        std = math.e ** (log_std[i] if log_std.ndim == 2 else log_std)
        theirs = scipy.stats.multivariate_normal(mean[i], std**2 * torch.eye(D).numpy()).logpdf(x[i])
        assert ours == pytest.approx(theirs, rel=1e-12)


@any_log_std_shape
def test_gradients_of_log_density_are_finite_differences(shape):
    assert torch.autograd.gradcheck(gaussian.log_density, problem(shape))


def test_gradients_of_log_density_are_the_scores():
    x, mean, log_std = problem((N, D))
    d_mean, d_log_std = torch.autograd.grad(gaussian.log_density(x, mean, log_std).sum(), (mean, log_std))
    std = log_std.exp()
    assert_close(d_mean, ((x - mean) / std**2).detach())
    assert_close(d_log_std, (((x - mean) / std) ** 2 - 1).detach())


def test_the_density_integrates_to_one():
    mean, log_std = torch.tensor([0.3], dtype=torch.float64), torch.tensor([-0.7], dtype=torch.float64)
    density = lambda x: gaussian.log_density(torch.tensor([x], dtype=torch.float64), mean, log_std).exp().item()  # noqa: E731
    assert scipy.integrate.quad(density, -8, 8, points=[0.3])[0] == pytest.approx(1, abs=1e-9)


@any_dtype
def test_entropy_and_its_gradient_are_those_of_torch_distributions(dtype):
    _, mean, log_std = problem((N, D), dtype)
    ours, theirs = gaussian.entropy(log_std), normal(mean, log_std).entropy()
    assert ours.shape == (N,)
    assert_close(ours, theirs)
    assert_close(torch.autograd.grad(ours.sum(), log_std)[0], torch.ones(N, D, dtype=dtype))  # d H / d log_std = 1


def test_entropy_is_scipys():
    log_std = problem((N, D))[2].detach()
    theirs = scipy.stats.norm.entropy(scale=log_std.exp().numpy()).sum(-1)
    assert gaussian.entropy(log_std).tolist() == pytest.approx(theirs.tolist(), rel=1e-12)


@any_dtype
def test_kl_divergence_and_its_gradients_are_those_of_torch_distributions(dtype):
    _, mean, log_std = problem((N, D), dtype)
    standard = normal(torch.zeros(N, D, dtype=dtype), torch.zeros(N, D, dtype=dtype))
    ours, theirs = gaussian.kl_divergence(mean, log_std), torch_kl_divergence(normal(mean, log_std), standard)
    assert ours.shape == (N,)
    assert_close(ours, theirs)
    d_mean, d_log_std = torch.autograd.grad(ours.sum(), (mean, log_std))
    assert_close(d_mean, mean.detach())
    assert_close(d_log_std, (log_std.exp() ** 2 - 1).detach())


@pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), (1.5, 1.0), (0.0, 0.2), (-0.8, 2.5)])
def test_kl_divergence_in_one_dimension_is_the_integral_of_q_log_q_over_p(mean, std):
    q, p = scipy.stats.norm(mean, std), scipy.stats.norm(0, 1)
    integral, _ = scipy.integrate.quad(lambda z: q.pdf(z) * (q.logpdf(z) - p.logpdf(z)), mean - 12 * std, mean + 12 * std)
    ours = gaussian.kl_divergence(torch.tensor([mean], dtype=torch.float64), torch.tensor([std], dtype=torch.float64).log())
    assert ours.item() == pytest.approx(integral, abs=1e-9)


@any_dtype
def test_the_same_seed_gives_the_same_draw_and_another_seed_another(dtype):
    _, mean, log_std = problem((N, D), dtype)
    a, b, c = (gaussian.sample(mean, log_std, torch.Generator().manual_seed(seed)) for seed in (5, 5, 6))
    assert a.dtype == dtype
    assert torch.equal(a, b)
    assert (a != c).all()


def test_draws_have_the_mean_and_the_std_asked_for_and_are_normal():
    n, mean, std = 20_000, torch.tensor([-1.0, 0.0, 3.0]), torch.tensor([0.1, 1.0, 4.0])
    draws = gaussian.sample(mean.expand(n, 3), std.log(), torch.Generator().manual_seed(0))
    assert ((draws.mean(0) - mean).abs() < 4 * std / math.sqrt(n)).all()
    assert ((draws.std(0) - std).abs() < 4 * std / math.sqrt(2 * n)).all()  # the standard error of a normal sample's std
    for j in range(3):
        assert scipy.stats.kstest(draws[:, j].numpy(), scipy.stats.norm(mean[j].item(), std[j].item()).cdf).pvalue > 1e-4
    assert (torch.corrcoef(draws.T) - torch.eye(3)).abs().max() < 4 / math.sqrt(n)


@any_log_std_shape
def test_gradients_reach_mean_and_log_std_through_a_draw(shape):
    _, mean, log_std = problem(shape)
    draw = gaussian.sample(mean, log_std, torch.Generator().manual_seed(0))
    d_mean, d_log_std = torch.autograd.grad(draw.sum(), (mean, log_std))
    assert_close(d_mean, torch.ones(N, D, dtype=torch.float64))
    assert_close(d_log_std, (draw - mean).detach().sum_to_size(shape))  # d/d log_std of mean + std ε is std ε = draw - mean


def test_rows_that_share_a_mean_have_noise_of_their_own():
    drawn = gaussian.sample(torch.zeros(1, 2), torch.zeros(20, 2), torch.Generator().manual_seed(0))
    assert drawn.shape == (20, 2) and len(drawn.unique(dim=0)) == 20
