"""Sphinx extension: what a style sheet alone cannot do for the look of the site.

- A small 2 × 2 table stands beside each chapter in the sidebar and above its title. Its lit cells are those that the
  chapter itself lights, with figures.stage_table; the one above the title leads to those stages in the live table.
- What a reference points to, for book.js to show on hover: one script for each page, so that it works from a file too.
- A description for each page, sizes for its pictures, and no script that it does not need.
"""

import functools
import html
import json
import pathlib
import posixpath
import re
from urllib.parse import urlencode

from PIL import Image

from vae_edu import figures

CELLS = {stage: (column, 1 - row) for stage, (column, row, *_) in figures.STAGES.items()}  # rows from the top
NEEDLESS = re.compile(r'\s*<script[^>]*src="[^"]*/fontawesome\.js[^>]*></script>')  # 1.5 MB; the icons are a font
TARGET = re.compile(r'<(?P<tag>div|figure) class="(?:math|proof|citation|align)[^"]*" id="(?P<name>[^"]+)"')
SCRIPT = re.compile(r"<(script|style)\b.*?</\1>", re.DOTALL)
SEARCH = re.compile(r'\s*<script[^>]*src="[^"]*(searchtools|language_data|searchindex)\.js[^>]*></script>')
BLOCKING = re.compile(r'<script( (?:data-[^>]*)?src="[^"]*/_static/(?!documentation_options)[^>]*>)')
UNFOLD = '<button type="button" class="unfold pst-js-only" aria-expanded="false">Unfold all</button>'
PICTURE = re.compile(r'<img(?![^>]*\bwidth=)(?P<rest> [^>]*\bsrc="(?P<file>[^":]+\.(?:png|webp))")')


def lit_cells(app, docname):
    """The stages that a chapter's own table lights."""
    source = pathlib.Path(app.env.doc2path(docname)).read_text(encoding="utf-8")
    found = re.search(r"figures\.stage_table\(([\d, ]+)\)", source)
    return [int(stage) for stage in found[1].split(",")] if found else []


def icon(lit):
    cells = "".join(
        f'<rect x="{1 + 8 * column}" y="{1 + 8 * row}" width="6" height="6" rx="1" class="{"lit" * (stage in lit)}" />'
        for stage, (column, row) in CELLS.items()
    )
    return f'<svg class="cells" viewBox="0 0 16 16" aria-hidden="true">{cells}</svg>'


def mark(app, pagename, templatename, context, doctree):
    """The icons of the sidebar, the line above the title, the page's description."""
    toctree = context["generate_toctree_html"]

    def with_icon(link):
        href = link[1]
        docname = pagename if href == "#" else posixpath.join(posixpath.dirname(pagename), href).removesuffix(".html")
        lit = lit_cells(app, docname) if docname in app.env.found_docs else []
        return link[0] + icon(lit) * bool(lit)

    def marked_toctree(*args, **kwargs):
        return re.sub(r'<a class="[^"]*reference internal" href="([^"]+)">', with_icon, str(toctree(*args, **kwargs)))

    context["generate_toctree_html"] = marked_toctree
    description = app.config.myst_html_meta["description"]
    if doctree:
        description = f"{app.env.titles[pagename].astext()}. {description}"
        lit = lit_cells(app, pagename)
        if 0 < len(lit) < len(CELLS):
            stages = f"Stage{'s' * (len(lit) > 1)} {' and '.join(map(str, lit))}"
            live = f"live.html?{urlencode(dict(zip(('first', 'second'), lit, strict=False)))}"  # two of them at most
            words = f'<a href="{live}" title="Train it in the browser">{icon(lit)}{stages}, live</a>'
            context["body"] = context["body"].replace("<h1>", f'<p class="stage">{words}</p>\n<h1>', 1)
    context["metatags"] = re.sub(r'<meta content="[^"]*" name="description" />\s*', "", context.get("metatags", ""))
    context["metatags"] += f'<meta name="description" content="{html.escape(description)}" />\n'


def store_targets(app, pagename, templatename, context, doctree):
    """_static/targets/<page>.js: the HTML of everything on the page that a reference can point to."""
    body = SCRIPT.sub("", context.get("body", ""))
    targets = {start["name"]: element(body, start) for start in TARGET.finditer(body)}
    path = pathlib.Path(app.outdir, "_static", "targets", f"{pagename}.js")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"targets[{json.dumps(pagename)}] = {json.dumps(targets)};\n", encoding="utf-8")


def element(body, start):
    """The element that starts there, up to the end tag that balances its start tag."""
    depth = 0
    for tag in re.compile(rf"<(/?){start['tag']}\b[^>]*>").finditer(body, start.start()):
        depth += -1 if tag[1] else 1
        if depth == 0:
            return body[start.start() : tag.end()]


def finish(app, exception):
    """What the theme's templates offer no place for: fewer scripts, sizes of pictures, landmarks, roles."""
    for page in pathlib.Path(app.outdir).rglob("*.html"):
        text = NEEDLESS.sub("", page.read_text(encoding="utf-8"))
        if page.name != "search.html":
            text = SEARCH.sub("", text)
            text = BLOCKING.sub(r"<script defer\1", text)
        text = PICTURE.sub(functools.partial(with_size, page.parent), text)
        text = text.replace('loading="lazy" ', "", 1)  # the first is seen at once
        text = text.replace('<div id="pst-primary-sidebar"', '<div id="pst-primary-sidebar" role="navigation" aria-label="Book"')
        text = text.replace('role="doc-biblioentry"', 'role="listitem"')  # deprecated, and a list wants items
        text = text.replace('<th class="head"><p></p></th>', "<td></td>")  # the empty corner of a table heads nothing
        text = text.replace(' aria-label="Toggle hidden content"', "")  # it would hide the words of the summary
        if text.count("<details") > 1:  # book.js makes it work
            head, article, rest = text.partition("<article")
            text = head + article + rest.replace("</h1>", "</h1>\n" + UNFOLD, 1)
        page.write_text(text, encoding="utf-8")


def with_size(folder, picture):
    """With its width and height, so that nothing moves when it comes; and it comes when it is about to be seen."""
    width, height = Image.open(folder / picture["file"]).size
    return f'<img loading="lazy" width="{width}" height="{height}"{picture["rest"]}'


def setup(app):
    app.connect("html-page-context", mark, priority=900)  # after the theme has made its functions
    app.connect("html-page-context", store_targets)
    app.connect("build-finished", finish)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
