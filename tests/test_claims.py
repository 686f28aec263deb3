"""What the page of claims is made of: the lines of the checks, the equations, and the seconds that the book takes."""

import json
import pathlib
import sys
from types import SimpleNamespace

import nbformat
import pytest

from vae_edu.checks import check_bound, check_differs, check_equal, check_mean

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "book" / "support"))
import claims  # noqa: E402
import notebooks  # noqa: E402


@pytest.mark.parametrize(
    ("line", "claim", "demand", "kind", "against", "label"),
    [
        ("✓ a = b | equal within 1e-12 | against SciPy | (a-b)", "a = b", "equal within 1e-12", "equal within", "SciPy", "a-b"),
        ("✓ a = b | equal within 1e-12", "a = b", "equal within 1e-12", "equal within", None, None),
        ("✓ each | each equal within 1e-12 | against b", "each", "each equal within 1e-12", "each equal within", "b", None),
        ("✓ each | each equal | against b | (c)", "each", "each equal", "each equal", "b", "c"),
        ("✓ log p(x|z) at q | equal", "log p(x|z) at q", "equal", "equal", None, None),
        ("✓ |x| | |y| | equal | against p(x|z) (exact) | (n)", "|x| | |y|", "equal", "equal", "p(x|z) (exact)", "n"),
        ("✓ a | equal | b | bound holds | against d | (c)", "a | equal | b", "bound holds", "bound holds", "d", "c"),
        ("✓ (of two) | bound holds", "(of two)", "bound holds", "bound holds", None, None),
        ("✓ E | within 4 standard errors, n = 9 | against a | (e)", "E", "within 4 standard errors, n = 9", "within 4 standard errors", "a", "e"),
        ("✓ σ for σ² | differs by more than 5e-01", "σ for σ²", "differs by more than 5e-01", "differs by more than", None, None),
    ],
)  # fmt: skip
def test_a_line_is_read_from_the_right(line, claim, demand, kind, against, label):
    assert claims.parse(line) == (claim, demand, kind, against, label)


@pytest.mark.parametrize("line", ["", "5 ✓ of 6", "  ✓ a | equal", "a | equal"])
def test_other_output_is_not_a_check(line):
    assert claims.parse(line) is None


@pytest.mark.parametrize("line", ["✓ a", "✓ a | (label)", "✓ a | almost equal", "✓ a | equality", "✓ equal within 1e-12"])
def test_a_line_that_no_check_prints_is_refused(line):
    with pytest.raises(ValueError, match="not a line of"):
        claims.parse(line)


def test_every_kind_of_check_prints_a_line_that_is_read_back(capsys):
    check_equal("each of p(x|z)", 1, 1, tol=1e-9, each=True, against="x")
    check_equal("p(x|z)", 1, 1, tol=1e-9, against="p(x|z) | z", proves="a")
    check_equal("each", 1, 1, tol=0, each=True)
    check_equal("one", 1, 1, tol=0)
    check_mean("mean", [-1, 1], 0, against="y", proves="b")
    check_bound("bound", 0, 1, against="z", proves="c")
    check_differs("slip", 2, 1, by=0.5)
    checks = [claims.parse(line) for line in capsys.readouterr().out.splitlines()]
    assert [check.kind for check in checks] == list(claims.KINDS)
    assert [check.claim for check in checks] == ["each of p(x|z)", "p(x|z)", "each", "one", "mean", "bound", "slip"]
    assert [check.against for check in checks] == ["x", "p(x|z) | z", None, None, "y", "z", None]
    assert [check.label for check in checks] == [None, "a", None, None, "b", "c", None]


@pytest.fixture
def notebook(tmp_path):
    """A stored notebook with three equations, of which one claims something that nothing proves."""
    new = nbformat.v4
    output = new.new_output("stream", name="stdout", text="a number: 3\n✓ a | equal | (good)\n✓ b | bound holds\n")
    cells = [
        new.new_markdown_cell("# A title\n\n$$ a $$ (def-a)\n\n$$ a = b $$ (good)\n\n$$ a = c $$ (open)\n\n$$ d $$"),
        new.new_code_cell("check()", outputs=[output]),
    ]
    nbformat.write(new.new_notebook(cells=cells), tmp_path / "made_up.ipynb")
    return claims.Notebook(tmp_path / "made_up.ipynb")


