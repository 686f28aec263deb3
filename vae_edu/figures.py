"""The plots, in one style. Every function returns the axes or the figure that it drew on."""

import math

import matplotlib.pyplot as plt
import torch
from matplotlib.patches import FancyBboxPatch

# Okabe & Ito's colours, told apart by readers with any colour vision
BLUE, ORANGE, GREEN, PURPLE, SKY, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#6B6B6B"
DIGIT_COLORS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#222222", "#8C6D31", "#7A5195", "#A8B820"]

STYLE = {
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "figure.constrained_layout.use": True,
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": plt.cycler(color=[BLUE, ORANGE, GREEN, RED, PURPLE, SKY]),
    "axes.grid": True,
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "image.cmap": "gray_r",
    "image.interpolation": "nearest",
}


def use_style():
    """The book's style for every figure drawn from here on; sharp pictures in a notebook."""
    plt.rcParams.update(STYLE)
    try:
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("png", bbox_inches=None, dpi=200)
    except ImportError:
        pass  # not in a notebook


STAGES = {  # stage: column, row, name, how z is obtained, objective
    1: (0, 0, "Autoencoder", r"$z_i = e_\varphi(x_i)$", r"$\min\ \sum_i \Vert x_i - f_\theta(z_i) \Vert^2$"),
    2: (0, 1, "MapLatent", r"$z_i$ free", r"$\max\ \sum_i [\log p_\theta(x_i|z_i) + \log p(z_i)]$"),
    3: (1, 1, "VariationalLatent", r"$q_i = \mathcal{N}(\mu_i, s_i^2)$, free", r"$\max\ \sum_i \mathrm{ELBO}_i$"),
    4: (1, 0, "VAE", r"$q_\varphi(z|x_i) = \mathcal{N}(\mu_\varphi(x_i), s_\varphi(x_i)^2)$", r"$\max\ \sum_i \mathrm{ELBO}_i$"),
}


def stage_table(*lit):
    """The book's 2 × 2 table with the given stages lit."""
    figure, ax = plt.subplots(figsize=(7.2, 2.6))
    ax.set(xlim=(-0.28, 2.02), ylim=(-0.04, 2.3))
    ax.axis("off")
    for column, title in enumerate(["z is a point", "z is a distribution q"]):
        ax.text(column + 0.5, 2.15, title, ha="center", va="center", weight="bold")
    for row, title in enumerate(["amortized\n(computed\nfrom x)", "free\n(one entry per\ndata point)"]):
        ax.text(-0.02, row + 0.5, title, ha="right", va="center", fontsize=9, weight="bold")
    for stage, (column, row, name, latent, objective) in STAGES.items():
        on = stage in lit
        ax.add_patch(FancyBboxPatch(
            (column + 0.04, row + 0.06), 0.92, 0.88, boxstyle="round,pad=0,rounding_size=0.06", mutation_aspect=0.5,
            facecolor="#DCEBF7" if on else "#F6F6F6", edgecolor=BLUE if on else "#C8C8C8", linewidth=2 if on else 1,
        ))  # fmt: skip
        color = "#1A1A1A" if on else "#5A5A5A"
        ax.text(
            column + 0.5,
            row + 0.77,
            f"{stage} · {name}",
            ha="center",
            va="center",
            color=color,
            weight="bold" if on else "normal",
        )
        ax.text(column + 0.5, row + 0.51, latent, ha="center", va="center", color=color, fontsize=9)
        ax.text(column + 0.5, row + 0.25, objective, ha="center", va="center", color=color, fontsize=9)
    return figure


def image_rows(rows, size=0.62):
    """A grid of square images, one labelled row each: rows is {label: images (n, d)}."""
    n = max(len(images) for images in rows.values())
    figure, axes = plt.subplots(len(rows), n, figsize=(1.3 + size * n, (size + 0.04) * len(rows) + 0.08), squeeze=False)
    for (label, images), row in zip(rows.items(), axes, strict=True):
        for ax in row:
            ax.set(xticks=[], yticks=[])
            ax.grid(False)
            ax.spines[:].set_visible(False)
        for ax, image in zip(row, images, strict=False):
            ax.imshow(_square(image), vmin=0, vmax=1)
        row[0].set_ylabel(label, rotation=0, ha="right", va="center")
    return figure


def latent_scatter(z, labels, ax=None):
    """Points z (N, 2) of the latent plane, coloured and named by digit."""
    ax = ax or plt.gca()
    for digit, color in enumerate(DIGIT_COLORS):
        points = z[labels == digit]
        ax.scatter(points[:, 0], points[:, 1], s=5, color=color, linewidths=0, alpha=0.6, rasterized=True)
    for digit, color in enumerate(DIGIT_COLORS):
        if (labels == digit).any():
            x, y = z[labels == digit].median(0).values.tolist()
            ax.text(
                x,
                y,
                str(digit),
                color="white",
                weight="bold",
                ha="center",
                va="center",
                bbox={"boxstyle": "circle,pad=0.2", "fc": color, "ec": "white"},
            )
    ax.set(xlabel="$z_1$ (latent units)", ylabel="$z_2$ (latent units)")
    return ax


def decoded_plane(decode, low, high, n=12, ax=None):
    """What ``decode`` makes of an n × n grid over the square from low (2,) to high (2,) of the latent plane."""
    ax = ax or plt.gca()
    z1, z2 = (torch.linspace(float(a), float(b), n) for a, b in zip(low, high, strict=True))
    grid = torch.stack(torch.meshgrid(z1, z2, indexing="xy"), -1).reshape(-1, 2)  # (n², 2), z2 rising
    with torch.no_grad():
        images = decode(grid)
    side = math.isqrt(images.shape[-1])
    tiles = torch.nn.functional.pad(images.reshape(n, n, side, side), (1, 1, 1, 1)).flip(0)  # a white margin around each
    mosaic = tiles.permute(0, 2, 1, 3).reshape(n * (side + 2), n * (side + 2))
    half1, half2 = (z1[1] - z1[0]) / 2, (z2[1] - z2[0]) / 2  # tiles are centred on their grid points
    extent = [float(v) for v in (z1[0] - half1, z1[-1] + half1, z2[0] - half2, z2[-1] + half2)]
    ax.imshow(mosaic, vmin=0, vmax=1, extent=extent, aspect="auto")
    ax.grid(False)
    ax.set(xlabel="$z_1$ (latent units)", ylabel="$z_2$ (latent units)")
    return ax


def training_curve(history, ax=None):
    """Loss of each epoch."""
    ax = ax or plt.subplots(figsize=(5, 2.6))[1]
    ax.plot(range(1, len(history.loss) + 1), history.loss)
    ax.set(xlabel="epoch", ylabel=history.label)
    return ax


def _square(image):
    side = math.isqrt(len(image))
    return image.detach().reshape(side, side)
