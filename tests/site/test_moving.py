"""The figures that move, on their pages: complete, and doing what their captions say."""

import math
import re

import pytest
import scipy.integrate
import scipy.stats
import torch
from stored import NOTEBOOKS

FIGURES = {
    page: [
        output["data"]["text/html"]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if 'class="moving' in output.get("data", {}).get("text/html", "")
    ]
    for page, notebook in NOTEBOOKS.items()
}
MOVING = {page: figures for page, figures in FIGURES.items() if figures}
# {frame: has it loaded?} of every slider on the page
FRAMES = """() => Promise.all([...document.querySelectorAll('.moving.sweep')].flatMap(figure =>
  JSON.parse(figure.querySelector('[type="application/json"]').textContent).frames.map(frame => new Promise(done => {
    const image = new Image();
    image.onload = () => done([frame, image.naturalWidth > 500]);
    image.onerror = () => done([frame, false]);
    image.src = frame;
  }))))"""
MOVE = """([z1, z2]) => {
  const sliders = [...document.querySelectorAll('.moving.latent input')];
  [z1, z2].forEach((z, k) => { sliders[k].value = z; sliders[k].dispatchEvent(new Event('input')); });
  return document.querySelector('.moving.latent .reading').textContent;
}"""


def numbers(text):
    return [float(number) for number in re.findall(r"-?\d+\.\d+", text.replace("\u2212", "-"))]


@pytest.fixture
def move(tab):
    """move(z): what the latent plane of the page says at z: z1, z2, distance to the nearest code, and densities if it has them."""
    return lambda *z: numbers(tab.evaluate(MOVE, list(z)))


@pytest.mark.parametrize("page", MOVING)
def test_every_figure_that_moves_is_on_its_page_numbered_and_with_its_caption(tab, origin, page):
    tab.goto(f"{origin}/{page}.html")
    assert tab.locator(".moving").count() == len(MOVING[page])
    for k in range(len(MOVING[page])):
        figure = tab.locator("figure:has(.moving)").nth(k)
        assert re.match(r"Fig\. \d+(\.\d+)?", figure.locator("figcaption .caption-number").inner_text())
        caption = re.search(r"<figcaption>(.*?)</figcaption>", MOVING[page][k], re.DOTALL)[1]
        assert caption.split()[:3] == figure.locator("figcaption .caption-text").inner_text().split()[:3]


@pytest.mark.parametrize(
    "page", [page for page, figures in MOVING.items() if any("moving sweep" in figure for figure in figures)]
)
def test_every_picture_behind_a_slider_is_a_file_that_loads(tab, origin, page):
    tab.goto(f"{origin}/{page}.html")
    frames = tab.evaluate(FRAMES)
    assert len(frames) >= 7 and all("/_images/" in frame and loaded for frame, loaded in frames)


def test_in_chapter_1_a_code_is_near_in_a_cluster_and_far_at_the_rim(tab, origin, move):
    tab.goto(f"{origin}/book/01_autoencoder.html")
    figure = tab.locator(".moving.latent")
    assert "is that of a 0" in figure.locator(".reading").inner_text()
    zero = figure.locator("canvas").evaluate("canvas => canvas.toDataURL()")
    _, _, inside = numbers(figure.locator(".reading").inner_text())
    figure.locator("svg").scroll_into_view_if_needed()
    box = figure.locator("svg").bounding_box()
    tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tab.mouse.down()
    tab.mouse.move(box["x"] + 0.97 * box["width"], box["y"] + 0.03 * box["height"], steps=5)
    tab.mouse.up()
    assert numbers(figure.locator(".reading").inner_text())[2] > inside + 0.5
    assert figure.locator("canvas").evaluate("canvas => canvas.toDataURL()") != zero


def test_in_chapter_9_each_digit_gets_its_ellipse_and_its_reconstruction(tab, origin):
    tab.goto(f"{origin}/book/09_vae.html")
    figure = tab.locator(".moving.latent")
    means, widths = set(), []
    for digit in range(10):
        figure.get_by_role("button", name=re.compile(rf"encode an? {digit}")).click()
        mean1, mean2, std1, std2, kl, _ = numbers(figure.locator(".reading").inner_text())[:6]
        means.add((mean1, mean2))
        widths += [std1, std2]
        assert 0.01 < std1 < 0.5 and 0.01 < std2 < 0.5 and kl > 1  # narrow, beside a prior of standard deviation 1
        ellipse = figure.locator("ellipse").first.bounding_box()
        marker = figure.locator("circle.ring").bounding_box()
        assert ellipse["x"] < marker["x"] + marker["width"] / 2 < ellipse["x"] + ellipse["width"]
    assert len(means) == 10
    empty, black = figure.evaluate("figure => [0, 1].map(ink => figure.encode(Array(64).fill(ink))[1])")
    assert min(empty) > 2 * max(widths)  # no measure of doubt: wide where nothing is drawn,
    assert max(black) < min(widths)  # narrow where everything is
    figure.get_by_role("button", name="clear").click()
    assert figure.locator(".reading").inner_text().startswith("An empty image")


