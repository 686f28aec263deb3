"""Sphinx extension for the figures of vae_edu.explorers.

Each becomes a numbered figure with its caption, on the website and on paper; and its pictures, which travel inside the
notebook, become files of the site, so that a page stays light and fetches them only when somebody moves the figure.
"""

import base64
import hashlib
import html
import pathlib
import re

from docutils import nodes
from sphinx.transforms import SphinxTransform
from sphinx.util.osutil import relative_uri

MOVING = re.compile(r'\s*<figure (class="moving[^>]*id="([^"]+)">.*)<figcaption>(.*?)</figcaption>(.*)</figure>\s*', re.DOTALL)
PICTURE = re.compile(r"data:image/webp;base64,([\w+/=]+)")


class NumberedFigures(SphinxTransform):
    default_priority = 400  # before Sphinx collects the figures

    def apply(self):
        for raw in [node for node in self.document.findall(nodes.raw) if node["format"] == "html"]:
            if not (found := MOVING.fullmatch(raw.astext())):
                continue
            head, key, caption, tail = found.groups()
            page = f"<div {head}{tail}</div>"
            bundle = raw.parent
            while bundle.get("nb_element") != "mime_bundle":
                bundle = bundle.parent
            raw.replace_self(nodes.raw(page, page, format="html", classes=raw["classes"]))
            figure = nodes.figure(names=[f"fig-{key}"])
            self.document.note_explicit_target(figure)
            bundle.replace_self(figure)
            figure += [bundle, nodes.caption("", html.unescape(caption))]


def pictures_to_files(app, doctree, docname):
    if app.builder.format != "html":
        return
    folder = pathlib.Path(app.outdir) / app.builder.imagedir
    folder.mkdir(exist_ok=True)

    def to_file(found):
        content = base64.b64decode(found[1])
        name = hashlib.sha1(content).hexdigest() + ".webp"
        (folder / name).write_bytes(content)
        return relative_uri(app.builder.get_target_uri(docname), f"{app.builder.imagedir}/{name}")

    for raw in list(doctree.findall(nodes.raw)):
        page = PICTURE.sub(to_file, raw.astext())
        raw.replace_self(nodes.raw(page, page, **raw.attributes))


def setup(app):
    app.add_transform(NumberedFigures)
    app.connect("doctree-resolved", pictures_to_files)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
