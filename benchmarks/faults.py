"""Kill it, fill it, cut it, race it: ``python -m benchmarks.faults`` (``make faults``).

Each part makes one kind of fault for real and compares what is left with what was promised. ``--short`` makes
fewer of them; ``tests/test_faults.py`` runs that form. ``make faults`` runs the load and the disks beside the others.
"""

from __future__ import annotations

import fcntl
import os
import sys
import tempfile
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.common import RESULTS, write_result
from benchmarks.faults_common import Fault
from docs.figures import result_of
from nlp.command import run_command
from nlp.errors import ToolkitError
from nlp.score_report import format_table

Part = Callable[[Path, bool], Iterable[Fault | None]]


def _extract(folder: Path, short: bool) -> Iterable[Fault]:
    from benchmarks.faults_extract import extraction_kills

    sizes = (
        {"rows": 3_000, "kills": 2, "batch_rows": 300}
        if short
        else {"rows": 200_000, "kills": 20, "batch_rows": 4096}
    )
    yield extraction_kills(folder, **sizes)


def _writers(folder: Path, short: bool) -> Iterable[Fault | None]:
    from benchmarks.faults_store import DATABASES, writer_kills

    with ThreadPoolExecutor() as pool:  # the work is done by the writers' own processes
        yield from pool.map(lambda kind: writer_kills(kind, kills=2 if short else 100), DATABASES)


def _race(folder: Path, short: bool) -> Iterable[Fault | None]:
    from benchmarks.faults_store import DATABASES, one_record

    for kind in DATABASES:
        yield one_record(kind, rounds=1 if short else 5)


def _disk(folder: Path, short: bool) -> Iterable[Fault]:
    from benchmarks.faults_disk import full_disks
    from benchmarks.faults_disk_commands import example_commands, spark_commands
    from benchmarks.faults_disk_store import full_database

    commands = [each for each in example_commands(folder) if not (short and each.is_variant)]
    yield full_disks("writes tables", folder, commands, most=1 if short else 5)
    yield full_database(folder, sizes=1 if short else 20)
    if short:
        return
    from benchmarks.faults_disk_networks import network_commands

    yield full_disks("trains, predicts or looks at images", folder, network_commands(folder), most=2)
    if on_spark := spark_commands(folder):
        yield full_disks("writes on Spark", folder, on_spark, most=1)


def _training(folder: Path, short: bool) -> Iterable[Fault]:
    from benchmarks.faults_training import stopped_training

    for ranks in (1, 2):
        yield stopped_training(ranks=ranks, steps=1 if short else 10)


def _checkpoint(folder: Path, short: bool) -> Iterable[Fault]:
    from benchmarks.faults_checkpoint import damaged_checkpoints

    yield damaged_checkpoints(folder, flips=20 if short else 200, cuts=6 if short else 60)


def _load(folder: Path, short: bool) -> Iterable[Fault]:
    from benchmarks.faults_load import many_annotators

    sizes = (
        {"people": 4, "seconds": 5, "records": 500}
        if short
        else {"people": 20, "seconds": 300, "records": 50_000}
    )
    yield many_annotators(folder, **sizes)


def _inputs(folder: Path, short: bool) -> Iterable[Fault]:
    from benchmarks.faults_inputs import bad_inputs

    yield bad_inputs(folder)


PARTS: dict[str, Part] = {
    "extract": _extract,
    "writers": _writers,
    "race": _race,
    "disk": _disk,
    "training": _training,
    "checkpoint": _checkpoint,
    "load": _load,
    "inputs": _inputs,
}


def faults(name: str, *, short: bool) -> tuple[list[Fault], float]:
    """The faults of one part, and the seconds they took."""
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="lesion-labels-") as folder:
        found = [fault for fault in PARTS[name](Path(folder), short) if fault is not None]
    return found, time.perf_counter() - begun


def run(options: Namespace) -> None:
    """Run the parts, print what was found, write it, and fail where a promise was not kept."""
    parts = {}
    rows = [("fault", "tried", "held", "found")]
    for name in options.only or PARTS:
        found, seconds = faults(name, short=options.short)
        parts[name] = {"seconds": round(seconds, 1), "faults": [asdict(fault) for fault in found]}
        rows += [
            (each.what, f"{each.tried:,}", "yes" if each.held else "NO", str(dict(each.found)))
            for each in found
        ]
        print(f"{name}: {seconds:.0f} s", file=sys.stderr, flush=True)
    print(format_table(rows))
    if not options.short:
        keep(parts)
    broken = [row[0] for row in rows[1:] if row[2] != "yes"]
    if broken:
        raise ToolkitError(f"promises that were not kept: {'; '.join(broken)}")


def keep(parts: Mapping[str, Any]) -> None:
    """Write what these parts found beside what others did; processes that run side by side wait for each other."""
    RESULTS.mkdir(exist_ok=True)
    handle = os.open(RESULTS, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)  # until it is closed
        before = result_of(RESULTS.parent.parent, "faults") or {"parts": {}}
        known = {**before["parts"], **parts}
        write_result("faults", {"parts": {name: known[name] for name in PARTS if name in known}})
    finally:
        os.close(handle)


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m benchmarks.faults``."""
    made = ArgumentParser(
        prog="python -m benchmarks.faults", description="Break it on purpose and count what is lost."
    )
    made.add_argument(
        "--only", nargs="+", choices=tuple(PARTS), metavar="PART", help=f"of {', '.join(PARTS)}"
    )
    made.add_argument("--short", action="store_true", help="few of each, and nothing is written")
    return run_command(made, run, arguments)


if __name__ == "__main__":
    sys.exit(main())
