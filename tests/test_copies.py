"""copies.py: notebooks that are read without the site, with everything written out."""

import json
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "book" / "support"))
import cells  # noqa: E402
import copies  # noqa: E402

STORED = copies.load()
PLAIN = copies.plain(STORED)
every_notebook = pytest.mark.parametrize("name", STORED)

MADE_UP = {
    "03_made_up": {
        "cells": [
            cells.markdown(
                "# T\n\n$$ a $$ (def-a)\n\n:::{prf:theorem} Named\n:label: thm\n\n$$\nb = c\n$$ (b-c)\n\nWords.\n:::\n\nSee {eq}`b-c`, {eq}`far` and {cite:p}`kingma2014,tipping1999`; {cite:t}`kingma2014` show it."
            ),
            {"cell_type": "code", "id": "f", "source": "draw()", "outputs": [], "execution_count": 1,
             "metadata": {"tags": ["hide-input", "plot"], "mystnb": {"figure": {"name": "fig-a", "caption": "As {eq}`def-a` says."}}}},
        ]
    },
    "04_far": {"cells": [cells.markdown("# F\n\n$$ d = e $$ (far)")]},
}  # fmt: skip


def test_equations_boxes_citations_and_captions_are_written_out_with_their_numbers():
    words, code, caption = copies.plain(MADE_UP)["03_made_up"]["cells"]
    assert "$$ a \\tag{3.1}\n$$" in words["source"]
    assert "**Theorem 3.1 (Named).**\n\n$$\nb = c \\tag{3.2}\n$$\n\nWords.\n" in words["source"]
    assert "See (3.2), [(4.1)](04_far.ipynb) and (Kingma and Welling 2014; Tipping and Bishop 1999)" in words["source"]
    assert "Kingma and Welling (2014) show it." in words["source"]
    assert code["source"] == '#@title How it is drawn { display-mode: "form" }\ndraw()' and code["metadata"]["cellView"] == "form"
    assert caption["source"] == "**Fig. 3.1.** As (3.1) says."


@every_notebook
def test_no_directive_role_or_label_is_left(name):
    words = "\n".join(cell["source"] for cell in PLAIN[name]["cells"] if cell["cell_type"] == "markdown")
    assert re.findall(r":::.*|\{[a-z:]+\}`[^`]*`|\$\$ *\([\w-]+\)", words) == []


@every_notebook
def test_the_code_is_that_of_the_book(name):
    code = [
        [cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "code"] for notebook in (STORED[name], PLAIN[name])
    ]
    assert [re.sub(r"^#@title .*\n", "", source) for source in code[1]] == code[0]


@pytest.mark.parametrize(
    ("written", "read"), [(r"K{\"o}hler", "Köhler"), (r"Rol\'{\i}nek", "Rolínek"), ("{van den Oord}", "van den Oord")]
)
def test_names_keep_their_letters(written, read):
    assert copies.plain_letters(written) == read


@every_notebook
def test_students_get_no_solution_and_keep_every_answer_cell(name):
    def tags(notebook):
        return [tag for cell in notebook["cells"] for tag in cell["metadata"].get("tags", [])]

    student = copies.for_students(STORED[name])
    assert "solution" not in tags(student)
    assert tags(student).count("answer") == tags(STORED[name]).count("answer")


def run_first_cell(notebook, folder):
    (cell,) = [cell for cell in notebook["cells"][:1] if cell["cell_type"] == "code"]
    return subprocess.run([sys.executable, "-I", "-S", "-c", cell["source"]], cwd=folder, capture_output=True, text=True)


@pytest.mark.parametrize("address", ["", "https://github.com/owner/name"])
def test_a_chapter_that_is_downloaded_alone_says_how_to_get_the_package(tmp_path, address):
    notebook = copies.for_download({"cells": []}, address)
    says = run_first_cell(notebook, tmp_path).stderr  # without the packages of this environment
    assert "ModuleNotFoundError: The package vae_edu is not here. Get the book's repository" in says and "make lab" in says
    assert ("pip install 'vae-edu[book] @ git+https://github.com/owner/name'" in says) == bool(address)
    exec(notebook["cells"][0]["source"], {})  # here it is installed


def test_copies_are_written_as_notebooks(tmp_path):
    copies.save({name: copies.for_students(notebook) for name, notebook in PLAIN.items()}, tmp_path / "student")
    for path in (tmp_path / "student").iterdir():
        assert json.loads(path.read_text(encoding="utf-8"))["nbformat"] == 4
