"""The book as LaTeX, before it is compiled: nothing of the site is lost on paper. `make pdf` compiles it."""

import os
import pathlib
import re
import subprocess
import sys

import nbformat
import pytest
import yaml

ROOT = pathlib.Path(__file__).parents[1]
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
NOTEBOOKS = {path: nbformat.read(path, as_version=4) for path in sorted((ROOT / "book").glob("*.ipynb"))}


@pytest.fixture(scope="module")
def tex(tmp_path_factory):
    """A fresh, strict build."""
    out = tmp_path_factory.mktemp("pdf")
    env = os.environ | {"PATH": os.pathsep.join([str(pathlib.Path(sys.executable).parent), os.environ["PATH"]])}
    command = ["jupyter-book", "build", "-W", "-n", "--keep-going", "--builder", "latex", "--path-output", str(out), str(ROOT)]
    build = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=240)
    assert build.returncode == 0, build.stdout + build.stderr
    (file,) = (out / "_build" / "latex").glob("*.tex")
    return file.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def chapters(tex):
    """{file: its LaTeX}, in their order."""
    parts = re.split(r"\\label\{\\detokenize\{(book/\w+)::doc\}\}", tex)
    return dict(zip(parts[1::2], parts[2::2]))


def test_the_chapters_come_in_the_order_of_the_site_under_its_parts(tex, chapters):
    assert list(chapters) == [TOC["root"], *(chapter["file"] for part in TOC["parts"] for chapter in part["chapters"])]
    parts = [part["caption"].split(" · ")[-1] for part in TOC["parts"]]
    assert re.findall(r"\\book(?:part|back)\{(.*)\}", tex) == parts


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_labelled_equation_is_there(chapters, path):
    text = "\n".join(cell.source for cell in NOTEBOOKS[path].cells if cell.cell_type == "markdown")
    for label in re.findall(r"\$\$ \(([\w-]+)\)$", text, re.MULTILINE):
        assert chapters[f"book/{path.stem}"].count(rf"\begin{{equation}}\label{{equation:book/{path.stem}:{label}}}") == 1


def test_every_picture_is_there_and_moving_figures_are_pictures(tex):
    outputs = [output for notebook in NOTEBOOKS.values() for cell in notebook.cells for output in cell.get("outputs", [])]
    assert tex.count(r"\sphinxincludegraphics") == sum("image/png" in output.get("data", {}) for output in outputs)
    assert re.findall(r"<(?:figure|div|img|script|style)\b|data:image", tex) == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_solution_is_printed(chapters, path):
    hidden = [cell for cell in NOTEBOOKS[path].cells if "hide-cell" in cell.metadata.get("tags", [])]
    printed = re.findall(r"\{tag_hide-cell\}.*?\\end\{sphinxVerbatim\}", chapters[f"book/{path.stem}"], re.DOTALL)
    assert len(printed) == len(hidden)
    assert all("Solution" in code for code in printed)
