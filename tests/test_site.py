"""The built site, page by page, in a real browser: complete, self-contained, readable on a phone."""

import functools
import gzip
import http.server
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading
import urllib.parse
import urllib.request
from types import SimpleNamespace

import nbformat
import pytest
import yaml
from axe_playwright_python.sync_playwright import Axe
from PIL import Image

from vae_edu import figures

ROOT = pathlib.Path(__file__).parents[1]
CHROMIUM = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)
ARGUMENTS = """--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
               --disable-component-update --disable-sync"""
playwright = pytest.importorskip("playwright.sync_api", reason="the site test needs playwright: pip install playwright")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="the site test needs Chromium: apt-get install chromium")

TOC = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
WRITTEN = [TOC["root"]] + [chapter["file"] for part in TOC["parts"] for chapter in part["chapters"]]
every_page = pytest.mark.parametrize("page", [*WRITTEN, "search"])
every_written_page = pytest.mark.parametrize("page", WRITTEN)

LOOK = """() => {
  const article = document.querySelector('article.bd-article') || document.body;
  const words = article.cloneNode(true);
  words.querySelectorAll('pre, code, .katex, script').forEach(e => e.remove());
  return {
    heading: document.querySelector('h1')?.innerText || '',
    words: words.textContent,
    images: [...article.querySelectorAll('img')].map(e => [e.src, e.alt]),
    links: [...document.querySelectorAll('a[href]')].map(e => e.href),
    icon: document.querySelector('link[rel~="icon"]')?.href,
  }
}"""
TOO_WIDE = """width => document.documentElement.scrollWidth <= width ? [] : [...document.querySelectorAll('body *')]
  .filter(e => e.getBoundingClientRect().right > width + 1).map(e => e.outerHTML.slice(0, 120))"""
# Without the thousands of boxes of formulas, and with three blocks of code instead of fifty, axe takes a tenth of the time.
SHORTEN = """document.querySelectorAll('.katex').forEach(e => e.remove());
  [...document.querySelectorAll('.highlight pre')].slice(3).forEach(e => e.textContent = e.textContent);"""
WIDE_CODE_HAS_A_TAB_STOP = """[...document.querySelectorAll('pre')]
  .every(e => e.scrollWidth <= e.clientWidth || e.tabIndex == 0 || !e.checkVisibility())"""


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    """A fresh, strict build: nothing of an older one can hide a missing page."""
    out = tmp_path_factory.mktemp("site")
    env = os.environ | {"PATH": os.pathsep.join([str(pathlib.Path(sys.executable).parent), os.environ["PATH"]])}
    command = ["jupyter-book", "build", "-W", "-n", "--keep-going", "--path-output", str(out), str(ROOT)]
    build = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=240)
    assert build.returncode == 0, build.stdout + build.stderr
    return out / "_build" / "html"


