"""What is displayed is what is tested: formulas are read from the pages and evaluated, and all of them are locked."""

import json
import re

import displayed
import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
import scipy.stats
import torch

FORMULAS = displayed.formulas()
LOCKED = json.loads(displayed.LOCK.read_text(encoding="utf-8"))
rng = np.random.default_rng(0)
normal = scipy.stats.norm

# Numbers for the symbols. What a formula is compared with comes from elsewhere: SciPy, PyTorch, autograd, quadrature.
m, d, N = 3, 5, 7
mu, s, nu, t = rng.normal(size=m), rng.uniform(0.3, 1.6, m), rng.normal(size=m), rng.uniform(0.3, 1.6, m)
x, mean, sigma = rng.normal(size=d), rng.normal(size=d), 0.7
points, means = rng.normal(size=(N, d)), rng.normal(size=(N, d))
column = lambda v: np.asarray(v)[:, None]
W = rng.normal(size=(d, m))
bias, z = rng.normal(size=d), rng.normal(size=m)
M = W.T @ W + sigma**2 * np.eye(m)
C = W @ W.T + sigma**2 * np.eye(d)
Sigma, T = (A @ A.T + 0.3 * np.eye(m) for A in rng.normal(size=(2, m, m)))
R = ((points - means) ** 2).sum(-1).mean()
eigenvalues = np.sort(rng.uniform(0.1, 3, d))[::-1]
a, c, k, h = 1.3, 2.4, 1.7, 0.2
torch_normal = torch.distributions.Normal
full = lambda mean, covariance: torch.distributions.MultivariateNormal(torch.tensor(mean), torch.tensor(covariance))
kl = lambda p, q: torch.distributions.kl_divergence(p, q).sum().item()
diagonal = lambda mean, std: torch_normal(torch.tensor(mean), torch.tensor(std))
standard = diagonal(np.zeros(m), np.ones(m))
nll = lambda sigma: -normal.logpdf(points, means, sigma).sum(-1).mean()


def slope(f, at=1.0):
    """By a difference quotient."""
    return (f(at + 1e-5) - f(at - 1e-5)) / 2e-5


def expect(f, mu=0.0, s=1.0):
    """E f(z), z ~ N(mu, s²), by adaptive quadrature."""
    return scipy.integrate.quad(lambda z: normal.pdf(z, mu, s) * f(z), mu - 12 * s, mu + 12 * s, limit=400)[0]


KL = kl(diagonal(mu, s), standard)
KL_1 = kl(diagonal(mu[:1], s[:1]), diagonal(np.zeros(1), np.ones(1)))
MISPRINT_A, MISPRINT_B = (KL + (1 - factor / 2) * np.log(s).sum() for factor in (2 * m, m))
vectors = {r"\mu_j": mu, "s_j": s, r"\|\mu\|": np.linalg.norm(mu), r"\|s\|": np.linalg.norm(s), "m": float(m)}
matrices = {"z": column(z), r"\mu": column(mu), r"\nu": column(nu), r"\Sigma": Sigma, "T": T, "m": float(m)}
gaussians = {r"\|x - \mu\|": np.linalg.norm(x - mean), r"\sigma": sigma, "d": float(d)}
linear = {"W": W, r"\sigma": sigma, "x": column(x), "b": column(bias), "M": M, "I_m": np.eye(m), "m": float(m)}
digits_17 = {"d": 64.0}
z_map = (x - bias) @ np.linalg.solve(C, W)  # by conditioning
covariance = np.eye(m) - W.T @ np.linalg.solve(C, W)
posterior = full(z_map, covariance)
diagonal_q = diagonal(mu, s)
q_full = full(mu, np.diag(s**2))
evidence = scipy.stats.multivariate_normal(bias, C).logpdf(x)
log_joint = lambda z: normal.logpdf(x, W @ z + bias, sigma).sum() + normal.logpdf(z).sum()

