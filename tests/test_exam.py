"""The exam problems: every number of the answers, computed in another way."""

import pathlib
import re

import numpy as np
import pytest
import scipy
import scipy.integrate
import scipy.optimize
import torch
from torch import distributions

TEXT = (pathlib.Path(__file__).parents[1] / "book" / "support" / "lectures" / "exam.md").read_text(encoding="utf-8")
PROBLEMS = re.split(r"^(?=\*\*Problem )", TEXT, flags=re.MULTILINE)[1:]


def answer(number):
    return PROBLEMS[number - 1].split("**Answer.**")[1].replace("\\,", "")


def test_there_are_eight_of_fifteen_to_thirty_minutes_and_their_points_add_up():
    assert len(PROBLEMS) == 8
    for number, problem in enumerate(PROBLEMS, 1):
        minutes, points = map(int, re.match(rf"\*\*Problem {number}\*\* \((\d+) minutes, (\d+) points\)\.", problem).groups())
        assert 15 <= minutes <= 30
        given = re.findall(r"\*\((\d*)(½?) points?", answer(number))
        assert sum(int(whole or 0) + 0.5 * bool(half) for whole, half in given) == points


def test_1_the_best_sigma_of_an_autoencoder():
    d, R = 784, 31.36
    nll = lambda log_sigma: d * (log_sigma + 0.5 * np.log(2 * np.pi)) + R / (2 * np.exp(2 * log_sigma))  # noqa: E731
    best = scipy.optimize.minimize_scalar(nll)
    assert np.exp(best.x) == pytest.approx(0.2, rel=1e-5) and "\\hat\\sigma = 0.2" in answer(1)
    assert f"{best.fun:.1f}" == "-149.4" and "-149.4" in answer(1)
    assert f"{nll(0.0) - best.fun:.1f}" == "885.5" and "885.5" in answer(1)


def test_2_the_objective_has_no_maximum_and_the_evidence_has():
    x, sigma = torch.randn(50, generator=torch.Generator().manual_seed(0)).double() * 1.7, 0.6
    normal = lambda s: distributions.Normal(torch.zeros(()).double(), s)  # noqa: E731
    joint = lambda w, z: (normal(sigma).log_prob(x - w * z) + normal(1.0).log_prob(z)).sum()  # noqa: E731
    supremum = -25 * np.log(2 * np.pi * sigma**2) - 25 * np.log(2 * np.pi)
    values = [joint(w, x / w).item() for w in (1.0, 10.0, 100.0)]
    assert values[0] < values[1] < values[2] < supremum and supremum - values[2] < 0.02
    evidence = lambda w: -normal(float((w**2 + sigma**2) ** 0.5)).log_prob(x).sum().item()  # noqa: E731
    best = scipy.optimize.minimize_scalar(evidence, bounds=(0, 9), method="bounded").x
    assert best**2 == pytest.approx((x**2).mean().item() - sigma**2, rel=1e-4)


def test_3_the_identity_by_hand():
    joint, q = np.array([0.5 * 0.3, 0.5 * 0.9]), np.array([0.5, 0.5])
    posterior = joint / joint.sum()
    elbo, kl = q @ np.log(joint / q), scipy.stats.entropy(q, posterior)
    assert joint.sum() == pytest.approx(0.6) and posterior[1] == pytest.approx(0.75)
    for value in (elbo, kl, np.log(0.6)):
        assert f"{value:.3f}" in answer(3)
    assert elbo + kl == pytest.approx(np.log(0.6))


