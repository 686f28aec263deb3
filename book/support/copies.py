"""Copies of the notebooks that are read without the site: as downloads, on Colab, by students.

Jupyter, GitHub and Colab know no cross-references, citations, boxes and captions. A copy has them written out, with the
numbers of the site. For students, python book/support/copies.py FOLDER leaves out the solutions. Needs nothing but Python.
As a Sphinx extension this module makes what a page's download button gives.
"""

import json
import os
import pathlib
import re
import sys
import unicodedata

import cells

BOOK = pathlib.Path(__file__).parents[1]
FORMULA = re.compile(r"\$\$(?P<formula>(?:[^$]|\\\$)+)\$\$ *\((?P<label>[^()\s]+)\)")
BOX = re.compile(
    r"^:::+\{prf:(?P<kind>\w+)\} *(?P<title>[^\n]*)\n(?::label: *(?P<label>\S+)\n)?(?P<body>.*?)^:::+$", re.MULTILINE | re.DOTALL
)
MOVING = re.compile(r'<figure class="moving[^>]*id="([^"]+)"')
ENTRY = re.compile(r"@\w+\{(?P<key>\S+),(?P<fields>.*?)^\}", re.MULTILINE | re.DOTALL)
ACCENT = {'"': "\u0308", "'": "\u0301", "`": "\u0300", "^": "\u0302", "~": "\u0303", "v": "\u030c", "c": "\u0327"}

NEEDS = """\
# This chapter needs the package of its book. Where the package is there, this cell does nothing.
import importlib.util

if importlib.util.find_spec("vae_edu") is None:
    raise ModuleNotFoundError({words!r})"""
WHERE = "The package vae_edu is not here. Get the book's repository{address}, type 'make lab' in its folder, and open the chapter there."
PIP = " Or type: pip install 'vae-edu[book] @ git+{address}'"


def load():
    """The stored notebooks by name, in the order of the table of contents, sources as one text each."""
    pages = re.findall(r"^ *(?:- file|root): book/(\w+)$", (BOOK.parent / "_toc.yml").read_text(encoding="utf-8"), re.MULTILINE)
    paths = [path for path in (BOOK / f"{page}.ipynb" for page in pages) if path.exists()]
    notebooks = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}
    for notebook in notebooks.values():
        for cell in notebook["cells"]:
            cell["source"] = "".join(cell["source"])
    return notebooks


def number(notebooks):
    """{label: (notebook, what the site calls it)} for equations, boxes and figures, and {(notebook, cell): Fig. n}."""
    names, figures, outside = {}, {}, {}  # outside the chapters Sphinx counts on from page to page
    for name, notebook in notebooks.items():
        counts, chapter = ({}, f"{int(name[:2])}.") if name[:2].isdigit() else (outside, "")

        def count(what, chapter=chapter, counts=counts):
            counts[what] = counts.get(what, 0) + 1
            return f"{chapter}{counts[what]}"

        for cell in notebook["cells"]:
            if cell["cell_type"] == "markdown":
                for box in BOX.finditer(cell["source"]):
                    names[box["label"]] = name, f"{box['kind'].capitalize()} {count(box['kind'])}"
                for formula in FORMULA.finditer(cell["source"]):
                    names[formula["label"]] = name, f"({count('equation')})"
                continue
            figure = cell["metadata"].get("mystnb", {}).get("figure", {})
            html = "".join("".join(output.get("data", {}).get("text/html", "")) for output in cell["outputs"])
            if (moving := MOVING.search(html)) or "name" in figure:
                label = f"fig-{moving[1]}" if moving else figure["name"]
                figures[name, cell["id"]] = f"Fig. {count('figure')}"
                names[label] = name, figures[name, cell["id"]]
    return names, figures


def bibliography():
    """{key: (authors, year)}, authors as one says them."""
    found = {}
    for entry in ENTRY.finditer((BOOK / "references.bib").read_text(encoding="utf-8")):
        authors = re.search(r"author\s*=\s*\{((?:[^{}]|\{[^{}]*\})*)\}", entry["fields"])[1]
        last = [plain_letters(author.split(",")[0]) for author in re.split(r"\s+and\s+", authors)]
        who = last[0] if len(last) == 1 else " and ".join(last) if len(last) == 2 else f"{last[0]} et al."
        found[entry["key"]] = who, re.search(r"year\s*=\s*\{?(\d{4})", entry["fields"])[1]
    return found


