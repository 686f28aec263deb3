"""The book as LaTeX, before it is compiled: nothing of the site is lost on paper. `make pdf` compiles it."""

import re
import sys

import pytest
import stored
from stored import ROOT, TOC, build

sys.path.insert(0, str(ROOT / "book" / "support"))
from printed import ON_SCREEN_ONLY  # noqa: E402

PAGES = [page for page in stored.PAGES if page not in ON_SCREEN_ONLY]
NOTEBOOKS = {page: notebook for page, notebook in stored.NOTEBOOKS.items() if page not in ON_SCREEN_ONLY}
every_notebook = pytest.mark.parametrize("page", NOTEBOOKS)


@pytest.fixture(scope="module")
def tex(tmp_path_factory, built):
    (file,) = (build(tmp_path_factory.mktemp("pdf"), "--builder", "latex", read=built) / "latex").glob("*.tex")
    return file.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def chapters(tex):
    """{file: its LaTeX}, in their order."""
    parts = re.split(r"\\label\{\\detokenize\{(book/\w+)::doc\}\}", tex)
    return dict(zip(parts[1::2], parts[2::2]))


def test_the_chapters_come_in_the_order_of_the_site_under_its_parts(tex, chapters):
    assert list(chapters) == PAGES
    parts = [part["caption"].split(" · ")[-1] for part in TOC["parts"]]
    assert re.findall(r"\\book(?:part|back)\{(.*)\}", tex) == parts


@every_notebook
def test_every_labelled_equation_is_there(chapters, page):
    text = "\n".join(cell.source for cell in NOTEBOOKS[page].cells if cell.cell_type == "markdown")
    for label in re.findall(r"\$\$ \(([\w-]+)\)$", text, re.MULTILINE):
        assert chapters[page].count(rf"\begin{{equation}}\label{{equation:{page}:{label}}}") == 1


def test_every_picture_is_there_and_moving_figures_are_pictures(tex):
    outputs = [output for notebook in NOTEBOOKS.values() for cell in notebook.cells for output in cell.get("outputs", [])]
    assert tex.count(r"\sphinxincludegraphics") == sum("image/png" in output.get("data", {}) for output in outputs)
    assert re.findall(r"<(?:figure|div|img|script|style)\b|data:image", tex) == []


@every_notebook
def test_every_solution_is_printed(chapters, page):
    code = [cell for cell in NOTEBOOKS[page].cells if "hide-cell" in cell.metadata.get("tags", [])]
    words = [cell for cell in NOTEBOOKS[page].cells if cell.source.startswith("<details><summary>Solution</summary>")]
    printed = re.findall(r"\{tag_(?:hide-cell|solution)\}.*?\\end\{sphinxVerbatim\}", chapters[page], re.DOTALL)
    assert len(printed) == len(code)
    assert chapters[page].count(r"\sphinxstylestrong{Solution.}") == len(words)
    assert len(words) == len(code) or all("Solution" in source for source in printed)


@every_notebook
def test_no_cell_waits_for_an_answer_and_no_solution_is_judged(chapters, page):
    assert "no answer yet" not in chapters[page]
    assert not re.search(r"\{tag_answer\}", chapters[page])
    solutions = re.findall(r"\{tag_solution\}(.*?)\\end\{sphinxuseclass\}", chapters[page], re.DOTALL)
    assert not any("✓ Exercise" in text for text in solutions)


def test_the_list_of_all_checks_is_left_to_the_website(chapters):
    assert "How a check decides" in chapters["book/claims"]
    assert "One list of them is on the website" in chapters["book/claims"]
    assert "SciPy" not in chapters["book/claims"]


@every_notebook
def test_the_code_of_proofs_and_plots_is_left_out_and_its_verdicts_are_not(chapters, page):
    folded = [cell for cell in NOTEBOOKS[page].cells if {"proof", "plot"} & set(cell.metadata.get("tags", []))]
    calls = {name for cell in folded for name in re.findall(r"check_\w+\(|\.subplots\(", cell.source)}
    shown = [cell for cell in NOTEBOOKS[page].cells if cell.cell_type == "code" and cell not in folded]
    calls -= {name for cell in shown for name in re.findall(r"check_\w+\(|\.subplots\(", cell.source)}
    text = re.sub(r"\\PYG\{\w+\}\{([^{}]*)\}|\\", r"\1", chapters[page])
    assert [name for name in calls if name in text] == []


def test_the_caption_of_a_figure_that_moves_says_so(tex):
    outputs = [output for notebook in NOTEBOOKS.values() for cell in notebook.cells for output in cell.get("outputs", [])]
    moving = sum("<script" in output.get("data", {}).get("text/html", "") for output in outputs)
    assert tex.count("On the website this figure moves") == moving > 0
