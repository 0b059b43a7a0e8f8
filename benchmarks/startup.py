"""How long ``--help`` takes and what a light import loads: ``python -m benchmarks.startup``."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from benchmarks.common import ROOT, write_result
from nlp.command import run_command
from nlp.score_report import format_table

HELP = ("nlp.extract", "nlp.evaluate", "nlp.lexicon")
LIGHT = ("nlp.schema", "nlp.errors", "nlp.lexicon")
HEAVY = ("spacy", "torch", "pandas", "pyarrow", "numpy", "streamlit", "rapidfuzz")
TARGET_SECONDS = 1.0


def help_seconds(module: str) -> float:
    """Wall time of ``python -m module --help``."""
    before = time.perf_counter()
    subprocess.run([sys.executable, "-m", module, "--help"], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - before


def loaded_by(module: str) -> dict[str, object]:
    """How many modules an import loads, and which heavy packages are among them."""
    code = f"import sys, json, {module}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    modules = json.loads(done.stdout)
    return {"modules": len(modules), "heavy": [package for package in HEAVY if package in modules]}


def run(options: Namespace) -> None:
    """Measure, print and write."""
    seconds = {module: [help_seconds(module) for _ in range(options.repeats)] for module in HELP}
    rows = [("command", "median s", "slowest s", "target")]
    rows += [
        (
            f"{module} --help",
            f"{statistics.median(times):.2f}",
            f"{max(times):.2f}",
            f"< {TARGET_SECONDS:.0f}",
        )
        for module, times in seconds.items()
    ]
    print(format_table(rows))
    imports = {module: loaded_by(module) for module in LIGHT}
    loaded = [
        (module, str(found["modules"]), str(found["heavy"] or "none")) for module, found in imports.items()
    ]
    print("\n" + format_table([("import", "modules", "heavy packages"), *loaded]))
    medians = {module: statistics.median(times) for module, times in seconds.items()}
    write_result("startup", {"repeats": options.repeats, "help_seconds": medians, "imports": imports})


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m benchmarks.startup``."""
    made = ArgumentParser(description="Wall time of --help, and what a light import loads.")
    made.add_argument("--repeats", type=int, default=7, help="how often each command runs (default: 7)")
    return run_command(made, run, arguments)


if __name__ == "__main__":
    sys.exit(main())