def plain_letters(text):
    """Köhler for K{\\"o}hler."""
    text = re.sub(r"\\([\"'`^~vc])\{?\\?(\w)\}?", lambda found: found[2] + ACCENT[found[1]], text)
    return unicodedata.normalize("NFC", re.sub(r"[{}\\]", "", text)).strip()


def write_out(source, here, names, cited):
    """Markdown without the book's own directives and roles."""

    def box(found):
        title = f" ({found['title'].strip()})" if found["title"].strip() else ""
        head = names[found["label"]][1] if found["label"] else found["kind"].capitalize()
        return f"**{head}{title}.**\n{found['body'].rstrip()}\n"

    def reference(found):
        where, words = names[found[1]]
        return words if where == here else f"[{words}]({where}.ipynb)"

    def citation(found):
        sources = [cited[key.strip()] for key in found[2].split(",")]
        if found[1] == "t":
            return ", ".join(f"{who} ({year})" for who, year in sources)
        return "(" + "; ".join(f"{who} {year}" for who, year in sources) + ")"

    source = BOX.sub(box, source)
    source = FORMULA.sub(lambda f: f"$${f['formula'].rstrip()} \\tag{{{names[f['label']][1].strip('()')}}}\n$$", source)
    source = re.sub(r"\{(?:eq|numref|prf:ref|ref)\}`([^`]+)`", reference, source)
    return re.sub(r"\{cite:([tp])\}`([^`]+)`", citation, source)


def plain(notebooks):
    """The same notebooks with everything written out; code that the site folds is folded on Colab too."""
    (names, figures), cited = number(notebooks), bibliography()
    copies = {}
    for name, notebook in notebooks.items():
        written = []
        for cell in notebook["cells"]:
            if cell["cell_type"] == "markdown":
                written.append(cell | {"source": write_out(cell["source"], name, names, cited)})
                continue
            if found := cells.kind(cell):
                title = f'#@title {found.words} {{ display-mode: "form" }}\n'
                cell = cell | {"source": title + cell["source"], "metadata": cell["metadata"] | {"cellView": "form"}}
            written.append(cell)
            if caption := cell["metadata"].get("mystnb", {}).get("figure", {}).get("caption"):
                words = f"**{figures[name, cell['id']]}.** {write_out(caption, name, names, cited)}"
                written.append(cells.markdown(words) | {"id": f"{cell['id']}-caption"})
        copies[name] = notebook | {"cells": written}
    return copies


def with_first_cell(notebook, source, cell_id="install"):
    """The notebook with one more cell, the first."""
    cell = {"cell_type": "code", "execution_count": None, "id": cell_id, "metadata": {}, "outputs": [], "source": source}
    return notebook | {"cells": [cell, *notebook["cells"]]}


def for_students(notebook):
    """The notebook without its solutions; the answer cells check as before."""
    return notebook | {"cells": [cell for cell in notebook["cells"] if "solution" not in cell["metadata"].get("tags", [])]}


def for_download(notebook, address):
    """The notebook with a first cell that says how to get the package, where it is missing."""
    words = WHERE.format(address=f" at {address}" if address else "") + (PIP.format(address=address) if address else "")
    return with_first_cell(notebook, NEEDS.format(words=words), "needs")


def save(copies, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for name, notebook in copies.items():
        text = json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True)
        (folder / f"{name}.ipynb").write_text(text + "\n", encoding="utf-8")


def make_downloads(app, exception):
    if app.builder.name == "html" and not exception:
        address = os.environ.get("BOOK_REPOSITORY", "").rstrip("/")
        downloads = {name: for_download(notebook, address) for name, notebook in plain(load()).items()}
        save(downloads, pathlib.Path(app.outdir) / "_sources" / BOOK.name)


def setup(app):
    app.connect("build-finished", make_downloads)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


if __name__ == "__main__":
    save({name: for_students(notebook) for name, notebook in plain(load()).items()}, pathlib.Path(sys.argv[1]))
