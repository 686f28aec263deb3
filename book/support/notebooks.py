"""Re-execute chapters from a clean kernel and store them normalized: make notebooks.

Normalized means that nothing in the file depends on the machine or the hour: outputs, sources, cell ids and the
metadata that the book uses, and no more. A chapter that raises is left as it was.
"""

import os
import pathlib
import sys
import time

import nbformat
from nbclient import NotebookClient

BOOK = pathlib.Path(__file__).parents[1]
KERNEL = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
CELL_METADATA = {"mystnb", "tags"}


def normalize(notebook):
    """The same notebook without timestamps, widget state, kernel versions and editor settings."""
    notebook.metadata = nbformat.from_dict(KERNEL)
    notebook.nbformat_minor = 5
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({k: v for k, v in sorted(cell.metadata.items()) if k in CELL_METADATA})
        if cell.cell_type == "code":
            for output in cell.outputs:
                if "text/html" in output.get("data", {}):  # of a figure with widgets the form without a kernel is stored
                    output.data.pop("application/vnd.jupyter.widget-view+json", None)
            cell.outputs = [output for output in cell.outputs if not is_progress_bar(output)]
    return notebook


def is_progress_bar(output):
    """A progress bar, as JupyterLab stores one that has finished."""
    return "application/vnd.jupyter.widget-view+json" in output.get("data", {}) or (
        output.output_type == "stream" and output.name == "stderr" and "epoch/s" in output.text
    )


def execute(path):
    """Execute the notebook in place, normalize it, and return the seconds that it took."""
    notebook = nbformat.read(path, as_version=4)
    start = time.perf_counter()
    NotebookClient(
        notebook, timeout=120, resources={"metadata": {"path": str(BOOK)}}, record_timing=False, coalesce_streams=True
    ).execute()
    seconds = time.perf_counter() - start
    nbformat.write(normalize(notebook), path)
    return seconds


if __name__ == "__main__":
    os.environ["TQDM_DISABLE"] = "1"  # no progress bar in stored outputs
    for path in [pathlib.Path(name) for name in sys.argv[1:]] or sorted(BOOK.glob("*.ipynb")):
        print(f"{path.name}: {execute(path):.1f} s")
