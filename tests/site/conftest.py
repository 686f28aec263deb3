"""The built site, in a browser."""

import functools
import http.server
import re
import threading
from types import SimpleNamespace

import filelock
import pytest
from stored import build

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
# The letters have come and the scripts have nothing to do; what they then ask for has a moment to fail.
CALM = """document.fonts.ready.then(() => new Promise(requestIdleCallback)).then(() => new Promise(
  done => setTimeout(done, 100)))"""
SCROLLED_THROUGH = """addEventListener("DOMContentLoaded", () => document.head.append(Object.assign(
  document.createElement("style"), {textContent: "section { content-visibility: visible !important }"})))"""


@pytest.fixture(scope="session")
def built(tmp_path_factory, worker_id):
    """A fresh build, by the first worker that asks: nothing of an older one can hide a missing page."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "site"  # the workers of one run share the parent
    with filelock.FileLock(f"{folder}.lock"):
        if not (folder / "done").exists():
            build(folder)
            (folder / "done").touch()
    return folder / "_build"


@pytest.fixture(scope="session")
def html(built):
    return built / "html"


@pytest.fixture(scope="session")
def origin(html):
    """The address of a local server of the built site."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def end_headers(self):
            self.send_header("Cache-Control", "max-age=600")  # as GitHub Pages does
            super().end_headers()

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=html))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def visit(chromium, origin):
    """visit(page): what a browser sees, asks for and complains about there."""
    tab, requests, problems = chromium.new_page(), [], []
    tab.add_init_script(SCROLLED_THROUGH)
    tab.on("request", lambda request: requests.append(request.url))
    tab.on("requestfailed", lambda request: problems.append(f"failed: {request.url}"))
    tab.on("response", lambda answer: problems.append(f"{answer.status}: {answer.url}") if answer.status >= 400 else None)
    tab.on("console", lambda message: problems.append(f"console: {message.text}") if message.type == "error" else None)
    tab.on("pageerror", lambda error: problems.append(f"error: {error}"))

    @functools.cache
    def visit(page):
        tab.goto("about:blank")  # what a page before this one still waited for is not this one's failure
        requests.clear()
        problems.clear()
        tab.set_viewport_size({"width": 1280, "height": 900})
        response = tab.goto(f"{origin}/{page}", wait_until="load")
        tab.evaluate(CALM)
        seen = SimpleNamespace(status=response.status, **tab.evaluate(LOOK))
        tab.set_viewport_size({"width": 360, "height": 740})
        seen.too_wide = tab.evaluate(TOO_WIDE, 360)
        seen.requests, seen.problems = list(requests), list(problems)
        return seen

    visit.tab = tab
    return visit


@pytest.fixture
def tab(window):
    """A window on a wide screen that nobody has set to dark. One for all tests: a new one takes longer than a page."""
    window.set_viewport_size({"width": 1280, "height": 900})
    window.emulate_media(color_scheme="light", media="null")
    yield window
    window.evaluate("localStorage.clear()")
    window.goto("about:blank")


@pytest.fixture(scope="session")
def window(chromium):
    context = chromium.new_context()
    context.add_init_script(SCROLLED_THROUGH)
    yield context.new_page()
    context.close()


@pytest.fixture(scope="session")
def returning(chromium, origin):
    """returning(): the window of a reader who has been here before, whose browser has the book's letters."""

    def returning(scrolled=True, **options):
        tab = chromium.new_context(**options).new_page()
        if scrolled:
            tab.add_init_script(SCROLLED_THROUGH)
        tab.goto(f"{origin}/book/intro.html")
        tab.evaluate("Promise.allSettled([...document.fonts].map(font => font.load())).then(() => 0)")
        return tab

    return returning


@pytest.fixture(scope="session")
def as_stored(chromium, origin):
    """as_stored(page, script): what a script finds on a page of which no other script has run and nothing was drawn."""
    tab = chromium.new_context(java_script_enabled=False).new_page()

    def as_stored(page, script, *given):
        tab.goto(f"{origin}/{page}", wait_until="domcontentloaded")
        return tab.evaluate(script, *given)

    yield as_stored
    tab.context.close()


@pytest.fixture(scope="session")
def ids(html):
    """ids(file): the anchors of a page."""
    return functools.cache(lambda file: set(re.findall(r'\sid="([^"]+)"', (html / file).read_text(encoding="utf-8"))))
