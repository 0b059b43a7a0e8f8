"""A disk that fills up while annotators save."""

from __future__ import annotations

import itertools
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import sqlalchemy as sa

from annotate.decisions import Decision, save
from annotate.store import Store, open_store
from annotate.store_tables import ANNOTATION, ANNOTATION_CURRENT
from benchmarks.faults_common import Fault
from benchmarks.faults_disk import PAGE, Command, empty, fill, in_child, small_disk
from benchmarks.store import PEOPLE, filled
from nlp.command import FAILED
from nlp.errors import StoreError


def full_database(folder: Path, *, sizes: int) -> Fault:
    """Save decisions on a disk with ever more room until it is full; make room, and save again."""
    lost, refused, acknowledged, again = 0, 0, 0, 0
    with small_disk(folder) as (place, how, limit):
        for pages in range(sizes):
            empty(place)
            url = f"sqlite:///{place / 'labels.db'}"
            filled(url, folder, 40, 2)[0].close()
            if limit == "disk":
                fill(place, 16 * pages)
            room = (place / "labels.db").stat().st_size + 16 * PAGE * pages if limit == "file" else None
            code, said = in_child(
                Command("saving", lambda given: _save_until_full(given[0]), (url,), ()), place, room
            )
            (place / "filler").unlink(missing_ok=True)
            promised = [line for line in said.splitlines() if line.startswith("operation-")]
            refused += code == FAILED and str(place) in said
            acknowledged += len(promised)
            with closing(open_store(url, create=False)) as store:
                with store.read() as connection:
                    stored = set(connection.scalars(sa.select(ANNOTATION.c.op_id)))
                lost += len(set(promised) - stored)
                again += _save(store, len(promised) + 1) == "saved"
    return Fault(
        what="disk full while decisions are saved",
        how=f"{how}, sixteen pages a step; SQLite",
        tried=sizes,
        target="the save is refused with the path, acknowledged and lost 0, saves go on once there is room",
        held=refused == again == sizes and not lost,
        found={"refused": refused, "acknowledged": acknowledged, "lost": lost, "saved_again": again},
    )


def _save_until_full(url: str) -> int:
    try:
        with closing(open_store(url, create=False)) as store:
            for number in itertools.count():
                _save(store, number)
                print(f"operation-{number}", flush=True)
    except StoreError as error:
        print(error, flush=True)
    return FAILED


def _save(store: Store, number: int) -> str:
    """The status of a decision with a long comment."""
    one = Decision(f"operation-{number}", number % 40 + 1, "skip", {}, comment="x" * 2000)
    one = replace(one, base=_current(store, one.record_id))
    with store.write() as connection:
        return save(connection, store.findings, PEOPLE[0], [one], now=time.time())[0].status


def _current(store: Store, record: int) -> int | None:
    query = sa.select(ANNOTATION_CURRENT.c.annotation_id).where(ANNOTATION_CURRENT.c.record_id == record)
    with store.read() as connection:
        return connection.scalar(query)
