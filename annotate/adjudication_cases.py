"""Records before an adjudicator: which need one, and what each source says, with names hidden."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any

import numpy as np
import sqlalchemy as sa

from annotate.columns import BLANK, as_text, columns, label_codes, starts_of
from annotate.people import require_role
from annotate.store_tables import (
    ADJUDICATION,
    ANNOTATION,
    ANNOTATION_CURRENT,
    META,
    RECORD,
    TEXT_IS_KNOWN,
    WORK,
)
from annotate.verdicts import standing_verdicts
from nlp.errors import StoreError
from nlp.schema import COVID

TEXT_TITLE = "Text"
Labels = Mapping[str, str]


@dataclass(frozen=True)
class Seen:
    """What an adjudicator had before her: current annotations, rising, and the record's last adjudication."""

    annotation_ids: tuple[int, ...]
    adjudication_id: int | None


@dataclass(frozen=True)
class Column:
    """What one source says of a record.

    Attributes:
        title: ``Reader A`` and so on, in an order of the record's own; ``Text`` for the machine's labels.
        labels: cells by key; a blank finding of the text is shown as it is; empty where a reader skipped the record,
            or where nobody knows what the text says.
        annotator: None while the record is not settled, and for the text.
    """

    title: str
    labels: Labels
    comment: str = ""
    flagged: bool = False
    annotator: str | None = None


@dataclass(frozen=True)
class Verdict:
    """The adjudication that stands: labels, why, and whose."""

    labels: Labels
    reason: str
    adjudicator: str


@dataclass(frozen=True)
class Case:
    """One record before the adjudicator.

    Attributes:
        columns: readers, then the text.
        differing: keys on which readers differ.
        verdict: the one that stands, or None.
        own: whether the one who asks is one of the readers.
    """

    record_id: int
    image: str
    patient_id: str
    panel: str
    diagnosis: str
    caption: str
    columns: tuple[Column, ...]
    differing: tuple[str, ...]
    seen: Seen
    verdict: Verdict | None
    own: bool


def queue(connection: sa.Connection) -> list[int]:
    """Records to settle: their annotators differ on anything, or one flagged the record; most differences first.

    A record waits until its overlap is met, so that nobody reads it after it was settled; one that was skipped
    with a flag comes at once. It leaves when it is settled.
    """
    record_ids, flags, labels = columns(connection, _ready())
    ids, read = np.array(record_ids, np.int64), label_codes(labels, _keys(connection))
    starts = starts_of(ids)
    if not len(starts):
        return []
    skipped = np.array([text is None for text in labels])[:, None]
    lowest = np.minimum.reduceat(np.where(skipped, np.int8(BLANK + 1), read), starts)
    highest = np.maximum.reduceat(np.where(skipped, np.int8(-1), read), starts)
    number = (lowest < highest).sum(axis=1)
    kept = (number > 0) | np.logical_or.reduceat(np.array(flags, bool), starts)
    found, number = ids[starts][kept], number[kept]
    order: list[int] = found[np.lexsort((found, -number))].tolist()
    return order


def unsettled(connection: sa.Connection, record_ids: Sequence[int]) -> list[int]:
    """Those of these records that have no standing verdict, in their order."""
    done = set(connection.scalars(settled_ids().where(ADJUDICATION.c.record_id.in_(record_ids))))
    return [record_id for record_id in record_ids if record_id not in done]


def case_of(connection: sa.Connection, record_id: int, adjudicator: str) -> Case:
    """Everything an adjudicator sees of a record.

    Raises:
        StoreError: there is no such record, or she is no adjudicator.
    """
    require_role(connection, adjudicator, "adjudicator")
    record = connection.execute(
        sa.select(RECORD, TEXT_IS_KNOWN.label("known")).where(RECORD.c.id == record_id)
    ).one_or_none()
    if record is None:
        raise StoreError(f"there is no record {record_id}")
    rows = _current(connection, record_id)
    last = _last(connection, record_id)
    stands = last is not None and not last.withdrawn
    readers = _columns(record_id, rows, named=stands)
    return Case(
        record_id,
        *(record.image, record.patient_id, record.panel, record.diagnosis, record.caption),
        columns=(*readers, Column(TEXT_TITLE, record.labels if record.known else {})),
        differing=_differing(rows),
        seen=Seen(tuple(sorted(row.id for row in rows)), None if last is None else last.id),
        verdict=Verdict(last.labels, last.reason, last.adjudicator) if last is not None and stands else None,
        own=any(row.annotator == adjudicator for row in rows),
    )


