"""Sphinx extension: what other sites show of a link to this one, and the page for addresses that do not exist.

BOOK_SITE is the address at which the site is published; the publishing workflow sets it. Without it pages say what they are,
and not where, and have no picture to show: that would need a whole address.
"""

import html
import os
import pathlib
import re

TAG = '<meta property="og:{name}" content="{content}" />\n'
NOT_FOUND = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Not found: {title}</title><base href="{base}"><link rel="stylesheet" href="_static/site.css"></head>
<body style="max-width: 34rem; margin: 4rem auto; padding: 0 1rem"><h1>There is no such page</h1>
<p>It may have moved. From here you can go to the <a href="book/intro.html">introduction</a>, to the
<a href="book/terms.html">index of terms</a>, or <a href="search.html">search</a>.</p></body></html>
"""


def site():
    """The address, with a slash at its end; empty if nobody has said it."""
    address = os.environ.get("BOOK_SITE", "").rstrip("/")
    return address and f"{address}/"


def set_address(app, config):
    config.html_baseurl = site() or config.html_baseurl


def tag(app, pagename, templatename, context, doctree):
    """After look.py, whose description it repeats."""
    if not doctree:
        return
    described = re.search(r'name="description" content="([^"]*)"', context["metatags"])
    words = {"description": html.unescape(described[1])} if described else {}
    words |= {"type": "article", "site_name": app.config.html_title, "title": app.env.titles[pagename].astext()}
    if site():
        words |= {"url": f"{site()}{pagename}.html", "image": f"{site()}_static/table.png"}
    context["metatags"] += "".join(TAG.format(name=name, content=html.escape(text)) for name, text in words.items())


def not_found(app, exception):
    if app.builder.name == "html" and not exception:
        page = NOT_FOUND.format(title=app.config.html_title, base=site() or "./")
        pathlib.Path(app.outdir, "404.html").write_text(page, encoding="utf-8")


def setup(app):
    app.connect("config-inited", set_address)
    app.connect("html-page-context", tag, priority=950)
    app.connect("build-finished", not_found, priority=950)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
