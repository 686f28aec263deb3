"""Sphinx extension for `make pdf`: the site's table of contents as a book, and what the site folds away.

Parts, the unnumbered chapters before and behind them, and the imports behind "Show code cell source" are the site's
side bar and buttons; on paper they have to be said otherwise. Other builders are not touched.
"""

import re
import unicodedata

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms.post_transforms import SphinxPostTransform

ON_SCREEN_ONLY = {"book/lab", "book/changing", "book/carry", "book/terms", "book/speed"}  # to be run, of files, links, machines


class MovingFigures(SphinxPostTransform):
    """The caption of a figure that moves on the website says so."""

    default_priority = 3  # before MyST-NB picks one of an output's forms
    formats = ("latex",)

    def run(self):
        for caption in self.document.findall(nodes.caption):
            if any("<script" in form.astext() for form in caption.parent.findall(nodes.raw)):
                caption += nodes.Text(" On the website this figure moves.")


def bind(app, doctree, docname):
    """Introduction, parts and chapters in their order, and in them what paper can show."""
    if app.builder.format != "latex":
        return
    book, chapters = doctree.next_node(nodes.section), {}
    for file in list(doctree.findall(addnodes.start_of_file)):
        file.parent.remove(file)
        chapters[file["docname"]] = file
    introduction = nodes.section("", nodes.title("", "Introduction"), *book.children[1:], docname=docname)
    book[:] = [book[0], latex(r"\bookfront"), introduction]
    for part in app.config.external_site_map.root.subtrees:
        name = re.sub(r"^Part \w+ · ", "", part.caption)
        book += [latex((r"\bookpart" if part.numbered else r"\bookback") + f"{{{name}}}")]
        book += [chapters[file] for file in part.files() if file not in ON_SCREEN_ONLY]
    without_its_list(chapters["book/claims"])
    for change in formulas, sheet, folds, cells, exercises, small:
        change(doctree)


def formulas(doctree):
    """In headings with a text for the bookmarks; those that begin a definition close to its name."""
    for title in doctree.findall(nodes.title):
        for formula in list(title.findall(nodes.math)):
            formula.replace_self(latex(rf"\texorpdfstring{{\({formula.astext()}\)}}{{{plain(formula.astext())}}}"))
    for formula in list(doctree.findall(nodes.math_block)):
        before = formula.parent[: formula.parent.index(formula)]
        if "proof-content" in formula.parent["ids"] and all(isinstance(node, nodes.target) for node in before):
            formula.parent.insert(0, latex(r"\vspace{-\baselineskip}"))


def sheet(doctree):
    """The page of formulas: words on the left, their formula beside them."""
    for row in doctree.findall(nodes.container):
        if "formula" in row["classes"]:
            words, formula, *rest = row.children
            row[:] = [latex(r"\formulawords{"), words, latex(r"}\formulabeside{"), formula, latex("}"), *rest]


def folds(doctree):
    """Open; the words on them begin their first paragraph."""
    for raw in list(doctree.findall(nodes.raw)):
        if raw["format"] == "html" and (summary := re.search("<summary>(.+?)</summary>", raw.astext())):
            words = nodes.strong("", summary[1] if summary[1].endswith("?") else f"{summary[1]}.")
            follows = raw.next_node(descend=False, siblings=True)
            if isinstance(follows, nodes.paragraph):
                follows[:0] = [words, nodes.Text(" ")]
                raw.parent.remove(raw)
            else:
                raw.replace_self(nodes.paragraph("", "", words))


def cells(doctree):
    """No code of proofs and plots. No cell that waits for an answer, and no verdict on ours."""
    for cell in list(doctree.findall(nodes.container)):
        if "tag_hide-input" in cell["classes"]:
            cell[:] = [child for child in cell if "cell_input" not in child["classes"]]
        if "tag_answer" in cell["classes"]:
            cell.parent.remove(cell)
        if "tag_solution" in cell["classes"]:
            for output in [block for block in cell.findall(nodes.literal_block) if "output" in block["classes"]]:
                lines = [line for line in output.astext().splitlines() if not line.startswith("✓ Exercise")]
                new = nodes.literal_block("\n".join(lines), "\n".join(lines), **output.attributes)
                output.parent.replace(output, new if lines else [])


def exercises(doctree):
    """In small print, like the package's reference, and without the line on how to answer on a screen."""
    for section in doctree.findall(nodes.section):
        if section[0].astext() in ("Exercises", "The package"):
            if section[1].astext().startswith("Type your answer"):
                section.remove(section[1])
            section.insert(1, latex(r"\begingroup\small"))
            section += latex(r"\par\endgroup")


def small(doctree):
    """The table at the head of each chapter; the empty cells of tables, whose paragraphs would take a line."""
    for figure in doctree.findall(nodes.figure):
        if any(name.startswith("fig-table-") for name in figure["ids"]):
            figure.next_node(nodes.image)["width"] = "60%"
    for entry in doctree.findall(nodes.entry):
        if not entry.astext() and not entry.next_node(nodes.Referential):
            entry.clear()


def without_its_list(claims):
    """Every check is printed in its chapter; the list of all of them, forty pages, is left to the website."""
    lists = [
        section
        for section in claims.findall(nodes.section)
        if (tables := list(section.findall(nodes.table))) and all("checks" in table["classes"] for table in tables)
    ]
    outer = next(section for section in lists if section.parent not in lists)
    outer[:] = [outer[0], nodes.paragraph("", "On paper they stand in their chapters. One list of them is on the website.")]
    gone = {name for section in lists for name in section["ids"]}
    for link in list(claims.findall(nodes.reference)):
        if link.get("refid") in gone:
            link.replace_self(link.children)


def plain(formula):
    """A formula in a heading as text, for the list of bookmarks."""

    def letter(found):
        try:
            return unicodedata.lookup(f"greek small letter {found[1]}")
        except KeyError:
            return ""

    return re.sub(r"[{}_^\s]", "", re.sub(r"\\(?:var)?([a-z]+)", letter, formula.replace(r"\mid", "|")))


def latex(command):
    return nodes.raw("", command, format="latex")


def setup(app):
    app.add_post_transform(MovingFigures)
    app.connect("doctree-resolved", bind)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