# the toy of chapter 5: x = a z² + noise, q = N(u, v)
X, mu_1, s_1 = 0.8, 0.4, 0.6
toy_elbo = lambda mu, s: expect(lambda z: normal.logpdf(X, a * z**2, sigma) + normal.logpdf(z) - normal.logpdf(z, mu, s), mu, s)
toy = {"x": X, "a": a, r"\mathbb{E}[z^2]": expect(lambda z: z**2, mu_1, s_1), r"\mathbb{E}[z^4]": expect(lambda z: z**4, mu_1, s_1),
       "s": s_1, r"\sigma": sigma}  # fmt: skip

# the toy of chapter 7: f(z) = -½ ‖z - a‖², δ = ‖μ - a‖, by Monte Carlo with exact moments: enumerated signs of Gauss–Hermite nodes
nodes, weights = np.polynomial.hermite_e.hermegauss(12)
weights = weights / weights.sum()
grid = np.stack(np.meshgrid(nodes, nodes, indexing="ij"), -1).reshape(-1, 2)  # d = 2
heavy = np.outer(weights, weights).ravel()
delta_2, s_2 = np.array([0.7, -0.4]), 0.8
f_2 = -0.5 * ((delta_2 + s_2 * grid) ** 2).sum(-1)
trace_variance = lambda g: heavy @ (g**2).sum(-1) - ((heavy @ g) ** 2).sum()
best_c = heavy @ (f_2 * (grid**2).sum(-1)) / 2
chapter7 = {"d": 2.0, r"\delta": np.linalg.norm(delta_2), "s": s_2}
sine_path = expect(lambda e: (k * np.cos(k * s_1 * e)) ** 2) - expect(lambda e: k * np.cos(k * s_1 * e)) ** 2
sine_score = expect(lambda e: (np.sin(k * s_1 * e) * e / s_1) ** 2) - expect(lambda e: np.sin(k * s_1 * e) * e / s_1) ** 2
sine = {"k": k, "s": s_1}

# chapter 8: eight numbers, batches of three, two draws, by enumeration
g_i, v_i = rng.normal(size=8), rng.uniform(0.2, 2, 8)
covariances = rng.normal(size=(8, 8))
covariances = covariances @ covariances.T
batches = np.array([b for b in np.ndindex(8, 8, 8) if b[0] < b[1] < b[2]])
triples = np.array(list(np.ndindex(8, 8, 8)))
which_points = ((8 / 3 * g_i[batches].sum(1) - g_i.sum()) ** 2).mean()
which_z = (8 / 3) ** 2 * (v_i[batches] / 2).sum(1).mean()
shared = np.mean([(8 / 3) ** 2 * covariances[np.ix_(b, b)].sum() / 2 for b in batches])
batch = {"N": 8.0, "B": 3.0, "L": 2.0, "T": 6.0, "g_i": g_i, r"\bar g": g_i.mean(), "v_i": v_i}
shared_values = batch | {"v_i": covariances.diagonal(), "C_{ij}": covariances[~np.eye(8, dtype=bool)]}
kappa, tau, eta = 1.4, 0.6, 0.5
stationary = sum((1 - eta * kappa) ** (2 * i) * eta**2 * tau**2 for i in range(200))

