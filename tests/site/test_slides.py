"""The slides: on 1280 × 720, without a network, with the site's numbers."""

import re
import sys

import pytest
from stored import NOTEBOOKS, ROOT

sys.path.insert(0, str(ROOT / "book" / "support"))
import copies  # noqa: E402
import slides  # noqa: E402


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slides")
    slides.main(folder)
    return folder


@pytest.fixture
def show(chromium, folder):
    """show(lecture): a tab with it, and what went wrong there."""
    problems, tabs = [], []

    def open_lecture(lecture, query=""):
        tab = chromium.new_page(viewport={"width": 1280, "height": 720})
        tab.on("pageerror", lambda error: problems.append(str(error)))
        tab.on("requestfailed", lambda request: problems.append(request.url))
        tab.on("request", lambda request: None if request.url.startswith(("file:", "data:")) else problems.append(request.url))
        tab.goto((folder / f"lecture-{lecture}.html").as_uri() + query)
        tab.wait_for_function("window.Reveal && Reveal.isReady()")
        tab.evaluate("document.fonts.ready")
        tabs.append(tab)
        return tab, problems

    yield open_lecture
    for tab in tabs:
        tab.close()


@pytest.mark.parametrize("lecture", slides.LECTURES)
def test_every_slide_fits_and_nothing_is_asked_of_the_network(show, lecture):
    tab, problems = show(lecture)
    total = tab.evaluate("Reveal.getTotalSlides()")
    assert 25 <= total <= 36  # 90 minutes
    for number in range(total):
        tab.evaluate(f"Reveal.slide({number})")
        height, width, words = tab.evaluate(
            "(() => { const s = Reveal.getCurrentSlide(); return [s.scrollHeight, s.scrollWidth, s.innerText.slice(0, 60)]; })()"
        )
        assert height <= 720 and width <= 1280, (number, words, height, width)
    assert problems == []


@pytest.mark.parametrize("lecture", slides.LECTURES)
def test_nothing_of_the_books_own_markup_is_left(folder, lecture):
    text = (folder / f"lecture-{lecture}.html").read_text(encoding="utf-8")
    text = re.sub(r"<script.*?</script>|base64,[^\"']*", "", text, flags=re.DOTALL)
    assert not re.search(r"\{(eq|numref|cite:\w|prf:\w+|ref)\}|:::|\$\$|<IPython|✗", text)


def test_the_numbers_are_the_sites(folder):
    names, _ = copies.number(copies.load())
    text = (folder / "lecture-2.html").read_text(encoding="utf-8")
    for label in ("elbo-identity", "kl-closed", "pathwise"):
        assert f"\\tag{{{names[label][1].strip('()')}}}" in text
    assert re.search(r"^✓ .*" + re.escape(names["elbo-identity"][1]) + "$", text, re.MULTILINE)


def test_each_slide_of_a_chapter_has_notes_and_each_figure_that_moves_its_question_before_it(folder):
    for lecture, (_, chapters) in slides.LECTURES.items():
        text = (folder / f"lecture-{lecture}.html").read_text(encoding="utf-8")
        sections = re.findall(r"<section>(.*?)</section>", text, re.DOTALL)
        asked = [cell["metadata"]["ask"] for name in chapters for cell in NOTEBOOKS[f"book/{name}"].cells if "ask" in cell["metadata"]]
        assert sum('<div class="ask">' in section for section in sections) == len(asked) > 0
        for before, section in zip(sections, sections[1:], strict=False):
            if '<div class="ask">' in before:
                assert 'class="moving' in section
            if "<h2>Chapter" not in section:
                assert re.search(r'<aside class="notes">.*\w', section, re.DOTALL), section[:80]


def test_what_stands_on_a_slide_is_the_formula_and_the_sentence_before_it():
    source = "## Title\n\nFirst words. It follows that\n\n$$\na = b\n$$ (label)\n\nfor all $a$. More words."
    assert slides.essence(source) == "First words. It follows that\n\n$$\na = b\n$$ (label)\n\nfor all $a$."
    assert slides.essence("## T\n\nOnly a few words.") == "Only a few words."
    assert slides.essence("Words\n\n<div class='box'>\n\n$$b$$\n\n</div>\n\nproof") == "<div class='box'>\n\n$$b$$\n\n</div>"
    long = "\n\n".join(f"Since\n\n$${k}$$" for k in range(5))
    assert [part.count("$$") // 2 for part in slides.parts(slides.essence(long))] == [3, 2]


def test_a_figure_moves_on_a_slide_and_keeps_the_arrow_keys(show):
    tab, problems = show(1)
    number = tab.evaluate("[...document.querySelectorAll('.slides > section')].findIndex(s => s.querySelector('.latent'))")
    tab.evaluate(f"Reveal.slide({number})")
    figure = tab.locator("section.present .moving.latent")
    before, frame = figure.locator(".reading").inner_text(), figure.locator(".plane > svg").bounding_box()
    tab.mouse.click(frame["x"] + 0.9 * frame["width"], frame["y"] + 0.2 * frame["height"])
    z1, z2 = map(float, re.search(r"\((\S+), (\S+)\)", figure.locator(".reading").inner_text().replace("−", "-")).groups())
    assert z1 > 1.5 and z2 > 1.5  # the corner that was clicked, whatever the scale of the slide
    figure.locator("input").first.focus()
    tab.keyboard.press("ArrowRight")
    assert tab.evaluate("Reveal.getIndices().h") == number and figure.locator(".reading").inner_text() != before
    assert problems == []


def test_printed_each_slide_is_a_page(show, tmp_path):
    tab, _ = show(2, "?print-pdf")
    tab.wait_for_selector(".pdf-page")
    total = tab.evaluate("Reveal.getTotalSlides()")
    assert tab.locator(".pdf-page").count() == total
