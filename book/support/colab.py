"""Write copies of the notebooks for Colab: python book/support/colab.py ADDRESS FOLDER.

Colab opens a notebook without the repository around it, so each copy starts with a cell that fetches the repository from
ADDRESS and installs the package; and it knows nothing of the book's cross-references and folds, so copies.py writes them
out. The stored notebooks hold no address: a fork has its own. Needs nothing but Python.
"""

import pathlib
import re
import sys

import copies

ADDRESS = re.compile(r"https?://[\w.-]+(:\d+)?(/[\w.~-]+)*/(?P<owner>[\w.~-]+)/(?P<name>[\w.~-]+)", re.ASCII)
# Editable: the chapters find the stored benchmarks next to the package. A running kernel does not notice an editable
# install, hence the last line.
CELL = """\
# On Colab, this cell fetches the book and installs its package. Where the package is there, it does nothing.
import importlib.util
import pathlib
import subprocess
import sys

if importlib.util.find_spec("vae_edu") is None:
    folder = pathlib.Path("{folder}").resolve()
    if not folder.exists():
        subprocess.run(["git", "clone", "--quiet", "--depth=1", "{address}", folder], check=True)
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--editable", f"{{folder}}[book]"], check=True)
    sys.path.append(str(folder))"""


def parse(address):
    """The match of ADDRESS; raises ValueError when it is no plain http(s) address of a repository."""
    match = ADDRESS.fullmatch(address)
    if not match:
        raise ValueError(f"a repository's address looks like https://github.com/owner/name, got {address!r}")
    return match


def prepare(notebook, address):
    """The notebook with one more cell, the first."""
    return copies.with_first_cell(notebook, CELL.format(address=address, folder=parse(address)["name"]))


if __name__ == "__main__":
    address, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    written_out = copies.plain(copies.load())
    copies.save({name: prepare(notebook, address) for name, notebook in written_out.items()}, folder)
