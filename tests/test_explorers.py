"""Figures that move: drawn in advance for the page, by the kernel in its widgets, by the browser in the latent plane."""

import base64
import itertools
import json
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from vae_edu import Decoder, GaussianEncoder, explorers, gaussian

# Sweeps and reruns


@pytest.fixture
def bundles(monkeypatch):
    """What was displayed."""
    shown = []
    monkeypatch.setattr(explorers, "display", lambda bundle, raw: shown.append(bundle))
    return shown


@pytest.fixture
def widgets(monkeypatch):
    """The widgets that were made."""
    made, make = [], explorers._widget
    monkeypatch.setattr(explorers, "_widget", lambda *arguments: made.append(make(*arguments)) or made[-1])
    return made


@pytest.fixture
def draw():
    """A function that draws a line as high as its argument, and remembers how high."""

    def draw(value):
        draw.values.append(value)
        figure, ax = plt.subplots(figsize=(4, 2))
        ax.plot([0, value])
        return figure

    draw.values = []
    return draw


TEXTS = {"label": "height", "caption": "Try 1 < 2.", "alt": "A rising line."}


def sweep(draw, start=1):
    explorers.sweep(draw, np.linspace(0, 1, 3), start=start, **TEXTS)


def data_of(bundle):
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', bundle["text/html"], re.DOTALL)[1])


def test_every_value_of_a_sweep_is_drawn_once_and_travels_in_the_page(bundles, draw):
    sweep(draw)
    data = data_of(bundles[0])
    assert draw.values == [0.0, 0.5, 1.0]
    assert data["values"] == ["0.00", "0.50", "1.00"] and data["label"] == "height" and data["start"] == 1
    assert all(base64.b64decode(frame.removeprefix("data:image/webp;base64,"))[8:12] == b"WEBP" for frame in data["frames"])
    assert len(set(data["frames"])) == 3


def test_the_first_picture_is_the_one_that_the_slider_returns_to(bundles):
    def without_a_layout(value):
        figure, ax = plt.subplots(figsize=(4, 2), layout="none")
        ax.set(title="too near", xlabel="the edge")
        return figure

    with plt.rc_context({"figure.constrained_layout.use": True}):
        sweep(without_a_layout)
    first = re.search(r'<img[^>]* src="([^"]+)"', bundles[0]["text/html"])[1]
    assert first == data_of(bundles[0])["frames"][1] == data_of(bundles[0])["frames"][0]


def test_a_slider_says_what_it_is_told_to_say(bundles, draw):
    explorers.sweep(draw, [1.0, 2.0], says=lambda value: f"{value:.0f} of 2", **TEXTS)
    assert data_of(bundles[0])["values"] == ["1 of 2", "2 of 2"]


def test_where_scripts_do_not_run_a_picture_with_its_text_is_left(bundles, draw):
    sweep(draw)
    page = re.sub(r"<(script|style).*?</\1>", "", bundles[0]["text/html"], flags=re.DOTALL)
    assert data_of(bundles[0])["frames"][1] in page
    assert 'alt="A rising line."' in page and "<figcaption>Try 1 &lt; 2.</figcaption>" in page
    assert not re.search("<(input|label|button|canvas)", page)


def test_paper_gets_a_picture_and_a_terminal_gets_words(bundles, draw):
    sweep(draw)
    assert base64.b64decode(bundles[0]["image/png"]).startswith(b"\x89PNG")
    assert bundles[0]["text/plain"] == "A rising line."


def test_running_it_again_changes_nothing_that_is_stored(bundles, draw):
    sweep(draw)
    sweep(draw)
    first, second = ({kind: form for kind, form in bundle.items() if "widget" not in kind} for bundle in bundles)
    assert first == second


def test_figures_are_closed_behind_it(bundles, widgets, draw):
    before = plt.get_fignums()
    sweep(draw)
    widgets[0].children[0].value = 0.3
    assert plt.get_fignums() == before


def test_with_a_kernel_the_slider_draws_any_value(bundles, widgets, draw):
    sweep(draw)
    slider, picture, caption = widgets[0].children
    assert "application/vnd.jupyter.widget-view+json" in bundles[0]
    assert (slider.min, slider.max, slider.value) == (0.0, 1.0, 0.5) and "Try 1 &lt; 2." in caption.value
    pictures = [picture.value]
    for value in (0.0, 0.37, 1.0):
        slider.value = value
        assert draw.values[-1] == value
        pictures.append(picture.value)
    assert len(set(pictures)) == 4