CASES = [  # label, which side, the symbols' values, what it must be
    (
        "ae-trace",
        2,
        {"S": C, "Q": np.linalg.qr(W).Q},
        ((np.eye(d) - np.linalg.qr(W).Q @ np.linalg.qr(W).Q.T) @ np.linalg.cholesky(C)).__pow__(2).sum(),
    ),
    ("ae-eigenvalues", 1, {r"\lambda_j": eigenvalues[m:]}, np.trace(np.diag(eigenvalues[m:]))),
    ("gaussian-density", 1, gaussians, scipy.stats.multivariate_normal(mean, sigma**2 * np.eye(d)).pdf(x)),
    ("gaussian-log-density", 1, gaussians, scipy.stats.multivariate_normal(mean, sigma**2 * np.eye(d)).logpdf(x)),
    ("nll-sse", 1, {"R": R, r"\sigma": sigma, "d": float(d)}, nll(sigma)),
    (
        "sigma-ml",
        1,
        {"R": R, "d": float(d)},
        scipy.optimize.minimize_scalar(lambda v: nll(v**0.5), bounds=(0.01, 20), method="bounded", options={"xatol": 1e-11}).x,
    ),
    ("nll-profile", 1, {r"\hat\sigma": (R / d) ** 0.5, "d": float(d)}, nll((R / d) ** 0.5)),
    ("nll-profile", 2, {"R": R, "d": float(d)}, nll((R / d) ** 0.5)),
    ("sigma-cost", 1, {"k": k, "d": float(d)}, nll(k * (R / d) ** 0.5) - nll((R / d) ** 0.5)),
    ("plugin-score", 1, {"w": 0.6}, scipy.integrate.quad(lambda v: normal.pdf(v, 0.6 * v, 1), -99, 99)[0]),
    ("linear-average", 1, {"C": C, "S": C @ C, "d": float(d)}, d * np.log(2 * np.pi) + np.linalg.slogdet(C)[1] + np.trace(C)),
    (
        "unit-change",
        1,
        {r"\log \mathcal{N}(x; \mu, \sigma^2 I_d)": normal.logpdf(x, mean, sigma).sum(), "d": float(d), "a": a},
        normal.logpdf(a * x, a * mean, a * sigma).sum(),
    ),
    ("sigma-marginal", 1, {r"\lambda_j": eigenvalues[m:], "d": float(d), "m": float(m)}, eigenvalues[m:].mean()),
    ("active-direction", 1, {r"\lambda_j": eigenvalues, r"\sigma": 0.9}, np.where(eigenvalues > 0.81, eigenvalues - 0.81, 0)),
    ("kl-uniform", 1, {}, scipy.stats.uniform(0, 2).entropy() - scipy.stats.uniform(0, 1).entropy()),
    ("entropy-unit", 1, {"H(p_x)": normal(0, sigma).entropy() * d, "n": float(d), "c": c}, normal(0, c * sigma).entropy() * d),
    ("entropy-of-sample", 1, {"N": 4.0, "h": 1e-3, "o(1)": 0.01}, 0.01 + np.log(4) + normal(0, 1e-3).entropy()),
    (
        "unbounded-likelihood",
        1,
        {r"\ell(\epsilon_0)": 0.0, "n_c": 3.0, r"\epsilon_0": 1e-2, r"\epsilon": 1e-4},
        3 * (normal.logpdf(0, 0, 1e-4) - normal.logpdf(0, 0, 1e-2)),
    ),
    ("def-dequantize", 1, {"k": 11.0, "u": 0.3}, 11 / 17 + 0.3 / 17),
    ("dequantization-ceiling", 1, digits_17, 64 * scipy.stats.uniform(0, 1 / 17).logpdf(0.01)),
    ("bits-per-dim", 0, {"d": 1.0, r"\mathbb{E}[\log p_\theta(y)]": -0.4}, -np.log(np.exp(-0.4) / 17) / np.log(2)),
    ("uniform-std", 1, {}, scipy.stats.uniform(0, 1 / 17).var()),
    ("uniform-std", 3, {}, scipy.stats.uniform(0, 1 / 17).std()),
    ("least-squares-code", 1, linear, np.linalg.lstsq(W, x - bias, rcond=None)[0]),
    ("map-linear", 1, linear, z_map),
    ("map-linear", 3, linear, np.linalg.inv(covariance) * sigma**2),
    ("map-curvature", 1, linear, np.linalg.inv(covariance)),
    ("map-posterior", 3, linear, covariance),
    ("occam", 1, linear | {r"\log p(x)": evidence}, log_joint(z_map)),
    (
        "expected-reconstruction",
        1,
        linear | {r"\|x - b - W z\|": np.linalg.norm(x - bias - W @ z_map), r"\operatorname{Cov}[z \mid x]": covariance},
        np.square(x - bias - W @ z_map).sum() + np.square(W @ np.linalg.cholesky(covariance)).sum(),
    ),
    ("density-change", 1, {"u": 0.6, r"p_z(\log u)": normal.pdf(np.log(0.6))}, scipy.stats.lognorm.pdf(0.6, 1.0)),
    ("elbo-quadratic", 1, toy, toy_elbo(mu_1, s_1)),
    ("meanfield-optimum", 1, {r"\sigma": sigma, "M_{jj}": M.diagonal()}, 1 / np.linalg.inv(covariance).diagonal()),
    (
        "meanfield-gap",
        1,
        {"M_{jj}": M.diagonal(), "M": M},
        kl(full(z_map, np.diag(1 / np.linalg.inv(covariance).diagonal())), posterior),
    ),
    ("meanfield-variance", 2, {r"\sigma": sigma, "(M^{-1})_{jj}": np.linalg.inv(M).diagonal()}, covariance.diagonal()),
    (
        "meanfield-kl",
        1,
        {
            r"\sigma": sigma,
            "M_{jj}": M.diagonal(),
            "s_j": s,
            r"\mu": column(mu),
            r"\bar\mu": column(z_map),
            "M": M,
            "m": float(m),
        },
        kl(q_full, posterior),
    ),
    ("def-two-densities", 1, matrices, scipy.stats.multivariate_normal(mu, Sigma).logpdf(z)),
    ("def-two-densities", 3, matrices, scipy.stats.multivariate_normal(np.zeros(m), np.eye(m)).logpdf(z)),
    ("kl-line-2", 3, {r"\|\mu\|": np.linalg.norm(mu), r"\Sigma": Sigma}, np.square(np.linalg.cholesky(Sigma)).sum() + mu @ mu),
    ("kl-closed", 1, vectors, KL),
    (
        "kl-gradients",
        1,
        {r"\mu_j": mu[0]},
        slope(lambda v: kl(diagonal(np.array([v]), s[:1]), diagonal(np.zeros(1), np.ones(1))), mu[0]),
    ),
    (
        "kl-gradients",
        3,
        {"s_j": s[0]},
        slope(lambda v: kl(diagonal(mu[:1], np.exp([v])), diagonal(np.zeros(1), np.ones(1))), np.log(s[0])),
    ),
    ("def-misprints", 0, vectors, MISPRINT_A),
    ("def-misprints", 1, vectors, MISPRINT_B),
    ("misprint-difference", 1, vectors, MISPRINT_A - KL),
    ("misprint-difference", 3, vectors, MISPRINT_B - KL),
    (
        "misprint-minimum",
        6,
        {"m": 5.0},
        scipy.optimize.minimize(lambda v: 0.5 * (np.exp(2 * v).sum() - 5 * v.sum() - 5), np.zeros(5), tol=1e-13).fun,
    ),
    (
        "kl-scaling",
        1,
        {r"\mu_j": mu[0], "s_j": s[0]},
        slope(lambda c: kl(diagonal(c * mu[:1], c * s[:1]), diagonal(np.zeros(1), np.ones(1)))),
    ),
    ("kl-diagonal", 1, {r"\mu_j": mu, r"\nu_j": nu, "s_j": s, "t_j": t}, kl(diagonal(mu, s), diagonal(nu, t))),
    ("kl-full", 1, matrices, kl(full(mu, Sigma), full(nu, T))),
    (
        "price-relu",
        1,
        {"s": s_1, r"\phi(\mu / s)": normal.pdf(mu_1 / s_1)},
        slope(lambda v: scipy.integrate.quad(lambda z: z * normal.pdf(z, mu_1, np.exp(v)), 0, 12)[0], np.log(s_1)),
    ),
    ("variance-pathwise", 1, chapter7, trace_variance(-(delta_2 + s_2 * grid))),
    ("normal-moments", 1, {"d": 2.0}, heavy @ (grid**2).sum(-1) ** 2),
    ("normal-moments", 3, {"d": 2.0}, heavy @ (grid**2).sum(-1) ** 3),
    ("variance-score", 1, chapter7, trace_variance(f_2[:, None] * grid / s_2)),
    ("best-baseline", 2, chapter7, best_c),
    ("variance-baseline", 1, chapter7, trace_variance((f_2 - best_c)[:, None] * grid / s_2)),
    ("variance-sine", 1, sine, sine_path),
    ("variance-sine", 3, sine, sine_score),
    ("landing-variance", 1, {"s": s_1, r"\tau": 0.9}, expect(lambda e: (s_1 * e / 0.9**2) ** 2)),
    ("ds-variance", 1, batch, which_points + which_z),
    ("ds-replacement", 0, batch, ((8 / 3 * g_i[triples].sum(1) - g_i.sum()) ** 2).mean()),
    ("ds-shared", 0, shared_values, shared),
    ("ds-cost", 1, batch, which_points + which_z),
    ("constant-step", 1, {r"\eta": eta, r"\tau": tau, r"\kappa": kappa}, stationary),
]
# Part III: one draw of a VAE, J, and the noise's share
draw_z = mu + s * rng.normal(size=m)
one_elbo = normal.logpdf(x, W @ draw_z + bias, sigma).sum() - KL
many_mu, many_s = rng.normal(size=(N, m)), rng.uniform(0.3, 1.6, (N, m))
many_z = many_mu + many_s * rng.normal(size=(N, m))
many_kl = [kl(diagonal(u, v), standard) for u, v in zip(many_mu, many_s)]
many_elbo = normal.logpdf(points, many_z @ W.T + bias, sigma).sum(-1) - many_kl
J_of = lambda v: (((points - many_z @ W.T - bias) ** 2).sum(-1)
                  + v * ((many_mu**2).sum(-1) + (many_s**2).sum(-1) - 2 * np.log(many_s).sum(-1))).mean()  # fmt: skip
