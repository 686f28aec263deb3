"""One thread, no progress bars, no window: set before anything imports torch or matplotlib."""

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "book" / "support"))  # browser.py
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TQDM_DISABLE"] = "1"
os.environ["MPLBACKEND"] = "Agg"

import browser  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def chromium():
    """The browser of all tests of a worker: playwright opens one."""
    if browser.CHROMIUM is None:
        pytest.skip("this test needs Chromium: apt-get install chromium")
    with browser.open_browser() as chromium:
        yield chromium


def pytest_collection_modifyitems(items):
    """One worker builds the site while the other has the rest; what needs the site comes last, and nobody waits for it."""
    items.sort(key=lambda item: 0 if "test_accessibility" in item.nodeid else 2 if "tests/site" in item.nodeid else 1)
