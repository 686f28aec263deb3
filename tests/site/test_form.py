"""The form of a page: the argument in front, the proof one click away, and search that leads to the place."""

import json
import re

import pytest
from stored import NOTEBOOKS, PAGES, markdown

CHAPTERS = [page for page in NOTEBOOKS if re.search(r"/\d\d_", page)]
every_chapter = pytest.mark.parametrize("page", CHAPTERS, scope="module")  # one chapter after the other: each is loaded once

SCROLLS = """what => [...document.querySelectorAll(what)].filter(e => e.clientWidth && e.scrollWidth > e.clientWidth + 1)
  .map(e => `${e.textContent.trim().slice(0, 60)}: ${e.scrollWidth} in ${e.clientWidth}`)"""
SHARE = """() => {
  const height = e => e.getBoundingClientRect().height;
  const code = [...document.querySelectorAll('article div.cell_input')].filter(e => e.checkVisibility());
  return code.reduce((sum, e) => sum + height(e), 0) / height(document.querySelector('article'));
}"""


@pytest.fixture(scope="module")
def page_of(returning, origin):
    """page_of(page): a tab with the page; where it is open already, as the test before left it."""
    tab = returning(viewport={"width": 1280, "height": 900}, color_scheme="light")

    def page_of(page):
        if tab.url != f"{origin}/{page}.html":
            tab.goto(f"{origin}/{page}.html", wait_until="load")
        return tab

    yield page_of
    tab.context.close()


@every_chapter
def test_a_page_is_not_endless_and_code_is_at_most_a_fifth_of_it(page_of, page):
    tab = page_of(page)
    assert tab.evaluate("document.documentElement.scrollHeight") <= 15_000
    assert tab.evaluate(SHARE) <= 0.2


def folds_and_unfolds(tab):
    folds, button = tab.locator("article details"), tab.locator("button.unfold")
    assert button.count() == (folds.count() > 1)
    if button.count():
        states = "folds => new Set(folds.map(e => e.open)).size === 1 && folds[0].open"
        for says, opened in (("Fold all", True), ("Unfold all", False)):
            button.click()
            assert button.inner_text() == says and button.get_attribute("aria-expanded") == str(opened).lower()
            assert folds.evaluate_all(states) == opened


@every_chapter
def test_a_chapter_has_one_button_that_opens_and_closes_all_its_folds(page_of, page):
    folds_and_unfolds(page_of(page))


@pytest.mark.parametrize("page", [page for page in PAGES if page not in CHAPTERS])
def test_so_has_every_other_page_with_folds(page_of, page):
    folds_and_unfolds(page_of(page))


@every_chapter
def test_a_fold_says_what_is_in_it(page_of, page):
    words = page_of(page).locator("article details > summary").evaluate_all("all => all.map(e => e.innerText.trim())")
    known = {"What is imported", "What is prepared", "How it was checked", "How it is drawn", "How the answer is checked", "Solution"}
    kinds = {"proof": "How it was checked", "plot": "How it is drawn", "exercise": "How the answer is checked"}
    tags = [tag for cell in NOTEBOOKS[page].cells for tag in cell.metadata.get("tags", [])]
    assert {kind: words.count(name) for kind, name in kinds.items()} == {kind: tags.count(kind) for kind in kinds}
    assert words.count("Solution") == tags.count("exercise")  # words, code and output of each are in one fold
    assert [name for name in words if name not in known and not re.search(r"^Proof\b|\?$", name)] == []


@every_chapter
def test_verdicts_stand_outside_of_the_folds_but_for_those_of_solutions(page_of, page):
    outside = """all => all.filter(e => !e.checkVisibility() && e.closest("details:not(.hide)")?.firstElementChild.innerText !== "Solution")
      .map(e => e.textContent)"""
    verdicts = page_of(page).locator("article .check")
    assert verdicts.count() > 10
    assert verdicts.evaluate_all(outside) == []


