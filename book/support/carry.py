"""What a reader carries away: python book/support/carry.py FOLDER, after make pdf, slides, sheets and student.

As a Sphinx extension this module lists it: with links where the build is told that the files are there (BOOK_CARRY, set by
make carry), and by the commands that make them elsewhere. ``citation`` is CITATION.cff in BibTeX.
"""

import os
import pathlib
import shutil
import sys

import yaml
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

ROOT = pathlib.Path(__file__).parents[2]
BUILD = ROOT / "_build"
PDF = "variational-autoencoders-checked.pdf"
CARRIED = [  # address below carry/, words, what makes it
    (PDF, "The book as a PDF", "make pdf"),
    ("site.zip", "This site, to be read without a network: unpack it and open index.html", "make book"),
    ("student.zip", "All notebooks without their solutions, the lab among them", "make student"),
    ("slides/lecture-1.html", "Slides of the first lecture", "make slides"),
    ("slides/lecture-2.html", "… of the second", "make slides"),
    ("slides/lecture-3.html", "… of the third", "make slides"),
    ("sheet.pdf", "All exercises, without solutions", "make sheets"),
]
BIBTEX = """\
@misc{{vae_edu,
  title        = {{{title}}},
  author       = {{{{{authors}}}}},
  year         = {{{year}}},
  version      = {{{version}}},
  howpublished = {{{address}}},
}}"""


class Carried(SphinxDirective):
    def run(self):
        items = nodes.bullet_list(bullet="-")
        up = "../" * self.env.docname.count("/")
        for address, words, command in CARRIED:
            if os.environ.get("BOOK_CARRY"):
                said = [nodes.reference("", words, refuri=f"{up}carry/{address}")]
            else:
                said = [nodes.Text(f"{words}: "), nodes.literal("", command)]
            items += nodes.list_item("", nodes.paragraph("", "", *said))
        return [items]


class Citation(SphinxDirective):
    def run(self):
        self.env.note_dependency(str(ROOT / "CITATION.cff"))
        text = bibtex(self.config.copyright, os.environ.get("BOOK_REPOSITORY", ""))
        return [nodes.literal_block(text, text, language="bibtex")]


def bibtex(year, address):
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    authors = " and ".join(author["name"] for author in cited["authors"]).replace("_", r"\_")
    return BIBTEX.format(title=cited["title"], authors=authors, year=year, version=cited["version"], address=address or "…")


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(BUILD / "latex" / PDF, folder)
    shutil.copy(BUILD / "sheets" / "sheet.pdf", folder)
    shutil.copytree(BUILD / "slides", folder / "slides", dirs_exist_ok=True)
    shutil.make_archive(folder / "student", "zip", ROOT, "student")
    site = BUILD / "archive" / "variational-autoencoders-checked"  # without what is carried
    shutil.rmtree(site, ignore_errors=True)
    shutil.copytree(BUILD / "html", site, ignore=lambda where, names: {"carry"} & set(names))
    shutil.make_archive(folder / "site", "zip", site.parent, site.name)
    shutil.rmtree(site.parent)
    for address, words, _ in CARRIED:
        print(f"{(folder / address).stat().st_size / 2**20:6.1f} MiB  {address}  {words}")


def setup(app):
    app.add_directive("carried", Carried)
    app.add_directive("citation", Citation)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