def settled_ids() -> sa.Select[int]:
    """Selects the records that have a standing verdict."""
    return standing_verdicts(ADJUDICATION.c.record_id)


def verdicts_by(connection: sa.Connection, adjudicator: str, limit: int = 50) -> list[int]:
    """Records whose standing verdict is hers, the newest first."""
    chosen = settled_ids().where(ADJUDICATION.c.adjudicator == adjudicator)
    return list(connection.scalars(chosen.order_by(ADJUDICATION.c.id.desc()).limit(limit)))


def filled(labels: Labels) -> dict[str, str]:
    """What a person says who confirms these labels with the image before her: blank findings become 0."""
    return {key: cell or ("" if key == COVID else "0") for key, cell in labels.items()}


def new_values(case: Case, labels: Labels) -> list[str]:
    """Keys on which these labels say what neither a reader nor the text says: they need a reason."""
    said = [filled(column.labels) for column in case.columns if column.labels]
    return [key for key, cell in labels.items() if cell not in {labels[key] for labels in said}]


def _ready() -> sa.Select[Any]:
    """What annotators say now of records that may be settled, by record: its id, flagged, labels; None: skipped."""
    joined = ANNOTATION_CURRENT.join(ANNOTATION, ANNOTATION.c.id == ANNOTATION_CURRENT.c.annotation_id)
    skipped = ANNOTATION_CURRENT.c.action != "confirm"
    asked = sa.select(ANNOTATION_CURRENT.c.record_id).select_from(joined).where(skipped, ANNOTATION.c.flagged)
    flagged = sa.type_coerce(ANNOTATION.c.flagged, sa.Integer)
    labels = sa.case((~skipped, as_text(ANNOTATION.c.labels)))
    record_id = ANNOTATION_CURRENT.c.record_id
    return (
        sa.select(record_id, flagged, labels)
        .select_from(joined.join(WORK, WORK.c.record_id == record_id))
        .where(sa.or_(WORK.c.done >= WORK.c.overlap, record_id.in_(asked)), record_id.not_in(settled_ids()))
        .order_by(record_id)
    )


def _keys(connection: sa.Connection) -> tuple[str, ...]:
    found = connection.scalar(sa.select(META.c.value).where(META.c.key == "findings"))
    return (COVID, *json.loads(found or "[]"))


def _current(connection: sa.Connection, record_id: int) -> Sequence[sa.Row[Any]]:
    """What annotators say of a record now, by annotation; a skip says nothing but its comment."""
    names = "id", "record_id", "annotator", "action", "labels", "comment", "flagged"
    chosen = sa.select(*ANNOTATION.c[names]).join_from(
        ANNOTATION_CURRENT, ANNOTATION, ANNOTATION.c.id == ANNOTATION_CURRENT.c.annotation_id
    )
    here = chosen.where(ANNOTATION_CURRENT.c.record_id == record_id)
    return connection.execute(here.order_by(ANNOTATION.c.id)).all()


def _last(connection: sa.Connection, record_id: int) -> sa.Row[Any] | None:
    chosen = sa.select(ADJUDICATION).where(ADJUDICATION.c.record_id == record_id)
    return connection.execute(chosen.order_by(ADJUDICATION.c.id.desc()).limit(1)).one_or_none()


def _differing(rows: Sequence[sa.Row[Any]]) -> tuple[str, ...]:
    readers = [row.labels for row in rows if row.action == "confirm"]
    keys = dict.fromkeys(key for labels in readers for key in labels)
    return tuple(key for key in keys if len({labels.get(key, "") for labels in readers}) > 1)


def _columns(record_id: int, rows: Sequence[sa.Row[Any]], *, named: bool) -> list[Column]:
    """Readers in an order that says nothing about who they are, and that is the same whenever asked."""
    shuffled = sorted(rows, key=lambda row: row.annotator)
    random.Random(record_id).shuffle(shuffled)
    return [
        Column(
            f"Reader {ascii_uppercase[place % 26]}{place // 26 or ''}",
            row.labels if row.action == "confirm" else {},
            row.comment,
            row.flagged,
            row.annotator if named else None,
        )
        for place, row in enumerate(shuffled)
    ]