@every_chapter
def test_neither_a_formula_nor_unfolded_code_scrolls_sideways_on_a_laptop(page_of, page):
    tab = page_of(page)
    assert tab.evaluate(SCROLLS, "article .katex-display") == []
    tab.locator("button.unfold").click()
    assert tab.evaluate(SCROLLS, "article div.cell_input pre") == []


def test_without_scripts_a_fold_can_be_opened(chromium, origin):
    context = chromium.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(f"{origin}/{CHAPTERS[0]}.html")
    for words in ("How it was checked", "Solution"):
        fold = tab.locator("article details", has=tab.get_by_text(words, exact=True)).first
        inside = fold.locator("div.cell_input").first
        assert not inside.is_visible()
        fold.locator("summary").click()
        assert inside.is_visible()
    context.close()


def test_a_link_into_a_fold_opens_it_also_while_the_page_is_open(page_of):
    tab = page_of(CHAPTERS[0])
    anchor = tab.locator("details .check").last.get_attribute("id")
    tab.evaluate("anchor => { location.hash = anchor; }", anchor)
    tab.locator(f"#{anchor}").wait_for(state="visible")


# What students type, and the chapters of which one must be among the first three hits
QUERIES = {
    "autoencoder": {"01"},
    "PCA": {"01"},
    "bottleneck": {"01"},
    "MSE": {"02"},
    "blurry": {"02"},
    "KL divergence": {"03", "06"},
    "maximum likelihood": {"02", "03"},
    "mode seeking": {"03", "05"},
    "bits per dim": {"03", "15"},
    "dequantization": {"03"},
    "overfitting": {"04", "15"},
    "prior": {"04", "13"},
    "auto-decoder": {"04"},
    "ELBO": {"05"},
    "IWAE": {"05"},
    "mean field": {"05"},
    "logvar": {"06"},
    "negative KL": {"06"},
    "reparameterization trick": {"07"},
    "REINFORCE": {"07"},
    "minibatch": {"08"},
    "doubly stochastic": {"08"},
    "amortization": {"08", "11"},
    "beta-VAE": {"10"},
    "collapse": {"10", "14"},
    "validation loss": {"15"},
}


@pytest.fixture(scope="module")
def first_hits(chromium, origin):
    """first_hits(query): where its first three hits lead."""
    tab = chromium.new_context().new_page()
    tab.add_init_script("window.fetch = async () => new Response('')")  # of each page that is found, for a line of it

    def first_hits(query):
        tab.goto(f"{origin}/search.html?q={query}", wait_until="commit")
        tab.locator("#search-results li").first.wait_for()
        tab.wait_for_function("document.querySelector('.search-summary')?.innerText.includes('matching')")
        return tab.locator("#search-results li a").evaluate_all("all => all.map(e => e.getAttribute('href'))")[:3]

    yield first_hits
    tab.context.close()


@pytest.mark.parametrize(("query", "chapters"), QUERIES.items())
def test_a_search_leads_to_the_right_chapter_and_to_the_place_in_it(first_hits, query, chapters):
    hits = first_hits(query)
    right = [hit for hit in hits if re.search(r"book/(\d\d)_", hit) and re.search(r"book/(\d\d)_", hit)[1] in chapters]
    assert right, hits
    assert any("#" in hit for hit in right), hits


def test_every_entry_of_the_index_is_found_at_its_cell(html):
    index = (html / "searchindex.js").read_text(encoding="utf-8")
    entries = {entry for page in NOTEBOOKS for cell in NOTEBOOKS[page].cells for entry in cell.metadata.get("index", [])}
    assert len(entries) >= 20
    assert [entry for entry in entries if json.dumps(entry.lower()) not in index] == []


def test_the_introduction_opens_with_something_that_moves(page_of):
    tab = page_of("book/intro")
    assert tab.locator(".moving svg").first.bounding_box()["y"] < 700
    assert "generative model" in markdown("book/intro")