def test_a_start_outside_the_values_is_refused(draw):
    with pytest.raises(ValueError, match="start must be between 0 and 2, got 3"):
        sweep(draw, start=3)


def test_a_rerun_draws_one_picture_in_advance_and_says_that_it_needs_a_kernel(bundles, widgets, draw):
    explorers.rerun(draw, 0.0, 1.0, value=0.4, **TEXTS)
    assert draw.values == [0.4]
    assert "<script" not in bundles[0]["text/html"]
    assert "run the chapter, and a slider appears." in bundles[0]["text/html"]
    for value in (0.1, 0.8):
        widgets[0].children[0].value = value
    assert draw.values == [0.4, 0.1, 0.8]


# The latent plane


def network(latent_dim=2):
    generator = torch.Generator().manual_seed(0)
    decoder = Decoder(latent_dim, 64, (16, 12), sigma_dec=0.1, generator=generator)
    return decoder, GaussianEncoder(64, latent_dim, (16,), generator=generator)


CODES = torch.tensor([[0.0, 0.0], [1.0, 1.0], [-1.0, 0.5]])
STDS = torch.tensor([[0.1, 0.2], [0.3, 0.3], [0.2, 0.1]])
IMAGES = torch.linspace(0, 1, 128).reshape(2, 64)


def plane(ax):
    ax.set(xlim=(-2, 2), ylim=(-1, 3))


def show_plane(decoder, encoder):
    labels = torch.tensor([4, 7, 9])
    pictures = {"a 4": IMAGES[0], "a 7": IMAGES[1]}
    explorers.latent_plane(
        plane, decoder, start=(0.5, 0.5), codes=(labels, CODES, STDS), encoder=encoder, images=pictures,
        caption="Drag.", alt="A plane with three codes.",
    )  # fmt: skip


def test_only_a_plane_can_be_dragged_in():
    with pytest.raises(ValueError, match="a plane has two latents, this decoder has 3"):
        show_plane(*network(3))


def test_the_axes_are_where_the_page_believes_them(bundles):
    show_plane(*network())
    data = data_of(bundles[0])
    figure, ax = plt.subplots(figsize=(4.2, 4))
    plane(ax)
    figure.canvas.draw()
    for z1, z2 in itertools.product((-2, 0, 2), (-1, 3)):
        pixel = ax.transData.transform((z1, z2)) / figure.bbox.size  # shares, from the lower left
        left, top, width, height = data["box"]
        assert left + width * (z1 + 2) / 4 == pytest.approx(pixel[0], abs=2e-3)
        assert top + height * (3 - z2) / 4 == pytest.approx(1 - pixel[1], abs=2e-3)
    plt.close(figure)


@pytest.fixture(scope="module")
def tab(chromium):
    """The plane's page, with an encoder, in a browser; with it the networks."""
    shown, networks = [], network()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(explorers, "display", lambda bundle, raw: shown.append(bundle))
        show_plane(*networks)
    tab = chromium.new_page(viewport={"width": 900, "height": 900})
    tab.page = "<!doctype html><meta charset=utf-8><meta name=viewport content='width=device-width'>" + shown[0]["text/html"]
    tab.set_content(tab.page)
    tab.decoder, tab.encoder = networks
    yield tab
    tab.close()


def reading(tab):
    """The numbers of the line below the figure."""
    text = tab.locator(".reading").inner_text().replace("\u2212", "-")
    return [float(number) for number in re.findall(r"-?\d+\.\d+", text)], text


def z_of(tab):
    return [float(tab.locator(".moving input").nth(k).input_value()) for k in range(2)]


def test_the_browsers_networks_agree_with_torch(tab):
    generator = torch.Generator().manual_seed(1)
    z, x = 2 * torch.randn(200, 2, generator=generator), torch.rand(50, 64, generator=generator)
    decoded = tab.evaluate("z => z.map(document.querySelector('.latent').decode)", z.tolist())
    encoded = tab.evaluate("x => x.map(document.querySelector('.latent').encode)", x.tolist())
    with torch.no_grad():
        torch.testing.assert_close(torch.tensor(decoded), tab.decoder(z), atol=1e-5, rtol=0)
        mean, log_std = tab.encoder(x)
    torch.testing.assert_close(torch.tensor(encoded), torch.stack([mean, log_std.exp()], 1), atol=1e-5, rtol=1e-5)


