"""Sphinx extension: the page of every claim, and the links between equations and the checks that prove them.

A check (vae_edu/checks.py) prints `✓ claim | demand | against what | (label)`, and the line is stored with its notebook. From these lines

- the directive `claims` fills the page of claims: its totals, the kinds of check, what the book costs to run, jumps to the
  notebooks, and all checks, each with what it measured when the notebooks last ran (measured.json);
- on a chapter's page every such line gets an id, and its label turns into the equation's number and a link to it;
- an equation that claims something gets a ✓ at its number, a link to its first check.
"""

import json
import pathlib
import re
from collections import Counter
from typing import NamedTuple

import nbformat
from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import make_refnode
from sphinxcontrib import katex

COST, MEASURED = (pathlib.Path(__file__).parents[1] / name for name in ("cost.json", "measured.json"))
EQUATION = re.compile(r"\$\$(?:[^$]|\\\$)+\$\$ *\(([^()\s]+)\)")  # group 1: the label
KINDS = {  # how a demand begins, and what it means
    "each equal within": "Two computations lie apart by at most this fraction of the second in each of their entries "
    "(by at most this number, where an entry of the second is exactly 0).",
    "equal within": "Two computations lie apart, as vectors, by at most this fraction of the length of the second "
    "(by at most this number, where the second is exactly 0).",
    "each equal": "Two computations give the same in each of their entries, to the last bit.",
    "equal": "Two computations give the same, to the last bit.",
    "within 4 standard errors": "The mean of n independent random draws lies within 4 of its standard errors "
    "of what the equation predicts.",
    "bound holds": "One side is at most the other, at every point tried, without a tolerance. So are the findings of "
    "an experiment stated, with their margin in the claim.",
    "differs by more than": "A known mistake, made on purpose, is off by more than this fraction: "
    "the equality beside it would catch it.",
}


class Check(NamedTuple):
    claim: str
    demand: str
    kind: str
    against: str | None
    label: str | None


def parse(line):
    """The check that printed this line; None if none did. A claim may contain bars of its own."""
    if not line.startswith("✓ "):
        return None
    text, against, label = re.fullmatch(
        r"✓ (.*?)(?: \| against ((?:(?! \| against ).)*?))?(?: \| \(([^()\s]+)\))?", line
    ).groups()
    claim, _, demand = text.rpartition(" | ")
    kind = next((kind for kind in KINDS if re.match(rf"{kind}\b", demand)), None)
    if not claim or kind is None:
        raise ValueError(f"not a line of vae_edu.checks: {line}")
    return Check(claim, demand, kind, against, label)


class Notebook:
    """What a stored notebook claims and proves."""

    def __init__(self, path):
        cells = nbformat.read(path, as_version=4).cells
        prose = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        code = [cell for cell in cells if cell.cell_type == "code"]
        stdout = [o.text for cell in code for o in cell.outputs if o.output_type == "stream" and o.name == "stdout"]
        self.name = pathlib.Path(path).stem
        self.title = re.search(r"^# (.+)$", prose, re.MULTILINE)[1]
        self.cells = len(code)
        self.checks = [check for check in map(parse, "\n".join(stdout).splitlines()) if check]
        labels = EQUATION.findall(prose)
        self.definitions = [label for label in labels if label.startswith("def-")]
        self.claims = [label for label in labels if not label.startswith("def-")]
        proved = {check.label for check in self.checks}
        self.unproved = [label for label in self.claims if label not in proved]

    @property
    def anchor(self):
        """Of its section on the page of claims."""
        return nodes.make_id(f"checks-{self.name}")


def pages_below(site_map, page):
    """This page and those below it, in the order of the table of contents."""
    yield page
    for child in site_map[page].child_files():
        yield from pages_below(site_map, child)


def table(name, header, rows, widths):
    """Rows of cells, each a text or an inline node."""
    group = nodes.tgroup("", *(nodes.colspec(colwidth=width) for width in widths), cols=len(widths))
    for part, lines in (nodes.thead(), [header]), (nodes.tbody(), rows):
        group += part
        for line in lines:
            cells = [nodes.Text(cell) if isinstance(cell, str) else cell for cell in line]
            part += nodes.row("", *(nodes.entry("", nodes.paragraph("", "", cell)) for cell in cells))
    return nodes.table("", group, classes=["colwidths-given", "longtable", name])


