"""The built site, page by page, in a real browser: complete, self-contained, readable on a phone."""

import functools
import http.server
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

ROOT = pathlib.Path(__file__).parents[1]
CHROMIUM = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)
ARGUMENTS = """--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
               --disable-component-update --disable-sync"""
playwright = pytest.importorskip("playwright.sync_api", reason="the site test needs playwright: pip install playwright")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="the site test needs Chromium: apt-get install chromium")

TOC = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
WRITTEN = [TOC["root"]] + [chapter["file"] for part in TOC["parts"] for chapter in part["chapters"]]
every_page = pytest.mark.parametrize("page", [*WRITTEN, "search", "genindex"])
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
            return seen

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