decoder_noise = {r"\sigma_{\mathrm{dec}}": sigma, "m": float(m), "d": float(d)}
one_draw = decoder_noise | {
    r"\| x - f_\theta(\tilde z) \|": np.linalg.norm(x - W @ draw_z - bias),
    r"\|\mu\|": np.linalg.norm(mu), r"\|s\|": np.linalg.norm(s), r"\mathbf{1}^\top \log s": np.log(s).sum(),
}  # fmt: skip
all_draws = decoder_noise | {
    r"\| x_i - f_\theta(\tilde z_i) \|": np.linalg.norm(points - many_z @ W.T - bias, axis=1), "N": float(N),
    r"\|\mu_i\|": np.linalg.norm(many_mu, axis=1), r"\|s_i\|": np.linalg.norm(many_s, axis=1),
    r"\mathbf{1}^\top \log s_i": np.log(many_s).sum(-1),
}  # fmt: skip
minus_elbo = lambda v: -normal.logpdf(points, means, v**0.5).sum(-1).mean() + np.mean(many_kl)
knob = {r"\bar R": R, "v": 0.6, "d": float(d), "m": float(m), r"\overline{\operatorname{KL}}": np.mean(many_kl)}
signs = np.array(list(np.ndindex(*[2] * m))) * 2.0 - 1
noisy = ((x - bias - (mu + s * signs) @ W.T) ** 2).sum(-1).mean()
penalty = linear | {r"\mu": column(mu), r"\operatorname{diag}(s^2)": np.diag(s**2), "s_j": s,
                    r"\|\mathbf{w}_j\|": np.linalg.norm(W, axis=0)}  # fmt: skip
