"""What people decided elsewhere and a table brings: confirmed and adjudicated rows.

Such rows become work of the annotator ``imported``, so that loading a labelled table loses none of it. Where
people decided a record in this database, their work stands.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import pandas as pd
import sqlalchemy as sa

from annotate.events import log_all
from annotate.people import IMPORTED
from annotate.seats import lock, recount
from annotate.settled import readings, settle, settlements
from annotate.store_tables import ADJUDICATION, ANNOTATION, ANNOTATION_CURRENT, ASSIGNMENT, WORK
from annotate.verdicts import newest_verdicts, standing_verdicts
from nlp.schema import COVID

_CHUNK = 400


@dataclass
class Reviews:
    """What became of reviewed rows: record ids that were imported, and images where people here say otherwise."""

    imported: list[int] = field(default_factory=list)
    contradicted: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Row:
    record_id: int
    image: str
    review: str
    labels: Mapping[str, str]


def import_reviews(
    connection: sa.Connection,
    table: pd.DataFrame,
    ids: Mapping[str, int],
    findings: Sequence[str],
    *,
    now: float,
) -> Reviews:
    """Keep the reviewed rows of a table as work of ``imported``, once; a blank cell stays blank."""
    found = Reviews()
    rows = [
        _Row(ids[row["image"]], row["image"], row["review"], {key: row[key] for key in (COVID, *findings)})
        for row in table[table["review"] != "auto"].to_dict("records")
    ]
    for place in range(0, len(rows), _CHUNK):
        _import(connection, rows[place : place + _CHUNK], findings, found, now)
    return found


def _import(
    connection: sa.Connection, rows: Sequence[_Row], findings: Sequence[str], found: Reviews, now: float
) -> None:
    ids = [row.record_id for row in rows]
    lock(connection, ids)
    read, settled, authors = (
        readings(connection, ids),
        settlements(connection, ids),
        _adjudicators(connection, ids),
    )
    new = []
    for row in rows:
        said, verdict = read.get(row.record_id, {}), settled.get(row.record_id)
        held, review = settle({}, list(said.values()), verdict, findings)
        if review != "auto" and held == row.labels and (review == "adjudicated" or row.review == "confirmed"):
            continue
        if set(said) - {IMPORTED} or authors.get(row.record_id, IMPORTED) != IMPORTED:
            if held != row.labels:
                found.contradicted.append(row.image)
            continue
        new.append(row)
    _insert(connection, new, now)
    found.imported += [row.record_id for row in new]


def _insert(connection: sa.Connection, rows: Sequence[_Row], now: float) -> None:
    if not rows:
        return
    ids = [row.record_id for row in rows]
    own = ANNOTATION_CURRENT.c.annotator == IMPORTED, ANNOTATION_CURRENT.c.record_id.in_(ids)
    query = sa.select(ANNOTATION_CURRENT.c.record_id, ANNOTATION_CURRENT.c.annotation_id).where(*own)
    before = dict(connection.execute(query).all())
    newest = newest_verdicts(ADJUDICATION.c.record_id, sa.func.max(ADJUDICATION.c.id), record_ids=ids)
    settled = dict(connection.execute(newest).all())
    confirmed = [row for row in rows if row.review == "confirmed"]
    annotations = [_annotation(row, before.get(row.record_id), now) for row in confirmed]
    if annotations:
        connection.execute(ANNOTATION.insert(), annotations)
        _point(connection, [each["op_id"] for each in annotations], [row.record_id for row in confirmed])
    adjudications = [
        _adjudication(row, settled.get(row.record_id), now) for row in rows if row.review == "adjudicated"
    ]
    if adjudications:
        connection.execute(ADJUDICATION.insert(), adjudications)
    _seat(connection, ids)
    events = [(row.record_id, None, {"review": row.review, "labels": dict(row.labels)}) for row in rows]
    log_all(connection, IMPORTED, "annotation.import", events, now=now)


def _annotation(row: _Row, supersedes: int | None, now: float) -> dict[str, Any]:
    blank: dict[str, Any] = {"mentions": None, "boxes": [], "action": "confirm", "annotator": IMPORTED}
    return {
        **blank,
        "op_id": _op_id(row, supersedes),
        "record_id": row.record_id,
        "labels": row.labels,
        "supersedes": supersedes,
        "created": now,
    }


def _adjudication(row: _Row, supersedes: int | None, now: float) -> dict[str, Any]:
    return {
        "op_id": _op_id(row, supersedes),
        "record_id": row.record_id,
        "adjudicator": IMPORTED,
        "labels": row.labels,
        "reason": "adjudicated in the table that was loaded",
        "supersedes": supersedes,
        "created": now,
    }


def _op_id(row: _Row, supersedes: int | None) -> str:
    told = json.dumps([row.record_id, row.review, dict(row.labels), supersedes])
    return f"{IMPORTED}:{blake2b(told.encode(), digest_size=16).hexdigest()}"


def _point(connection: sa.Connection, op_ids: Sequence[str], ids: Sequence[int]) -> None:
    own = ANNOTATION_CURRENT.c.annotator == IMPORTED, ANNOTATION_CURRENT.c.record_id.in_(ids)
    connection.execute(ANNOTATION_CURRENT.delete().where(*own))
    made = sa.select(ANNOTATION.c.record_id, ANNOTATION.c.annotator, ANNOTATION.c.id, ANNOTATION.c.action)
    columns = ["record_id", "annotator", "annotation_id", "action"]
    connection.execute(
        ANNOTATION_CURRENT.insert().from_select(columns, made.where(ANNOTATION.c.op_id.in_(op_ids)))
    )


def _seat(connection: sa.Connection, ids: Sequence[int]) -> None:
    """One seat of each record counts as done, where one is open."""
    seated = sa.select(ASSIGNMENT.c.record_id).where(ASSIGNMENT.c.annotator == IMPORTED)
    open_ones = sa.select(WORK.c.record_id, sa.literal(IMPORTED), sa.true()).where(
        WORK.c.record_id.in_(ids), WORK.c.open > 0, WORK.c.record_id.not_in(seated)
    )
    connection.execute(ASSIGNMENT.insert().from_select(["record_id", "annotator", "done"], open_ones))
    recount(connection, ids)


def _adjudicators(connection: sa.Connection, ids: Sequence[int]) -> dict[int, str]:
    """Who settled each record last, and did not withdraw it."""
    chosen = standing_verdicts(*ADJUDICATION.c["record_id", "adjudicator"], record_ids=ids)
    return dict(connection.execute(chosen).all())
