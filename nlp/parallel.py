"""Label batches one after another, or in several processes; parts come back in order either way.

Each process builds its reader once. Record batches go out and files come back: a spaCy ``Doc`` costs more
to send than to make.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import TYPE_CHECKING

from nlp.errors import InputError, OutputError
from nlp.parts import write_part

if TYPE_CHECKING:
    import pyarrow as pa

    from nlp.batch import Reader
    from nlp.entries import Lexicon

IN_FLIGHT = 2
"""Batches per worker that are being labelled or wait for it: enough to keep all busy, few enough to hold."""


@dataclass(frozen=True)
class Job:
    """One batch to label, the part to write, and how far the input is read."""

    records: pa.RecordBatch
    part: Path
    rows: int
    done: float
    finished: bool = False
    """The part is there already, from an earlier run."""


def label_parts(jobs: Iterable[Job], *, lexicon: Lexicon, folder: Path | None, workers: int) -> Iterator[Job]:
    """Label every job and yield it once its part is written, in order.

    Args:
        folder: where the lexicon was read from; workers read it again.

    Raises:
        OutputError: a part cannot be written, or a worker process died.
    """
    return _in_processes(jobs, lexicon, folder, workers) if workers > 1 else _here(jobs, lexicon)


def _here(jobs: Iterable[Job], lexicon: Lexicon) -> Iterator[Job]:
    reader: Reader | None = None
    for job in jobs:
        if not job.finished:
            reader = reader or _reader(lexicon)
            _label(job.records, job.part, reader)
        yield job


def _in_processes(jobs: Iterable[Job], lexicon: Lexicon, folder: Path | None, workers: int) -> Iterator[Job]:
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_start_worker)
    label = partial(_label_in_worker, folder=folder, version=lexicon.version)
    waiting: deque[tuple[Job, Future[None] | None]] = deque()
    try:
        for job in jobs:
            waiting.append((job, None if job.finished else pool.submit(label, job.records, job.part)))
            if len(waiting) >= IN_FLIGHT * workers:
                yield _finish(*waiting.popleft())
        while waiting:
            yield _finish(*waiting.popleft())
    except BrokenProcessPool as error:
        raise OutputError(
            "a worker process died, perhaps for lack of memory; "
            "finished parts are kept: run again with --resume and fewer --workers"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _finish(job: Job, future: Future[None] | None) -> Job:
    if future is not None:
        future.result()
    return job


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    """A killed parent leaves no orphans: they would wait for work for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _label_in_worker(records: pa.RecordBatch, part: Path, folder: Path | None, version: str) -> None:
    _label(records, part, _worker_reader(folder, version))


@cache
def _worker_reader(folder: Path | None, version: str) -> Reader:
    """One reader per process, built at its first batch."""
    from nlp.lexicon import load_lexicon

    lexicon = load_lexicon(folder)
    if lexicon.version != version:
        raise InputError("the lexicon was changed while the run was starting; run again")
    return _reader(lexicon)


def _label(records: pa.RecordBatch, part: Path, reader: Reader) -> None:
    from nlp.batch import label_batch

    labelled = label_batch(records, reader)
    write_part(part, labelled.labels, labelled.mentions)


def _reader(lexicon: Lexicon) -> Reader:
    from nlp.batch import Reader

    return Reader(lexicon)