bits, chances = rng.integers(0, 2, d).astype(float), rng.uniform(0.1, 0.9, d)
bce = -torch.distributions.Bernoulli(torch.tensor(chances)).log_prob(torch.tensor(bits)).sum().item()
grey = scipy.integrate.quad(lambda t: 0.3**t * 0.7 ** (1 - t), 0, 1)[0]

# Part III: probabilistic PCA of points, through its covariance
S = np.cov(points.T, bias=True)
spectrum, U = (part[..., ::-1] for part in np.linalg.eigh(S))
noise_2 = spectrum[m:].mean()
loadings = U[:, :m] * np.sqrt(spectrum[:m] - noise_2)
log_p = lambda W, v: scipy.stats.multivariate_normal(points.mean(0), W @ W.T + v * np.eye(d)).logpdf(points).mean()
second = lambda f, h=1e-3: (f(h) - 2 * f(0.0) + f(-h)) / h**2
M_ppca = loadings.T @ loadings + noise_2 * np.eye(m)
codes = (points - points.mean(0)) @ loadings @ np.linalg.inv(M_ppca)
price = np.mean([kl(full(code, noise_2 * np.linalg.inv(M_ppca)), full(np.zeros(m), np.eye(m))) for code in codes])
ppca = {r"\lambda_j": spectrum[:m], r"\sigma": noise_2**0.5, "d": float(d), "m": float(m),
        r"\sum_{j > m} \lambda_j": spectrum[m:].sum(), r"\sum_j \lambda_j": spectrum.sum()}  # fmt: skip


