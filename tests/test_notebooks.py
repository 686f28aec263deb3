"""The notebooks as they are stored: complete, normalized, and every equation that they claim is proved by a check."""

import collections
import json
import pathlib
import re
import sys

import nbformat
import pytest
import yaml

ROOT = pathlib.Path(__file__).parents[1]
BOOK = ROOT / "book"
sys.path.insert(0, str(BOOK / "support"))
import cells  # noqa: E402
import claims  # noqa: E402
import notebooks  # noqa: E402

PATHS = sorted(BOOK.glob("*.ipynb"))
NOTEBOOKS = {path.stem: nbformat.read(path, as_version=4) for path in PATHS}
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in sorted(BOOK.glob("*.md"))}
CHAPTERS = [name for name in NOTEBOOKS if re.match(r"\d\d_", name)]
every_notebook = pytest.mark.parametrize("name", NOTEBOOKS)
every_chapter = pytest.mark.parametrize("name", CHAPTERS)

EQUATION = re.compile(r"\$\$(?:[^$]|\\\$)+\$\$ *(?:\(([^()\s]+)\))?")  # group 1: the label
MACHINE_PATH = re.compile(r"(?<![\w.~-])/(?:home|root|tmp|work|Users|private|var)/|\b[A-Z]:\\+(?:Users|Windows|Program)")


def markdown(name):
    return "\n\n".join(cell.source for cell in NOTEBOOKS[name].cells if cell.cell_type == "markdown")


def code(name):
    return [cell for cell in NOTEBOOKS[name].cells if cell.cell_type == "code"]


def texts(cell):
    """What a cell says in words: its source, and its outputs without their pictures."""
    yield cell.source
    for output in cell.get("outputs", []):
        yield output.get("text", "")
        words = [str(data) for kind, data in output.get("data", {}).items() if not kind.startswith("image/")]
        yield from (re.sub(r"base64,[\w+/=]+", "", text) for text in words)


def labels(text):
    return [label for label in EQUATION.findall(text) if label]


def tags(cell):
    return set(cell.metadata.get("tags", []))


def checks(name):
    stdout = [o.text for cell in code(name) for o in cell.outputs if o.output_type == "stream" and o.name == "stdout"]
    return [check for check in map(claims.parse, "\n".join(stdout).splitlines()) if check]


def proofs(name):
    return {check.label for check in checks(name)} - {None}


def test_the_book_has_chapters():
    assert "01_autoencoder" in CHAPTERS


def test_the_table_of_contents_lists_every_page_and_no_other():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    listed = [toc["root"]] + [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]
    assert sorted(listed) == sorted(f"book/{name}" for name in [*NOTEBOOKS, *PAGES])


# Stored form


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_normalized(path):
    normal = notebooks.normalize(nbformat.read(path, as_version=4))
    nbformat.validate(normal)
    assert normal.nbformat_minor == 5
    assert path.read_text(encoding="utf-8") == nbformat.writes(normal) + "\n"


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_cell_ids_are_unique(path):
    ids = [cell["id"] for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]]  # nbformat would repair them
    assert len(set(ids)) == len(ids)


@every_notebook
def test_every_code_cell_was_executed_in_order_from_a_fresh_kernel(name):
    assert [cell.execution_count for cell in code(name)] == list(range(1, len(code(name)) + 1))


@every_notebook
def test_no_output_is_an_error_a_warning_or_a_progress_bar(name):
    outputs = [output for cell in code(name) for output in cell.outputs]
    assert [o for o in outputs if o.output_type == "error" or o.get("name") == "stderr" or notebooks.is_progress_bar(o)] == []


@every_notebook
def test_no_machine_path_is_stored(name):
    found = [text for cell in NOTEBOOKS[name].cells for text in texts(cell) if MACHINE_PATH.search(text)]
    assert found == []


@every_notebook
def test_every_figure_has_a_caption_a_name_and_alt_text(name):
    for cell in code(name):
        if any("image/png" in o.get("data", {}) and "text/html" not in o.data for o in cell.outputs):
            shown = cell.metadata.get("mystnb", {})
            assert len(shown.get("image", {}).get("alt", "")) > 20, cell.source
            assert shown.get("figure", {}).get("caption"), cell.source
            assert shown["figure"].get("name"), cell.source


@every_notebook
def test_every_figure_that_moves_brings_its_caption_and_alt_text_along(name):
    outputs = [output for cell in code(name) for output in cell.outputs if "image/png" in output.get("data", {})]
    for page in [output.data["text/html"] for output in outputs if "text/html" in output.data]:
        assert re.search(r'<img\b[^>]*\balt="[^"]{20,}"', page)
        assert re.search(r"<figcaption>\s*[^<\s]", page)


@every_notebook
def test_torch_runs_on_one_thread_so_that_its_sums_are_the_same_everywhere(name):
    source = "\n".join(cell.source for cell in code(name))
    assert not re.search(r"^(import|from) torch\b", source, re.MULTILINE) or "torch.set_num_threads(1)" in source


# Equations and their checks


@every_notebook
def test_every_equation_that_claims_something_is_proved_by_a_check_of_its_notebook(name):
    claimed = {label for label in labels(markdown(name)) if not label.startswith("def-")}
    assert claimed - proofs(name) == set()


@every_notebook
def test_every_check_that_proves_an_equation_names_one_of_its_notebook(name):
    assert proofs(name) - set(labels(markdown(name))) == set()


@every_notebook
def test_every_check_that_proves_an_equation_says_against_what(name):
    assert [check.claim for check in checks(name) if check.label and not check.against] == []


