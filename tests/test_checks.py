"""checks.py: one line when a claim holds, an error that shows both sides when it does not, and no other outcome."""

import math
import re

import pytest
import torch

from vae_edu.checks import check_bound, check_differs, check_equal, check_mean

NAN = torch.tensor([1.0, math.nan])
DRAWS = torch.randn(1000, generator=torch.Generator().manual_seed(0))

HOLDS = [
    (check_equal, ([1.0, 2.0], [1.0, 2.0 + 1e-13], 1e-12), "equal within 1e-12"),
    (check_equal, (0.02, 0.0, 0.05), "equal within 5e-02"),  # against 0 the tolerance is absolute
    (check_equal, ([3, 4], [3, 4], 0), "equal"),
    (check_mean, (DRAWS + 7.123, 7.123), "within 4 standard errors, n = 1000"),
    (check_bound, ([1.5, 2.5], [1.5, 7.25]), "bound holds"),
    (check_bound, (1.5, [1.5, 7.25]), "bound holds"),
]
FAILS = [
    (check_equal, ([1.0, 2.5], [1.0, 2.25], 1e-3), ["not equal within 1e-03", "2.5", "2.25"]),
    (check_equal, (0.0, 2.5, 1e-3), ["not equal within 1e-03", "left 0", "right 2.5"]),
    (check_mean, (DRAWS, 10 / math.sqrt(1000)), ["not within 4 standard errors", "expected 0.316", "z = "]),
    (check_mean, (torch.ones(5), 1.0), ["not within 4 standard errors"]),  # no spread, no standard error
    (check_mean, (torch.ones(1), 1.0), []),
    (check_bound, ([1.0, 3.5], [2.0, 2.75]), ["not bound holds", "3.5", "2.75"]),
    (check_differs, ([1.0, 2.0], [1.0, 2.01], 0.1), ["not differs by more than 1e-01", "2.01"]),
    (check_differs, (1.0, 1.0, 0.0), ["not differs"]),
]
WITH_NAN = [
    (check_equal, (NAN, NAN, 1e3)),
    (check_equal, (NAN, torch.ones(2), 1e3)),
    (check_equal, (torch.ones(2), NAN, 1e3)),
    (check_equal, (math.inf, math.inf, 1e3)),
    (check_mean, (NAN, 1.0)),
    (check_mean, (DRAWS, math.nan)),
    (check_bound, (NAN, torch.ones(2))),
    (check_bound, (torch.ones(2), NAN)),
    (check_differs, (NAN, torch.ones(2), 0.1)),
    (check_differs, (torch.ones(2), NAN, 0.1)),
]


@pytest.mark.parametrize(("check", "arguments", "demand"), HOLDS)
def test_a_claim_that_holds_prints_one_line_with_the_demand_and_what_it_proves(check, arguments, demand, capsys):
    check("A claim", *arguments)
    check("A claim", *arguments, proves="some-label")
    assert capsys.readouterr().out == f"✓ A claim | {demand}\n✓ A claim | {demand} | (some-label)\n"


def test_a_difference_that_is_large_enough_prints_its_line(capsys):
    check_differs("A mistake", [64.5, 1.0], [1.0, 1.0], by=0.9)
    assert capsys.readouterr().out == "✓ A mistake | differs by more than 9e-01\n"


@pytest.mark.filterwarnings("ignore:std.*degrees of freedom")
@pytest.mark.parametrize(("check", "arguments", "shown"), FAILS)
def test_a_claim_that_fails_raises_with_both_sides_and_prints_nothing(check, arguments, shown, capsys):
    with pytest.raises(AssertionError, match="^A claim: ") as error:
        check("A claim", *arguments)
    assert all(text in str(error.value) for text in shown)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("check", "arguments"), WITH_NAN)
def test_a_number_that_is_not_finite_fails_every_check(check, arguments, capsys):
    with pytest.raises(AssertionError):
        check("A claim", *arguments)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("shape", [(4,), (), (3, 1)], ids=str)
def test_shapes_that_differ_are_not_equal(shape):
    with pytest.raises(AssertionError, match="A claim: shapes differ"):
        check_equal("A claim", torch.ones(3), torch.ones(shape), tol=1e9)


@pytest.mark.parametrize(("error", "holds"), [(0.9e-3, True), (1.1e-3, False)])
def test_the_tolerance_is_relative_to_the_right_side(error, holds):
    right = torch.tensor([300.0, 400.0], dtype=torch.float64)  # norm 500
    left = right + torch.tensor([0, 500 * error], dtype=torch.float64)
    if holds:
        check_equal("A claim", left, right, tol=1e-3)
    with pytest.raises(AssertionError):
        check_equal("A claim", left, right, tol=1e-3 if not holds else error / 2)


@pytest.mark.parametrize("shift", [-10, 10])
def test_a_mean_that_is_10_standard_errors_away_is_caught(shift):
    with pytest.raises(AssertionError, match="standard errors"):
        check_mean("A claim", DRAWS, DRAWS.mean().item() + shift * DRAWS.std().item() / math.sqrt(1000))


@pytest.mark.parametrize(("check", "arguments", "demand"), HOLDS)
def test_the_line_holds_no_measured_digit(check, arguments, demand, capsys):
    check("A claim", *arguments)
    digits = re.findall(r"\d+", capsys.readouterr().out)
    assert digits == re.findall(r"\d+", demand)


def test_tensors_that_carry_gradients_and_single_precision_are_welcome(capsys):
    weight = torch.ones(3, requires_grad=True)
    check_equal("A claim", weight, torch.ones(3, dtype=torch.float64), tol=1e-12)
    check_bound("A claim", weight.sum(), 3)
    assert weight.requires_grad
    assert capsys.readouterr().out.count("\n") == 2


def test_a_check_of_nothing_fails():
    empty = torch.zeros(0)
    for call in (lambda: check_equal("a", empty, empty, tol=1), lambda: check_bound("a", empty, empty)):
        with pytest.raises(AssertionError, match="a check of nothing"):
            call()


def test_check_mean_wants_one_sample_per_row():
    with pytest.raises(AssertionError, match=r"samples must be \(n,\)"):
        check_mean("a", torch.randn(100, 2), 0.0)
