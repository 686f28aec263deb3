"""What the benchmarks share: rounds in turn, ratios, peak memory, the machine, and a JSON beside the script."""

import json
import pathlib
import platform
import re
import statistics
import subprocess
import sys

import torch

ROOT = pathlib.Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "book" / "support"))
from notebooks import processor  # noqa: E402

PEAK = """import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"""


def rounds(ways, n):
    """{name: seconds of each of n rounds}. A round asks every way once, in turn; the first of n + 1 is not counted."""
    measured = {name: [] for name in ways}
    for number in range(n + 1):
        for name, way in ways.items():
            seconds = way()
            if number:
                measured[name].append(round(seconds, 5))
    print("   ".join(f"{name} {1000 * statistics.median(values):.1f} ms" for name, values in measured.items()), flush=True)
    return measured


def ratios(measured, name):
    """name / other within each round, for every other: [median, smallest, largest]."""
    found = {}
    for other in measured:
        if other != name:
            within = sorted(a / b for a, b in zip(measured[name], measured[other], strict=True))
            found[other] = [round(value, 3) for value in (statistics.median(within), within[0], within[-1])]
            print(f"  {name} / {other}: {found[other]}", flush=True)
    return found


def peak_memory(*arguments):
    """Peak resident memory of this Python with these arguments, in MiB. Not on Windows."""
    command = [sys.executable, "-c", PEAK, sys.executable, *arguments]
    peak = int(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    return round(peak / (1024 if sys.platform == "linux" else 1024**2))  # kB, on macOS bytes


def machine():
    return f"{processor()}, one thread, Python {platform.python_version()}, torch {torch.__version__.partition('+')[0]}"


def write(script, result):
    """The result beside the script, each innermost list on a line of its own."""
    text = json.dumps(result, indent=1, ensure_ascii=False)
    text = re.sub(r"\[[^\[\]{}]*\]", lambda found: re.sub(r"\s+", "", found[0]).replace(",", ", "), text)
    pathlib.Path(script).with_suffix(".json").write_text(text + "\n", encoding="utf-8")
