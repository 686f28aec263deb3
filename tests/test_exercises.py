"""exercises.py: an answer is right, or a mistake with a name, or neither; an empty one says so."""

import re

import numpy as np
import pytest
import torch

from vae_edu.exercises import NotYet, exercise

check = exercise(
    "Exercise 6.1", 2.0, tol=1e-3, against="quadrature", mistakes={"the ½ is missing": 4.0, "the sign is lost": -2.0}
)


def test_the_right_answer_prints_a_line_of_the_checks(capsys):
    check(2.001)
    assert capsys.readouterr().out == "✓ Exercise 6.1: the answer | each equal within 1e-03 | against quadrature\n"


def test_an_empty_answer_says_so_and_passes(capsys):
    check(...)
    exercise("Exercise 6.2", [1.0], tol=0.1, against="x", of=lambda f: f(3))(lambda x: None)
    assert capsys.readouterr().out == "Exercise 6.1: no answer yet.\nExercise 6.2: no answer yet.\n"


@pytest.mark.parametrize(("wrong", "words"), [(4.0, "the ½ is missing"), (-2.0, "the sign is lost")])
def test_a_common_mistake_is_called_by_its_name_and_the_right_answer_is_not_told(wrong, words):
    with pytest.raises(NotYet, match=f"✗ Exercise 6.1: not yet. It looks as if {words}.") as error:
        check(wrong)
    assert error.value._render_traceback_() == [str(error.value)]
    assert "2.0" not in str(error.value)


@pytest.mark.parametrize("right", [2, [2.0], np.array([[2.0]]), torch.tensor([2.0], requires_grad=True)])
def test_the_right_answer_may_come_in_any_form(right):
    check(right)


def test_an_answer_of_another_shape_is_told_so():
    with pytest.raises(NotYet, match=re.escape("has the shape (2,), it should have ().")):
        check([2.0, 2.0])


@pytest.mark.parametrize("wrong", [3.0, 2.003, float("nan"), float("inf")])
def test_another_wrong_answer_is_not_right_either(wrong):
    with pytest.raises(NotYet, match="not yet. No common mistake gives this."):
        check(wrong)


def test_a_function_that_a_student_writes_is_tried_on_what_the_exercise_says(capsys):
    x = torch.tensor([1.0, -2.0, 0.0], dtype=torch.float64)
    check = exercise("Exercise 7.2", x**2, tol=1e-9, against="PyTorch", mistakes={"it is a cube": x**3}, of=lambda f: f(x))
    check(lambda x: x * x)
    with pytest.raises(NotYet, match="a cube"):
        check(lambda x: x**3)
    with pytest.raises(NotYet, match="No common mistake"):
        check(lambda x: x * x + torch.tensor([0, 0, 1e-6]))  # against 0 the tolerance is absolute
    assert capsys.readouterr().out.count("✓") == 1


@pytest.mark.parametrize("empty", [lambda x: None, lambda x: ...])
def test_an_empty_function_is_an_empty_answer_whatever_is_done_with_its_result(empty, capsys):
    exercise("Exercise 7.3", 1.0, tol=0.1, against="x", of=lambda f: torch.stack([f(1), f(2)]).mean())(empty)
    assert capsys.readouterr().out == "Exercise 7.3: no answer yet.\n"


def test_an_answer_of_another_kind_is_told_so_in_words():
    check = exercise("Exercise 7.4", 1.0, tol=0.1, against="x", of=lambda f: f(torch.ones(2)).mean())
    with pytest.raises(NotYet, match="✗ Exercise 7.4: an answer of another kind is asked for"):
        check(lambda x: "one")
    with pytest.raises(NotYet, match="an answer of another kind"):
        check(1.0)


def test_an_error_inside_the_function_is_the_students_own():
    check = exercise("Exercise 7.5", 1.0, tol=0.1, against="x", of=lambda f: f(torch.ones(2)))
    with pytest.raises(ZeroDivisionError):
        check(lambda x: 1 / 0)


def test_a_mistake_that_gives_the_right_answer_is_refused():
    with pytest.raises(ValueError, match="the mistake 'no ½' gives the right answer within 1e-03"):
        exercise("Exercise 6.1", 0.0, tol=1e-3, against="x", mistakes={"no ½": 0.0})
