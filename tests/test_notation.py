"""The names that the page of notation gives to code are names of the package."""

import ast
import pathlib
import re

ROOT = pathlib.Path(__file__).parents[1]
LINES = (ROOT / "book" / "notation.md").read_text(encoding="utf-8").splitlines()
ROWS = [re.split(r" *(?<!\\)\| *", line.strip().strip("|").strip()) for line in LINES if re.match(r"\| [^|]*\$", line)]
WIDE = [row for row in ROWS if len(row) > 2]


def names():
    """Everything that the package defines or uses; functions and methods also with their module or class."""
    found = set()
    for path in (ROOT / "vae_edu").glob("*.py"):
        found.add(path.stem)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef | ast.Module):
                owner = node.name if isinstance(node, ast.ClassDef) else path.stem
                found |= {f"{owner}.{item.name}" for item in node.body if isinstance(item, ast.FunctionDef | ast.ClassDef)}
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                found.add(node.name)
            if isinstance(node, ast.arg):
                found.add(node.arg)
            if isinstance(node, ast.Name):
                found.add(node.id)
            if isinstance(node, ast.Attribute):
                found.add(node.attr)
    return found


def test_every_name_in_the_column_of_code_is_one_of_the_package():
    shown = {name for row in WIDE for name in re.findall(r"`([\w.]+)`", row[3])}
    assert len(shown) > 20
    assert shown - names() == set()


def test_every_row_is_complete_and_every_symbol_has_one_row():
    assert {len(row) for row in ROWS} == {2, 6}
    symbols = [symbol for row in WIDE for symbol in re.findall(r"\$[^$]+\$", row[0])]
    assert len(symbols) == len(set(symbols))
    assert all(re.search(r"\{eq\}`[\w-]+`", row[4]) for row in WIDE)
