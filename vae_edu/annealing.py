"""Annealed importance sampling: log p(x) without encoder and without q, from below and, where possible, from above."""

from itertools import pairwise

import torch

from vae_edu import gaussian
from vae_edu.estimators import checked
from vae_edu.networks import check_count


@torch.no_grad()
def annealed_importance(log_likelihood, x, m, steps, n, generator, *, start=None, leapfrog=2):
    """n samples of log w, (n, N), with E[w] = p(x), by annealed importance sampling: no encoder and no q. In nats.

    z ~ N(0, I_m) is led to the posterior through p(z) p(x|z)^β_t, β_t = (t / steps)⁴, by one Hamiltonian move for each t,
    which leaves this density as it is; log w = Σ_t (β_t - β_{t-1}) log p(x|z_{t-1}) is on average at most log p(x).
    With ``start``, exact samples of p(z|x), (n, N, m), the same moves are made backwards: then E[1/w] = 1/p(x), and
    log w is on average at least log p(x). x drawn from the model together with its z has such a sample: that z.

    log_likelihood must be differentiable in z. Costs 2 n · steps · (leapfrog + 1) gradients an image; half of them are a
    trial run, which sets the length of the moves for each image and β. Raises ValueError as ``elbo`` does, and when
    start has another shape. Sources: Neal 2001, Wu et al. 2017; backwards, Grosse et al. 2015.
    """
    for name, value in {"m": m, "steps": steps, "n": n, "leapfrog": leapfrog}.items():
        check_count(name, value)
    if x.ndim != 2 or not x.isfinite().all():
        raise ValueError(f"x must be (N, d), without NaN or infinite values, got {tuple(x.shape)}")
    shape = n, len(x), m
    if start is not None and start.shape != shape:
        raise ValueError(f"start must be (n, N, m) = {shape}, one posterior sample for each chain, got {tuple(start.shape)}")
    betas = [(t / steps) ** 4 for t in range(steps + 1)]
    z = gaussian.noise(shape, generator, x)
    length, lengths = torch.ones(len(x), 1, dtype=x.dtype, device=x.device), {}
    for beta in betas[1:-1]:  # the trial run: longer where more than 7 of 10 moves are accepted, shorter elsewhere
        z, _, accepted = _move(log_likelihood, x, z, beta, length, leapfrog, generator)
        lengths[beta] = length = length * torch.where(accepted.mean(0) > 0.7, 1.2, 0.8).unsqueeze(-1)
    z = gaussian.noise(shape, generator, x) if start is None else start
    value, log_w = checked(log_likelihood(x, z), z, "log_likelihood(x, z)"), 0
    for here, there in pairwise(betas if start is None else betas[::-1]):
        log_w = log_w + abs(there - here) * value
        if there in lengths:
            z, value, _ = _move(log_likelihood, x, z, there, lengths[there], leapfrog, generator)
    return log_w


def _move(log_likelihood, x, z, beta, length, leapfrog, generator):
    """z after one Hamiltonian move that leaves p(z) p(x|z)^beta as it is, log p(x|z) there, and acceptance rates, (n, N)."""

    def energy(z):
        with torch.enable_grad():
            z = z.detach().requires_grad_()
            value = checked(log_likelihood(x, z), z, "log_likelihood(x, z)")
            (slope,) = torch.autograd.grad(value.sum(), z)
        return value.detach(), slope

    value, slope = energy(z)
    speed = gaussian.noise(z.shape, generator, x)
    z_new, value_new, v = z, value, speed
    for _ in range(leapfrog):  # half a kick, a step, half a kick
        v = v + length / 2 * (beta * slope - z_new)
        z_new = z_new + length * v
        value_new, slope = energy(z_new)
        v = v + length / 2 * (beta * slope - z_new)
    log_ratio = beta * (value_new - value) + ((z**2 - z_new**2) + (speed**2 - v**2)).sum(-1) / 2
    accept = torch.rand(value.shape, generator=generator, dtype=x.dtype, device=x.device).log() < log_ratio  # a NaN is refused
    rate = log_ratio.clamp(max=0).exp().nan_to_num(0)
    return torch.where(accept.unsqueeze(-1), z_new, z), torch.where(accept, value_new, value), rate
