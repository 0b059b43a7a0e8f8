"""Kills during an extraction, which is then resumed."""

from __future__ import annotations

import csv
import hashlib
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

from benchmarks.common import ROOT
from benchmarks.faults_common import Fault, started
from benchmarks.memory import write_rows
from nlp.errors import ToolkitError
from nlp.results import name_targets

_PATIENCE = 600.0


def extraction_kills(folder: Path, *, rows: int, kills: int, batch_rows: int, seed: int = 0) -> Fault:
    """Kill -9 an extraction at random moments, resume it each time, and compare with one that ran through."""
    with (ROOT / "examples" / "captions.csv").open(encoding="utf-8", newline="") as file:
        captions = [row["caption"] for row in csv.DictReader(file)]
    whole, broken = folder / "whole.csv", folder / "broken.csv"
    write_rows(whole, captions, rows)
    shutil.copy(whole, broken)
    _finish(whole, folder / "log", batch_rows)
    chance = random.Random(seed)
    share = -(-rows // batch_rows) // (kills + 1)
    again, drafts, done = 0, 0, 0
    for number in range(kills):
        before = _parts(broken)
        process = started(*_command(broken, batch_rows, resume=number > 0), log=folder / "log")
        ended = _wait_for(process, broken, len(before) + max(1, share))
        time.sleep(0 if ended else chance.uniform(0, 0.3))
        process.send_signal(signal.SIGKILL)
        process.wait()
        after = _parts(broken)
        again += sum(after.get(name) != stamp for name, stamp in before.items())
        drafts = max(drafts, len(list(_folder(broken).glob("*.tmp"))))
        done += not ended
    last = _parts(broken)
    _finish(broken, folder / "log", batch_rows, resume=True)
    same = _hashes(whole) == _hashes(broken)
    written = _rows(name_targets(broken, None, None).labels)
    return Fault(
        what=f"kill -9 during the extraction of {rows:,} rows, then --resume",
        how="SIGKILL of the process up to 0.3 s after a new part, one worker",
        tried=done,
        target="same bytes; lost 0, doubled 0; at most 1 batch done again for each kill",
        held=same and again == 0 and drafts <= 1 and done == kills,
        found={
            "same_bytes": same,
            "records": written,
            "finished_batches_done_again": again,
            "unfinished_batches_at_a_kill_at_most": drafts,
            "parts_before_the_last_resume": len(last),
        },
    )


def _command(source: Path, batch_rows: int, *, resume: bool) -> list[object]:
    return ["nlp.extract", source, "--batch-rows", batch_rows, *(["--resume"] if resume else [])]


def _finish(source: Path, log: Path, batch_rows: int, *, resume: bool = False) -> None:
    if started(*_command(source, batch_rows, resume=resume), log=log).wait():
        raise ToolkitError(f"the extraction failed: {log.read_text()[-500:]}")


def _folder(source: Path) -> Path:
    labels = name_targets(source, None, None).labels
    return labels.with_name(f"{labels.name}.parts")


def _parts(source: Path) -> dict[str, int]:
    """Finished parts and when each was written."""
    return {path.name: path.stat().st_mtime_ns for path in _folder(source).glob("*.arrow")}


def _wait_for(process: subprocess.Popen[bytes], source: Path, count: int) -> bool:
    """Wait for so many parts; True where the run ended before."""
    deadline = time.monotonic() + _PATIENCE
    while len(_parts(source)) < count:
        if process.poll() is not None:
            return True
        if time.monotonic() > deadline:
            raise ToolkitError(f"no new part of {source.name} after {_PATIENCE:.0f} s")
        time.sleep(0.005)
    return process.poll() is not None


def _hashes(source: Path) -> list[str]:
    files = name_targets(source, None, None).files
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]


def _rows(path: Path) -> int:
    with path.open(encoding="utf-8", newline="") as file:
        return sum(1 for _ in csv.reader(file)) - 1
