"""Sphinx extension for the pages behind the chapters: what the chapters say, shown again and never typed twice.

- The directive `formula` takes the label of a numbered equation and a few words for it. Its LaTeX comes from the notebooks
  at build time; a label that none of them has is an error.
- The directive `beliefs` lists what the chapters quote in order to test it, their headings in quotation marks, with links
  and with what the section finds: "refuted" in the cell's metadata.
- The directive `terms` lists, in the order of the alphabet, what the cells' metadata "index" says they are about.
- The directive `questions` lists what is to be asked before a figure is moved, "ask" in its cell's metadata.
"""

import functools
import re

import nbformat
from claims import link_to_equation
from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import make_refnode

FORMULA = re.compile(r"\$\$((?:[^$]|\\\$)+)\$\$ *\(([^()\s]+)\)")
BELIEF = re.compile(r'^#{2,4} (".+")$', re.MULTILINE)


@functools.cache
def notebook(path):
    return nbformat.read(path, as_version=4)


def prose(path):
    """The Markdown of a notebook."""
    return "\n\n".join(cell.source for cell in notebook(path).cells if cell.cell_type == "markdown")


def formulas(path):
    """{label: LaTeX} of a notebook."""
    return {label: latex.strip() for latex, label in FORMULA.findall(prose(path))}


def beliefs(path):
    """(belief, what the section finds) of a notebook, in Markdown; ValueError where one of them is missing."""
    found = []
    for cell in notebook(path).cells:
        quoted = BELIEF.findall(cell.source) if cell.cell_type == "markdown" else []
        found += zip(quoted, cell.metadata.get("refuted", []), strict=True)
    return found


def terms(path):
    """(term, the heading it stands under) of a notebook, in Markdown."""
    found, heading = [], ""
    for cell in notebook(path).cells:
        if cell.cell_type == "markdown":
            heads = re.findall(r"^#+ (.*)$", cell.source, re.MULTILINE)
            heading = heads[0] if heads else heading
            found += [(term, heading) for term in cell.metadata.get("index", [])]
    return found


def questions(path):
    """(question, answer) of the figures that move, in Markdown."""
    return [(ask["question"], ask["answer"]) for cell in notebook(path).cells if (ask := cell.metadata.get("ask"))]


class Formula(SphinxDirective):
    """Words, the equation's number with a link to it, and the equation."""

    required_arguments = 1
    has_content = True

    def run(self):
        (label,) = self.arguments
        paths = [path for path in map(self.env.doc2path, sorted(self.env.found_docs)) if path.endswith(".ipynb")]
        found = [(path, formulas(path)[label]) for path in paths if label in formulas(path)]
        if len(found) != 1:
            raise self.error(f"{len(found)} equations of the book are labelled {label}")
        ((path, latex),) = found
        self.env.note_dependency(path)
        words, messages = self.state.inline_text(" ".join(self.content), self.lineno)
        words = nodes.paragraph("", "", *words, nodes.Text("\N{NO-BREAK SPACE}"), link_to_equation(self.env, label))
        formula = nodes.math_block(latex, latex, nowrap=False, number=None, label=None)
        self.set_source_info(formula)
        return [nodes.container("", words, formula, *messages, classes=["formula"])]


class FromChapters(SphinxDirective):
    """One item for each thing that a chapter says."""

    def run(self):
        chapters = [page for part in self.env.external_site_map.root.subtrees if part.numbered for page in part.files()]
        items = nodes.bullet_list(bullet="-")
        for number, page in enumerate(chapters, 1):
            path = self.env.doc2path(page)
            self.env.note_dependency(path)
            items += [self.item(page, number, *said) for said in self.said(path)]
        return [items]

    def inline(self, text):
        return self.state.inline_text(text, self.lineno)[0]


class Beliefs(FromChapters):
    """A belief, which leads to its section, and what is found there."""

    said = staticmethod(beliefs)

    def item(self, page, number, belief, found):
        belief = nodes.inline("", "", *self.inline(belief))
        place = {"reftarget": belief.astext(), "refdomain": "", "reftype": "belief", "refdoc": self.env.docname, "page": page}
        link = pending_xref("", belief, **place)
        return nodes.list_item("", nodes.paragraph("", "", link, nodes.Text(f" ({number}) "), *self.inline(found)))


class Questions(FromChapters):
    """A question with its chapter, and the answer in a fold."""

    said = staticmethod(questions)

    def item(self, page, number, question, answer):
        chapter = nodes.inline("", f"Chapter {number}")
        place = {"reftarget": f"/{page}", "refdomain": "std", "reftype": "doc", "refdoc": self.env.docname, "refexplicit": True}
        link = pending_xref("", chapter, **place)
        asked = nodes.paragraph("", "", link, nodes.Text(". "), *self.inline(question))
        fold = (nodes.raw("", text, format="html") for text in ("<details><summary>Answer</summary>", "</details>"))
        opening, closing = fold
        return nodes.list_item("", asked, opening, nodes.paragraph("", "", *self.inline(answer)), closing)


class Terms(SphinxDirective):
    """One line for each letter, one item for each term, with links to the sections."""

    def run(self):
        places = {}
        for page in sorted(self.env.found_docs):
            path = self.env.doc2path(page)
            if path.endswith(".ipynb"):
                self.env.note_dependency(path)
                for term, heading in terms(path):
                    places.setdefault(term, {})[page, heading] = None
        letters = {}
        for term in sorted(places, key=lambda term: (term.lower(), term)):
            letter = term[0].upper() if term[0].isascii() and term[0].isalpha() else "Other"
            letters.setdefault(letter, nodes.bullet_list(bullet="-")).append(self.item(term, places[term]))
        found = nodes.container(classes=["terms"])
        for letter in sorted(letters, key=lambda letter: (letter == "Other", letter)):
            found += [nodes.rubric("", letter), letters[letter]]
        return [found]

    def item(self, term, places):
        line = nodes.paragraph("", "", nodes.strong("", term))
        for number, (page, heading) in enumerate(places):
            words = nodes.inline("", "", *self.state.inline_text(heading, self.lineno)[0])
            place = {"reftarget": words.astext(), "refdomain": "", "reftype": "belief", "refdoc": self.env.docname, "page": page}
            line += [nodes.Text(", " if number else ": "), pending_xref("", words, **place)]
        return nodes.list_item("", line)


def resolve_belief(app, env, node, content):
    """The link to a heading, whose anchor is known once its page has been read."""
    if node["reftype"] == "belief":
        for entry in env.tocs[node["page"]].findall(nodes.reference):
            if entry.astext() == node["reftarget"]:
                return make_refnode(app.builder, node["refdoc"], node["page"], entry["anchorname"].removeprefix("#"), content)


def setup(app):
    app.add_directive("formula", Formula)
    app.add_directive("beliefs", Beliefs)
    app.add_directive("questions", Questions)
    app.add_directive("terms", Terms)
    app.connect("missing-reference", resolve_belief)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