def test_a_notebook_tells_its_claims_from_its_definitions(notebook):
    assert (notebook.title, notebook.cells) == ("A title", 1)
    assert notebook.definitions == ["def-a"]
    assert notebook.claims == ["good", "open"]
    assert [check.claim for check in notebook.checks] == ["a", "b"]


def test_the_page_names_an_equation_that_nothing_proves(notebook):
    directive = SimpleNamespace(
        notebooks={"page": notebook}, all=lambda part: getattr(notebook, part), env=SimpleNamespace(docname="claims")
    )
    _, equations, _ = claims.Claims.totals(directive)[0]
    assert equations.astext().startswith(
        "2 numbered equations claim something, and all of them are proved by at least one check, but for"
    )
    assert equations.astext().endswith("but for open")


# What it costs to run


@pytest.fixture
def cost(tmp_path, monkeypatch):
    monkeypatch.setattr(notebooks, "COST", tmp_path / "cost.json")
    monkeypatch.setattr(notebooks, "MEASURED", tmp_path / "measured.json")
    return tmp_path / "cost.json"


def test_a_run_of_all_notebooks_records_their_seconds_and_the_machine(cost, monkeypatch):
    monkeypatch.setattr(notebooks, "execute", lambda path: (1.26, ["1e-12", ""]))
    notebooks.run([])
    recorded = json.loads(cost.read_text(encoding="utf-8"))
    assert recorded["seconds"] == {path.stem: 1.3 for path in notebooks.BOOK.glob("*.ipynb")}
    assert recorded["machine"] == notebooks.machine()


def test_a_run_of_some_notebooks_is_no_measurement(cost, monkeypatch):
    monkeypatch.setattr(notebooks, "execute", lambda path: (1.26, ["1e-12", ""]))
    notebooks.run([notebooks.BOOK / "intro.ipynb"])
    assert not cost.exists()
    assert json.loads(notebooks.MEASURED.read_text(encoding="utf-8")) == {"intro": ["1e-12", ""]}


def test_a_run_that_fails_is_no_measurement(cost, monkeypatch):
    def execute(path):
        if path.stem == "intro":
            raise RuntimeError("a check failed")
        return 1.26, []

    monkeypatch.setattr(notebooks, "execute", execute)
    with pytest.raises(RuntimeError, match="a check failed"):
        notebooks.run([])
    assert not cost.exists()


MACHINE = {"processor", "cores", "memory", "system", "python", "torch"}


def test_the_machine_is_described_and_not_named():
    facts = notebooks.machine()
    assert {"processor", "cores"} <= set(facts) <= MACHINE
    assert all(facts.values())


def test_the_stored_measurement_is_of_notebooks_that_exist():
    stored = json.loads((notebooks.BOOK / "cost.json").read_text(encoding="utf-8"))
    assert set(stored) == {"machine", "seconds"}
    assert set(stored["machine"]) <= MACHINE
    assert set(stored["seconds"]) <= {path.stem for path in notebooks.BOOK.glob("*.ipynb")}
    assert all(0 < seconds < 120 for seconds in stored["seconds"].values())


def test_every_check_has_what_it_measured_and_that_is_within_its_demand():
    measured = json.loads((notebooks.BOOK / "measured.json").read_text(encoding="utf-8"))
    limits = {"each equal": 0, "equal": 0, "within 4 standard errors": 4}
    for path in notebooks.BOOK.glob("*.ipynb"):
        checks = claims.Notebook(path).checks
        for check, found in zip(checks, measured[path.stem], strict=True):
            if check.kind == "bound holds":
                assert found == ""
            elif check.kind == "differs by more than":
                assert float(found) > 0.9 * float(check.demand.split()[-1]), check
            else:  # a digit each
                limit = limits[check.kind] if check.kind in limits else float(check.demand.split()[-1])
                assert float(found) <= 1.06 * limit, check
