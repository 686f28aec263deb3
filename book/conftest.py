"""nbval re-runs the notebooks as Jupyter does: no progress bars, and a trailing semicolon silences a line."""

import os

from nbval.kernel import RunningKernel

os.environ["TQDM_DISABLE"] = "1"


def execute_cell_input(self, cell_input, allow_stdin=None):
    """nbval's own, but with history, without which IPython does not see the semicolon."""
    return self.kc.execute(cell_input, store_history=True, allow_stdin=allow_stdin, stop_on_error=False)


RunningKernel.execute_cell_input = execute_cell_input
