"""A sweep shows every value of a figure behind a slider, in one self-contained output."""

import base64
import json
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest

from vae_edu import explorers


@pytest.fixture
def shown(monkeypatch):
    """shown(...): the output bundle of a sweep over 0, 0.5 and 1, and the values for which it was drawn."""
    bundles, drawn = [], []
    monkeypatch.setattr(explorers, "display", lambda bundle, raw: bundles.append(bundle))

    def draw(value):
        drawn.append(value)
        figure, ax = plt.subplots(figsize=(4, 2))
        ax.plot([0, value])
        return figure

    def show(**changes):
        settings = {"label": "height", "caption": "Try 1 < 2.", "alt": "A rising line.", "start": 1} | changes
        explorers.sweep(draw, np.linspace(0, 1, 3), **settings)
        return bundles[-1], drawn

    return show


def test_every_value_is_drawn_once_and_travels_in_the_page(shown):
    bundle, drawn = shown()
    texts, frames = json.loads(re.search(r'<script type="application/json">(.*?)</script>', bundle["text/html"], re.DOTALL)[1])
    assert drawn == [0.0, 0.5, 1.0]
    assert texts == ["0.00", "0.50", "1.00"]
    assert all(base64.b64decode(frame.removeprefix("data:image/webp;base64,"))[8:12] == b"WEBP" for frame in frames)
    assert len(set(frames)) == 3


def test_the_slider_starts_where_it_was_told_and_says_its_value_to_a_screen_reader(shown):
    slider = re.search(r"<input[^>]*>", shown()[0]["text/html"])[0]
    assert all(part in slider for part in ['min="0"', 'max="2"', 'value="1"', 'aria-valuetext="0.50"'])


def test_where_scripts_do_not_run_a_picture_with_its_text_is_left(shown):
    bundle, _ = shown()
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")
    assert bundle["text/plain"] == "A rising line."
    assert 'alt="A rising line."' in bundle["text/html"] and "Try 1 &lt; 2." in bundle["text/html"]


def test_running_it_again_changes_nothing(shown):
    assert shown()[0] == shown()[0]


def test_figures_are_closed_behind_it(shown):
    before = plt.get_fignums()
    shown()
    assert plt.get_fignums() == before


def test_a_start_outside_the_values_is_refused(shown):
    with pytest.raises(ValueError, match="start must be between 0 and 2, got 3"):
        shown(start=3)