@pytest.fixture(scope="module")
def origin(html):
    """The address of a local server of the built site."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=html))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def visit(origin):
    """visit(page): what a browser sees, asks for and complains about there."""
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS.split())
        tab, requests, problems = browser.new_page(), [], []
        tab.on("request", lambda request: requests.append(request.url))
        tab.on("requestfailed", lambda request: problems.append(f"failed: {request.url}"))
        tab.on("response", lambda answer: problems.append(f"{answer.status}: {answer.url}") if answer.status >= 400 else None)
        tab.on("console", lambda message: problems.append(f"console: {message.text}") if message.type == "error" else None)
        tab.on("pageerror", lambda error: problems.append(f"error: {error}"))

        @functools.cache
        def visit(page):
            requests.clear()
            problems.clear()
            tab.set_viewport_size({"width": 1280, "height": 900})
            response = tab.goto(f"{origin}/{page}", wait_until="load")
            tab.wait_for_load_state("networkidle")
            seen = SimpleNamespace(status=response.status, url=tab.url, **tab.evaluate(LOOK))
            tab.set_viewport_size({"width": 360, "height": 740})
            seen.too_wide = tab.evaluate(TOO_WIDE, 360)
            seen.requests, seen.problems = list(requests), list(problems)
            seen.violations = [f"{where}: {what}" for where in ("light 360", "light 1280", "dark 1280") for what in axe(where)]
            return seen

        def axe(where):
            """What axe finds on the page as it is, in a colour scheme and at a width."""
            scheme, width = where.split()
            tab.emulate_media(color_scheme=scheme)
            tab.set_viewport_size({"width": int(width), "height": 900})
            tab.add_style_tag(content="* { transition: none !important }")  # no colour halfway between two
            tab.wait_for_function(WIDE_CODE_HAS_A_TAB_STOP)
            tab.evaluate(SHORTEN)
            options = {"resultTypes": ["violations"]} | (
                {"runOnly": ["color-contrast", "link-in-text-block"]} if scheme == "dark" else {}
            )
            found = Axe().run(tab, options=options).response["violations"]
            return [f"{rule['id']} {node['html']}" for rule in found for node in rule["nodes"]]

        visit.tab = tab
        yield visit
        browser.close()


@pytest.fixture(scope="module")
def ids(html):
    """ids(file): the anchors of a page."""
    return functools.cache(lambda file: set(re.findall(r'\sid="([^"]+)"', (html / file).read_text(encoding="utf-8"))))


def markdown(page):
    """The Markdown of a page, without its code."""
    path = ROOT / f"{page}.md"
    if path.exists():
        text = path.read_text(encoding="utf-8")
    else:
        cells = nbformat.read(path.with_suffix(".ipynb"), as_version=4).cells
        text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return re.sub(r"```.*?```|`[^`\n]*`|\\\$", "", text, flags=re.DOTALL)


@every_page
def test_a_page_loads_without_an_error_and_asks_no_other_origin(visit, origin, page):
    seen = visit(f"{page}.html")
    assert seen.status == 200
    assert seen.problems == []
    assert [url for url in seen.requests if not url.startswith((origin + "/", "data:", "blob:"))] == []


@every_written_page
def test_a_page_reads_as_text_without_leftover_markup(visit, page):
    seen = visit(f"{page}.html")
    assert seen.heading.strip()
    assert len(seen.words.split()) > 50
    assert re.findall(r"\$\$|\\[a-zA-Z]+\{|\{[a-z:]+\}`|^:::.*|\*\*", seen.words, re.MULTILINE) == []


@every_written_page
def test_maths_is_rendered_before_any_script_runs(html, page):
    source = (html / f"{page}.html").read_text(encoding="utf-8")
    classes = set(re.findall(r'class="(katex[\w-]*)', source))
    assert ("katex" in classes) == ("$" in markdown(page))
    assert "katex-error" not in classes


@every_page
def test_nothing_scrolls_sideways_on_a_phone(visit, page):
    assert visit(f"{page}.html").too_wide == []


@every_page
def test_every_internal_link_leads_to_a_page_and_a_place_on_it(visit, origin, html, ids, page):
    broken = []
    for link in set(visit(f"{page}.html").links):
        url = urllib.parse.urlsplit(link)
        if f"{url.scheme}://{url.netloc}" == origin:
            file, anchor = urllib.parse.unquote(url.path).lstrip("/") or "index.html", urllib.parse.unquote(url.fragment)
            if not (html / file).is_file() or (anchor and anchor not in ids(file)):
                broken.append(link)
    assert broken == []


@every_written_page
def test_every_image_exists_and_says_in_words_what_it_shows(visit, html, page):
    for src, alt in visit(f"{page}.html").images:
        assert src.startswith("data:image/") or (html / urllib.parse.urlsplit(src).path.lstrip("/")).is_file(), src
        assert len(alt) > 20 and not re.search(r"\S+\.(png|svg|jpe?g|webp)\b", alt), f"{src[:80]}: {alt}"


def test_the_front_door_leads_to_the_first_page(visit):
    assert visit("").url.endswith(f"/{TOC['root']}.html")


def test_the_favicon_loads(visit):
    with urllib.request.urlopen(visit(f"{TOC['root']}.html").icon, timeout=10) as icon:
        assert b"<svg" in icon.read()


def test_a_slider_moves_its_figure_by_keyboard_without_a_kernel(visit, origin):
    tab = visit.tab
    tab.goto(f"{origin}/book/05_variational_inference.html")
    slider = tab.locator(".moving.sweep input").first
    figure = tab.locator(".moving.sweep").first
    before = figure.locator("img").get_attribute("src"), figure.locator("output").inner_text()
    slider.focus()
    slider.press("ArrowRight")
    after = figure.locator("img").get_attribute("src"), figure.locator("output").inner_text()
    assert before[0] != after[0] and float(after[1]) > float(before[1])
    assert slider.get_attribute("aria-valuetext") == after[1]


# The page of claims

NOTEBOOKS = [page for page in WRITTEN if (ROOT / f"{page}.ipynb").exists()]
ROWS = """() => [...document.querySelectorAll('table.checks tbody tr')].map(row => {
  const [equation, claim, demand] = [...row.cells];
  const link = cell => cell.querySelector('a')?.getAttribute('href');
  return {equation: equation.textContent, claim: claim.textContent, demand: demand.textContent,
          proves: link(equation), place: link(claim)};
})"""
PLACES = """() => ({
  checks: Object.fromEntries([...document.querySelectorAll('.check')].map(e =>
    [e.id, {text: e.textContent.trim(), equation: e.querySelector('a')?.getAttribute('href')}])),
  equations: Object.fromEntries([...document.querySelectorAll('div.math[id]')].map(e =>
    [e.id, {number: e.querySelector('.eqno').firstChild.data, mark: e.querySelector('a.checked')?.getAttribute('href'),
            name: e.querySelector('a.checked')?.ariaLabel}])),
})"""


@pytest.fixture(scope="module")
def places(visit, origin):
    """places(page): the checks and the equations of a notebook's page, by their anchors."""

    @functools.cache
    def places(page):
        visit.tab.goto(f"{origin}/{page}.html")
        return visit.tab.evaluate(PLACES)

    return places


