"""What the store promises: ``python -m benchmarks.store``: nothing lost, nothing twice, nothing slow."""

from __future__ import annotations

import argparse
import contextlib
import random
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from annotate.decisions import Decision, save
from annotate.desk_records import desk_records, progress_of
from annotate.load import load
from annotate.people import add_user
from annotate.store import Store, open_store
from annotate.store_tables import ANNOTATION, ANNOTATION_CURRENT, ASSIGNMENT, WORK
from annotate.tables import write_labels
from annotate.worklist import Filters, claim, release
from benchmarks.common import ROOT, write_result
from nlp.command import run_command
from nlp.lexicon import load_lexicon
from nlp.schema import COVID, label_columns
from tests.postgres import fresh_database, programs, running

FINDINGS = load_lexicon().finding_keys
PEOPLE = ("anna", "bob", "carl", "dora")
PREFETCHED = 12


def filled(url: str, folder: Path, count: int, overlap: int) -> tuple[Store, float]:
    """A store with so many made-up records and four people; seconds that loading took."""
    target = folder / f"labels-{count}.csv"
    if not target.exists():
        write_labels(made_table(count), target, FINDINGS)
    store = open_store(url)
    begun = time.perf_counter()
    load(store, target, overlap=overlap)
    taken = time.perf_counter() - begun
    with store.write() as connection:
        for name in PEOPLE:
            add_user(connection, name)
    return store, taken


def made_table(count: int, seed: int = 0) -> pd.DataFrame:
    """Records with captions of 800 characters and some labels of every kind."""
    chance = np.random.default_rng(seed)
    numbers = range(count)
    columns = {column.name: [""] * count for column in label_columns(FINDINGS)}
    cells = {
        key: chance.choice(["1", "0", "-1", ""], count, p=[0.2, 0.1, 0.05, 0.65])
        for key in (COVID, *FINDINGS)
    }
    given = {
        "image": [f"{number:06}.png" for number in numbers],
        "patient_id": [f"p{number // 3:06}" for number in numbers],
        "source": [f"site {number % 50}" for number in numbers],
        "caption": [f"Case {number}. ".ljust(800, "x") for number in numbers],
        "review": ["auto"] * count,
        "flags": chance.choice(["", "ambiguous_panel"], count, p=[0.9, 0.1]),
        **cells,
    }
    return pd.DataFrame({**columns, **given}, dtype=object)


def kill_writers(url: str, kills: int, seed: int = 0) -> dict[str, int]:
    """Kill writers at random moments; what they had acknowledged must be there, once."""
    chance = random.Random(seed)
    acknowledged: list[str] = []
    for number in range(kills):
        writer = _writer(url, PEOPLE[number % len(PEOPLE)], "endless")
        assert writer.stdout is not None
        acknowledged.append(writer.stdout.readline().strip())  # it works: now any moment is a good one
        time.sleep(chance.uniform(0.0, 0.3))
        writer.send_signal(signal.SIGKILL)
        acknowledged += [line.strip() for line in writer.stdout if line.endswith("\n")]
        writer.wait()
        writer.stdout.close()
    with closing(open_store(url, create=False)) as store, store.read() as connection:
        stored = Counter(connection.scalars(ANNOTATION.select().with_only_columns(ANNOTATION.c.op_id)))
        broken = _inconsistent(connection)
    return {
        "kills": kills,
        "acknowledged": len(acknowledged),
        "lost": sum(op_id not in stored for op_id in acknowledged),
        "twice": sum(count > 1 for count in stored.values()),
        "records_with_wrong_seats": broken,
    }


def contest(url: str) -> dict[str, int | float]:
    """Four processes work through everything at once; every record must have its overlap, and nobody twice."""
    begun = time.perf_counter()
    writers = [_writer(url, name, "until_done") for name in PEOPLE]
    said = [writer.communicate()[0].split() for writer in writers]
    taken = time.perf_counter() - begun
    with closing(open_store(url, create=False)) as store, store.read() as connection:
        rows = connection.execute(ANNOTATION.select()).all()
        current = connection.execute(ANNOTATION_CURRENT.select()).all()
        open_seats = sum(row.open for row in connection.execute(WORK.select()))
        records = len(connection.execute(WORK.select()).all())
        broken = _inconsistent(connection)
    pairs = Counter((row.record_id, row.annotator) for row in rows)
    return {
        "records": records,
        "annotations": len(rows),
        "duplicates": sum(count > 1 for count in pairs.values()),
        "overwritten": sum(row.supersedes is not None for row in rows) + len(rows) - len(current),
        "refused_or_extra": sum(op_id.startswith("lost") for lines in said for op_id in lines),
        "seats_left": open_seats,
        "records_with_wrong_seats": broken,
        "annotations_per_second": round(len(rows) / taken, 1),
    }


