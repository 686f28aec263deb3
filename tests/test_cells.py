"""cells.py: one tag says what a cell is, and the stored notebook and the page fold it accordingly."""

import pathlib
import sys

import nbformat
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "book" / "support"))
import cells  # noqa: E402
import notebooks  # noqa: E402


def code(source, *tags):
    return {"cell_type": "code", "metadata": {"tags": list(tags)}, "source": source, "outputs": []}


@pytest.mark.parametrize(
    ("tag", "hidden", "jupyter"),
    [
        ("proof", "hide-input", {"source_hidden": True}),
        ("plot", "hide-input", {"source_hidden": True}),
        ("exercise", "hide-input", {"source_hidden": True}),
        ("setup", "hide-input", {"source_hidden": True}),
        ("solution", "hide-cell", {"source_hidden": True, "outputs_hidden": True}),
    ],
)
def test_a_stored_notebook_is_folded_in_jupyterlab_and_on_the_page(tag, hidden, jupyter):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1", metadata={"tags": [tag]})])
    metadata = notebooks.normalize(notebook).cells[0].metadata
    assert metadata.tags == sorted([tag, hidden]) and metadata.jupyter == jupyter
    assert notebooks.normalize(notebook).cells[0].metadata == metadata


def test_a_cell_that_is_shown_is_folded_nowhere_even_if_an_editor_did():
    cell = nbformat.v4.new_code_cell("1", metadata={"jupyter": {"source_hidden": True}, "tags": ["answer"]})
    assert notebooks.normalize(nbformat.v4.new_notebook(cells=[cell])).cells[0].metadata == {"tags": ["answer"]}


def test_a_fold_on_the_page_says_what_is_in_it():
    (cell,) = cells.for_the_page([code("check()", "hide-input", "proof")])
    assert cell["metadata"]["mystnb"] == {"code_prompt_show": "How it was checked", "code_prompt_hide": "How it was checked"}


def test_the_caption_of_a_figure_survives_its_fold():
    cell = code("plot()", "hide-input", "plot")
    cell["metadata"]["mystnb"] = {"figure": {"caption": "C"}}
    (page,) = cells.for_the_page([cell])
    assert page["metadata"]["mystnb"]["figure"] == {"caption": "C"}


def test_words_code_and_output_of_a_solution_are_in_one_fold():
    words = cells.markdown("<details><summary>Solution</summary>\n\nBecause.\n\n</details>")
    page = cells.for_the_page([words, code("answer = 1", "hide-cell", "solution"), cells.markdown("**Exercise 2**")])
    assert [cell["source"].strip() for cell in page] == [
        "<details><summary>Solution</summary>\n\nBecause.", "answer = 1", "</details>", "**Exercise 2**"]  # fmt: skip
    assert page[1]["metadata"]["tags"] == ["solution"]


def test_a_solution_at_the_end_is_closed_and_one_without_words_has_its_own_fold():
    page = cells.for_the_page([cells.markdown("<details><summary>Solution</summary>\n\nBecause.\n\n</details>")])
    assert page[-1]["source"] == "</details>" and len(page) == 2
    (page,) = cells.for_the_page([code("answer = 1", "hide-cell", "solution")])
    assert "hide-cell" in page["metadata"]["tags"]


def test_entries_of_the_index_stand_before_their_words_and_after_the_title():
    for source, expected in (
        ("## The bound\nWords", ["```{index} ! single: ELBO", "## The bound"]),
        ("# The chapter\nWords", ["# The chapter", "```{index} ! single: ELBO", "Words"]),
    ):
        cell = cells.markdown(source) | {"metadata": {"index": ["ELBO"]}}
        (page,) = cells.for_the_page([cell])
        places = [page["source"].index(part) for part in expected]
        assert places == sorted(places)
