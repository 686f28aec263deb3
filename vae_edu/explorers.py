"""Figures that a reader can move.

Each function displays one output in several forms, and whoever shows it takes the richest that it can: widgets
(a kernel), text/html (a browser; no kernel, no network), image/png (paper), text/plain. The html is a picture and
its caption, to which a script of this folder adds the controls: where no script runs, the picture stands alone.
"""

import base64
import hashlib
import html
import io
import json
from importlib import resources

import ipywidgets
import matplotlib.pyplot as plt
import torch
from IPython.display import display

from vae_edu import figures

FORMATS = {"webp": {"dpi": 150, "pil_kwargs": {"quality": 60}}, "png": {"dpi": 200}}

PAGE = """
<figure class="moving {kind}" id="{id}">
<img loading="lazy" src="{picture}" alt="{alt}" width="{width}" height="{height}">
<figcaption>{caption}</figcaption>
"""

SCRIPT = """<style>{style}</style>
<script type="application/json">{data}</script>
<script>{{ {source}
{kind}(document.getElementById("{id}")); }}</script>
"""


def sweep(draw, values, *, label, caption, alt, start=0, says="{:.2f}".format):
    """Show a slider over the figures draw(value): any value with a kernel, the given values without one.

    draw: value → matplotlib figure. label: what the slider is called; caption says what to try and what to expect; alt what
    the first picture shows. start: which of the rising values is first, counted from 0; ValueError when there is none.
    says: what is to be read beside the slider at a value, and heard by those who do not see the picture.
    """
    if not 0 <= start < len(values):
        raise ValueError(f"start must be between 0 and {len(values) - 1}, got {start}")
    frames = []
    for i, value in enumerate(values):
        figure = draw(value)
        frames.append(_webp(figure))
        if i == start:
            still = figure
        else:
            plt.close(figure)
    data = {"label": label, "values": [says(value) for value in values], "frames": frames, "start": start}
    show("sweep", still, caption, alt, data, _widget(draw, values[0], values[-1], values[start], still, label, caption))


def rerun(draw, low, high, *, value, label, caption, alt):
    """The same where a figure trains a network: any value from low to high with a kernel, and without one a picture at value."""
    still = draw(value)
    line = f"{caption} This figure computes anew for every value: run the chapter, and a slider appears."
    show("still", still, line, alt, None, _widget(draw, low, high, value, still, label, caption))


def latent_plane(draw, decoder, *, start, codes, caption, alt, encoder=None, images=None):
    """Show a latent plane in which a point can be dragged, beside what the decoder makes of it, computed in the browser.

    draw: draws the plane on the axes that it is given, and sets their limits. decoder: a Decoder with two latents and
    a square image. start: the first z (2,). codes: labels (N,), means (N, 2) and stds (N, 2) of q(z|x_i), or None for
    stds where codes are points; the nearest one is named, and with stds log q̄(z) of the aggregate is shown beside log p(z).
    encoder: a GaussianEncoder; with it come images {name: (d,)} to pick from and a pad to draw on, and q(z|x) is shown as
    ellipses of one and two standard deviations. Raises ValueError when the latent space is not a plane.
    """
    if decoder.latent_dim != 2:
        raise ValueError(f"a plane has two latents, this decoder has {decoder.latent_dim}")
    labels, mean, std = codes
    plane, ax = plt.subplots(figsize=(4.2, 4))
    draw(ax)
    plane.draw_without_rendering()  # the layout: where on the picture are the axes?
    box, (left, right), (low, high) = ax.get_position(), ax.get_xlim(), ax.get_ylim()
    still, (ax, decoded) = plt.subplots(1, 2, figsize=(7.2, 4), width_ratios=(1.7, 1))
    draw(ax)
    ax.plot(*start, "o", color=figures.RED, markersize=9, markeredgecolor="white")
    image = decoder(torch.as_tensor([start], dtype=decoder.log_sigma.dtype))[0].detach().numpy()
    side = round(len(image) ** 0.5)
    decoded.imshow(image.reshape(side, side), vmin=0, vmax=1)
    decoded.spines[:].set_visible(False)
    decoded.set(xticks=[], yticks=[], title=f"f(z) at z = ({start[0]:.1f}, {start[1]:.1f})")
    data = {
        "plane": _webp(plane),
        "box": [box.x0, 1 - box.y1, box.width, box.height],  # of the axes, in shares of the picture, from its upper left
        "limits": [left, right, low, high],
        "start": list(start),
        "side": side,
        "decoder": _layers(decoder.net),
        "labels": labels.tolist(),
        "mean": _floats(mean),
        "std": None if std is None else _floats(std),
        "encoder": encoder and _layers(encoder.net),
        "images": {name: _floats(pixels) for name, pixels in (images or {}).items()},
    }
    show("latent", still, caption, alt, data)
    plt.close(plane)


