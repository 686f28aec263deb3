"""One thread, no progress bars, no window: set before anything imports torch or matplotlib."""

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "book" / "support"))  # browser.py
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TQDM_DISABLE"] = "1"
os.environ["MPLBACKEND"] = "Agg"

import torch  # noqa: E402

torch.set_num_threads(1)


def pytest_collection_modifyitems(items):
    """One worker builds the site while the other has the rest; what needs the site comes last, and nobody waits for it."""
    items.sort(key=lambda item: 0 if "test_accessibility" in item.nodeid else 2 if "tests/site" in item.nodeid else 1)
