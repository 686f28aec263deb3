"""Figures that a reader can move, with a kernel and without one."""

import base64
import hashlib
import html
import io
import json

import matplotlib.pyplot as plt
from IPython.display import display

SLIDER = """
<figure class="sweep" id="{id}">
<img src="{first}" alt="{alt}" width="{width}">
<label>{label} = <output>{value}</output>
<input type="range" min="0" max="{last}" value="{start}" step="1" aria-valuetext="{value}"></label>
<figcaption>{caption}</figcaption>
<script type="application/json">{frames}</script>
<script>
(() => {{
  const figure = document.getElementById("{id}");
  const [values, frames] = JSON.parse(figure.querySelector("script").textContent);
  const [image, output, slider] = ["img", "output", "input"].map((tag) => figure.querySelector(tag));
  slider.addEventListener("input", () => {{
    image.src = frames[slider.value];
    output.textContent = values[slider.value];
    slider.setAttribute("aria-valuetext", values[slider.value]);
  }});
}})();
</script>
</figure>
"""


def sweep(draw, values, *, label, caption, alt, start=0):
    """Show a slider over the figures draw(value), one drawn in advance for each of values.

    draw: value → matplotlib figure. label: what the slider is called; caption says what to try; alt what is seen.
    start: which value is shown first, counted from 0; ValueError when there is no such value. Works by keyboard and touch and without a kernel; where scripts do not run,
    the first picture stands alone.
    """
    if not 0 <= start < len(values):
        raise ValueError(f"start must be between 0 and {len(values) - 1}, got {start}")
    frames = []
    for i, value in enumerate(values):
        figure = draw(value)
        frames.append("data:image/webp;base64," + base64.b64encode(_encode(figure, "webp", 150)).decode())
        if i == start:
            still, width = _encode(figure, "png", 200), int(figure.get_figwidth() * 100)
        plt.close(figure)
    texts = [f"{value:.2f}" for value in values]
    page = SLIDER.format(
        id="sweep-" + hashlib.sha1((label + caption).encode()).hexdigest()[:8],  # the same at every execution
        alt=html.escape(alt),
        caption=html.escape(caption),
        label=html.escape(label),
        first=frames[start],
        frames=json.dumps([texts, frames]),
        last=len(texts) - 1,
        start=start,
        value=texts[start],
        width=width,
    )
    display({"text/html": page, "image/png": base64.b64encode(still).decode(), "text/plain": alt}, raw=True)


def _encode(figure, kind, dpi):
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, dpi=dpi, pil_kwargs={"quality": 60} if kind == "webp" else None)
    return buffer.getvalue()
