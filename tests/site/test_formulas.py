"""The page of formulas on the built site: what its links lead to looks the same there, and on paper it fills two sheets."""

import re
import sys

from stored import NOTEBOOKS, ROOT

sys.path.insert(0, str(ROOT / "book" / "support"))
import formulas as extension  # noqa: E402

SHOWN = """() => [...document.querySelectorAll('article .formula')].map(e =>
  [e.querySelector('p a:last-of-type').getAttribute('href'), e.querySelector('.katex-display .katex-html').outerHTML])"""
THERE = """ids => Object.fromEntries(ids.map(id =>
  [id, document.getElementById(id).querySelector('.katex-display .katex-html').outerHTML]))"""
PAPER = {"format": "A4", "margin": dict.fromkeys(("top", "right", "bottom", "left"), "12mm")}


def test_every_formula_is_the_one_that_its_number_leads_to(as_stored):
    shown = as_stored("book/formulas.html", SHOWN)
    assert len(shown) > 30
    pages = {}
    for href, formula in shown:
        file, anchor = href.split("#")
        pages.setdefault(file, {})[anchor] = formula
    for file, formulas in pages.items():
        assert as_stored(f"book/{file}", THERE, list(formulas)) == formulas


def test_the_page_fits_on_two_sheets_and_no_formula_is_cut_off(tab, origin):
    tab.goto(f"{origin}/book/formulas.html")
    tab.wait_for_load_state("networkidle")
    assert len(re.findall(rb"/Type\s*/Page\b", tab.pdf(**PAPER))) == 2
    tab.set_viewport_size({"width": 700, "height": 1000})  # of the paper, between its margins
    tab.emulate_media(media="print")
    wide = "all => all.filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent.slice(0, 60))"
    assert tab.locator("article .formula .katex-display").evaluate_all(wide) == []


def test_the_page_for_lecturers_lists_every_belief_and_leads_to_its_place(tab, origin):
    tab.goto(f"{origin}/book/lecturers.html")
    links = tab.locator("#put-a-belief-on-the-board li p > a:first-child").evaluate_all("all => all.map(e => e.getAttribute('href'))")
    assert len(links) == sum(len(extension.beliefs(str(ROOT / f"{page}.ipynb"))) for page in NOTEBOOKS)
    assert all("#" in link for link in links)
