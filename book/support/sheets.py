"""The exercise sheet and the key, as PDF: python book/support/sheets.py FOLDER.

The sheet has the statements of all exercises, the key also their solutions, the lab's, and eight exam problems with a marking
scheme (lectures/exam.md). Both are made of the notebooks, with the site's numbers, and printed by Chromium or Chrome; without one
the pages sheet.html and key.html remain, which any browser prints.
"""

import pathlib
import re
import sys

import browser
import cells
import copies
import slides

TITLES = {"sheet": "Exercises", "key": "Exercises and exam problems, with solutions"}
PAPER = {"format": "A4", "margin": {"top": "18mm", "bottom": "20mm", "left": "20mm", "right": "20mm"}}
FOOTER = '<div style="font-size:8px; width:100%; text-align:center"><span class="pageNumber"></span></div>'
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<link rel="stylesheet" href="katex/katex.min.css"><link rel="stylesheet" href="sheets.css"></head>
<body><h1>{title}</h1><p>Variational autoencoders, checked. The numbers of equations are those of the book.</p>
{body}
<script src="katex/katex.min.js"></script><script src="formulas.js"></script></body></html>
"""


def exercises(notebook, write, names, solved):
    """HTML of a notebook's exercises, or of the lab's tasks."""
    opening, closing = cells.SOLUTION
    for cell in notebook["cells"]:
        tags, source = cell["metadata"].get("tags", []), cell["source"]
        if re.match(r"\*\*(Exercise|Task) \d", source):
            yield slides.MARKDOWN.render(write(source))
        elif solved and "solution" in tags and cell["cell_type"] == "markdown":
            words = source.removeprefix(opening).removesuffix(closing).strip()
            yield f'<div class="solution">{slides.MARKDOWN.render("**Solution.** " + write(words))}</div>'
        elif solved and "solution" in tags:
            yield slides.code(source) + "\n".join(slides.outputs(cell, write, names))


def pages():
    """{"sheet": HTML, "key": HTML}"""
    notebooks = copies.load()
    (names, _), cited = copies.number(notebooks), copies.bibliography()
    made = {}
    for kind, title in TITLES.items():
        body = []
        for name, notebook in notebooks.items():
            write = lambda source, name=name: copies.write_out(source, name, names, cited)
            if found := list(exercises(notebook, write, names, solved=kind == "key")):
                head = notebook["cells"][0]["source"].partition("\n")[0].strip("# ")
                number = f"{int(name[:2])}. " if name[:2].isdigit() else ""
                body += [f"<h2>{number}{slides.MARKDOWN.renderInline(head)}</h2>", *found]
        if kind == "key":
            exam = (slides.LECTURES_FOLDER / "exam.md").read_text(encoding="utf-8")
            exam = slides.MARKDOWN.render(copies.write_out(re.sub(r"^# ", "## ", exam), "", names, cited))
            body.append(f'<section class="exam">{exam}</section>')
        # a link into another notebook leads nowhere on paper
        made[kind] = PAGE.format(title=title, body=re.sub(r'<a href="[^"]*">(.*?)</a>', r"\1", "\n".join(body)))
    return made


def main(folder):
    slides.copy_static(folder, "sheets.css", "formulas.js")
    made = pages()
    for kind, page in made.items():
        (folder / f"{kind}.html").write_text(page, encoding="utf-8")
    if browser.CHROMIUM is None:
        print(f"No Chromium or Chrome was found: open the pages in file://{folder.resolve()}/ and print them.")
        return
    with browser.open_browser() as chromium:
        for kind in made:
            tab = chromium.new_page()
            tab.goto((folder / f"{kind}.html").resolve().as_uri())
            tab.evaluate("document.fonts.ready")
            tab.pdf(path=folder / f"{kind}.pdf", display_header_footer=True, header_template="<i></i>", footer_template=FOOTER, **PAPER)
            print(f"Open file://{folder.resolve()}/{kind}.pdf")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