def test_the_lens_of_chapter_9_enlarges_small_ellipses_and_no_control_moves_when_the_reading_grows(tab, origin):
    tab.goto(f"{origin}/book/09_vae.html")
    figure = tab.locator(".moving.latent")
    sliders = figure.locator("input").first.evaluate("input => input.getBoundingClientRect().y + scrollY")
    figure.get_by_role("button", name="encode a 3").click()
    small, large = (figure.locator("ellipse").nth(nth).bounding_box() for nth in (0, 2))
    scale = large["width"] / small["width"]
    assert scale > 2 and f"{scale:.0f} ×" == figure.locator("text").text_content()
    assert abs(large["height"] / small["height"] - scale) < 0.2
    assert figure.locator("input").first.evaluate("input => input.getBoundingClientRect().y + scrollY") == sliders
    figure.get_by_role("button", name="clear").click()
    assert not figure.locator("rect.lens").is_visible()  # wide enough to be seen


def asked(tab, nth=0, **values):
    """What a drawn figure says, with its sliders at these values."""
    figure = tab.locator(".moving.drawn").nth(nth)
    figure.evaluate("(figure, values) => figure.moved.set(values)", values)
    return numbers(figure.locator(".reading").inner_text())


def test_in_chapter_2_the_price_of_sigma_is_the_formula(tab, origin):
    tab.goto(f"{origin}/book/02_gaussian_likelihood.html")
    error = tab.locator(".moving.drawn").evaluate("figure => JSON.parse(figure.querySelector('[type=\"application/json\"]').textContent).error")
    for sigma in (0.06, 0.12, 1.0):
        _, price = asked(tab, sigma=sigma)
        assert price == pytest.approx(error / (2 * sigma**2) + 32 * math.log(2 * math.pi * sigma**2), abs=0.06)


def test_in_chapter_5_elbo_and_kl_add_up_to_log_p_and_the_best_q_leaves_the_valley_at_065(tab, origin):
    tab.goto(f"{origin}/book/05_variational_inference.html")
    log_joint = lambda z: scipy.stats.norm.logpdf(1.0, z**2, noise) + scipy.stats.norm.logpdf(z)  # noqa: E731
    noise = tab.locator(".moving.drawn").first.evaluate("f => JSON.parse(f.querySelector('[type=\"application/json\"]').textContent).noise")
    log_p = math.log(scipy.integrate.quad(lambda z: math.exp(log_joint(z)), -6, 6, points=[-1, 1])[0])
    for mu, s in ((0.0, 0.16), (0.9, 0.2), (-1.4, 0.5)):
        *_, elbo, kl, total = asked(tab, mu=mu, s=s)
        q = scipy.stats.norm(mu, s)
        exact = scipy.integrate.quad(lambda z: q.pdf(z) * (log_joint(z) - q.logpdf(z)), mu - 9 * s, mu + 9 * s)[0]
        assert elbo == pytest.approx(exact, abs=0.011) and total == pytest.approx(log_p, abs=0.011)
        assert round(elbo + kl, 2) == total
    assert asked(tab, nth=1, x=0.64)[1] == 0 and asked(tab, nth=1, x=0.66)[1] > 0.5


def test_in_chapter_6_the_three_parts_add_up_to_the_divergence_and_the_point_can_be_pulled(tab, origin):
    tab.goto(f"{origin}/book/06_closed_form_kl.html")
    for mu, s in ((1.0, 0.25), (-2.0, 1.7), (0.0, 1.0)):
        line = tab.locator(".moving.drawn")
        *_, total = asked(tab, mu=mu, s=s)
        exact = torch.distributions.kl_divergence(*(torch.distributions.Normal(*at) for at in ((mu, s), (0.0, 1.0)))).item()
        assert total == pytest.approx(exact, abs=0.016)
    chart = line.locator("svg.chart").last
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    tab.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
    tab.mouse.down()
    tab.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 0.3 * box["height"], steps=4)
    tab.mouse.up()
    mu, s, *_ = numbers(line.locator(".reading").inner_text())
    assert 1 < mu < 2.2 and 1.4 < s < 2.7


def test_in_chapter_10_a_figure_that_trains_says_that_it_needs_a_kernel(tab, origin):
    tab.goto(f"{origin}/book/10_one_knob.html")
    figure = tab.locator("figure:has(.moving.still)")
    assert "run the chapter, and a slider appears" in figure.inner_text()
    assert figure.locator("input").count() == 0


def test_in_chapter_13_the_prior_reaches_holes_in_which_no_image_is(tab, origin, move):
    tab.goto(f"{origin}/book/13_prior_and_latent_space.html")
    steps = [0.4 * k for k in range(-7, 8)]
    readings = [move(z1, z2) for z1 in steps for z2 in steps if z1 * z1 + z2 * z2 < 9]
    holes = [log_q < log_p - 2.3 for *_, log_p, log_q in readings]
    assert 0.05 < sum(holes) / len(holes) < 0.6  # of the disk of radius 3
    clumps = [log_q > log_p for *_, log_p, log_q in readings]
    assert sum(clumps) > 10


def test_a_slider_moves_its_figure_by_keyboard_without_a_kernel(visit, origin):
    tab = visit.tab
    tab.goto(f"{origin}/book/14_linear_vae.html")
    slider = tab.locator(".moving.sweep input").first
    figure = tab.locator(".moving.sweep").first
    before = figure.locator("img").get_attribute("src"), figure.locator("output").inner_text()
    slider.focus()
    slider.press("ArrowRight")
    after = figure.locator("img").get_attribute("src"), figure.locator("output").inner_text()
    assert before[0] != after[0] and after[1] != before[1]
    assert slider.get_attribute("aria-valuetext") == after[1]
