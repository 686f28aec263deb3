"""nbval re-runs the notebooks as Jupyter does: no progress bars, and a trailing semicolon silences a line."""

import os
import pathlib
import sys

from nbval.kernel import RunningKernel

sys.path.insert(0, str(pathlib.Path(__file__).parent / "support"))
import kernels  # noqa: E402

os.environ["TQDM_DISABLE"] = "1"


def execute_cell_input(self, cell_input, allow_stdin=None):
    """nbval's own, but with history, without which IPython does not see the semicolon."""
    return self.kc.execute(cell_input, store_history=True, allow_stdin=allow_stdin, stop_on_error=False)


RunningKernel.execute_cell_input = execute_cell_input
kernels.use()
