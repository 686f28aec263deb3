"""The package as a reader meets it: light to import, read in one direction, documented, short."""

import ast
import pathlib
import re
import subprocess
import sys

import pytest

import vae_edu

FOLDER = pathlib.Path(vae_edu.__file__).parent
READING_ORDER = re.findall(r"\w+", vae_edu.__doc__.split("\n\n")[1].rstrip("."))
TREES = {path.stem: ast.parse(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.py") if path.stem != "__init__"}
every_module = pytest.mark.parametrize("name", sorted(TREES))


def imported_modules(tree):
    """The modules of vae_edu that a module imports, wherever in the file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.removeprefix("vae_edu.") for alias in node.names if alias.name.startswith("vae_edu"))
        elif isinstance(node, ast.ImportFrom) and node.module == "vae_edu":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.level or node.module.startswith("vae_edu.")):
            yield node.module.removeprefix("vae_edu.")


def test_the_docstring_lists_every_module_in_reading_order():
    assert READING_ORDER[0] == "gaussian"
    assert sorted(READING_ORDER) == sorted(TREES)


def test_the_page_of_the_package_shows_every_module_in_reading_order():
    page = (FOLDER.parent / "book" / "api.md").read_text(encoding="utf-8")
    assert re.findall(r"automodule:: vae_edu\.(\w+)", page) == READING_ORDER == re.findall(r"^## (\w+)$", page, re.MULTILINE)


@every_module
def test_a_module_imports_only_what_the_reader_has_read(name):
    later = set(imported_modules(TREES[name])) - set(READING_ORDER[: READING_ORDER.index(name)])
    assert later == ({"figures"} if name == "training" else set())  # History.plot draws when it is called


@pytest.mark.slow
def test_importing_the_package_loads_neither_figures_nor_widgets_nor_data():
    heavy = ["matplotlib", "ipywidgets", "IPython", "sklearn", "scipy", "vae_edu.figures"]
    code = f"import sys, vae_edu; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=FOLDER.parent, text=True, timeout=120) == "[]\n"


@every_module
def test_every_public_name_says_what_it_is(name):
    definitions = [node for node in TREES[name].body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    undocumented = [node.name for node in definitions if not ast.get_docstring(node)]
    assert ast.get_docstring(TREES[name])
    assert [name for name in undocumented if not name.startswith("_")] == []


@every_module
def test_a_module_fits_in_one_reading(name):
    assert len((FOLDER / f"{name}.py").read_text(encoding="utf-8").splitlines()) <= 160


def test_everything_that_is_exported_exists():
    assert [name for name in vae_edu.__all__ if not hasattr(vae_edu, name)] == []
