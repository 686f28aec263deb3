"""The plan of the three lectures: minute by minute, with the sections of its slides, and nothing borrowed in silence."""

import pathlib
import re
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "book" / "support"))
import copies  # noqa: E402
import slides  # noqa: E402

PAGE = (ROOT / "book" / "lecturers.md").read_text(encoding="utf-8")
NOTEBOOKS = copies.load()
ROW = re.compile(r"^\| (\d+)–(\d+) \| (?:\[\d+\]\((\w+)\.ipynb\) )?\*(.+?)\* \|", re.MULTILINE)


def plan(lecture):
    """(from, to, chapter, section) of its rows."""
    (part,) = re.findall(rf"^### Lecture {lecture}\. .*?(?=^### )", PAGE, re.MULTILINE | re.DOTALL)
    rows, chapter = [], None
    for start, end, name, section in ROW.findall(part):
        chapter = name or chapter
        rows.append((int(start), int(end), chapter, section))
    return rows


def sections(chapter):
    """{title: [its cells]}, where ## begins a section."""
    found, title = {}, ""
    for cell in NOTEBOOKS[chapter]["cells"]:
        parts = re.split(r"^(?=## )", cell["source"], flags=re.MULTILINE) if cell["cell_type"] == "markdown" else ["code"]
        for part in filter(None, parts):
            if part.startswith("## "):
                title = part.splitlines()[0].removeprefix("## ")
            headed = part.startswith("## ") or "\n## " not in cell["source"]  # a slide has the title that its cell gives
            found.setdefault(title, []).append(cell | {"source": part, "metadata": cell["metadata"] if headed else {}})
    return found


PATH = [(chapter, section) for lecture in slides.LECTURES for _, _, chapter, section in plan(lecture)]


@pytest.mark.parametrize("lecture", slides.LECTURES)
def test_the_minutes_of_a_lecture_run_from_0_to_90(lecture):
    rows = plan(lecture)
    assert [start for start, *_ in rows] == [0, *(end for _, end, *_ in rows)][:-1] and rows[-1][1] == 90


@pytest.mark.parametrize("lecture", slides.LECTURES)
def test_the_plan_has_the_slides_sections_in_their_order_and_the_slides_its_chapters(lecture):
    title, chapters = slides.LECTURES[lecture]
    assert f"### Lecture {lecture}. {title}\n" in PAGE
    shown = []
    for chapter in chapters:
        for section, cells in sections(chapter).items():
            if section and any({"slide", "on-slide"} & set(cell["metadata"].get("tags", [])) for cell in cells):
                shown.append((chapter, section))
    closing = ("What we learned", "Exercises")  # a chapter's last slide is its summary
    assert [(chapter, section) for _, _, chapter, section in plan(lecture)] == [one for one in shown if one[1] not in closing]


def test_what_the_path_borrows_from_skipped_sections_is_listed():
    home, told = {}, {}
    for chapter in NOTEBOOKS:
        for section, cells in sections(chapter).items():
            text = "\n\n".join(cell["source"] for cell in cells)
            labels = [f["label"] for f in copies.FORMULA.finditer(text)] + [b["label"] for b in copies.BOX.finditer(text)]
            home |= dict.fromkeys(labels, (chapter, section))
            told[chapter, section] = re.sub(r"<details>.*?</details>", "", text, flags=re.DOTALL)
    used = {label for place in PATH for label in re.findall(r"\{(?:eq|prf:ref)\}`([^`]+)`", told[place])}
    (listed,) = re.findall(r"^### What the path borrows\n(.*?)^A fourth lecture", PAGE, re.MULTILINE | re.DOTALL)
    assert {label for label in used if home[label] not in PATH} == set(re.findall(r"\{eq\}`([^`]+)`", listed))