@every_notebook
def test_an_equality_that_says_each_every_or_all_compares_entry_by_entry(name):
    words = re.compile(r"\b(each|every|all)\b", re.IGNORECASE)
    together = [check.claim for check in checks(name) if check.kind in {"equal", "equal within"} and words.search(check.claim)]
    assert together == []


@every_notebook
def test_display_equations_are_written_so_that_these_tests_see_them(name):
    assert markdown(name).count("$$") == 2 * len(EQUATION.findall(markdown(name)))
    assert not re.search(r"\{math\}|\\label\{|\\begin\{(equation|align|gather)\b", markdown(name))


@pytest.mark.parametrize("page", PAGES)
def test_a_page_without_code_claims_no_equation(page):
    assert [label for label in labels(PAGES[page]) if not label.startswith("def-")] == []


def test_a_label_stands_for_one_equation_or_figure_of_the_book():
    named = [label for name in NOTEBOOKS for label in labels(markdown(name))]
    named += [label for page in PAGES.values() for label in labels(page)]
    shown = [cell.metadata.get("mystnb", {}) for name in NOTEBOOKS for cell in code(name)]
    named += [figure["figure"]["name"] for figure in shown if "figure" in figure]
    assert [label for label, count in collections.Counter(named).items() if count > 1] == []


# The template: the argument in front, the proof behind it


@every_chapter
def test_a_chapter_ends_with_what_we_learned_and_exercises(name):
    headings = re.findall(r"^## (.+)$", markdown(name), re.MULTILINE)
    assert headings[-2:] == ["What we learned", "Exercises"]


@every_notebook
def test_a_fold_is_one_of_the_known_kinds(name):
    hidden = [cell for cell in code(name) if tags(cell) & {"hide-input", "hide-cell"}]
    assert [cell.source for cell in hidden if not cells.kind(cell)] == []


@every_chapter
def test_a_cell_that_checks_or_draws_is_folded(name):
    shown = [cell for cell in code(name) if not cells.kind(cell)]
    assert [cell.source for cell in shown if re.search(r"\bcheck_(equal|mean|bound|differs)\(|\.subplots\(", cell.source)] == []


def shown_lines(cell):
    return [line for line in cell.source.splitlines() if line.strip() and not line.lstrip().startswith("#")]


@every_chapter
def test_the_argument_stands_in_front(name):
    shown = [cell for cell in code(name) if not cells.kind(cell) and shown_lines(cell)]
    lengths = sorted(len(shown_lines(cell)) for cell in shown)
    words = len(re.sub(r"\$\$.+?\$\$", "", markdown(name), flags=re.DOTALL).split())
    assert words / sum(lengths) >= 12
    assert lengths[len(lengths) // 2] <= 6
    assert [cell.source for cell in shown if len(shown_lines(cell)) > 20] == []


@every_chapter
def test_no_line_of_code_is_wider_than_the_page(name):
    assert [line for cell in code(name) for line in cell.source.splitlines() if len(line) > 79] == []


@every_chapter
def test_a_chapter_says_what_one_needs_and_what_one_will_be_able_to_do(name):
    opening = markdown(name).split("\n## ")[0]
    assert "**You need**" in opening and "**Afterwards you can**" in opening


@every_chapter
def test_there_are_four_graded_exercises_each_with_a_check_an_empty_answer_and_a_solution_that_passes(name):
    cells_ = NOTEBOOKS[name].cells
    starts = [i for i, cell in enumerate(cells_) if cell.source.startswith("**Exercise ")]
    statements = [re.match(r"\*\*Exercise (\d+)\.(\d+)\*\* \((easy|medium|hard)\)\.", cells_[i].source) for i in starts]
    assert [(int(s[1]), int(s[2])) for s in statements] == [(int(name[:2]), k + 1) for k in range(max(4, len(starts)))]
    assert len({s[3] for s in statements}) > 1
    for number, i in enumerate(starts, 1):
        checker, answer, words, solution = cells_[i + 1 : i + 5]
        assert "exercise" in tags(checker) and f'check_{number} = exercise("Exercise {int(name[:2])}.{number}"' in " ".join(
            checker.source.split()
        ).replace("( ", "(")
        assert "answer" in tags(answer) and answer.source.endswith(f"check_{number}(answer)") and "..." in answer.source
        assert [o.text for o in answer.outputs] == [f"Exercise {int(name[:2])}.{number}: no answer yet.\n"]
        assert (
            "solution" in tags(words) and words.source.startswith(cells.SOLUTION[0]) and words.source.endswith(cells.SOLUTION[1])
        )
        assert (
            "solution" in tags(solution)
            and f"check_{number}(answer)" in solution.source
            and not re.search(r"^ *#", solution.source, re.MULTILINE)
        )
        printed = "".join(o.text for o in solution.outputs if o.output_type == "stream")
        assert f"✓ Exercise {int(name[:2])}.{number}: the answer" in printed
        assert re.search(r"^(?!✓).*\d", printed, re.MULTILINE), "a solution prints its number"


@every_notebook
def test_a_figure_that_moves_is_stored_with_the_scripts_that_the_package_has(name):
    shown = ["".join(o.get("data", {}).get("text/html", "")) for cell in code(name) for o in cell.outputs]
    for page in (page for page in shown if '<figure class="moving' in page and "<script>" in page):
        kind = re.search(r'class="moving (\w+)"', page)[1]
        for script in {"live": ("table.js", "live.js", "live.css"), "drawn": ("drawn.js", "drawn.css")}.get(kind, (f"{kind}.js",)):
            assert (ROOT / "vae_edu" / script).read_text(encoding="utf-8").rstrip() in page, script
        assert (ROOT / "vae_edu" / "explorers.css").read_text(encoding="utf-8").rstrip() in page
