"""The numeric checks. Each prints one line when a claim holds and raises when it does not.

The line is the same on every machine: it states the tolerance that was demanded, never the digits that
were found. ``proves`` is the label of the equation in the chapter that the check stands for.
"""

import math

import torch


def check_equal(claim, left, right, tol, proves=None):
    """‖left - right‖ ≤ tol ‖right‖ (or ≤ tol, where right is exactly 0)."""
    left, right = _tensor(left), _tensor(right)
    if left.shape != right.shape:
        raise AssertionError(f"{claim}: shapes differ, {tuple(left.shape)} and {tuple(right.shape)}")
    scale = right.norm().item() or 1.0
    error = (left - right).norm().item() / scale
    _verdict(
        error <= tol,
        claim,
        f"equal within {tol:.0e}" if tol else "equal",
        proves,
        f"left {_show(left)}\nright {_show(right)}\nrelative error {error:.3g}",
    )


def check_mean(claim, samples, expected, proves=None):
    """The mean of independent samples (n,) lies within 4 standard errors of expected."""
    samples, expected = _tensor(samples), float(expected)
    if samples.ndim != 1 or len(samples) < 2:
        raise AssertionError(f"{claim}: samples must be (n,) with n ≥ 2, got {tuple(samples.shape)}")
    standard_error = samples.std().item() / math.sqrt(len(samples))
    z = (samples.mean().item() - expected) / standard_error if standard_error > 0 else math.nan
    _verdict(
        abs(z) < 4, claim, f"within 4 standard errors, n = {len(samples)}", proves,
        f"mean {samples.mean().item():.6g} ± {standard_error:.2g}, expected {expected:.6g}, z = {z:.2f}",
    )  # fmt: skip


def check_bound(claim, lower, upper, proves=None):
    """lower ≤ upper, for every pair."""
    lower, upper = torch.broadcast_tensors(_tensor(lower), _tensor(upper))
    _verdict(bool((lower <= upper).all()), claim, "bound holds", proves, f"lower {_show(lower)}\nupper {_show(upper)}")


def check_differs(claim, wrong, right, by):
    """‖wrong - right‖ > by · ‖right‖: the check above would have caught this mistake."""
    wrong, right = _tensor(wrong), _tensor(right)
    error = (wrong - right).norm().item() / (right.norm().item() or 1.0)
    _verdict(
        error > by,
        claim,
        f"differs by more than {by:.0e}",
        None,
        f"wrong {_show(wrong)}\nright {_show(right)}\nrelative difference {error:.3g}",
    )


def _tensor(value):
    if isinstance(value, list | tuple):
        value = torch.stack([_tensor(v) for v in value])
    tensor = torch.as_tensor(value, dtype=torch.float64).detach()
    if tensor.numel() == 0:
        raise AssertionError("a check of nothing: an empty tensor")
    return tensor


def _show(tensor):
    return f"{tensor.item():.8g}" if tensor.ndim == 0 else str(tensor)


def _verdict(holds, claim, demand, proves, found):
    if not holds:  # a NaN fails every comparison, so it ends here
        raise AssertionError(f"{claim}: not {demand}\n{found}")
    print(f"✓ {claim} | {demand}" + (f" | ({proves})" if proves else ""))
