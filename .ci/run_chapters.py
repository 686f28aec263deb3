"""Run the code of every chapter, top to bottom, in this environment: no cell may raise, so every check of the book holds.

Outputs are not compared: other versions print other digits. make chapters-under VERSIONS=.ci/lowest.txt
"""

import json
import os
import pathlib
import sys

os.environ |= {"MPLBACKEND": "Agg", "TQDM_DISABLE": "1", "OMP_NUM_THREADS": "1"}
BOOK = pathlib.Path(__file__).parents[1] / "book"


def run(path):
    """Execute the chapter's code cells in a fresh process as IPython does."""
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            result = shell.run_cell("".join(cell["source"]), store_history=True)
            if not result.success:
                print(f"{path.name}, cell {cell['id']}: {result.error_before_exec or result.error_in_exec!r}", file=sys.stderr)
                return 1
    return 0


if __name__ == "__main__":
    if len(sys.argv) > 1:
        os.chdir(BOOK)
        sys.exit(run(pathlib.Path(sys.argv[1])))
    import subprocess

    failed = []
    for path in sorted(BOOK.glob("[!.]*.ipynb")):
        done = subprocess.run([sys.executable, __file__, str(path)], stdout=subprocess.DEVNULL)
        print(f"{path.name}: {'failed' if done.returncode else 'passed'}", flush=True)
        failed += [path.name] * bool(done.returncode)
    print(f"{len(list(BOOK.glob('*.ipynb'))) - len(failed)} passed, {len(failed)} failed")
    sys.exit(bool(failed))
