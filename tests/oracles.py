"""What several tests compare with, in plain numpy: nothing here uses vae_edu."""

import numpy as np


def numpy_mlp(net, x):
    """A torch Sequential of Linear and ReLU, recomputed: x (k,) → (n,), one data point."""
    weights = [p.detach().double().numpy() for p in net.parameters()]  # weight, bias, weight, bias, ...
    for depth, (weight, bias) in enumerate(zip(weights[::2], weights[1::2], strict=True)):
        x = np.where(x > 0, x, 0) if depth else x
        x = np.array([sum(w * v for w, v in zip(row, x, strict=True)) + b for row, b in zip(weight, bias, strict=True)])
    return x


def finite_differences(f, parameter, h=1e-6):
    """(f(p + h) - f(p - h)) / 2h for the first, middle and last entry of a parameter: {entry: slope}."""
    flat = parameter.data.view(-1)
    slopes = {}
    for entry in {0, len(flat) // 2, len(flat) - 1}:
        at = flat[entry].item()
        flat[entry] = at + h
        above = f().item()
        flat[entry] = at - h
        below = f().item()
        flat[entry] = at
        slopes[entry] = (above - below) / (2 * h)
    return slopes
