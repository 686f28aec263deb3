"""What a page loads before it is seen, what moves afterwards, what others are told of it."""

import html as escapes
import re
import sys

import pytest
import tinycss2
from stored import PAGES, ROOT

sys.path.insert(0, str(ROOT / "book" / "support"))
import lean  # noqa: E402
import sharing  # noqa: E402

SHIFTS = """new PerformanceObserver(list => { for (const shift of list.getEntries()) if (!shift.hadRecentInput)
  window.shifted = (window.shifted ?? 0) + shift.value; }).observe({type: "layout-shift", buffered: true});"""


def test_every_page_has_one_style_sheet_and_no_script_that_it_waits_for(html):
    for page in [*PAGES, "search"]:
        text = (html / f"{page}.html").read_text(encoding="utf-8")
        assert len(re.findall(r"<link[^>]*stylesheet", text)) == 1, page
        if page != "search":
            assert re.findall(r'<script(?![^>]*\bdefer)[^>]*\bsrc="[^"]*_static/', text) == [], page


def test_the_style_sheet_is_a_fraction_of_the_themes_and_the_icon_fonts_hold_the_icons_only(html):
    css = (html / "_static" / "site.css").read_text(encoding="utf-8")
    assert len(css) < 200_000 < (html / "_static" / "styles" / "pydata-sphinx-theme.css").stat().st_size
    for font in re.findall(r'url\("([^"]*)"\)', css):
        assert font.startswith("data:") or (html / "_static" / font).is_file(), font
        if "/fa-" in font:
            assert (html / "_static" / font).stat().st_size < 10_000


def purged(css, *words):
    return lean.purge(tinycss2.parse_stylesheet(css, True, True), set(words))


def test_a_rule_stays_if_its_classes_and_ids_are_words_of_the_site():
    assert purged(".a{color:red}.b{color:blue}", "a") == ".a{color:red}"
    assert purged(".a .b,#c>d{color:red}", "c") == "#c>d{color:red}"
    assert purged("p:not(.b){color:red}") == "p:not(.b){color:red}"
    assert purged("@media print{.a{top:0}.b{top:0}}@media screen{.b{top:0}}", "a") == "@media print{.a{top:0}}"
    assert purged("@font-face{font-family:F}") == "@font-face{font-family:F}"


def test_nothing_moves_while_a_page_loads(returning, origin):  # its letters being there; when they come otherwise is a race
    tabs = {width: returning(scrolled=False, viewport={"width": width, "height": 800}) for width in (390, 1280)}
    moved = {}
    for tab in tabs.values():
        tab.add_init_script(SHIFTS)
    for page in PAGES:
        for tab in tabs.values():
            tab.goto(f"{origin}/{page}.html", wait_until="load")
        tab.wait_for_timeout(150)  # for what scripts do then
        moved |= {(page, width): tab.evaluate("window.shifted ?? 0") for width, tab in tabs.items()}
    for tab in tabs.values():
        tab.context.close()
    assert {at: round(shift, 3) for at, shift in moved.items() if shift >= 0.05} == {}


def test_a_page_says_what_it_is_and_its_place_only_when_that_is_known(html, monkeypatch):
    text = (html / "book" / "05_variational_inference.html").read_text(encoding="utf-8")
    told = {name: escapes.unescape(content) for name, content in re.findall(r'property="og:(\w+)" content="([^"]*)"', text)}
    assert told["title"] == "Variational inference: from a point to a distribution" and told["type"] == "article"
    assert told["description"].startswith(told["title"]) and "url" not in told and "image" not in told
    monkeypatch.setenv("BOOK_SITE", "https://owner.github.io/name")
    assert sharing.site() == "https://owner.github.io/name/"


def test_an_address_that_does_not_exist_leads_back(html):
    text = (html / "404.html").read_text(encoding="utf-8")
    links = re.findall(r'href="((?!\./")[^"]*)"', text)
    assert len(links) == 4 and all((html / link).is_file() for link in links)


def test_the_index_of_terms_has_every_entry_of_the_notebooks_with_its_sections(visit, origin):
    visit.tab.goto(f"{origin}/book/terms.html")
    parts = "all => all.map(e => [e.querySelector('strong').textContent, e.querySelectorAll('a[href]').length])"
    items = visit.tab.locator(".terms li").evaluate_all(parts)
    assert len(items) > 300 and all(links for _, links in items)
    order = lambda term: (not (term[0].isascii() and term[0].isalpha()), term.lower(), term)  # noqa: E731
    assert [term for term, _ in items] == sorted((term for term, _ in items), key=order)


def test_on_a_projector_the_text_has_the_width(visit, origin):
    visit.tab.set_viewport_size({"width": 1280, "height": 720})
    visit.tab.goto(f"{origin}/book/05_variational_inference.html")
    assert not visit.tab.locator(".bd-sidebar-secondary").is_visible()
    size = visit.tab.evaluate("getComputedStyle(document.querySelector('article section > p:not(.stage)')).fontSize")
    assert float(size.removesuffix("px")) >= 20
