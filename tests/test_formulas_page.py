"""What the pages behind the chapters show of them: equations, exactly as they stand there, and the beliefs that they quote."""

import pathlib
import re
import sys

import displayed
import nbformat
import pytest
from docutils import nodes
from sphinx.application import Sphinx

BOOK = pathlib.Path(__file__).parents[1] / "book"
sys.path.insert(0, str(BOOK / "support"))
import formulas  # noqa: E402

LABELS = re.findall(r"^:::\{formula\} (\S+)$", (BOOK / "formulas.md").read_text(encoding="utf-8"), re.MULTILINE)
FORMULAS = displayed.formulas()


@pytest.fixture
def build(tmp_path):
    """build(page): the document tree of a page beside a chapter with the equation `pythagoras`, and the warnings."""

    def build(page):
        source, out = tmp_path / "source", tmp_path / "out"
        source.mkdir()
        cell = nbformat.v4.new_markdown_cell("# A chapter\n\n$$\na^2 + b^2 = c^2 .\n$$ (pythagoras)")
        nbformat.write(nbformat.v4.new_notebook(cells=[cell]), source / "chapter.ipynb")
        (source / "index.md").write_text(f"# A page\n\n{page}\n", encoding="utf-8")
        settings = {"extensions": ["myst_nb", "formulas"], "nb_execution_mode": "off", "html_math_renderer": "mathjax"}
        settings["myst_enable_extensions"] = ["dollarmath", "colon_fence"]
        with open(tmp_path / "warnings", "w+", encoding="utf-8") as warnings:
            app = Sphinx(source, None, out, out / "doctrees", "dummy", settings, status=None, warning=warnings)
            app.build()
            warnings.seek(0)
            return app.env.get_doctree("index"), warnings.read()

    return build


def test_every_label_of_the_page_is_an_equation_of_the_book_shown_once():
    assert 35 <= len(LABELS) <= 45
    assert [label for label in LABELS if label not in FORMULAS] == []
    assert len(set(LABELS)) == len(LABELS)


def test_the_page_follows_the_order_of_the_book():
    chapters = [FORMULAS[label][0] for label in LABELS if label in FORMULAS]
    assert chapters == sorted(chapters)


@pytest.mark.parametrize("path", sorted(BOOK.glob("[!.]*.ipynb")), ids=lambda path: path.stem)
def test_the_extension_reads_the_same_latex_as_the_tests_of_what_is_displayed(path):
    expected = {label: latex.strip() for label, (name, latex) in FORMULAS.items() if name == path.stem}
    assert formulas.formulas(str(path)) == expected


def test_the_directive_shows_the_equation_of_the_chapter_and_links_it(build):
    page, warnings = build(":::{formula} pythagoras\nThe longest side, $c$.\n:::")
    (formula,) = page.findall(nodes.math_block)
    assert formula.astext() == "a^2 + b^2 = c^2 ."
    assert formula.parent.astext().startswith("The longest side, c.")
    (link,) = [node for node in page.findall(nodes.Element) if node.get("reftype") == "eq"]
    assert link["reftarget"] == "pythagoras"
    assert "formula" not in warnings


def test_an_unknown_label_is_an_error(build):
    _, warnings = build(":::{formula} pythagorass\nThe longest side.\n:::")
    assert "0 equations of the book are labelled pythagorass" in warnings


def made_up(tmp_path, refuted):
    cells = ['# A chapter\n\n## A part\n\n### "All is well"\n\nIt is not.', '### Another "word"\n\n> "A quote."']
    cells = [nbformat.v4.new_markdown_cell(source) for source in cells]
    cells[0].metadata["refuted"] = refuted
    path = tmp_path / "made_up.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return str(path)


def test_a_belief_is_a_heading_in_quotation_marks_with_what_is_found(tmp_path):
    assert formulas.beliefs(made_up(tmp_path, ["Nothing is."])) == [('"All is well"', "Nothing is.")]


def test_a_belief_without_an_answer_is_an_error(tmp_path):
    with pytest.raises(ValueError):
        formulas.beliefs(made_up(tmp_path, []))


def test_the_chapters_quote_more_than_twenty_beliefs():
    paths = [str(path) for path in sorted(BOOK.glob("[!.]*.ipynb"))]
    assert len({belief for path in paths for belief, _ in formulas.beliefs(path)}) > 20
