"""The page of every claim, and the links between equations and their checks."""

import functools
import json
import re

import pytest
from stored import NOTEBOOKS, ROOT, markdown

ROWS = """() => [...document.querySelectorAll('table.checks tbody tr')].map(row => {
  const [equation, claim, demand, found, against] = [...row.cells];
  const link = cell => cell.querySelector('a')?.getAttribute('href');
  return {equation: equation.textContent, claim: claim.textContent, demand: demand.textContent, found: found.textContent,
          against: against.textContent, proves: link(equation), place: link(claim)};
})"""
PLACES = """() => ({
  checks: Object.fromEntries([...document.querySelectorAll('.check')].map(e =>
    [e.id, {text: e.textContent.trim(), equation: e.querySelector('a')?.getAttribute('href')}])),
  equations: Object.fromEntries([...document.querySelectorAll('div.math[id]')].map(e =>
    [e.id, {number: e.querySelector('.eqno').firstChild.data, mark: e.querySelector('a.checked')?.getAttribute('href'),
            name: e.querySelector('a.checked')?.ariaLabel}])),
})"""


@pytest.fixture(scope="module")
def places(as_stored):
    """places(page): the checks and the equations of a notebook's page, by their anchors."""
    return functools.cache(lambda page: as_stored(f"{page}.html", PLACES))


@pytest.fixture(scope="module")
def rows(as_stored):
    return as_stored("book/claims.html", ROWS)


def verdicts(page):
    """The lines of the checks, as they are stored."""
    cells = json.loads((ROOT / f"{page}.ipynb").read_text(encoding="utf-8"))["cells"]
    printed = [line for cell in cells for output in cell.get("outputs", []) for line in output.get("text", [])]
    return [line.rstrip("\n") for line in printed if line.startswith("✓")]


def labels(page):
    return re.findall(r"\$\$ *\(([\w-]+)\)", markdown(page))


def test_every_stored_check_is_one_row_and_leads_to_its_line_and_to_its_equation(rows, places):
    stored = [(page, number, line) for page in NOTEBOOKS for number, line in enumerate(verdicts(page), 1)]
    assert len(rows) == len(stored)
    for row, (page, number, line) in zip(rows, stored, strict=True):
        file = page.removeprefix("book/") + ".html"
        assert row["place"] == f"{file}#check-{number}"
        there = places(page)["checks"][f"check-{number}"]
        words = f"✓ {row['claim']} | {row['demand']}" + (f" | against {row['against']}" if row["against"] else "")
        if label := re.search(r" \| \(([\w-]+)\)$", line):
            assert f"{words} | ({label[1]})" == line
            assert there["text"] == line.replace(f"({label[1]})", row["equation"])
            assert row["proves"] == f"{file}#equation-{label[1]}" and there["equation"] == f"#equation-{label[1]}"
            assert places(page)["equations"][f"equation-{label[1]}"]["number"] == row["equation"]
        else:
            assert words == line == there["text"]
            assert row["equation"] == "" and row["proves"] is there["equation"] is None


@pytest.mark.parametrize("page", NOTEBOOKS)
def test_every_equation_that_claims_something_leads_to_its_first_check_and_no_other_does(places, page):
    seen = places(page)
    for label in labels(page):
        equation = seen["equations"][f"equation-{label}"]
        if label.startswith("def-"):
            assert equation["mark"] is None, label
        else:
            proofs = [anchor for anchor, check in seen["checks"].items() if check["equation"] == f"#equation-{label}"]
            assert equation["mark"] == f"#{proofs[0]}", label
            assert equation["number"] in equation["name"] and ("the first of" in equation["name"]) == (len(proofs) > 1)


