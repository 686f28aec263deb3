"""Answers that are checked: what a chapter's answer cells call.

check_1 = exercise("Exercise 1.1", right, tol=1e-6, against="PyTorch's KL", mistakes={"the ½ is missing": 2 * right})
answer = ...
check_1(answer)
"""

import inspect

from vae_edu import checks


class NotYet(AssertionError):
    """An answer that is not right; a notebook shows its words without a traceback."""

    def _render_traceback_(self):
        return [str(self)]


class _Empty(Exception):
    """An answer that returns None or ``...``."""


def exercise(title, right, *, tol, against, mistakes=None, of=lambda answer: answer):
    """A function check(answer): right within tol, entry by entry, a mistake that is known, or neither.

    right: computed, and not in the way that a solution computes it; ``against`` says how. mistakes: {what went wrong: the
    answer that one gets then}. of: what is compared, say ``lambda f: f(x)`` where the answer is a function to write.
    An empty answer (``...``, or a function that returns None or ``...``) says so and passes. A wrong one raises NotYet, which
    does not give the right one away. What goes wrong inside a function that is an answer is raised as it is. Raises ValueError when a mistake cannot be told from the right answer.
    """
    mistakes = mistakes or {}
    for words, wrong in mistakes.items():
        if _agree(wrong, right, tol):
            raise ValueError(f"{title}: the mistake '{words}' gives the right answer within {tol:.0e}")

    def check(answer):
        try:
            value = _value(answer, of, title)
        except _Empty:
            print(f"{title}: no answer yet.")
            return
        value, wanted = value.squeeze(), checks._tensor(right).squeeze()  # (1, n) and (n,) are the same
        if value.shape != wanted.shape:
            raise NotYet(f"✗ {title}: the answer has the shape {tuple(value.shape)}, it should have {tuple(wanted.shape)}.")
        if not _agree(value, right, tol):
            known = next((words for words, wrong in mistakes.items() if _agree(value, wrong, tol)), None)
            raise NotYet(f"✗ {title}: not yet. " + (f"It looks as if {known}." if known else "No common mistake gives this."))
        checks.check_equal(f"{title}: the answer", value, wanted, tol, each=True, against=against)

    return check


def _value(answer, of, title):
    """What is compared, as a tensor."""
    inside = False

    def watched(*args, **kwargs):
        nonlocal inside
        inside = True
        value = _full(answer(*args, **kwargs))
        inside = False
        return value

    try:
        return checks._tensor(_full(of(watched if inspect.isfunction(answer) else _full(answer))))
    except _Empty:
        raise
    except Exception as error:
        if inside:
            raise
        raise NotYet(f"✗ {title}: an answer of another kind is asked for ({type(error).__name__}: {error}).") from error


def _full(value):
    if value is None or value is ...:
        raise _Empty
    return value


def _agree(value, right, tol):
    value, right = checks._tensor(value).squeeze(), checks._tensor(right).squeeze()
    return value.shape == right.shape and bool(((value - right).abs() <= tol * right.abs().where(right != 0, right + 1)).all())
