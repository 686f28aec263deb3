"""Re-execute chapters from a clean kernel and store them normalized: make notebooks.

Normalized means that nothing in the file depends on the machine or the hour: outputs, sources, cell ids and the
metadata that the book uses, and no more. A chapter that raises is left as it was. What its checks measured goes to
measured.json, in their order, a digit each, since the stored lines have none. When all of them have run, the seconds that each
took and the machine go to cost.json. The page of claims shows both.
"""

import importlib.metadata
import json
import os
import pathlib
import platform
import subprocess
import sys
import time

import nbformat
from nbclient import NotebookClient

import cells

BOOK = pathlib.Path(__file__).parents[1]
COST, MEASURED = BOOK / "cost.json", BOOK / "measured.json"
KERNEL = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
CELL_METADATA = {"ask", "index", "mystnb", "refuted", "tags"}


def normalize(notebook):
    """The same notebook without timestamps, widget state, kernel versions and editor settings."""
    notebook.metadata = nbformat.from_dict(KERNEL)
    notebook.nbformat_minor = 5
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({k: v for k, v in sorted(cell.metadata.items()) if k in CELL_METADATA})
        if cell.cell_type == "code":
            cells.fold(cell)
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


# In the kernel, before and behind the notebook's cells: what a check found is in the text that it would raise.
WATCH = """
import re as _re
from vae_edu import checks as _checks
_found, _judge = [], _checks._verdict
def _watch(holds, claim, demand, against, proves, found):
    number = _re.search(r"(?:error|difference|z =) (\\S+)$", found)
    _judge(holds, claim, demand, against, proves, found)
    _found.append(f"{abs(float(number[1])):.0e}" if number else "")
_checks._verdict = _watch
"""
TELL = "import json as _json; print(_json.dumps(_found))"


def execute(path):
    """Execute the notebook in place, normalize it, and return the seconds that it took and what its checks measured."""
    notebook = nbformat.read(path, as_version=4)
    watch, tell = (nbformat.v4.new_code_cell(source) for source in (WATCH, TELL))
    notebook.cells = [watch, *notebook.cells, tell]
    start = time.perf_counter()
    NotebookClient(
        notebook, timeout=120, resources={"metadata": {"path": str(BOOK)}}, record_timing=False, coalesce_streams=True
    ).execute()
    seconds = time.perf_counter() - start
    notebook.cells = notebook.cells[1:-1]
    for counted in (c for cell in notebook.cells if cell.cell_type == "code" for c in (cell, *cell.outputs)):
        if counted.get("execution_count"):
            counted.execution_count -= 1
    nbformat.write(normalize(notebook), path)
    return seconds, json.loads(tell.outputs[0].text)


def processor():
    """The processor's name, as its system gives it."""
    if platform.system() == "Linux":
        lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    if platform.system() == "Darwin":
        return subprocess.check_output(["sysctl", "-n", "machdep.cpu.brand_string"], text=True).strip()
    return platform.processor()


def machine():
    """What the seconds depend on, and nothing that tells whose machine it is."""
    memory = {}
    if hasattr(os, "sysconf"):  # not on Windows
        memory["memory"] = f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB of memory"
    return {
        "processor": processor(),
        "cores": f"{os.cpu_count()} cores, one thread in use",
        **memory,
        "system": platform.system(),
        "python": f"Python {platform.python_version()}",
        "torch": f"PyTorch {importlib.metadata.version('torch').partition('+')[0]}",
    }


def run(paths):
    """Execute these notebooks, or all, one after the other. Only a complete run is a measurement."""
    seconds = {}
    measured = json.loads(MEASURED.read_text(encoding="utf-8")) if MEASURED.exists() else {}
    for path in paths or sorted(BOOK.glob("*.ipynb")):
        took, measured[path.stem] = execute(path)
        seconds[path.stem] = round(took, 1)
        lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(found)}" for name, found in sorted(measured.items()))
        MEASURED.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")
        print(f"{path.name}: {seconds[path.stem]} s", flush=True)
    if not paths:
        COST.write_text(json.dumps({"machine": machine(), "seconds": seconds}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    os.environ["TQDM_DISABLE"] = "1"  # no progress bar in stored outputs
    os.environ["OMP_NUM_THREADS"] = "1"  # the same sums on every machine
    run([pathlib.Path(name) for name in sys.argv[1:]])