def turned_gap(alpha):
    """Of the first two columns, turned among themselves, by the determinant."""
    Q = np.array([[np.cos(alpha), -np.sin(alpha)], [np.sin(alpha), np.cos(alpha)]])
    turned = Q.T @ np.diag(spectrum[:2]) @ Q
    return 0.5 * (np.log(turned.diagonal()).sum() - np.linalg.slogdet(turned)[1])


def tilted(alpha, j=1, k=4):
    """log p when the j-th principal direction of W is tilted towards the k-th."""
    direction = np.cos(alpha) * U[:, j] + np.sin(alpha) * U[:, k]
    return log_p(np.column_stack([loadings[:, 0], direction * np.sqrt(spectrum[j] - noise_2), loadings[:, 2]]), noise_2)


planar = {r"\lambda_1": spectrum[0], r"\lambda_2": spectrum[1], r"\sin^2 2\alpha": np.sin(0.6) ** 2}
pull = scipy.optimize.minimize(lambda c: (spectrum[:m] / np.exp(c)).sum() + m * np.log(np.exp(c).mean()), np.zeros(m), tol=1e-12).x
roots = {r"\sqrt{\lambda_j}": spectrum[:m] ** 0.5, r"\sum_{k \le m} \sqrt{\lambda_k}": (spectrum[:m] ** 0.5).sum(), "m": float(m)}
residuals = rng.uniform(0.1, 2, d)
shared_sigma, own_sigma = (
    scipy.optimize.minimize(lambda t: (t + residuals / (2 * np.exp(2 * t))).sum() if len(t) == d
                            else (t[0] + residuals / (2 * np.exp(2 * t[0]))).sum(), np.zeros(n), tol=1e-12).fun
    for n in (1, d)
)  # fmt: skip
gain_matrix = rng.normal(size=(m, d)) / 3
all_signs = np.array(list(np.ndindex(*[2] * d))) * 2.0 - 1
linear_elbo = lambda mean: (normal.logpdf(x, W @ mean + bias, sigma).sum()
                            - np.trace(W @ np.diag(s**2) @ W.T) / (2 * sigma**2) - kl(diagonal(mean, s), standard))  # fmt: skip
disturbed = np.mean([linear_elbo(gain_matrix @ (x + 0.4 * e - bias)) for e in all_signs])
watching = linear | {"G": gain_matrix, r"\kappa": 0.4,
                     r"\operatorname{ELBO}(q(z \mid x))": linear_elbo(gain_matrix @ (x - bias))}  # fmt: skip

