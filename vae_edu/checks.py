"""The numeric checks. Each prints one line when a claim holds and raises an AssertionError when it does not.

The line is the same on every machine: it states the tolerance that was demanded, never the digits that were found.
``against`` says in a few words where the other side comes from. ``proves`` is the label of the equation that the check
stands for; a check that proves an equation must say against what, and a TypeError reminds who forgets.
"""

import math

import torch


def check_equal(claim, left, right, tol, *, each=False, against=None, proves=None):
    """‖left - right‖ ≤ tol ‖right‖ (or ≤ tol, where right is exactly 0); with ``each``, entry by entry.

    A claim that says each, every or all wants ``each``: a norm forgives what happens to its small entries.
    """
    left, right = _pair(claim, left, right)
    if each:
        error = (left - right).abs() / torch.where(right == 0, 1.0, right.abs())
    else:  # divided by the largest entry first, since squares of very small ones are 0
        largest = right.abs().max().item() or 1.0
        scale = (right / largest).norm().item() or 1.0
        error = ((left - right) / largest).norm() / scale
    demand = f"equal within {tol:.0e}" if tol else "equal"
    _verdict(
        bool((error <= tol).all()), claim, f"each {demand}" if each else demand, against, proves,
        f"left {_show(left)}\nright {_show(right)}\nrelative error {error.max().item():.3g}",
    )  # fmt: skip


def check_mean(claim, samples, expected, *, against=None, proves=None):
    """The mean of independent samples (n,) lies within 4 standard errors of expected."""
    samples, expected = _tensor(samples), _tensor(expected)
    if samples.ndim != 1 or len(samples) < 2 or expected.numel() != 1:
        raise AssertionError(f"{claim}: samples must be (n,) with n ≥ 2 and expected one number, got {tuple(samples.shape)}")
    standard_error = samples.std().item() / math.sqrt(len(samples))
    z = (samples.mean().item() - expected.item()) / standard_error if standard_error > 0 else math.nan
    _verdict(
        abs(z) < 4, claim, f"within 4 standard errors, n = {len(samples)}", against, proves,
        f"mean {samples.mean().item():.6g} ± {standard_error:.2g}, expected {expected.item():.6g}, z = {z:.2f}",
    )  # fmt: skip


def check_bound(claim, lower, upper, *, against=None, proves=None):
    """lower ≤ upper, for every pair, all of them finite."""
    lower, upper = torch.broadcast_tensors(_tensor(lower), _tensor(upper))
    holds = bool((lower <= upper).all() and lower.isfinite().all() and upper.isfinite().all())
    _verdict(holds, claim, "bound holds", against, proves, f"lower {_show(lower)}\nupper {_show(upper)}")


def check_differs(claim, wrong, right, by):
    """‖wrong - right‖ > by · ‖right‖, both finite: the check above would have caught this mistake."""
    wrong, right = _pair(claim, wrong, right)
    error = (wrong - right).norm().item() / (right.norm().item() or 1.0)
    _verdict(
        by < error < math.inf, claim, f"differs by more than {by:.0e}", None, None,
        f"wrong {_show(wrong)}\nright {_show(right)}\nrelative difference {error:.3g}",
    )  # fmt: skip


def _pair(claim, left, right):
    left, right = _tensor(left), _tensor(right)
    if left.shape != right.shape:
        raise AssertionError(f"{claim}: shapes differ, {tuple(left.shape)} and {tuple(right.shape)}")
    return left, right


def _tensor(value):
    if isinstance(value, list | tuple):
        value = torch.stack([_tensor(v) for v in value])
    if isinstance(value, complex) or "complex" in str(getattr(value, "dtype", "")):
        raise AssertionError("a check of complex numbers: compare their real and imaginary parts")
    tensor = torch.as_tensor(value, dtype=torch.float64, device="cpu").detach()
    if tensor.numel() == 0:
        raise AssertionError("a check of nothing: an empty tensor")
    return tensor


def _show(tensor):
    return f"{tensor.item():.8g}" if tensor.ndim == 0 else str(tensor)


def _verdict(holds, claim, demand, against, proves, found):
    if proves and not against:
        raise TypeError(f"{claim}: a check that proves ({proves}) says against what: against='...'")
    if not holds:  # a NaN fails every comparison, so it ends here
        raise AssertionError(f"{claim}: not {demand}\n{found}")
    print(f"✓ {claim} | {demand}" + (f" | against {against}" if against else "") + (f" | ({proves})" if proves else ""))
