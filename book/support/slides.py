"""Slides for the lectures, made of the chapters' own cells: python book/support/slides.py FOLDER.

A cell with the tag "slide" begins a slide, one with "on-slide" goes on with it. A Markdown cell gives its section's heading,
boxes, lists, displayed formulas and the sentence before each; its whole text is the speaker's note. A code cell gives its code
where the page shows it, and what it drew or printed; captions are notes. A figure that moves has a question to ask before
it ("ask" in the cell's metadata), with a slide of its own. Numbers are the site's. FOLDER then needs no network.
"""

import html
import pathlib
import re
import shutil
import sys
from importlib import resources

import cells
import copies
import pygments
import pygments.formatters
import pygments.lexers
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

LECTURES = {
    1: ("Points: what a squared error assumes", ("01_autoencoder", "02_gaussian_likelihood", "04_map_latents")),
    2: ("Distributions: the bound and its gradient", ("05_variational_inference", "06_closed_form_kl", "07_reparameterization")),
    3: ("The VAE, and its one knob", ("09_vae", "10_one_knob")),
}
BOX = re.compile(r"^<div class=.box.>.*?^</div>$", re.MULTILINE | re.DOTALL)
STATIC, LECTURES_FOLDER = (pathlib.Path(__file__).parent / name for name in ("static", "lectures"))
FORMATTER = pygments.formatters.HtmlFormatter(nowrap=True, style="a11y-light")

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<link rel="stylesheet" href="reveal/dist/reset.css"><link rel="stylesheet" href="reveal/dist/reveal.css">
<link rel="stylesheet" href="katex/katex.min.css"><link rel="stylesheet" href="slides.css"><style>{style}</style></head>
<body><div class="reveal"><div class="slides">
{slides}
</div></div>
<script src="katex/katex.min.js"></script><script src="reveal/dist/reveal.js"></script>
<script src="reveal/plugin/notes/notes.js"></script><script src="formulas.js"></script><script src="slides.js"></script></body></html>
"""

FIRST = """<section class="first"><h1>{title}</h1><ul>{listed}</ul>
<p class="small">Variational autoencoders, checked. Next slide: →; speaker's notes: S; all slides: Esc.</p></section>"""


def math(text, options):
    """For slides.js, which has KaTeX draw it."""
    return f'<span class="tex" data-display="{int(options["display_mode"])}">{html.escape(text)}</span>'


MARKDOWN = MarkdownIt("commonmark", {"html": True, "typographer": True}).enable(["table", "smartquotes"])
MARKDOWN.use(dollarmath_plugin, renderer=math, double_inline=True)


def sentences(paragraph):
    return re.split(r"(?<=[.?!]) +(?=[A-Z$*`(])", paragraph)


def lead(paragraph):
    """The sentence that ends in a formula, and the one before where it is short."""
    *before, last = sentences(paragraph)
    return " ".join([*before[-1:], last]) if len(last.split()) < 9 else last


def essence(source):
    """What of a Markdown cell stands on the slide: Markdown without headings, proofs and most prose."""
    source = re.sub(r"<details>.*?</details>", "", source, flags=re.DOTALL)
    if boxes := BOX.findall(source):
        return "\n\n".join(boxes)
    blocks = [block for block in re.split(r"\n\s*\n", source.strip()) if not block.startswith("#")]
    kept = []
    for before, block in zip(["", *blocks], blocks, strict=False):
        if block.startswith("$$") and before[:1] not in ("", "$", "-", "|"):
            kept = [*kept, lead(before)] if before not in kept else kept
        elif before.startswith("$$") and block[0].islower():  # the sentence goes on
            kept.append(sentences(block)[0] if len(sentences(block)) > 1 else block)
        if block.startswith(("$$", "- ", "|")):
            kept.append(block)
    if not kept and len(" ".join(blocks).split()) > 60:
        return " ".join(sentences(blocks[0])[:2])
    return "\n\n".join(kept or blocks)


def parts(markdown, most=3):
    """The same on several slides, where it has more than so many formulas."""
    blocks, split = markdown.split("\n\n"), [[]]
    for block in blocks:
        if sum(one.startswith("$$") for one in split[-1]) == most and not block[0].islower() and markdown[:4] != "<div":
            split.append([])
        split[-1].append(block)
    return ["\n\n".join(one) for one in split if one]


def code(source):
    return f'<pre class="highlight">{pygments.highlight(source, pygments.lexers.PythonLexer(), FORMATTER)}</pre>'


