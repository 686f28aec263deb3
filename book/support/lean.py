"""Sphinx extension: one style sheet in the place of eleven, with the rules and icons that the site uses.

The theme's style sheets are 500 kB, of which a tenth is ever used, and a page is blank until the last of them has come. A rule
stays if each class and id of its selector is a word somewhere in the pages or scripts; so what a script adds is kept.
"""

import hashlib
import json
import pathlib
import posixpath
import re

import tinycss2
from fontTools import subset
from fontTools.ttLib import TTFont

LINK = re.compile(r'\s*<link(?=[^>]*\brel="stylesheet")[^>]*\bhref="(?P<path>(?:\.\./)*_static/[^"?]+)[^"]*"[^>]*>')
OPTIONS = re.compile(r'<script src="[^"]*documentation_options\.js[^"]*"></script>')
IMPORT = re.compile(r'@import (?:url\()?"(?P<path>[^"]+)"\)?;')
ADDRESS = re.compile(r"""url\((["']?)(?!data:|#)(?P<path>[^)"'?#]+)[^)"']*\1\)""")
ICONS = re.compile(r'url\("?(?P<font>[^()"]*/fa-[\w-]+)\.woff2"?\) *format\("woff2"\), *url\([^)]*\.ttf"?\) *format\("truetype"\)')
# The letters are asked for at once, or not used on this page: nothing moves when they come. Not from a file, which may not.
EARLY = """
    <script>if (location.protocol !== "file:") for (const font of {fonts})
      document.head.append(Object.assign(document.createElement("link"),
        {{rel: "preload", as: "font", crossOrigin: "", href: "{up}/" + font}}));</script>"""
FONTS = [f"fonts/source-serif-4-latin-{name}.woff2" for name in ("400-normal", "600-normal", "400-italic")]
GROUPS = {"media", "supports", "layer", "container"}


def gather(path, static):
    """A style sheet with what it imports, addresses relative to the folder static."""
    text = path.read_text(encoding="utf-8")
    text = IMPORT.sub(lambda found: gather((path.parent / found["path"]).resolve(), static), text)
    below = path.parent.relative_to(static).as_posix()
    return ADDRESS.sub(lambda found: f'url("{posixpath.normpath(posixpath.join(below, found["path"]))}")', text)


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


def subset_icons(css, static):
    """The same with icon fonts that have the icons of its rules only."""
    shown = {ord(letter) for letter in css if "\ue000" <= letter <= "\uf8ff"}

    def write(found):
        font = TTFont(static / f"{found['font']}.ttf")
        chosen = subset.Subsetter()
        chosen.populate(unicodes=shown)
        chosen.subset(font)
        font.flavor = "woff"
        font.save(static / f"{found['font']}.woff")
        return f'url("{found["font"]}.woff") format("woff")'

    return ICONS.sub(write, css)


def finish(app, exception):
    if exception or app.builder.name != "html":
        return
    static = pathlib.Path(app.outdir, "_static").resolve()
    pages = {path: path.read_text(encoding="utf-8") for path in pathlib.Path(app.outdir).rglob("*.html")}
    pages = {path: text for path, text in pages.items() if LINK.search(text)}  # the first page only leads to another
    words = set()
    for text in [*pages.values(), *(path.read_text(encoding="utf-8") for path in static.rglob("*.js"))]:
        words.update(re.findall(r"[\w-]+", text))
    sheets = list(dict.fromkeys(found["path"].replace("../", "") for text in pages.values() for found in LINK.finditer(text)))
    css = "\n".join(gather(static.parent / sheet, static) for sheet in sheets)
    css = '@charset "utf-8";\n' + subset_icons(purge(tinycss2.parse_stylesheet(css, True, True), words), static)
    (static / "site.css").write_text(css, encoding="utf-8")
    digest = hashlib.sha1(css.encode()).hexdigest()[:8]
    options = (static / "documentation_options.js").read_text(encoding="utf-8")
    for path, text in pages.items():
        up = posixpath.relpath(static, path.parent.resolve())
        first = LINK.search(text)
        link = EARLY.format(fonts=json.dumps(FONTS), up=up) + f'\n    <link rel="stylesheet" href="{up}/site.css?v={digest}" />'
        text = text[: first.start()] + link + LINK.sub("", text[first.start() :])
        path.write_text(OPTIONS.sub(lambda _: f"<script>{options}</script>", text), encoding="utf-8")


def setup(app):
    app.connect("build-finished", finish, priority=900)  # after what others add
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
