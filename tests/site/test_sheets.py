"""Exercise sheet and key: all exercises in both, solutions and exam problems in the key only."""

import re
import subprocess
import sys

import pytest
from stored import NOTEBOOKS, ROOT

sys.path.insert(0, str(ROOT / "book" / "support"))
import sheets  # noqa: E402

STATEMENT = re.compile(r"<strong>((?:Exercise|Task) [\d.]+)</strong>")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sheets")
    subprocess.run([sys.executable, sheets.__file__, folder], check=True, capture_output=True)
    return folder


def page(folder, kind):
    return (folder / f"{kind}.html").read_text(encoding="utf-8")


def test_sheet_and_key_have_every_exercise_once(folder):
    sources = [cell.source for notebook in NOTEBOOKS.values() for cell in notebook.cells if cell.cell_type == "markdown"]
    stated = re.findall(r"^\*\*((?:Exercise|Task) [\d.]+)\*\*", "\n".join(sources), re.MULTILINE)
    assert len(stated) > 70
    assert STATEMENT.findall(page(folder, "sheet")) == STATEMENT.findall(page(folder, "key")) == stated


def test_only_the_key_has_solutions_and_exam_problems(folder):
    sheet, key = page(folder, "sheet"), page(folder, "key")
    assert "Solution" not in sheet and "check_" not in sheet and "Problem 1" not in sheet
    assert key.count("<strong>Solution.</strong>") == len(STATEMENT.findall(key))
    assert len(re.findall(r"✓ (?:Exercise|Task) [\d.]+: the answer", key)) == len(STATEMENT.findall(key))
    assert len(re.findall(r"<strong>Problem \d</strong>", key)) == key.count("<strong>Answer.</strong>") == 8


@pytest.mark.parametrize("kind", sheets.TITLES)
def test_nothing_of_the_books_own_markup_is_left(folder, kind):
    assert not re.search(r"\{(eq|numref|cite:\w|prf:\w+|ref)\}|:::|\$\$|<details|\]\([\w#.]+(ipynb|md)", page(folder, kind))


@pytest.mark.parametrize("kind", sheets.TITLES)
def test_it_is_printed_with_all_formulas(chromium, folder, kind):
    pages = len(re.findall(rb"/Type\s*/Page\b", (folder / f"{kind}.pdf").read_bytes()))
    assert 5 <= pages <= 50
    tab, problems = chromium.new_page(), []
    tab.on("pageerror", lambda error: problems.append(str(error)))
    tab.on("requestfailed", lambda request: problems.append(request.url))
    tab.goto((folder / f"{kind}.html").as_uri())
    assert tab.locator(".katex").count() > 200 and tab.locator(".katex-error").count() == 0 and problems == []
    tab.close()