def outputs(cell, write, names):
    """What a code cell drew or printed; labels of equations become their numbers."""
    for output in cell["outputs"]:
        forms = {kind: "".join(value) for kind, value in output.get("data", {}).items() if kind.startswith(("text", "image"))}
        if "text/html" in forms:
            yield forms["text/html"]
        elif "text/markdown" in forms:
            yield MARKDOWN.render(write(forms["text/markdown"]))
        elif "image/png" in forms:
            alt = cell["metadata"].get("mystnb", {}).get("image", {}).get("alt", "")
            picture = forms["image/png"].replace("\n", "")
            yield f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{picture}">'
        elif text := forms.get("text/plain") or "".join(output.get("text", "")):
            number = lambda found: names[found[1]][1] if found[1] in names else found[0]
            text = re.sub(r"\(([\w-]+)\)$", number, text, flags=re.MULTILINE)
            yield f"<pre>{html.escape(text)}</pre>"


def slides_of(notebook, write, names):
    """[title, body, notes] of each slide of a chapter; write: Markdown → Markdown that needs no Sphinx."""
    heading, found = "", []
    for cell in notebook["cells"]:
        tags, source = cell["metadata"].get("tags", []), cell["source"]
        if cell["cell_type"] == "markdown":
            heads = [head for head in re.findall(r"^#+ (.*)$", source, re.MULTILINE) if head != "Exercises"]
            heading = heads[-1] if heads else heading
        if not {"slide", "on-slide"} & set(tags) and "setup" not in tags:
            continue
        if cell["cell_type"] == "markdown":
            boxed = copies.BOX.sub(lambda box: f'<div class="box">\n\n{box[0]}\n\n</div>\n', source)
            *first, body = map(MARKDOWN.render, parts(essence(write(boxed))))
            note = MARKDOWN.render(write(re.sub(r"^#.*$", "", source, flags=re.MULTILINE)))
            found += [[heading, one, note] for one in first]
        else:
            body = "" if cells.kind(cell) else code(source)
            body += "\n".join(outputs(cell, write, names))
            captions = re.findall(r"<figcaption>(.*?)</figcaption>", body, re.DOTALL)
            caption = cell["metadata"].get("mystnb", {}).get("figure", {}).get("caption", "")
            note = MARKDOWN.render(write(caption)) + "".join(f"<p>{caption}</p>" for caption in captions)
        if ask := cell["metadata"].get("ask"):
            question, answer = (MARKDOWN.render(write(ask[part])) for part in ("question", "answer"))
            found.append([heading, f'<div class="ask">{question}</div>', answer])
        if "on-slide" in tags:
            found[-1][1] += body
            found[-1][2] += note
        else:
            found.append([heading, body, note])
    return found


def page(lecture, notebooks):
    (names, _), cited = copies.number(notebooks), copies.bibliography()
    title, chapters = LECTURES[lecture]
    heads = [MARKDOWN.renderInline(notebooks[name]["cells"][0]["source"].partition("\n")[0].strip("# ")) for name in chapters]
    listed = "".join(f"<li>Chapter {int(name[:2])}. {head}</li>" for name, head in zip(chapters, heads, strict=True))
    slides = [FIRST.format(title=f"{lecture} · {title}", listed=listed)]
    for name in chapters:
        write = lambda source, name=name: copies.write_out(source, name, names, cited)
        for number, (heading, body, note) in enumerate(slides_of(notebooks[name], write, names)):
            head = MARKDOWN.renderInline(heading if number else f"Chapter {int(name[:2])}. {heading}")
            slides.append(f'<section><h2>{head}</h2>{body}<aside class="notes">{note}</aside></section>')
    style = FORMATTER.get_style_defs(".highlight")
    return PAGE.format(style=style, title=f"{lecture} · {title}", slides="\n".join(slides))


def copy_static(folder, *names):
    """KaTeX, the book's letters and these files of lectures."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in ("katex", "fonts"):
        shutil.copytree(STATIC / part, folder / part, dirs_exist_ok=True)
    shutil.copy(resources.files("sphinxcontrib") / "katex.min.js", folder / "katex")
    for name in names:
        shutil.copy(LECTURES_FOLDER / name, folder)


def main(folder):
    copy_static(folder, "slides.css", "slides.js", "formulas.js")
    reveal = resources.files("sphinx_revealjs") / "_static" / "revealjs"
    for part in ("dist", "plugin/notes"):
        unused = shutil.ignore_patterns("*.map", "*.esm.js", "theme")
        shutil.copytree(reveal / part, folder / "reveal" / part, dirs_exist_ok=True, ignore=unused)
    notebooks = copies.load()
    for lecture, (title, _) in LECTURES.items():
        (folder / f"lecture-{lecture}.html").write_text(page(lecture, notebooks), encoding="utf-8")
        print(f"Open file://{folder.resolve()}/lecture-{lecture}.html ({title})")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
