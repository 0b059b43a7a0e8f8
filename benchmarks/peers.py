"""negspaCy and medspaCy on the same texts with the same terms: ``python -m benchmarks.peers``.

Each peer is installed into a virtual environment of its own, because they ask for different versions of
spaCy. A peer that cannot be installed or run stays in the table, with the reason.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.common import (
    FINDINGS,
    ROOT,
    bare_states,
    engine_states,
    format_found,
    fresh,
    parser,
    peak_megabytes,
    record_batch,
    references,
    score_states,
    write_result,
)
from benchmarks.peer_terms import export_terms
from benchmarks.speed import make_texts
from nlp.command import run_command
from nlp.errors import InputError
from nlp.lexicon import load_lexicon
from nlp.reference import Reference
from nlp.schema import State
from nlp.score_report import format_metric, format_table, scores_json
from nlp.scores import MICRO

PACKAGES = {"negspacy": ("negspacy==1.1.0",), "medspacy": ("medspacy==1.3.1", "pydantic<2.9")}
"""With what each needs pinned: the spaCy that medspaCy asks for does not start under later pydantic."""
SYSTEMS = {
    "negspacy": ("negspaCy", "negspacy"),
    "medspacy": ("medspaCy ConText", "medspacy"),
    "medspacy-sentencizer": ("medspaCy ConText, spaCy's sentencizer", "medspacy"),
}
COUNTS = {"distinct": 5_000, "captions": 100_000, "reports": 10_000}
RATES = ("distinct", "captions", "reports")
_BATCH = 2048
_FIRST_LINE = 100


def install(folder: Path, package: str) -> tuple[Path, str | None]:
    """Make a virtual environment with one package; its interpreter, and why it failed if it did."""
    home = folder / package
    python = home / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
    options = ["--quiet", "--disable-pip-version-check"]
    command = [str(python), "-m", "pip", "install", *options, *PACKAGES[package]]
    done = subprocess.run(command, capture_output=True, text=True)
    return python, None if done.returncode == 0 else f"not installable: {_reason(done.stderr)}"


def run_peer(python: Path, system: str, task: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """What the worker measured, or ``{"error": reason}``."""
    task_path, result_path = folder / "task.json", folder / f"{system}.json"
    task_path.write_text(json.dumps(task))
    worker = ROOT / "benchmarks" / "peer_worker.py"
    done = subprocess.run([python, worker, system, task_path, result_path], capture_output=True, text=True)
    if done.returncode:
        return {"error": f"does not run: {_reason(done.stderr)}"}
    result: dict[str, Any] = json.loads(result_path.read_text())
    return result


def _reason(output: str) -> str:
    """The line of an error output that says most."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if "error" in line.lower()]
    return ((telling or lines or ["no message"])[-1])[:_FIRST_LINE]


def measure_here(kind: str, task_path: Path) -> dict[str, Any]:
    """The same measurements for the toolkit or the regexes, in this fresh process."""
    task = json.loads(task_path.read_text())
    make = {"toolkit": _toolkit, "regex": _regex}[kind]
    rates = {name: _rate(make(), texts, task["budget"]) for name, texts in task["rates"].items()}
    peak = peak_megabytes()
    states = {name: _states(kind, texts) for name, texts in task["quality"].items()}
    return {"states": states, "rates": rates, "peak_megabytes": peak}


def _states(kind: str, texts: Sequence[str]) -> list[dict[str, State]]:
    return engine_states(texts)[0] if kind == "toolkit" else [bare_states(text) for text in texts]


def _toolkit() -> Callable[[Sequence[str]], object]:
    from nlp.batch import Reader, label_batch

    reader = Reader(load_lexicon())
    return lambda texts: label_batch(record_batch(texts), reader)


def _regex() -> Callable[[Sequence[str]], object]:
    return lambda texts: [bare_states(text) for text in texts]


def _rate(read: Callable[[Sequence[str]], object], texts: Sequence[str], budget: float) -> float:
    """Texts per CPU-second, stopping when the budget of CPU-seconds is spent."""
    before = time.process_time()
    done = 0
    while done < len(texts) and time.process_time() - before < budget:
        read(texts[done : done + _BATCH])
        done = min(len(texts), done + _BATCH)
    return done / (time.process_time() - before)


