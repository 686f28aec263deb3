"""Every page of the site: complete, self-contained, readable on a phone, light."""

import functools
import gzip
import re
import urllib.parse
import urllib.request

import pytest
from stored import PAGES, TOC, markdown

every_page = pytest.mark.parametrize("page", [*PAGES, "search"])
every_written_page = pytest.mark.parametrize("page", PAGES)


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
    headings = page == "book/terms"  # it shows those of the chapters
    assert ("katex" in classes) == ("$" in markdown(page) or headings)
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


def test_the_front_door_leads_to_the_first_page(tab, origin):
    tab.goto(origin)
    tab.wait_for_url(f"**/{TOC['root']}.html")


def test_the_favicon_loads(visit):
    with urllib.request.urlopen(visit(f"{TOC['root']}.html").icon, timeout=10) as icon:
        assert b"<svg" in icon.read()


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