def test_dragging_moves_z_to_the_finger(tab):
    box = json.loads(tab.locator(".moving script").first.text_content())["box"]
    frame = tab.locator(".moving .plane > svg").bounding_box()

    def pixel(z1, z2):
        share = box[0] + box[2] * (z1 + 2) / 4, box[1] + box[3] * (3 - z2) / 4
        return frame["x"] + frame["width"] * share[0], frame["y"] + frame["height"] * share[1]

    tab.mouse.move(*pixel(-1.5, -0.5))
    tab.mouse.down()
    tab.mouse.move(*pixel(1, 1.6))
    numbers, text = reading(tab)
    tab.mouse.up()
    assert numbers[:2] == pytest.approx([1, 1.6], abs=0.02) and "is that of a 7" in text
    assert numbers[2] == pytest.approx(0.6, abs=0.02)
    tab.mouse.move(*pixel(-1.5, -0.5))  # let go: nothing moves any more
    assert reading(tab)[0] == numbers


def test_a_finger_moves_it_too(tab):
    context = tab.context.browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True)
    phone = context.new_page()
    phone.set_content(tab.page)
    frame = phone.locator(".moving .plane > svg").bounding_box()
    phone.touchscreen.tap(frame["x"] + 0.7 * frame["width"], frame["y"] + 0.3 * frame["height"])
    assert reading(phone)[0][:2] != [0.5, 0.5]
    assert phone.evaluate("document.documentElement.scrollWidth") <= 360
    context.close()


def test_the_densities_are_those_of_the_prior_and_of_the_mixture(tab):
    z = torch.tensor([-0.9, 0.5], dtype=torch.float64)
    for k in range(2):
        tab.locator(".moving input").nth(k).fill(str(z[k].item()))
    log_prior, log_aggregate = reading(tab)[0][-2:]
    z = torch.tensor(z_of(tab), dtype=torch.float64)
    each = gaussian.log_density(z, CODES.double(), STDS.double().log())
    assert log_prior == pytest.approx(torch.distributions.Normal(0.0, 1.0).log_prob(z).sum().item(), abs=0.01)
    assert log_aggregate == pytest.approx((each.logsumexp(0) - np.log(3)).item(), abs=0.02)


def test_the_sliders_move_z_by_keyboard_and_say_where_it_is(tab):
    before = z_of(tab)
    slider = tab.locator(".moving input").first
    slider.press("ArrowRight")
    after = z_of(tab)
    assert after[0] > before[0] and after[1] == before[1]
    assert "nearest code: 9" in slider.get_attribute("aria-valuetext")


def test_a_picked_image_is_encoded_and_its_q_drawn(tab):
    tab.get_by_role("button", name="encode a 7").click()
    with torch.no_grad():
        mean, log_std = tab.encoder(IMAGES[1:])
        error = ((IMAGES[1] - tab.decoder(mean)[0]) ** 2).sum()
    expected = [*mean[0], *log_std[0].exp(), gaussian.kl_divergence(mean, log_std)[0], error]
    assert reading(tab)[0][:6] == pytest.approx([float(v) for v in expected], abs=0.006)
    outer, inner = ([float(tab.locator(".moving ellipse").nth(k).get_attribute(name)) for name in ("rx", "ry")] for k in range(2))
    width = json.loads(tab.locator(".moving script").first.text_content())["box"][2] * 420
    assert inner[0] == pytest.approx(float(log_std[0, 0].exp()) / 4 * width, rel=1e-4)
    assert outer == pytest.approx([2 * r for r in inner])


def test_an_image_can_be_drawn_with_the_pointer_and_with_the_keyboard(tab):
    tab.get_by_role("button", name="clear").click()
    empty = reading(tab)
    pad = tab.get_by_role("application")
    pad.click()
    drawn = reading(tab)
    assert drawn != empty and drawn[1].startswith("Your drawing")
    pad.press("ArrowLeft")
    assert reading(tab) == drawn
    pad.press("Space")
    assert reading(tab) != drawn
