"""What axe-core says of every page, in light and dark, on a desk and on a phone."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from stored import PAGES

# Three of a kind say what fifty do: blocks of code, their buttons, icons, rows, texts (the same elements and classes, four
# deep); nine links, as they stand beside different things. Axe does not look into folds that are closed.
SHORTEN = """document.querySelectorAll('.katex').forEach(e => e.remove());
  document.querySelectorAll('details').forEach(e => { e.open = true; });
  [...document.querySelectorAll('.highlight pre')].slice(3).forEach(e => e.textContent = e.textContent);
  for (const [what, kept] of [['.copybtn', 3], ['svg.cells', 3], ['tbody tr, .terms li', 50]])
    [...document.querySelectorAll(what)].slice(kept).forEach(e => e.remove());
  const seen = {}, kind = (e, depth) => e && depth ? `${e.tagName}.${e.className} ${kind(e.parentElement, depth - 1)}` : '';
  const named = 'h1, h2, h3, h4, h5, h6, th, a, button, label, summary, [role]:not(main)';  // by the text in them
  for (const e of document.querySelectorAll('article :is(p, li, td, dd, span, code, em, strong, a)')) {
    const name = [kind(e, 4), e.getAttributeNames(), e.style.cssText], nth = seen[name] = (seen[name] ?? 0) + 1;
    if (e.matches('a')) { if (nth > 9) e.remove(); }
    else if (nth > 3 && !e.closest(named)) {
      e.childNodes.forEach(child => child.nodeType === Node.TEXT_NODE && child.remove());
      if (!e.children.length && e.matches('span, code, em, strong')) e.remove();
    }
  }"""
PLAIN = """* { transition: none !important; animation: none !important }  /* no colour halfway between two */
  pre { background-image: none !important }"""  # before a shade axe does not decide
WHAT_IS_WIDE_HAS_A_TAB_STOP = """[...document.querySelectorAll('pre, .pst-scrollable-table-container')]
  .every(e => e.scrollWidth <= e.clientWidth || e.tabIndex == 0 || !e.checkVisibility())"""

ONLY_COLOURS = {"runOnly": ["color-contrast", "link-in-text-block"]}  # all that the dark changes


@pytest.mark.parametrize("page", [*PAGES, "search"])
def test_axe_finds_nothing_in_light_in_dark_and_on_a_phone(tab, origin, page):
    tab.goto(f"{origin}/{page}.html", wait_until="load")
    tab.add_style_tag(content=PLAIN)
    tab.evaluate(Axe().axe_script)
    tab.evaluate(f"() => {{{SHORTEN}}}")
    violations = []
    for scheme, width in ("light", 360), ("light", 1280), ("dark", 1280):
        tab.emulate_media(color_scheme=scheme)
        tab.set_viewport_size({"width": width, "height": 900})
        tab.wait_for_function(WHAT_IS_WIDE_HAS_A_TAB_STOP)
        options = {"resultTypes": ["violations"]} | (ONLY_COLOURS if scheme == "dark" else {})
        found = tab.evaluate("options => axe.run(options)", options)["violations"]
        violations += [f"{scheme}, {width} px: {rule['id']} {node['html']}" for rule in found for node in rule["nodes"]]
    assert violations == []
