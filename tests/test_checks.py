"""checks.py: one line when a claim holds, an error that shows both sides when it does not, and no other outcome."""

import math
import re

import numpy as np
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
    (check_bound, (1.0, math.inf)),
    (check_bound, (-math.inf, 1.0)),
    (check_differs, (NAN, torch.ones(2), 0.1)),
    (check_differs, (torch.ones(2), NAN, 0.1)),
    (check_differs, (math.inf, 1.0, 0.1)),
]


@pytest.mark.parametrize(("check", "arguments", "demand"), HOLDS)
def test_a_claim_that_holds_prints_one_line_with_the_demand_and_what_it_proves(check, arguments, demand, capsys):
    check("A claim", *arguments)
    check("A claim", *arguments, against="SciPy")
    check("A claim", *arguments, against="SciPy", proves="a-label")
    line = f"✓ A claim | {demand}"
    assert capsys.readouterr().out == f"{line}\n{line} | against SciPy\n{line} | against SciPy | (a-label)\n"


@pytest.mark.parametrize("against", [None, ""])
@pytest.mark.parametrize(("check", "arguments", "demand"), HOLDS)
def test_a_check_that_proves_an_equation_says_against_what(check, arguments, demand, against):
    with pytest.raises(TypeError, match=r"proves \(a-label\).*against"):
        check("A claim", *arguments, proves="a-label", against=against)


def test_each_compares_entry_by_entry_where_a_norm_forgives_small_entries(capsys):
    check_equal("Together", [1000, -4], [1000, 4], tol=1e-2)
    check_equal("Each", [1000, 4.03, 0.009], [1000, 4, 0], tol=1e-2, each=True)
    assert capsys.readouterr().out.endswith("✓ Each | each equal within 1e-02\n")
    for wrong in ([1000, -4, 0], [1000, 4.05, 0], [1000, 4, 0.011]):
        with pytest.raises(AssertionError, match="not each equal within 1e-02"):
            check_equal("Each", wrong, [1000, 4, 0], tol=1e-2, each=True)


def test_each_exactly_means_to_the_last_bit():
    check_equal("Each", [3, 0], [3, 0], tol=0, each=True)
    with pytest.raises(AssertionError, match="not each equal"):
        check_equal("Each", [3, 1e-300], [3, 0], tol=0, each=True)


@pytest.mark.parametrize("size", [1e-170, 1e-320, 1e170])
def test_a_factor_is_seen_at_every_size_of_the_numbers(size):
    right = torch.tensor([size, 2 * size], dtype=torch.float64)
    check_equal("A claim", right, right, tol=1e-9)
    with pytest.raises(AssertionError, match="not equal"):
        check_equal("A claim", 5 * right, right, tol=1e-3)


def test_differences_of_the_seventh_digit_are_seen_since_checks_run_in_double_precision():
    with pytest.raises(AssertionError, match="not equal"):
        check_equal("A claim", 1 + 1e-9, 1.0, tol=1e-10)


@pytest.mark.parametrize("scale", [1e-3, 0.25])
def test_the_tolerance_is_relative_also_to_numbers_below_1(scale):
    with pytest.raises(AssertionError, match="not equal"):
        check_equal("A claim", 1.1 * scale, scale, tol=0.05)
    with pytest.raises(AssertionError, match="not differs"):
        check_differs("A mistake", 1.1 * scale, scale, by=0.11)
    check_differs("A mistake", 1.1 * scale, scale, by=0.09)


def test_what_should_differ_must_have_one_shape():
    with pytest.raises(AssertionError, match="shapes differ"):
        check_differs("A mistake", torch.ones(3), 2.0, by=0.1)


def test_complex_numbers_are_refused():
    for value in (1j, torch.tensor([1 + 1e-3j]), np.array([1j])):
        with pytest.raises(AssertionError, match="complex"):
            check_equal("A claim", value, value, tol=1)


def test_four_standard_errors_are_four_and_the_spread_is_that_of_a_sample():
    draws = torch.tensor([0.0, 1.0, 2.0, 3.0, 4.0], dtype=torch.float64)  # mean 2, std √2.5 with n - 1
    error = math.sqrt(2.5 / 5)
    check_mean("A claim", draws, 2 + 3.99 * error)
    with pytest.raises(AssertionError, match="not within"):
        check_mean("A claim", draws, 2 + 4.01 * error)


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
