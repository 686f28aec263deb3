"""Figures that the reader's browser computes, without a kernel.

``live_table`` is the book's table with all four stages in training: ``table.js`` is its engine (losses, gradients derived by
hand, Adam), and ``live.js`` draws. ``drawn`` is for pictures that are a formula (``drawn.js``).
"""

from vae_edu import explorers, figures

# Each is a question to ask before the training, what to expect, and the settings that differ from the page's own.
EXPERIMENTS = [
    {
        "name": "σ = 1",
        "question": "A VAE with σ = 1, as if each grey value were off by the whole range. What will the KL be after 30 epochs?",
        "expect": "Below 0.05 nats: posterior collapse. Every q is the prior, and the decoder draws one image, the mean. All variances "
        "of the digits are below σ² = 1, so nothing is worth telling (chapter 10).",
        "sigma": 1,
    },
    {
        "name": "σ = 0.15",
        "question": "The same with σ = 0.15. How wide will the ellipses be, beside the dashed circle of radius 2?",
        "expect": "Narrow: a root mean square s between 0.08 and 0.14. The KL is 4 to 5 nats, and the mean of μ² + s², which "
        "the prior's scale fixes at 1, is between 0.75 and 1.1 (chapters 9 and 13).",
    },
    {
        "name": "KL off",
        "question": "Weight 0: nobody charges for the KL. How much will the reconstructions gain?",
        "expect": "Next to nothing: the misfit changes by less than 1.5 nats, while the ellipses shrink to points, and the KL that "
        "nobody charges more than doubles. Two numbers for each image were the bottleneck, not their price.",
        "weight": 0,
    },
    {
        "name": "MAP runs away",
        "question": "Stage 2, points with a prior, σ = 0.5, larger steps. First the codes spread. And then?",
        "expect": "They come back, and go on shrinking: from about epoch 20 on −log p(z) and the misfit fall together. The decoder "
        "grows as the codes shrink, and nothing stops it. The joint density of z and x has no maximum (chapter 4).",
        "first": 2,
        "sigma": 0.5,
        "lr": 0.01,
        "epochs": 60,
    },
    {
        "name": "Free against amortized",
        "question": "Stage 3 beside stage 4, the same decoder at the start. Who has the better loss on its training images?",
        "expect": "Stage 3, the table, by 3 to 14 nats: no network has to guess its entries. It pays for each new image with a search "
        "(chapter 11).",
        "first": 3,
        "second": 4,
    },
    {
        "name": "Mean for sum",
        "question": "A squared error averaged over 64 pixels instead of summed is a KL that weighs 64 times as much. What is left?",
        "expect": "Nothing: the KL is below 0.05 nats, as with σ = 1. It is the same mistake, since 64 · 0.15² = 1.2² (chapter 10).",
        "weight": 64,
    },
    {
        "name": "Warm-up",
        "question": "Steps of 0.05 are too large for σ = 0.3: without warm-up most runs lose both latents. Does a KL that comes late help?",
        "expect": "Yes: with 15 epochs of warm-up the KL ends above 2 nats for each of the seeds 0 to 4; without (set it to none) it "
        "stays below 1.5 for four of them. Smaller steps help as well, and need no trick (chapter 16).",
        "sigma": 0.3,
        "lr": 0.05,
        "warm": 15,
    },
    {
        "name": "A wide start",
        "question": "Stage 3 whose q's start as wide as the prior. What does the decoder learn from such a z at first?",
        "expect": "That z says nothing. It costs the table 12 to 25 nats after 30 epochs, against a start at log s = −2: the entries meet "
        "one gradient an epoch, and need many to come back (chapter 8).",
        "first": 3,
        "start": 0,
    },
]


def live_table(train, held, *, still, caption, alt):
    """Show the table: cells to choose, experiments, controls, and pictures of one or two trainings.

    train: data.Images of digits with grey values k/16. held: ten images (10, 64) that are rebuilt and not trained on.
    still: the figure that stands where no script runs; caption and alt as in explorers.
    """
    data = {
        "train": _pack(train.x),
        "held": _pack(held),
        "labels": "".join(map(str, train.y.tolist())),
        "colors": figures.DIGIT_COLORS,
        "experiments": EXPERIMENTS,
    }
    explorers.show("live", still, caption, alt, data, files=("explorers.css", "live.css", "table.js", "live.js"))


def drawn(scene, numbers, *, sliders, still, caption, alt):
    """Show a picture that is a formula, for any value of its sliders, and moved by its own curves and points.

    scene: "noise", "peaks" or "bowl", as drawn.js calls them, and the numbers that it needs. sliders: {name: (label,
    least, start, largest)}, and "log" as a fifth for a logarithmic one. still: the figure where no script runs.
    """
    names = ("label", "min", "start", "max", "log")
    sliders = {name: dict(zip(names, (*values, False), strict=False)) for name, values in sliders.items()}
    start = {name: slider["start"] for name, slider in sliders.items()}
    data = numbers | {"scene": scene, "sliders": sliders, "start": start}
    explorers.show("drawn", still, caption, alt, data, files=("explorers.css", "drawn.css", "drawn.js"))


def _pack(x):
    """Grey values k/16 as text, a letter each."""
    return "".join(chr(65 + round(16 * value)) for value in x.flatten().tolist())