def as_it_is(text):
    """Without typographic quotes."""
    return nodes.inline("", text, support_smartquotes=False)


def link_to_equation(env, label):
    """The equation's number, once Sphinx knows it."""
    return pending_xref("", nodes.Text(label), refdomain="math", reftype="eq", reftarget=label, refdoc=env.docname)


def link_to_check(env, page, number, claim):
    """The claim, for resolve_check."""
    place = {"page": page, "reftarget": f"check-{number}", "claim": claim}
    return pending_xref("", nodes.Text(claim), refdomain="", reftype="check", refdoc=env.docname, **place)


class Claims(SphinxDirective):
    """One part of the page of claims: totals, kinds, cost, jumps or checks."""

    required_arguments = 1

    def run(self):
        site_map = self.env.external_site_map
        chapters = [name for part in site_map.root.subtrees if part.numbered for name in part.files()]
        self.number = {name: f"{number}. " for number, name in enumerate(chapters, 1)}
        paths = {page: self.env.doc2path(page) for page in pages_below(site_map, site_map.root.docname)}
        self.notebooks = {page: Notebook(path) for page, path in paths.items() if path.endswith(".ipynb")}
        for path in [*paths.values(), str(COST), str(MEASURED)]:
            self.env.note_dependency(path)
        return getattr(self, self.arguments[0])()

    def all(self, part):
        return [item for notebook in self.notebooks.values() for item in getattr(notebook, part)]

    def title(self, page):
        inline, _ = self.state.inline_text(self.notebooks[page].title, self.lineno)
        return [nodes.Text(self.number.get(page, "")), *inline]

    def totals(self):
        claims, unproved = self.all("claims"), self.all("unproved")
        proved = "numbered equations claim something, and all of them are proved by at least one check"
        lines = [
            (len(self.all("checks")), f"checks in {len(self.notebooks)} notebooks", []),
            (len(claims), proved + (", but for" if unproved else ""), unproved),
            (len(self.all("definitions")), "more numbered equations are definitions: they give a name to something", []),
        ]
        items = nodes.bullet_list(bullet="-")
        for number, words, labels in lines:
            text = nodes.paragraph("", "", nodes.strong("", str(number)), nodes.Text(f" {words}"))
            for label in labels:
                text += [nodes.Text(" "), link_to_equation(self.env, label)]
            items += nodes.list_item("", text)
        return [items]

    def kinds(self):
        checks = self.all("checks")
        every, proofs = Counter(check.kind for check in checks), Counter(check.kind for check in checks if check.label)
        kinds = nodes.definition_list()
        for kind, meaning in KINDS.items():
            count = f"{every[kind]} checks" + (f", {proofs[kind]} of them proofs of an equation." if proofs[kind] else ".")
            definition = nodes.definition("", nodes.paragraph("", f"{meaning} {count}"))
            kinds += nodes.definition_list_item("", nodes.term("", kind), definition)
        tolerances = [float(check.demand.split()[-1]) for check in checks if check.kind.endswith("equal within")]
        strict, good = (sum(tolerance <= limit for tolerance in tolerances) for limit in (1e-8, 1e-4))
        words = (
            f"Of the {len(tolerances)} equalities with a tolerance, {strict} demand 1e-08 (a hundred-millionth) or less, "
            f"{good - strict} more 1e-04 or less, and {len(tolerances) - good} are more lenient."
        )
        return [kinds, nodes.paragraph("", words)]

    def cost(self):
        cost = json.loads(COST.read_text(encoding="utf-8"))
        seconds = cost["seconds"]
        rows, totals = [], [0, 0, 0]
        for page, notebook in self.notebooks.items():
            numbers = [notebook.cells, len(notebook.checks), seconds.get(notebook.name, 0)]
            totals = [total + number for total, number in zip(totals, numbers, strict=True)]
            link = nodes.reference("", "", *self.title(page), refid=notebook.anchor, internal=True)
            known = notebook.name in seconds
            rows.append([link, *(f"{number:.0f}" for number in numbers[:2]), f"{numbers[2]:.0f}" if known else "–"])
        rows.append(["Together", *(f"{total:.0f}" for total in totals)])
        return [
            table("cost", ["Notebook", "Cells", "Checks", "Seconds"], rows, [55, 14, 15, 16]),
            nodes.paragraph("", f"The machine: {', '.join(cost['machine'].values())}."),
        ]

    def jumps(self):
        text = nodes.paragraph("", "", classes=["jumps"])
        for page, notebook in self.notebooks.items():
            short = self.number.get(page, "").rstrip(". ") or notebook.name
            text += [nodes.reference("", short, refid=notebook.anchor, internal=True), nodes.Text(" ")]
        return [text]

    def checks(self):
        return [self.section(page, notebook) for page, notebook in self.notebooks.items()]

    def section(self, page, notebook):
        rows = []
        measured = json.loads(MEASURED.read_text(encoding="utf-8"))[notebook.name]
        for number, (check, found) in enumerate(zip(notebook.checks, measured, strict=True), 1):
            proves = link_to_equation(self.env, check.label) if check.label else ""
            claim, against = link_to_check(self.env, page, number, check.claim), as_it_is(check.against or "")
            rows.append([proves, claim, check.demand, found, against])
        return nodes.section(
            "",
            nodes.title("", "", *self.title(page)),
            table("checks", ["Proves", "Claim", "Demand", "Found", "Against"], rows, [11, 37, 19, 9, 24]),
            ids=[notebook.anchor],
        )