def test_the_totals_are_what_one_counts_in_the_notebooks(visit, origin):
    visit.tab.goto(f"{origin}/book/claims.html")
    article = visit.tab.inner_text("article.bd-article")
    lines = [line for page in NOTEBOOKS for line in verdicts(page)]
    named = [label for page in NOTEBOOKS for label in labels(page)]
    definitions = sum(label.startswith("def-") for label in named)
    proved = {label for line in lines for label in re.findall(r"\(([\w-]+)\)$", line)} & set(named)
    assert f"{len(lines)} checks in {len(NOTEBOOKS)} notebooks" in article
    assert f"{len(named) - definitions} numbered equations claim something, and all of them are proved" in article
    assert len(proved) == len(named) - definitions
    assert f"{definitions} more numbered equations are definitions" in article
    terms = "terms => terms.map(e => [e.textContent, e.nextElementSibling.textContent.trim()])"
    for kind, meaning in visit.tab.eval_on_selector_all("article dt", terms):
        some = [line for line in lines if re.search(rf" \| {kind}(?! within)\b[^|]*( \| against .*)?( \| \([\w-]+\))?$", line)]
        proofs = sum(line.endswith(")") and " | (" in line for line in some)
        assert meaning.endswith(f" {len(some)} checks" + (f", {proofs} of them proofs of an equation." if proofs else ".")), kind


def test_the_table_of_costs_has_a_row_for_every_notebook(visit, origin):
    visit.tab.goto(f"{origin}/book/claims.html")
    cells = "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
    *notebooks, total = visit.tab.eval_on_selector_all("table.cost tbody tr", cells)
    assert [int(checks) for _, _, checks, _ in notebooks] == [len(verdicts(page)) for page in NOTEBOOKS]
    assert [int(n) for n in total[1:3]] == [sum(int(row[column]) for row in notebooks) for column in (1, 2)]
    seconds = json.loads((ROOT / "book/cost.json").read_text(encoding="utf-8"))["seconds"]
    measured = [seconds.get(page.removeprefix("book/")) for page in NOTEBOOKS]
    assert [row[3] for row in notebooks] == ["–" if s is None else f"{s:.0f}" for s in measured]


def test_the_page_of_claims_stays_light(html):
    assert (html / "book/claims.html").stat().st_size < 450_000


def test_a_link_to_a_check_in_a_folded_solution_unfolds_it(visit, origin, rows):
    visit.tab.goto(f"{origin}/book/01_autoencoder.html")
    folded = visit.tab.locator("details .check").last
    assert not folded.is_visible()
    anchor = folded.get_attribute("id")
    visit.tab.goto(f"{origin}/book/claims.html")
    visit.tab.locator(f'a[href="01_autoencoder.html#{anchor}"]').click()
    visit.tab.locator(f"#{anchor}").wait_for(state="visible")


def test_the_list_can_be_narrowed_and_a_link_can_begin_with_words(visit, origin, rows):
    visit.tab.goto(f"{origin}/book/claims.html?q=SciPy")
    shown = "rows => rows.filter(row => row.checkVisibility({contentVisibilityAuto: false})).length"
    found = visit.tab.locator("table.checks tbody tr").evaluate_all(shown)
    texts = [" ".join(row[part] for part in ("equation", "claim", "demand", "found", "against")).lower() for row in rows]
    assert found == sum("scipy" in text for text in texts) > 0
    assert visit.tab.locator(".filter output").inner_text() == f"{found} of {len(rows)}"
    assert visit.tab.locator("section:has(> .pst-scrollable-table-container .checks)[hidden]").count() > 0
    visit.tab.locator("#filter").fill("no such word anywhere")
    assert visit.tab.locator(".filter output").inner_text() == f"0 of {len(rows)}"
    visit.tab.locator("#filter").fill("")
    assert visit.tab.locator("table.checks tbody tr[hidden]").count() == 0


def test_a_jump_leads_to_each_notebooks_checks(visit, origin):
    visit.tab.goto(f"{origin}/book/claims.html")
    jumps = visit.tab.locator(".jumps a").evaluate_all("all => all.map(a => document.getElementById(a.hash.slice(1))?.querySelector('table.checks') !== null)")
    assert len(jumps) == len(NOTEBOOKS) and all(jumps)


def test_what_was_found_stands_beside_what_was_demanded(rows):
    assert sum(row["found"] != "" for row in rows) > len(rows) / 2
    for row in rows:
        if "equal within" in row["demand"]:
            assert float(row["found"]) <= 1.06 * float(row["demand"].split()[-1]), row
