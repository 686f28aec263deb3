"""The kinds of cells: what a reader sees at once, and what is folded.

A cell says what it is by a tag of its own; everything else follows from the tag. In the stored notebook (notebooks.py)
JupyterLab's and MyST-NB's metadata fold it. As a Sphinx extension this module gives each fold on the page its words, puts
a solution's words, code and output into one fold, and turns a cell's metadata ``index`` into entries that search finds.
"""

import json
from typing import NamedTuple


class Kind(NamedTuple):
    hidden: str  # MyST-NB's tag
    words: str  # on the fold
    jupyter: dict  # JupyterLab's metadata


SOURCE, ALL = {"source_hidden": True}, {"source_hidden": True, "outputs_hidden": True}
KINDS = {
    "setup": Kind("hide-input", "What is imported", SOURCE),
    "helper": Kind("hide-input", "What is prepared", SOURCE),
    "proof": Kind("hide-input", "How it was checked", SOURCE),
    "plot": Kind("hide-input", "How it is drawn", SOURCE),
    "exercise": Kind("hide-input", "How the answer is checked", SOURCE),
    "solution": Kind("hide-cell", "Solution", ALL),
}
SOLUTION = "<details><summary>Solution</summary>", "</details>"  # around the words of a solution, in its Markdown


def kind(cell):
    """The Kind of a code cell; None for one that is shown."""
    return next((KINDS[tag] for tag in cell["metadata"].get("tags", []) if tag in KINDS), None)


def fold(cell):
    """Set the metadata that follows from a code cell's kind."""
    metadata, found = cell["metadata"], kind(cell)
    metadata.pop("jupyter", None)
    if found:
        metadata["tags"] = sorted({*metadata["tags"], found.hidden})
        metadata["jupyter"] = dict(found.jupyter)


def for_the_page(cells):
    """The cells as MyST-NB is to read them; see above."""
    page, open_solution = [], False
    for cell in cells:
        if open_solution and "solution" not in cell["metadata"].get("tags", []):
            page.append(markdown("</details>"))
            open_solution = False
        if entries := cell["metadata"].get("index"):
            title, rest = cell["source"].partition("\n")[::2] if cell["source"].startswith("# ") else ("", cell["source"])
            directives = "\n".join(f"```{{index}} ! single: {entry}\n```\n" for entry in entries)
            cell = cell | {"source": f"{title}\n\n{directives}\n{rest}"}
        if found := kind(cell) if cell["cell_type"] == "code" else None:
            tags = [tag for tag in cell["metadata"]["tags"] if not (open_solution and tag == found.hidden)]
            words = {"code_prompt_show": found.words, "code_prompt_hide": found.words}
            cell = cell | {"metadata": cell["metadata"] | {"tags": tags, "mystnb": cell["metadata"].get("mystnb", {}) | words}}
        elif cell["source"].startswith(SOLUTION[0]):
            cell, open_solution = cell | {"source": cell["source"].removesuffix(SOLUTION[1])}, True
        page.append(cell)
    return page + [markdown("</details>")] * open_solution


def markdown(source):
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def read(app, docname, source):
    if app.env.doc2path(docname).endswith(".ipynb"):
        notebook = json.loads(source[0])
        for cell in notebook["cells"]:
            cell["source"] = "".join(cell["source"])
        notebook["cells"] = for_the_page(notebook["cells"])
        for number, cell in enumerate(notebook["cells"]):
            cell.setdefault("id", f"cell-{number}")
        source[0] = json.dumps(notebook)


def setup(app):
    app.connect("source-read", read)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
