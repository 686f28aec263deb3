"""The links that leave the site: to the repository, Colab and Binder, where the build is told an address, and else nowhere."""

import re

import nbformat
import pytest
from stored import NOTEBOOKS, build

ADDRESS = "https://github.com/owner/name"


def links(html):
    """{page: its links to repositories and to places that run notebooks}."""
    files = [*(html / "book").glob("*.html"), *(html / "book").glob("*/index.html")]
    pages = {f"book/{path.parent.name if path.stem == 'index' else path.stem}": path.read_text(encoding="utf-8") for path in files}
    leaving = {page: set(re.findall(r'<a\s[^>]*href="(https?://[^"]+)"', text)) for page, text in pages.items()}
    return {page: {link for link in found if re.search(r"github|binder|jupyter-?book", link)} for page, found in leaving.items()}


def test_every_notebook_opens_in_colab_and_binder_and_every_page_links_its_repository(tmp_path, built):
    folders = "--builder", "custom", "--custom-builder", "dirhtml"  # no fonts and pictures: lean.py leaves these pages alone
    for page, found in links(build(tmp_path, *folders, read=built, address=ADDRESS, branch="trunk") / "dirhtml").items():
        expected = {ADDRESS}
        if page in NOTEBOOKS:
            expected.add(f"https://colab.research.google.com/github/owner/name/blob/colab/{page}.ipynb")
            expected.add(f"https://mybinder.org/v2/gh/owner/name/trunk?urlpath=lab/tree/{page}.ipynb")
        assert found == expected, page


def test_without_an_address_no_page_links_a_repository(html):
    found = links(html)
    assert len(found) > len(NOTEBOOKS) and not any(found.values())


@pytest.mark.parametrize("page", NOTEBOOKS)
def test_what_the_download_button_gives_says_how_to_get_the_package_and_reads_by_itself(html, page):
    downloaded = nbformat.read(html / "_sources" / f"{page}.ipynb", as_version=4)
    assert downloaded.cells[0].id == "needs" and "make lab" in downloaded.cells[0].source
    words = "\n".join(cell.source for cell in downloaded.cells if cell.cell_type == "markdown")
    assert re.findall(r":::.*|\{[a-z:]+\}`[^`]*`", words) == []


def test_the_numbers_of_equations_in_a_download_are_those_of_the_page(html):
    """copies.py counts by itself, since Colab's copies are made without Sphinx."""
    for page in NOTEBOOKS:
        shown = re.findall(r'<span class="eqno">\(([^)<]*)\)', (html / f"{page}.html").read_text(encoding="utf-8"))
        downloaded = nbformat.read(html / "_sources" / f"{page}.ipynb", as_version=4)
        words = "\n".join(cell.source for cell in downloaded.cells if cell.cell_type == "markdown")
        assert re.findall(r"\\tag\{([^}]*)\}", words) == shown, page