def _widget(draw, low, high, value, still, label, caption):
    """A slider over all values from low to high, above the figure; the kernel draws when it is let go."""
    slider = ipywidgets.FloatSlider(
        value, min=low, max=high, step=(high - low) / 100, description=label,
        continuous_update=False, style={"description_width": "initial"}, layout={"width": "100%"},
    )  # fmt: skip
    picture = ipywidgets.Image(value=_encode(still, "webp"), format="webp", layout={"max_width": "100%"})

    def redraw(_):
        figure = draw(slider.value)
        picture.value = _encode(figure, "webp")
        plt.close(figure)

    slider.observe(redraw, "value")
    return ipywidgets.VBox([slider, picture, ipywidgets.HTML(html.escape(caption))])


def show(kind, still, caption, alt, data, widget=None, files=()):
    """Display all forms; files: styles and scripts of this folder. Ids depend on the caption only, and stay when it is run again."""
    key = f"{kind}-" + hashlib.sha1(caption.encode()).hexdigest()[:8]
    width, height = (round(100 * inches) for inches in still.get_size_inches())
    alt_, caption_ = html.escape(alt), html.escape(caption)
    page = PAGE.format(kind=kind, id=key, picture=_webp(still), alt=alt_, width=width, height=height, caption=caption_)
    if data:
        folder = resources.files("vae_edu")
        texts = {name: folder.joinpath(name).read_text(encoding="utf-8") for name in files or ("explorers.css", f"{kind}.js")}
        style, source = ("\n".join(text for name, text in texts.items() if name.endswith(end)) for end in (".css", ".js"))
        text = json.dumps(data, ensure_ascii=False).replace("</", "<\\/")
        page += SCRIPT.format(kind=kind, id=key, data=text, style=style, source=source)
    forms = {"text/html": page + "</figure>", "image/png": base64.b64encode(_encode(still, "png")).decode(), "text/plain": alt}
    if widget:  # by hand: ipywidgets 7, which Colab keeps, has no function for it
        forms["application/vnd.jupyter.widget-view+json"] = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    display(forms, raw=True)
    plt.close(still)


def _webp(figure):
    return "data:image/webp;base64," + base64.b64encode(_encode(figure, "webp")).decode()


def _encode(figure, kind):
    buffer, layout = io.BytesIO(), figure.get_layout_engine()
    figure.savefig(buffer, format=kind, **FORMATS[kind])
    figure.set_layout_engine(layout or "none")  # savefig gives a figure without one the style's, and the next picture differs
    return buffer.getvalue()


def _floats(tensor):
    """float32 as text."""
    return base64.b64encode(tensor.detach().float().numpy().tobytes()).decode()


def _layers(net):
    """Weights (out · in) and biases (out) of the linear layers, between which there are ReLUs."""
    return [[_floats(layer.weight), _floats(layer.bias)] for layer in net if isinstance(layer, torch.nn.Linear)]