CASES += [
    ("elbo-one-draw", 1, one_draw, -one_elbo),
    ("elbo-times-variance", 1, one_draw, -2 * sigma**2 * one_elbo),
    ("def-practical-loss", 1, all_draws, J_of(sigma**2)),
    ("def-practical-loss", 1, all_draws, 2 * sigma**2 * -many_elbo.mean() + sigma**2 * (m - d * np.log(2 * np.pi * sigma**2))),
    ("noise-share", 1, ppca, d * noise_2 / np.trace(loadings @ loadings.T + noise_2 * np.eye(d))),
    ("j-slope", 1, knob, slope(J_of)),
    ("elbo-sigma", 1, knob, minus_elbo(0.6)),
    ("elbo-slope", 1, knob, slope(minus_elbo, 0.6)),
    ("elbo-slope", 2, knob, slope(minus_elbo, 0.6)),
    ("noise-penalty", 1, penalty, noisy),
    ("noise-penalty", 2, penalty, noisy),
    ("linear-moments", 1, ppca, (noise_2 * np.linalg.inv(M_ppca)).diagonal()),
    ("linear-moments", 3, ppca, (codes**2).mean(0)),
    ("linear-kl", 1, ppca, price),
    ("linear-price", 1, ppca, price),
    ("bce-normalized", 1, {"x_k": bits, "p_k": chances}, bce),
    ("bce-grey", 1, {"p": 0.3, r"\eta": np.log(0.3 / 0.7)}, grey),
    ("bce-grey", 2, {"p": 0.3}, grey),
    ("lvae-value", 1, ppca, log_p(loadings, noise_2)),
    ("rotation-gap", 1, planar, turned_gap(0.3)),
    ("axis-curvature", 1, planar, second(turned_gap)),
    ("subspace-curvature", 1, {r"\lambda_j": spectrum[1], r"\lambda_k": spectrum[4], r"\sigma": noise_2**0.5}, -second(tilted)),
    ("collapse-curvature", 2, {r"\lambda_j": spectrum[1], r"\sigma": 0.5},
     second(lambda t: log_p(t * U[:, 1:2], 0.25), 3e-4)),  # fmt: skip
    ("isotropic-pull", 1, roots, np.exp(pull)),
    ("gaussian-ml", 1, {r"\hat S": S, "d": float(d)}, scipy.stats.multivariate_normal(points.mean(0), S).logpdf(points).mean()),
    ("sigma-gain", 1, {"v_k": residuals, "d": float(d)}, shared_sigma - own_sigma),
    ("input-noise-cost", 1, watching, disturbed),
]

cases = pytest.mark.parametrize(("label", "side", "values", "expected"), CASES, ids=[f"{case[0]}-{case[1]}" for case in CASES])


def agrees(tokens, values, expected):
    value = displayed.Reader(tokens, values).read()
    return value.shape == np.shape(np.squeeze(expected)) and np.allclose(value, np.squeeze(expected), rtol=2e-6, atol=1e-9)


def test_every_formula_that_is_evaluated_is_in_the_book():
    assert {label for label, *_ in CASES} - set(FORMULAS) == set()
    assert len({label for label, *_ in CASES}) >= 40


@cases
def test_a_formula_as_the_page_displays_it_has_the_value_that_it_claims(label, side, values, expected):
    tokens = displayed.sides(FORMULAS[label][1])[side]
    assert agrees(tokens, values, expected), (displayed.Reader(tokens, values).read(), expected)


def slips(tokens):
    """The same tokens with one slip: a sign, a number, a lost logarithm, a lost sum."""
    limits = {k for i, token in enumerate(tokens) if token == r"\sum" for k in range(i, i + 16) if "}" not in tokens[i:k]}
    for i, token in enumerate(tokens):
        if i in limits:
            continue
        if token in "+-":
            yield [*tokens[:i], "-+"[token == "-"], *tokens[i + 1 :]]
        elif re.fullmatch(r"\d+", token):
            yield [*tokens[:i], str(int(token) + 1), *tokens[i + 1 :]]
        elif token == r"\log":
            yield tokens[:i] + tokens[i + 1 :]


@cases
def test_one_slip_in_a_displayed_formula_is_noticed(label, side, values, expected):
    survivors = []
    for slip in slips(displayed.sides(FORMULAS[label][1])[side]):
        try:
            with np.errstate(all="ignore"):
                if agrees(slip, values, expected):
                    survivors.append(" ".join(slip))
        except (ValueError, np.linalg.LinAlgError):
            pass  # it cannot even be read
    assert survivors == []


def test_no_formula_has_changed_since_somebody_looked_at_its_checks():
    now = displayed.lock()
    changed = [
        f"({label}) of {entry['where']}" + (f", proved by: {'; '.join(entry['checks'])}" if entry["checks"] else "")
        for label, entry in (LOCKED | now).items()
        if LOCKED.get(label, {}).get("formula") != now.get(label, {}).get("formula")
    ]
    assert not changed, (
        "formulas that are new, gone or other than when they were last looked at. Compare each with its checks, then run "
        "python tests/displayed.py:\n" + "\n".join(changed)
    )


def test_the_lock_names_the_checks_that_prove_a_formula():
    assert {label: entry["checks"] for label, entry in LOCKED.items()} == {
        label: entry["checks"] for label, entry in displayed.lock().items()
    }
