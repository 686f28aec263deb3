"""The lab from its student's copy: blank, with right entries, and with each mistake that has a name."""

import contextlib
import io
import json
import re
import sys

import pytest
from stored import ROOT

sys.path.insert(0, str(ROOT / "book" / "support"))
import copies  # noqa: E402

from vae_edu.exercises import NotYet  # noqa: E402

LAB = copies.plain(copies.load())["lab"]
STUDENTS = copies.for_students(LAB)
TASK = re.compile(r"\*\*Task (\d+)\*\*")


def cells(notebook, *tags):
    return [c["source"] for c in notebook["cells"] if set(tags) & set(c["metadata"].get("tags", []))]


def solutions():
    return {number: source for number, source in enumerate((s for s in cells(LAB, "solution") if "check_" in s), 1)}


def run(fill=lambda number, source: source, until=None):
    """Run the student's copy, its answer cells as ``fill`` returns them; the names that it defines."""
    names, number = {"__name__": "lab"}, 0
    for cell in STUDENTS["cells"]:
        if cell["cell_type"] != "code":
            continue
        source = cell["source"]
        if "answer" in cell["metadata"].get("tags", []):
            number += 1
            source = fill(number, source)
        exec(compile(source, f"task {number}", "exec"), names)
        if until and f"check_{until}(" in source and "answer" in cell["metadata"].get("tags", []):
            break
    return names


def test_eight_tasks_fill_ninety_minutes_and_each_has_a_blank():
    minutes = [int(m) for c in LAB["cells"] for m in re.findall(r"^## .*\((\d+) minutes\)", c["source"], re.MULTILINE)]
    assert sum(minutes) == 90
    assert [int(n) for c in LAB["cells"] for n in TASK.findall(c["source"])] == list(range(1, 9))
    assert len(cells(STUDENTS, "answer")) == 8 and cells(STUDENTS, "solution") == []
    assert "return" not in "".join(cells(STUDENTS, "answer"))


def test_blank_it_runs_to_the_end_and_says_that_nothing_is_answered(capsys):
    run()
    assert re.findall(r"Task (\d): no answer yet", capsys.readouterr().out) == list("12345678")


@pytest.fixture(scope="module")
def solved():
    """The names that the copy defines with all solutions, and what it prints."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        return run(lambda number, _: solutions()[number]), printed.getvalue()


def test_with_the_solutions_every_task_is_right(solved):
    names, printed = solved
    assert re.findall(r"✓ Task (\d): the answer", printed) == list("12345678")
    assert [finding.verdict for finding in names["found"]] == ["fine"] * 6


WRONG = {
    1: [
        ("** 2).sum(-1) / (2 * sigma**2)", "** 2).sum(-1) / sigma**2", "the ½ of 1/(2σ²) is missing"),
        ("return ((x - f) ** 2).sum(-1)", "return ((x - f) ** 2).mean(-1)", "only the squares are averaged over pixels"),
        (" + constant", "", "the constant is missing"),
        ("x.shape[-1] / 2", "1 / 2", "the constant is that of one pixel"),
        ("(2 * sigma**2) + constant", "(2 * sigma) + constant", "σ stands where σ² belongs, below the square"),
        ("math.pi * sigma**2", "math.pi * sigma", "log 2πσ stands where log 2πσ² belongs"),
        ("return ", "return -1 * (", "the sign is wrong"),
        ("return ", "return 1 / 64 * (", "the average over pixels stands for the sum"),
    ],
    2: [
        ("0.5 * ", "", "the ½ is missing"),
        (".sum(-1)", ".mean(-1)", "the average over latents stands for the sum"),
        ("(2 * log_std).exp() - 2 * log_std", "log_std.exp() - log_std", "log s was taken for log s²"),
        ("- 2 * log_std", "- log_std", "the factor 2 before log s is missing"),
        (" - 1).sum(-1)", ").sum(-1) - 0.5", "-1 stands once, not for each latent"),
        ("(2 * log_std).exp()", "log_std.exp()", "exp(log s) stands where s² belongs"),
    ],
    3: [
        ("log_std.exp()", "log_std", "log s was taken for s"),
        ("log_std.exp()", "(log_std / 2).exp()", "log s was taken for log s²"),
        ("log_std.exp()", "(2 * log_std).exp()", "the variance stands for the standard deviation"),
        (" + log_std.exp() * epsilon", "", "the noise is missing"),
        ("mean + ", "", "the mean is missing"),
    ],
    4: [
        ("return terms.mean()", "return -terms.mean()", "it is the ELBO, not minus the ELBO"),
        ("return terms.mean()", "return terms.sum()", "the sum over the batch stands for the average"),
        ("z = draw(mean, log_std, epsilon)", "z = mean", "the mean of q stands for the draw"),
    ],
    5: [
        ("    optimizer.zero_grad()\n", "", "the gradients of earlier steps are still there (zero_grad)"),
        ("minus_elbo.backward()", "(-minus_elbo).backward()", "the loss is climbed"),
        ("    optimizer.step()\n", "", "no step was made"),
    ],
    6: [
        (" + vae.sigma * torch.randn(f.shape, generator=generator)", "", "the noise is missing: f(z) is the mean of x"),
        ("vae.sigma * ", "", "the noise is not scaled"),
        ("vae.sigma *", "vae.sigma**2 *", "the noise has the standard deviation σ²"),
    ],
}


@pytest.mark.parametrize("task", WRONG)
def test_every_mistake_is_called_by_its_name(task):
    mistakes = re.findall(r'^        "([^"]+)":', cells(STUDENTS, "exercise")[task - 1], re.MULTILINE)
    assert sorted(mistakes) == sorted(words for *_, words in WRONG[task])
    names = run(lambda number, source: solutions()[number] if number < task else source, until=task)
    for right, wrong, words in WRONG[task]:
        source = solutions()[task].split("\n\n\ncheck_")[0]
        assert right in source
        broken = source.replace(right, wrong) + (")" if wrong.endswith("(") else "")
        exec(broken, names)
        function = next(names[name] for name in re.findall(r"def (\w+)", broken))
        with pytest.raises(NotYet, match=re.escape(f"It looks as if {words}.")):
            names[f"check_{task}"](function)


def test_programs_that_are_mixed_up_and_a_vae_that_is_no_better_are_refused(solved):
    names, _ = solved
    with pytest.raises(NotYet):
        names["check_7"](names["order"][::-1])
    for knob in ({"m": 16}, {"sigma": 0.12}, {"hidden": 512}, {}):  # one of them, or more epochs
        epochs = 40 if knob else 300
        with pytest.raises(NotYet):
            names["check_8"](names["train"](names["MyVAE"](**knob), names["x_train"], epochs=epochs))


def test_the_copy_can_be_stored_as_json():
    assert json.loads(json.dumps(STUDENTS))["cells"][0]["source"].startswith("# Lab")
