"""A small store with made-up records, and people who read them: what tests of agreement and progress start from."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from annotate.decisions import Ack, Decision, save
from annotate.people import add_user
from annotate.store import Store
from annotate.store_tables import ANNOTATION_CURRENT, RECORD, WORK
from nlp.schema import COVID

NOW = 1_750_000_000.0
CANARY = "canaryword"
"""Part of every caption; it must never be in a log, an error or a measure."""
CAPTION = f"{CANARY} <script>document.title = 'taken'</script>"


def add_records(
    store: Store,
    count: int,
    *,
    overlap: int = 2,
    images: int = 2,
    said: Mapping[str, str] | None = None,
    caption: str = CAPTION,
) -> list[int]:
    """Records of patients with so many images each, whose texts say ``said`` (nothing by default)."""
    labels = dict.fromkeys((COVID, *store.findings), "") | dict(said or {})
    with store.write() as connection:
        first = connection.scalar(sa.select(sa.func.max(RECORD.c.id))) or 0
        rows = [
            {
                "id": number,
                "image": f"images/{number:06}.png",
                "patient_id": f"p{number // images:06}",
                "panel": "A",
                "caption": caption,
                "labels": labels,
            }
            for number in range(first + 1, first + count + 1)
        ]
        connection.execute(RECORD.insert(), rows)
        names = ("patient_id", "image")
        basis = {"overlap": overlap, "open": overlap}
        work = [{**basis, "record_id": row["id"], **{name: row[name] for name in names}} for row in rows]
        connection.execute(WORK.insert(), work)
    return [int(str(row["id"])) for row in rows]


def add_people(store: Store, *names: str) -> None:
    """The first is adjudicator, the others are annotators."""
    with store.write() as connection:
        for name in names:
            add_user(connection, name, now=NOW)


def read(
    store: Store,
    annotator: str,
    cells: Mapping[int, Mapping[str, str]],
    *,
    action: str = "confirm",
    now: float = NOW,
    every: float = 10,
    **rest: object,
) -> list[Ack]:
    """Let an annotator decide records one after the other; cells not named are 0, covid19 is blank."""
    acks = []
    for place, (record_id, given) in enumerate(cells.items()):
        labels = {COVID: "", **dict.fromkeys(store.findings, "0"), **given}
        with store.write() as connection:
            mine = (
                ANNOTATION_CURRENT.c.annotator == annotator,
                ANNOTATION_CURRENT.c.record_id == record_id,
            )
            base = connection.scalar(sa.select(ANNOTATION_CURRENT.c.annotation_id).where(*mine))
            decision = Decision(
                str(uuid.uuid4()), record_id, action, labels, base=base, milliseconds=4_000, **rest
            )  # type: ignore[arg-type]
            acks += save(connection, store.findings, annotator, [decision], now=now + place * every)
    assert {ack.status for ack in acks} <= {"saved"}, acks
    return acks


def same(ids: Sequence[int], **cells: str) -> dict[int, dict[str, str]]:
    """The same cells for all records."""
    return dict.fromkeys(ids, cells)
