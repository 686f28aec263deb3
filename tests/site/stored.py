"""The book as it is stored: what the site has to show."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import nbformat
import yaml

ROOT = pathlib.Path(__file__).parents[2]
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
PAGES = [TOC["root"]] + [chapter["file"] for part in TOC["parts"] for chapter in part["chapters"]]
NOTEBOOKS = {page: nbformat.read(ROOT / f"{page}.ipynb", as_version=4) for page in PAGES if (ROOT / f"{page}.ipynb").exists()}


def markdown(page):
    """The Markdown of a page, without its code."""
    if page in NOTEBOOKS:
        text = "\n\n".join(cell.source for cell in NOTEBOOKS[page].cells if cell.cell_type == "markdown")
    else:
        text = (ROOT / f"{page}.md").read_text(encoding="utf-8")
    return re.sub(r"```.*?```|`[^`\n]*`|\\\$", "", text, flags=re.DOTALL)


def build(out, *options, read=None, address="", branch=""):
    """A strict build of the book into the folder out, told the repository's address or none.

    It is fresh, or writes anew what a fresh build before it, the folder ``read``, has read.
    """
    if read:
        for part in (".doctrees", "jupyter_execute"):
            shutil.copytree(read / part, out / "_build" / part)
    env = os.environ | {"BOOK_REPOSITORY": address, "BOOK_BRANCH": branch}
    env["PATH"] = os.pathsep.join([str(pathlib.Path(sys.executable).parent), env["PATH"]])
    command = ["jupyter-book", "build", "-W", "-n", "--keep-going", *options, "--path-output", str(out), str(ROOT)]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    return out / "_build"
