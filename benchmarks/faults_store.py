"""Annotators who are killed, and several who decide one record at the same moment."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing

import sqlalchemy as sa

from annotate.adjudication import adjudicate
from annotate.adjudication_cases import case_of
from annotate.decisions import Ack, Decision, save
from annotate.people import add_user
from annotate.store import Store, open_store
from annotate.store_tables import ADJUDICATION, ANNOTATION, ANNOTATION_CURRENT, USER
from benchmarks.faults_common import Fault
from benchmarks.store import filled, kill_writers, urls
from nlp.schema import COVID

DATABASES = ("sqlite", "postgresql")
MOST_AT_ONCE = 8
Turn = Callable[[Store, int], Ack]


def writer_kills(kind: str, *, kills: int) -> Fault | None:
    """Kill annotators while they save; None where this database is not installed."""
    with urls(kind) as (new_url, folder):
        if new_url is None:
            return None
        url = new_url()
        filled(url, folder, 200, 2)[0].close()
        found = kill_writers(url, kills)
    return Fault(
        what=f"kill -9 of annotators while they save, {kind}",
        how="SIGKILL of a process that saves without a pause, up to 0.3 s after its first answer",
        tried=kills,
        target="acknowledged and lost 0",
        held=found["lost"] == found["twice"] == found["records_with_wrong_seats"] == 0,
        found=found,
    )


def one_record(kind: str, *, rounds: int) -> Fault | None:
    """2 to 8 people at one record in the same moment: as annotators, as one person's tabs, as adjudicators."""
    with urls(kind) as (new_url, folder):
        if new_url is None:
            return None
        url = new_url()
        filled(url, folder, 3 * MOST_AT_ONCE * rounds, MOST_AT_ONCE)[0].close()
        with closing(open_store(url, create=False)) as store:
            _make_people(store)
            turns = [(people, record) for record in range(rounds) for people in range(2, MOST_AT_ONCE + 1)]
            found = Counter[str]()
            for number, (people, _) in enumerate(turns):
                found.update(_round(store, people, 3 * number + 1))
            found["silent_overwrites"] = _overwritten(store)
    shown = found["conflicts_shown"] == found["conflicts_expected"] and not found["refused"]
    return Fault(
        what=f"2–8 people at one record in one moment, {kind}",
        how="threads behind a barrier: different annotators, tabs of one, adjudicators",
        tried=len(turns) * 3,
        target="silent overwrites 0; each conflict shown",
        held=shown and not found["silent_overwrites"],
        found=dict(found),
    )


def _make_people(store: Store) -> None:
    with store.write() as connection:
        for number in range(MOST_AT_ONCE):
            add_user(connection, f"person{number}")
        connection.execute(USER.update().values(role="adjudicator"))


def _round(store: Store, people: int, record: int) -> Counter[str]:
    """Three records: one for annotators, one for tabs of one annotator, one for adjudicators."""
    readers = _at_once(store, people, lambda store, number: _confirm(store, f"person{number}", record))
    tabs = _at_once(store, people, lambda store, number: _confirm(store, "person0", record + 1))
    with store.read() as connection:
        seen = case_of(connection, record, "person0").seen
    heads = _at_once(
        store, people, lambda store, number: _settle(store, f"person{number}", record, seen, number)
    )
    every = [ack.status for ack in (*readers, *tabs, *heads)]
    return Counter(
        saved=every.count("saved"),
        conflicts_shown=every.count("conflict"),
        conflicts_expected=2 * (people - 1),
        refused=every.count("refused"),
    )


def _at_once(store: Store, people: int, turn: Turn) -> list[Ack]:
    barrier, acks = threading.Barrier(people), list[Ack]()

    def work(number: int) -> None:
        barrier.wait()
        acks.append(turn(store, number))

    threads = [threading.Thread(target=work, args=[number]) for number in range(people)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return acks


def _confirm(store: Store, name: str, record: int) -> Ack:
    labels = dict.fromkeys((COVID, *store.findings), "1")
    one = Decision(uuid.uuid4().hex, record, "confirm", labels)
    with store.write() as connection:
        return save(connection, store.findings, name, [one], now=time.time())[0]


def _settle(store: Store, name: str, record: int, seen: object, number: int) -> Ack:
    labels = dict.fromkeys((COVID, *store.findings), "0")
    with store.write() as connection:
        return adjudicate(
            connection,
            name,
            findings=store.findings,
            op_id=uuid.uuid4().hex,
            record_id=record,
            labels=labels,
            reason=f"reason {number}",
            base=seen,  # type: ignore[arg-type]
            now=time.time(),
        )


def _overwritten(store: Store) -> int:
    """Rows that came after another though nobody had seen that one, and readers whose word is not current."""
    with store.read() as connection:
        counts = [
            connection.scalar(
                sa.select(sa.func.count()).select_from(table).where(table.c.supersedes.is_not(None))
            )
            for table in (ANNOTATION, ADJUDICATION)
        ]
        rows: Sequence[int] = [
            connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
            for table in (ANNOTATION, ANNOTATION_CURRENT)
        ]
    return sum(count or 0 for count in counts) + rows[0] - rows[1]