def times(store: Store, history: int, repeats: int) -> dict[str, Any]:
    """Milliseconds of what the desk asks for, before and after a long history of one annotator."""
    name = PEOPLE[0]
    found = {"claim_before": _timed(lambda: _claim(store, name, 1), repeats)}
    _release(store, name)
    for _ in range(history // 50):
        _confirm(store, name, _claim(store, name, 50))
    claims, saves = [], []
    for _ in range(repeats):
        begun = time.perf_counter()
        records = _claim(store, name, 1)
        between = time.perf_counter()
        _confirm(store, name, records)
        claims.append(between - begun)
        saves.append(time.perf_counter() - between)
    found |= {"claim_after": _summary(claims), "save": _summary(saves)}
    records = _claim(store, name, PREFETCHED)
    found["desk_records"] = _timed(
        lambda: _read(store, desk_records, records, name, findings=FINDINGS), repeats
    )
    found["progress"] = _timed(lambda: _read(store, progress_of, name), repeats)
    for label, filters in FILTERS.items():
        found[f"claim_filtered_{label}"] = _timed(
            lambda f=filters: _refilter(store, f), max(3, repeats // 10)
        )
    return found


FILTERS = {
    "finding": Filters(FINDINGS[0], "-1"),
    "flag": Filters(flag="ambiguous_panel"),
    "nothing_fits": Filters(source="nowhere"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.store", description=__doc__)
    parser.add_argument("--kills", type=int, default=50, help="writers to kill on each database (50)")
    parser.add_argument("--contested", type=int, default=1_000, help="records for four processes (1000)")
    parser.add_argument("--records", type=int, default=100_000, help="records for the times (100000)")
    parser.add_argument("--history", type=int, default=15_000, help="decisions before the times (15000)")
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--no-result", action="store_true", help="do not write benchmarks/results/store.json")
    return run_command(parser, _command, arguments)


def _command(options: argparse.Namespace) -> None:
    result = {}
    for kind in ("sqlite", "postgresql"):
        with urls(kind) as (new_url, folder):
            if new_url is None:
                print(f"{kind}: not installed here")
                continue
            result[kind] = _measure(kind, new_url, folder, options)
    if not options.no_result:
        sizes = {name: getattr(options, name) for name in ("kills", "contested", "records", "history")}
        write_result("store", {**sizes, **result})


def _measure(
    kind: str, new_url: Callable[[], str], folder: Path, options: argparse.Namespace
) -> dict[str, Any]:
    url = new_url()
    filled(url, folder, 200, 2)[0].close()
    found: dict[str, Any] = {"killed": kill_writers(url, options.kills)}
    print(f"{kind}: {found['killed']}", flush=True)
    url = new_url()
    filled(url, folder, options.contested, 2)[0].close()
    found["contest"] = contest(url)
    print(f"{kind}: {found['contest']}", flush=True)
    store, seconds = filled(new_url(), folder, options.records, 2)
    with closing(store):
        found["load_seconds"] = round(seconds, 1)
        found["milliseconds"] = times(store, options.history, options.repeats)
    print(f"{kind}: loaded {options.records:,} records in {seconds:.1f} s")
    for name, measured in found["milliseconds"].items():
        print(f"  {name:32} p50 {measured['p50']:7.2f}   p95 {measured['p95']:7.2f} ms", flush=True)
    return found


@contextlib.contextmanager
def urls(kind: str) -> Iterator[tuple[Callable[[], str] | None, Path]]:
    """A function that gives the URL of a fresh database each time, and a folder."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lesion-labels-")))
        binaries = programs()
        if kind == "sqlite":
            yield lambda: f"sqlite:///{folder / uuid.uuid4().hex}.db", folder
        elif binaries is None:
            yield None, folder
        else:
            server = stack.enter_context(running(binaries, quick=False))
            yield lambda: stack.enter_context(fresh_database(server)), folder


def _writer(url: str, name: str, how: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.store_writer", url, name, how]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def _inconsistent(connection: Any) -> int:
    """Records of which ``work`` says other seats than ``assignment`` has."""
    seats = Counter(row.record_id for row in connection.execute(ASSIGNMENT.select()))
    works = connection.execute(WORK.select())
    return sum(row.open != row.overlap - seats[row.record_id] for row in works)


def _claim(store: Store, name: str, count: int, **options: Any) -> list[int]:
    with store.write() as connection:
        return claim(connection, name, count, now=time.time(), **options)


def _confirm(store: Store, name: str, records: Sequence[int]) -> None:
    labels = dict.fromkeys((COVID, *store.findings), "")
    decisions = [Decision(str(uuid.uuid4()), record, "confirm", labels) for record in records]
    with store.write() as connection:
        save(connection, store.findings, name, decisions, now=time.time())


def _release(store: Store, name: str) -> None:
    with store.write() as connection:
        release(connection, name)


def _refilter(store: Store, filters: Filters) -> float:
    """Seconds of the first claim after a change of filters."""
    _release(store, PEOPLE[1])
    begun = time.perf_counter()
    _claim(store, PEOPLE[1], PREFETCHED, filters=filters)
    return time.perf_counter() - begun


def _read(store: Store, ask: Callable[..., object], *arguments: object, **options: object) -> None:
    with store.read() as connection:
        ask(connection, *arguments, **options)


def _timed(work: Callable[[], object], repeats: int) -> dict[str, float]:
    taken = []
    for _ in range(repeats):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return _summary(taken)


def _summary(seconds: Sequence[float]) -> dict[str, float]:
    low, high = np.percentile(seconds, [50, 95]) * 1000
    return {"p50": round(float(low), 2), "p95": round(float(high), 2)}


if __name__ == "__main__":
    sys.exit(main())