def run(options: Namespace) -> None:
    """Install, measure all systems, print one table and write the result."""
    if options.measure:
        kind, path = options.measure
        print(json.dumps(measure_here(kind, Path(path))))
        return
    tables = {
        name: table for name, table in references(options.data).items() if table.path.parent.name == "text"
    }
    if not tables:
        raise InputError(f"no text/*_reference.csv in {options.data}; choose the folder with --data")
    with tempfile.TemporaryDirectory() as folder:
        found = _measure_all(options, tables, Path(folder))
    result = {name: _summary(measured, tables) for name, measured in found.items()}
    print(format_table([*_rows(result, list(tables))]))
    for name, measured in result.items():
        if "error" in measured:
            print(f"{name}: {measured['error']}")
    write_result("peers", {"cpu_seconds_per_rate": options.budget, "systems": result})


def _measure_all(
    options: Namespace, tables: Mapping[str, Reference], folder: Path
) -> dict[str, dict[str, Any]]:
    task = {
        "lexicon": export_terms(load_lexicon()),
        "quality": {name: [row.text for row in table.rows] for name, table in tables.items()},
        "rates": make_texts(options.data, COUNTS),
        "budget": options.budget,
    }
    path = folder / "texts.json"
    path.write_text(json.dumps(task))
    found = {"this toolkit": fresh("benchmarks.peers", "--measure", "toolkit", path)}
    found["five regexes"] = fresh("benchmarks.peers", "--measure", "regex", path)
    home = options.install or folder
    home.mkdir(parents=True, exist_ok=True)
    installed = {package: install(home, package) for package in PACKAGES}
    for system, (name, package) in SYSTEMS.items():
        python, problem = installed[package]
        found[name] = {"error": problem} if problem else run_peer(python, system, task, folder)
    return found


def _summary(measured: Mapping[str, Any], tables: Mapping[str, Reference]) -> dict[str, Any]:
    """The scores in the place of the states."""
    if "error" in measured:
        return dict(measured)
    states = {
        name: [{key: row.get(key, "not_mentioned") for key in FINDINGS} for row in rows]
        for name, rows in measured["states"].items()
    }
    scores = {name: score_states([table], states[name]) for name, table in tables.items()}
    union = score_states(tables.values(), [row for name in tables for row in states[name]])
    kept = {key: value for key, value in measured.items() if key != "states"}
    return {
        **kept,
        "quality": {name: scores_json(score) for name, score in scores.items()},
        "cells": {
            name: [format_metric(score[MICRO].f1), format_metric(score[MICRO].accuracy)]
            for name, score in scores.items()
        },
        "found": format_found(union),
    }


def _rows(result: Mapping[str, Mapping[str, Any]], tables: Sequence[str]) -> Iterator[Sequence[str]]:
    quality = [f"{name} {metric}" for name in tables for metric in ("F1", "states")]
    speed = ["distinct/CPU-s", "captions/CPU-s", "reports/CPU-s", "peak MB"]
    yield ["system", *quality, "negated", "uncertain", "resolved", *speed]
    for name, measured in result.items():
        if "error" in measured:
            yield [name, *["-"] * (len(quality) + 3 + len(speed))]
            continue
        cells = [cell for table in tables for cell in measured["cells"][table]]
        numbers = [*(measured["rates"][rate] for rate in RATES), measured["peak_megabytes"]]
        yield [name, *cells, *measured["found"], *(f"{number:,.0f}" for number in numbers)]


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m benchmarks.peers``."""
    made = parser("negspaCy and medspaCy beside this toolkit: same texts, same terms, one table.")
    made.add_argument(
        "--install",
        type=Path,
        metavar="DIR",
        help="keep the peers' environments here (default: a temporary folder)",
    )
    made.add_argument(
        "--budget", type=float, default=10, help="CPU-seconds per rate and system (default: 10)"
    )
    made.add_argument("--measure", nargs=2, metavar=("KIND", "FILE"), help="one measurement, as JSON")
    return run_command(made, run, arguments)


if __name__ == "__main__":
    sys.exit(main())