@pytest.fixture(scope="module")
def rows(visit, origin):
    visit.tab.goto(f"{origin}/book/claims.html")
    return visit.tab.evaluate(ROWS)


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
        if label := re.search(r" \| \(([\w-]+)\)$", line):
            assert f"✓ {row['claim']} | {row['demand']} | ({label[1]})" == line
            assert there["text"] == line.replace(f"({label[1]})", row["equation"])
            assert row["proves"] == f"{file}#equation-{label[1]}" and there["equation"] == f"#equation-{label[1]}"
            assert places(page)["equations"][f"equation-{label[1]}"]["number"] == row["equation"]
        else:
            assert f"✓ {row['claim']} | {row['demand']}" == line == there["text"]
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
    assert f"{len(named) - definitions} numbered equations claim something, and {len(proved)} of them are proved" in article
    assert f"{definitions} more numbered equations are definitions" in article
    terms = "terms => terms.map(e => [e.textContent, e.nextElementSibling.textContent.trim()])"
    for kind, meaning in visit.tab.eval_on_selector_all("article dt", terms):
        some = [line for line in lines if re.search(rf" \| {kind}(?! to)\b[^|]*( \| \([\w-]+\))?$", line)]
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
    assert (html / "book/claims.html").stat().st_size < 300_000


def test_a_link_to_a_check_in_a_folded_solution_unfolds_it(visit, origin, rows):
    visit.tab.goto(f"{origin}/book/01_autoencoder.html")
    folded = visit.tab.locator("details .check").last
    assert not folded.is_visible()
    anchor = folded.get_attribute("id")
    visit.tab.goto(f"{origin}/book/claims.html")
    visit.tab.locator(f'a[href="01_autoencoder.html#{anchor}"]').click()
    visit.tab.locator(f"#{anchor}").wait_for(state="visible")


@every_page
def test_axe_finds_nothing_in_light_in_dark_and_on_a_phone(visit, page):
    assert visit(f"{page}.html").violations == []


@pytest.fixture(scope="module")
def size(html):
    """size(file): the bytes that travel for a file of the site, text compressed as web servers do, inline pictures left out."""

    @functools.cache
    def size(file):
        content = (html / file).read_bytes()
        if file.endswith(".woff2"):
            return len(content)
        return len(gzip.compress(re.sub(rb"data:image/[^\"']+", b"", content)))

    return size


@every_page
def test_a_page_weighs_under_a_megabyte_before_its_images_and_an_image_under_300_kb(visit, html, size, page):
    seen = visit(f"{page}.html")
    files = {urllib.parse.urlsplit(url).path.lstrip("/") for url in seen.requests if url.startswith("http")}
    images = {file for file in files if file.endswith((".png", ".svg", ".webp"))}
    assert sum(map(size, files - images)) < 1_000_000
    assert [file for file in images if (html / file).stat().st_size > 300_000] == []
    assert [src[:60] for src, _ in seen.images if src.startswith("data:") and len(src) > 400_000] == []


@pytest.fixture
def tab(visit):
    """A fresh window on a wide screen that nobody has set to dark."""
    context = visit.tab.context.browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    yield context.new_page()
    context.close()


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
    for figure in tab.locator(".bd-content figure img").all():
        figure.scroll_into_view_if_needed()
        picture = Image.open(io.BytesIO(figure.screenshot())).convert("L")
        corner = picture.getpixel((3, 3))
        assert abs(corner - brightness(tab)) < 3
        assert picture.getextrema()[1] > 200


def test_without_scripts_a_page_shows_its_text_maths_and_pictures_in_the_colours_of_the_system(visit, origin):
    context = visit.tab.context.browser.new_context(java_script_enabled=False, color_scheme="dark")
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
    for figure in tab.locator(".bd-content figure img").all():
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
    tab.goto(f"{origin}/{CHAPTER}")
    for what in (".moving.sweep input", "pre[tabindex='0']"):
        tab.locator(what).first.focus()
        tab.keyboard.press("ArrowRight")
        tab.wait_for_timeout(300)
        assert tab.url.endswith(CHAPTER)
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
        ("05_variational_inference", "bibliography.html#id", "Tipping"),
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
    assert icons.count() == len([page for page in WRITTEN if re.search(r"/\d\d_", page)])
    for link in icons.all():
        path = ROOT / "book" / (pathlib.PurePosixPath(urllib.parse.urlsplit(link.evaluate("e => e.href")).path).stem + ".ipynb")
        stages = re.search(r"figures\.stage_table\(([\d, ]+)\)", path.read_text(encoding="utf-8"))[1].split(", ")
        lit = link.locator("rect.lit").evaluate_all("cells => cells.map(e => [e.x.baseVal.value > 8, e.y.baseVal.value < 8])")
        assert sorted(lit) == sorted([bool(i) for i in figures.STAGES[int(stage)][:2]] for stage in stages)
