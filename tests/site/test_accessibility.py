"""What axe-core says of every page, in light and dark, on a desk and on a phone."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from stored import PAGES

# Without the thousands of boxes of formulas, with three blocks of code instead of fifty, fifty rows instead of 700, and three
# pieces of text of a kind (the same elements and classes, five deep), axe takes a tenth of the time.
SHORTEN = """document.querySelectorAll('.katex').forEach(e => e.remove());
  [...document.querySelectorAll('.highlight pre')].slice(3).forEach(e => e.textContent = e.textContent);
  [...document.querySelectorAll('tbody tr')].slice(50).forEach(e => e.remove());
  const seen = {}, kind = (e, depth) => e && depth ? `${e.tagName}.${e.className} ${kind(e.parentElement, depth - 1)}` : '';
  for (const e of document.querySelectorAll('p, li, td, dd, span, code, em, strong')) {
    const name = kind(e, 5), plain = !e.children.length && e.attributes.length <= e.hasAttribute('class');
    const named = e.closest('h1, h2, h3, h4, h5, h6, a, button, label, summary, [role]');  // by its text
    if (plain && !named && (seen[name] = (seen[name] ?? 0) + 1) > 3) e.textContent = '';
  }"""
WIDE_CODE_HAS_A_TAB_STOP = """[...document.querySelectorAll('pre')]
  .every(e => e.scrollWidth <= e.clientWidth || e.tabIndex == 0 || !e.checkVisibility())"""

ONLY_COLOURS = {"runOnly": ["color-contrast", "link-in-text-block"]}  # all that the dark changes


@pytest.mark.parametrize("page", [*PAGES, "search"])
def test_axe_finds_nothing_in_light_in_dark_and_on_a_phone(tab, origin, page):
    tab.goto(f"{origin}/{page}.html", wait_until="load")
    tab.add_style_tag(content="* { transition: none !important }")  # no colour halfway between two
    tab.evaluate(Axe().axe_script)
    violations = []
    for scheme, width in ("light", 360), ("light", 1280), ("dark", 1280):
        tab.emulate_media(color_scheme=scheme)
        tab.set_viewport_size({"width": width, "height": 900})
        tab.wait_for_function(WIDE_CODE_HAS_A_TAB_STOP)
        tab.evaluate(f"() => {{{SHORTEN}}}")
        options = {"resultTypes": ["violations"]} | (ONLY_COLOURS if scheme == "dark" else {})
        found = tab.evaluate("options => axe.run(options)", options)["violations"]
        violations += [f"{scheme}, {width} px: {rule['id']} {node['html']}" for rule in found for node in rule["nodes"]]
    assert violations == []
