"""The look: dark and light, without scripts, search, keys, previews, the table as a motif."""

import io
import pathlib
import re
import urllib.parse

import pytest
from PIL import Image
from stored import PAGES, ROOT

from vae_edu import figures

CHAPTER = "book/05_variational_inference.html"


def brightness(tab):
    """Of the page's background: 0 is black, 255 white."""
    return sum(map(int, re.findall(r"\d+", tab.evaluate("getComputedStyle(document.body).backgroundColor"))[:3])) / 3


def test_the_button_makes_the_page_dark_and_light_again(tab, origin):
    tab.goto(f"{origin}/{CHAPTER}")
    seen = [brightness(tab)]
    for _ in range(3):  # light, dark, as the system has it
        tab.locator(".theme-switch-button").first.click()
        seen.append(brightness(tab))
    assert max(seen) > 240 and min(seen) < 40 and seen[-1] == seen[0]


def test_a_figure_in_the_dark_has_no_box_and_keeps_its_lines(tab, origin):
    tab.emulate_media(color_scheme="dark")
    tab.goto(f"{origin}/{CHAPTER}")
    for figure in tab.locator(".bd-content figure img").locator("visible=true").all():
        figure.scroll_into_view_if_needed()
        picture = Image.open(io.BytesIO(figure.screenshot())).convert("L")
        corner = picture.getpixel((3, 3))
        assert abs(corner - brightness(tab)) < 3
        assert picture.getextrema()[1] > 200


def test_without_scripts_a_page_shows_its_text_maths_and_pictures_in_the_colours_of_the_system(chromium, origin):
    context = chromium.new_context(java_script_enabled=False, color_scheme="dark")
    tab = context.new_page()
    tab.goto(f"{origin}/{CHAPTER}")
    assert brightness(tab) < 40
    for what in (
        "article h1",
        "article section > p",
        "#equation-elbo-identity .katex-html",
        ".bd-sidebar-primary >> text=Bibliography",
    ):
        assert tab.locator(what).first.is_visible()
    for figure in tab.locator(".bd-content figure img").locator("visible=true").all():
        figure.scroll_into_view_if_needed()
        assert figure.evaluate("e => e.decode().then(() => e.naturalWidth)") > 0
    context.close()


@pytest.mark.parametrize("where", ["on a server", "in a folder"])
def test_search_finds_the_chapter_on_reparameterization(tab, origin, html, where):
    start = origin if where == "on a server" else html.as_uri()
    tab.goto(f"{start}/search.html?q=reparameterization")
    tab.wait_for_selector("#search-results li a")
    tab.wait_for_function("document.querySelector('.search-summary')?.innerText.includes('matching')")
    found = tab.locator("#search-results li a").evaluate_all("links => links.map(e => e.pathname)")
    assert any(path.endswith("/07_reparameterization.html") for path in found)


def test_arrow_keys_turn_the_page_but_not_from_a_slider_or_wide_code(tab, origin):
    for page, what, width in ((CHAPTER, ".moving.drawn input", 1280), ("book/09_vae.html", "pre[tabindex='0']", 360)):
        tab.set_viewport_size({"width": width, "height": 900})
        tab.goto(f"{origin}/{page}")
        tab.locator(what).locator("visible=true").first.focus()
        tab.keyboard.press("ArrowRight")
        tab.wait_for_timeout(300)
        assert tab.url.endswith(page)
    tab.set_viewport_size({"width": 1280, "height": 900})
    tab.goto(f"{origin}/{CHAPTER}")
    tab.locator("article h1").click()
    for key, name in [("ArrowRight", "06_closed_form_kl.html"), ("ArrowLeft", "05_variational_inference.html")]:
        tab.keyboard.press(key)
        tab.wait_for_url(f"**/{name}")


@pytest.mark.parametrize("where", ["on a server", "in a folder"])
@pytest.mark.parametrize(
    "page, link, shows",
    [
        ("05_variational_inference", "#equation-", "p"),
        ("errata", "02_gaussian_likelihood.html#equation-", "log"),
        ("05_variational_inference", "bibliography.html#id", "Blei"),
    ],
)
def test_a_reference_shows_what_it_points_to_under_the_pointer_and_the_focus(tab, origin, html, where, page, link, shows):
    tab.goto(f"{origin if where == 'on a server' else html.as_uri()}/book/{page}.html")
    reference, preview = tab.locator(f"article a.reference[href^='{link}']").first, tab.locator("#preview")
    assert not preview.is_visible()
    reference.hover()
    preview.wait_for(state="visible")
    assert shows in preview.inner_text()
    preview.hover()  # the pointer may move onto it
    tab.wait_for_timeout(400)
    assert preview.is_visible()
    tab.keyboard.press("Escape")
    assert not preview.is_visible()
    tab.keyboard.press("Tab")
    reference.focus()
    preview.wait_for(state="visible")
    assert reference.get_attribute("aria-describedby") == "preview"
    reference.blur()
    assert not preview.is_visible()


def test_each_chapter_s_icon_lights_the_cells_that_its_own_table_lights(tab, origin):
    tab.goto(f"{origin}/{CHAPTER}")
    icons = tab.locator(".bd-sidebar-primary a:has(svg.cells)")
    assert icons.count() == len([page for page in PAGES if re.search(r"/\d\d_", page)])
    for link in icons.all():
        path = ROOT / "book" / (pathlib.PurePosixPath(urllib.parse.urlsplit(link.evaluate("e => e.href")).path).stem + ".ipynb")
        stages = re.search(r"figures\.stage_table\(([\d, ]+)\)", path.read_text(encoding="utf-8"))[1].split(", ")
        lit = link.locator("rect.lit").evaluate_all("cells => cells.map(e => [e.x.baseVal.value > 8, e.y.baseVal.value < 8])")
        assert sorted(lit) == sorted([bool(i) for i in figures.STAGES[int(stage)][:2]] for stage in stages)