def test_4_the_divergence_from_another_prior_and_its_best_scale():
    generator = torch.Generator().manual_seed(1)
    mu, s = torch.randn(30, generator=generator).double(), torch.rand(30, generator=generator).double() + 0.1
    mu.requires_grad_()
    log_s = s.log().requires_grad_()
    tau = 1.7
    kl = distributions.kl_divergence(distributions.Normal(mu, log_s.exp()), distributions.Normal(torch.zeros(()).double(), tau))
    assert kl.allclose((tau / s).log() + (mu**2 + s**2) / (2 * tau**2) - 0.5)
    slopes = torch.autograd.grad(kl.sum(), (mu, log_s))
    assert slopes[0].allclose(mu / tau**2) and slopes[1].allclose(s**2 / tau**2 - 1)
    total = lambda t: np.sum(np.log(t) + (mu.detach().numpy() ** 2 + s.numpy() ** 2) / (2 * t**2))  # noqa: E731
    best = scipy.optimize.minimize_scalar(total, bounds=(0.1, 9), method="bounded").x
    assert best**2 == pytest.approx((mu**2 + s**2).mean().item(), rel=1e-4)


def test_5_the_variances_of_two_gradients():
    s = 0.7
    over_draws = lambda f: scipy.integrate.quad(lambda e: f(e) * scipy.stats.norm.pdf(e), -12, 12)[0]  # noqa: E731
    assert over_draws(lambda e: (2 * s * e) ** 2) == pytest.approx(4 * s**2)
    score = lambda c: over_draws(lambda e: ((s**2 * e**2 - c) * e / s) ** 2)  # noqa: E731
    assert score(0.0) == pytest.approx(15 * s**2)
    best = scipy.optimize.minimize_scalar(score)
    assert best.x == pytest.approx(3 * s**2, rel=1e-5) and best.fun == pytest.approx(6 * s**2)
    for mu in (0.0, 0.4):
        assert over_draws(lambda e, mu=mu: (mu + s * e) ** 2 * e / s) == pytest.approx(2 * mu)


def test_6_what_a_mean_over_pixels_assumes():
    d = 3 * 32 * 32
    x, f = torch.rand(d, generator=torch.Generator().manual_seed(2)).double(), torch.zeros(d).double()
    log_p = lambda sigma: distributions.Normal(f, sigma).log_prob(x).sum() + d * np.log(sigma)  # noqa: E731
    sigma = scipy.optimize.brentq(lambda sigma: float(log_p(sigma) - log_p(1e9) + ((x - f) ** 2).mean()), 1, 1000)
    assert f"{sigma:.1f}" == "39.2" and "39.2" in answer(6) and sigma**2 == pytest.approx(1536, rel=1e-3) and "1536" in answer(6)
    lam = np.array([4, 1])  # each latent at its best: w² = λ - σ², s² = σ²/λ, mean square of μ 1 - σ²/λ
    s2, mu2 = 0.5 / lam, 1 - 0.5 / lam
    assert f"{np.sum((mu2 + s2 - np.log(s2) - 1) / 2):.2f}" == "1.39" and "1.39" in answer(6)


def test_7_the_price_of_a_diagonal():
    M = torch.tensor([[2.0, 1.0], [1.0, 2.0]]).double()
    posterior = distributions.MultivariateNormal(torch.zeros(2).double(), precision_matrix=M)
    diagonal = distributions.MultivariateNormal(torch.zeros(2).double(), torch.diag(1 / M.diag()))
    gap = distributions.kl_divergence(diagonal, posterior).item()
    assert gap == pytest.approx(0.5 * np.log(4 / 3)) and f"{gap:.3f}" in answer(7)
    Q = torch.tensor([[1.0, 1.0], [1.0, -1.0]]).double() / 2**0.5
    assert (Q.T @ M @ Q).allclose(torch.diag(torch.tensor([3.0, 1.0]).double()))


def test_8_bounds_from_four_weights():
    log_w = np.array([-3.2, -1.1, -1.2, -7.0])
    bound, w = scipy.special.logsumexp(log_w) - np.log(4), np.exp(log_w)
    for value in (f"{log_w.mean():.3f}", f"{bound:.3f}", f"{w.sum() ** 2 / (w**2).sum():.2f}", f"{-bound / 64 / np.log(2):.3f}"):
        assert value in answer(8)
    assert f"{64 * np.log(255):.1f}" in answer(8)