def resolve_check(app, env, node, content):
    """The link to a check's line, which has an id on HTML pages only. The claim is taken as it is, without typographic quotes."""
    if node["reftype"] == "check":
        content = nodes.Text(node["claim"])
        html = app.builder.format == "html"
        return make_refnode(app.builder, node["refdoc"], node["page"], node["reftarget"], content) if html else content


class LinkChecks(SphinxPostTransform):
    """Give every check of a page an id and its equation's number, and tell the equations."""

    default_priority = 5  # before Sphinx fills in the equations' numbers
    formats = ("html",)

    def run(self, **kwargs):
        proofs, number = {}, 0
        for block in list(self.document.findall(nodes.literal_block)):
            lines = block.astext().splitlines(keepends=True)
            if "output" not in block["classes"] or not any(map(parse, map(str.rstrip, lines))):
                continue
            block.rawsource, block.children = "", []  # without a source of its own it is not highlighted
            for line in lines:
                check = parse(line.rstrip())
                if check is None:
                    block += nodes.Text(line)
                    continue
                number += 1
                words = line.rstrip().removesuffix(f"({check.label})")
                text = nodes.inline("", words, ids=[f"check-{number}"], classes=["check"])
                if check.label:
                    text += link_to_equation(self.env, check.label)
                    proofs.setdefault(check.label, []).append(number)
                text += nodes.Text("\n")
                block += text
        for formula in self.document.findall(nodes.math_block):
            formula["proofs"] = proofs.get(formula.get("label"), [])


def marking(visit):
    """The visitor of an equation, with a ✓ at its number if it is proved."""

    def visit_and_mark(translator, node):
        start = len(translator.body)
        try:
            visit(translator, node)
        finally:
            if checks := node.get("proofs"):
                number = katex.get_node_equation_number(translator, node)
                where = "see the check" if len(checks) == 1 else f"see the first of {len(checks)} checks"
                words = f"Equation ({number}) is checked: {where}"
                mark = f'<a class="checked" href="#check-{checks[0]}" title="{words}" aria-label="{words}">✓</a>'
                translator.body.insert(translator.body.index("</span>", start), mark)

    return visit_and_mark


def setup(app):
    katex.html_visit_displaymath = marking(katex.html_visit_displaymath)  # before prerendered_math registers it
    app.add_directive("claims", Claims)
    app.add_post_transform(LinkChecks)
    app.connect("missing-reference", resolve_check)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
