"""What the benchmarks share: rounds in turn, medians of ratios, peak memory, the machine, and a JSON beside the script."""

import json
import pathlib
import platform
import statistics
import subprocess

import torch


def rounds(ways, n):
    """{name: seconds of each round}: every round asks each way once, in turn; one round before is not counted."""
    measured = {name: [] for name in ways}
    for k in range(n + 1):
        for name, way in ways.items():
            value = way()
            if k:
                measured[name].append(value)
    print("   ".join(f"{name} {1000 * statistics.median(values):.1f} ms" for name, values in measured.items()), flush=True)
    return measured


def ratios(measured, name):
    """For each other way the median over the rounds of name / other, and the smallest and largest."""
    result = {}
    for other in measured.keys() - {name}:
        values = [a / b for a, b in zip(measured[name], measured[other], strict=True)]
        result[other] = {"median": statistics.median(values), "least": min(values), "most": max(values)}
        print(f"  {name} / {other}: {statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})", flush=True)
    return result


def peak_memory(command):
    """Peak resident memory of a command, in MB."""
    import resource

    code = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); "
    code += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    del resource
    import sys

    return int(subprocess.run([sys.executable, "-c", code, *command], capture_output=True, check=True, text=True).stdout) / 1024


def machine():
    return f"{platform.machine()}, {torch.get_num_threads()} thread, Python {platform.python_version()}, torch {torch.__version__}"


def write(script, result):
    path = pathlib.Path(script).with_suffix(".json")
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
