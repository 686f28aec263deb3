"""Sphinx extension: one style sheet in the place of eleven, with the rules that the site uses, fonts with its letters, smaller pictures.

The theme's style sheets are 500 kB, of which a tenth is ever used, and a page is blank until the last of them has come. A rule
stays if each class and id of its selector is a word somewhere in the pages or scripts; so what a script adds is kept. A font
keeps the letters that stand somewhere in pages, scripts or rules. One of the theme's scripts measures every cell of a page
at its start, which has all of it laid out at once; book.js does that work little by little.
"""

import hashlib
import html
import json
import logging
import pathlib
import posixpath
import re

import tinycss2
from fontTools import subset
from fontTools.ttLib import TTFont
from PIL import Image
from sphinx.errors import ExtensionError

LINK = re.compile(r'\s*<link(?=[^>]*\brel="stylesheet")[^>]*\bhref="(?P<path>(?:\.\./)*_static/[^"?]+)[^"]*"[^>]*>')
OPTIONS = re.compile(r'<script src="[^"]*documentation_options\.js[^"]*"></script>')
IMPORT = re.compile(r'@import (?:url\()?"(?P<path>[^"]+)"\)?;')
ADDRESS = re.compile(r"""url\((["']?)(?!data:|#)(?P<path>[^)"'?#]+)[^)"']*\1\)""")
TRUETYPE = re.compile(r', *url\([^)]*\.ttf"?\) *format\("truetype"\)')
FONT = re.compile(r'url\("(?P<path>[^"]*\.woff2)"\)')
MEASURES_ALL = '["pre",".nboutput > .output_area",".cell_output > .output",".jp-RenderedHTMLCommon",".pst-scrollable-table-container"]'
# The letters are asked for at once, or not used on this page: nothing moves when they come. Not from a file, which may not.
EARLY = """
    <script>if (location.protocol !== "file:") for (const font of {fonts})
      document.head.append(Object.assign(document.createElement("link"),
        {{rel: "preload", as: "font", crossOrigin: "", href: "{up}/" + font}}));</script>"""
FONTS = [f"fonts/source-serif-4-latin-{name}.woff2" for name in ("400-normal", "600-normal")]
MATHS = [f"katex/fonts/KaTeX_{name}.woff2" for name in ("Main-Regular", "Math-Italic")]
GROUPS = {"media", "supports", "layer", "container"}


def gather(path, static):
    """A style sheet with what it imports, addresses relative to the folder static."""
    text = path.read_text(encoding="utf-8")
    before = [gather((path.parent / name).resolve(), static) for name in IMPORT.findall(text)]  # imports stand first
    below = path.parent.relative_to(static).as_posix()
    own = ADDRESS.sub(lambda found: f'url("{posixpath.normpath(posixpath.join(below, found["path"]))}")', IMPORT.sub("", text))
    return "\n".join([*before, own])


def used(selector, words):
    """Whether all classes and ids of a selector's tokens are words; what stands in :not(…) or :is(…) is not looked at."""
    names = [token.value for before, token in zip(selector, selector[1:], strict=False) if before == "." and token.type == "ident"]
    return words.issuperset(names + [token.value for token in selector if token.type == "hash"])


def purge(rules, words):
    """The rules that are used, as text."""
    kept = []
    for rule in rules:
        if rule.type == "qualified-rule":
            selectors = [[]]
            for token in rule.prelude:
                if token == ",":
                    selectors.append([])
                else:
                    selectors[-1].append(token)
            if alive := [tinycss2.serialize(one).strip() for one in selectors if used(one, words)]:
                kept.append(f"{','.join(alive)}{{{tinycss2.serialize(rule.content).strip()}}}")
        elif rule.type == "at-rule" and rule.lower_at_keyword in GROUPS and rule.content is not None:
            if inner := purge(tinycss2.parse_rule_list(rule.content, True, True), words):
                kept.append(f"@{rule.at_keyword} {tinycss2.serialize(rule.prelude).strip()}{{{inner}}}")
        elif rule.type == "at-rule":
            kept.append(rule.serialize())
    return "\n".join(kept)


def subset_font(path, letters):
    logging.getLogger("fontTools").setLevel(logging.WARNING)  # it tells every step
    font, chosen = TTFont(path), subset.Subsetter(subset.Options(hinting=False))
    chosen.populate(text=letters)
    chosen.subset(font)
    font.flavor = "woff2"
    font.save(path)


def once(text, old, new):
    if text.count(old) != 1:
        raise ExtensionError(f"the theme's script has another form than it had: {text.count(old)} times {old}")
    return text.replace(old, new)


def finish(app, exception):
    if exception or app.builder.name != "html":
        return
    static = pathlib.Path(app.outdir, "_static").resolve()
    pages = {path: path.read_text(encoding="utf-8") for path in pathlib.Path(app.outdir).rglob("*.html")}
    # not the first page, which only leads to another, nor what an earlier build has left
    pages = {path: text for path, text in pages.items() if LINK.search(text) and "_static/site.css" not in text}
    scripts = [path.read_text(encoding="utf-8") for path in static.rglob("*.js")]
    words, letters = set(), set()
    for text in [*pages.values(), *scripts]:
        words.update(re.findall(r"[\w-]+", text))
        letters.update(html.unescape(text))
    sheets = list(dict.fromkeys(found["path"].replace("../", "") for text in pages.values() for found in LINK.finditer(text)))
    css = "\n".join(gather(static.parent / sheet, static) for sheet in sheets)
    css = '@charset "utf-8";\n' + TRUETYPE.sub("", purge(tinycss2.parse_stylesheet(css, True, True), words))
    for font in set(FONT.findall(css)):
        subset_font(static / font, "".join(letters | set(css)))
    theme = static / "scripts" / "pydata-sphinx-theme.js"
    theme.write_text(once(theme.read_text(encoding="utf-8"), MEASURES_ALL, '[":not(*)"]'), encoding="utf-8")
    (static / "site.css").write_text(css, encoding="utf-8")
    digest = hashlib.sha1(css.encode()).hexdigest()[:8]
    options = (static / "documentation_options.js").read_text(encoding="utf-8")
    pictures = list(static.parent.glob("_images/*.png"))
    for picture in pictures:
        Image.open(picture).save(picture.with_suffix(".webp"), lossless=True, method=2)  # the same dots, a third of the bytes
        picture.unlink()
    smaller = re.compile("_images/(" + "|".join(re.escape(picture.stem) for picture in pictures) + r")\.png")
    for path, text in pages.items():
        text = smaller.sub(r"_images/\1.webp", text) if pictures else text
        up = posixpath.relpath(static, path.parent.resolve())
        first = LINK.search(text)
        fonts = FONTS + MATHS * ('class="katex"' in text)
        link = EARLY.format(fonts=json.dumps(fonts), up=up) + f'\n    <link rel="stylesheet" href="{up}/site.css?v={digest}" />'
        text = text[: first.start()] + link + LINK.sub("", text[first.start() :])
        path.write_text(OPTIONS.sub(lambda _: f"<script>{options}</script>", text), encoding="utf-8")


def setup(app):
    app.connect("build-finished", finish, priority=900)  # after what others add
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
