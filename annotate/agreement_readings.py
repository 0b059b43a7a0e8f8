"""What each annotator read, before anybody settled it: the store's readings as arrays.

Readings are independent of each other only until a record is adjudicated, because then names and reasons are seen.
So a record that was settled counts with what its annotators had said by then. Reviewed labels that came with a
table are nobody's reading: who made them, and knowing what, is unknown.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from annotate.agreement_tables import MISSING, Codes, Places, code, differ
from annotate.annotation_rows import result_of
from annotate.people import IMPORTED
from annotate.store_tables import ADJUDICATION, ANNOTATION, ANNOTATION_CURRENT, RECORD, TEXT_IS_KNOWN
from nlp.schema import COVID

_AT_ONCE = 10_000
_ABSENT = code("0")


@dataclass(frozen=True, eq=False)
class Readings:
    """Readings of records that at least one person confirmed.

    Attributes:
        keys: findings, then covid19; the last axis of ``codes`` and ``text``.
        annotators: names, sorted; the middle axis of ``codes``.
        record_ids: (n_records,), rising.
        patients: (n_records,), the patient of each as a number.
        codes: (n_records, n_annotators, n_keys), places in ``agreement_tables.VALUES`` or ``MISSING``.
        text: (n_records, n_keys), what the text's labels say; a blank finding is absent where there is a caption.
            Nothing where the table that was loaded brought labels of people and no mentions.
        late: readings made, changed or undone after their record was settled, and not counted as such.
    """

    keys: tuple[str, ...]
    annotators: tuple[str, ...]
    record_ids: NDArray[np.int64]
    patients: Places
    codes: Codes
    text: Codes
    late: int

    def column(self, key: str, source: str | None) -> Codes:
        """What an annotator, or the text (None), says of one key: (n_records,)."""
        place = self.keys.index(key)
        if source is None:
            return self.text[:, place]
        return self.codes[:, self.annotators.index(source), place]


class _Row(NamedTuple):
    """One confirmation; ``labels`` and ``said`` (the text's, None where it is not known) as JSON."""

    id: int
    record_id: int
    annotator: str
    patient_id: str
    captioned: bool
    labels: str
    said: str | None


def read_readings(connection: sa.Connection, findings: Sequence[str]) -> Readings:
    """The readings of everyone, each annotator's last confirmation of a record."""
    keys = (*findings, COVID)
    rows, late = _independent(connection, list(_rows(connection)))
    records = {row.record_id: row for row in rows}
    ids = sorted(records)
    annotators = sorted({row.annotator for row in rows})
    row_of, column_of = ({each: place for place, each in enumerate(all_)} for all_ in (ids, annotators))
    codes = np.full((len(ids), len(annotators), len(keys)), MISSING, np.int8)
    for row in rows:
        codes[row_of[row.record_id], column_of[row.annotator]] = _codes(row.labels, keys, MISSING)
    said = [
        _codes(row.said or "{}", keys, _ABSENT if row.captioned and row.said else MISSING)
        for row in map(records.__getitem__, ids)
    ]
    text = np.array(said, np.int8).reshape(-1, len(keys))
    names = [records[each].patient_id for each in ids]
    patients = np.unique(np.array(names, dtype=object), return_inverse=True)[1]
    return Readings(keys, tuple(annotators), np.array(ids, np.int64), patients, codes, text, late=late)


def differing(readings: Readings, key: str, sources: Sequence[str | None]) -> list[int]:
    """Ids of the records on which two of these sources differ; None is the text, the others are annotators."""
    columns = [readings.column(key, source) for source in sources]
    return [int(each) for each in readings.record_ids[differ(np.column_stack(columns))]]


def _rows(connection: sa.Connection) -> Iterator[_Row]:
    """Current confirmations with the text's labels."""
    chosen = (
        sa.select(*_columns())
        .join_from(ANNOTATION_CURRENT, ANNOTATION, ANNOTATION.c.id == ANNOTATION_CURRENT.c.annotation_id)
        .join(RECORD, RECORD.c.id == ANNOTATION.c.record_id)
        .where(ANNOTATION.c.action == "confirm", ANNOTATION.c.annotator != IMPORTED)
    )
    yield from (_Row._make(row) for row in connection.execute(chosen.execution_options(yield_per=_AT_ONCE)))


def _independent(connection: sa.Connection, rows: Sequence[_Row]) -> tuple[list[_Row], int]:
    """The rows, with what stood when their record was settled in place of what came after; how many differ."""
    kept = {(row.record_id, row.annotator): row for row in rows}
    late = 0
    for record_id, annotator, settled in list(_later(connection)):
        stood = _stood(connection, record_id, annotator, settled)
        now = kept.pop((record_id, annotator), None)
        chosen = (
            sa.select(*_columns())
            .join_from(ANNOTATION, RECORD, RECORD.c.id == ANNOTATION.c.record_id)
            .where(ANNOTATION.c.id == stood, ANNOTATION.c.action == "confirm")
        )
        for found in connection.execute(chosen):
            kept[record_id, annotator] = _Row._make(found)
        late += kept.get((record_id, annotator)) != now
    return list(kept.values()), late


def _later(connection: sa.Connection) -> Iterator[tuple[int, str, float]]:
    """Records and annotators who did anything to them after they were first settled, and when that was."""
    first = sa.select(ADJUDICATION.c.record_id, sa.func.min(ADJUDICATION.c.created).label("settled"))
    by_people = first.where(ADJUDICATION.c.adjudicator != IMPORTED)
    settled = by_people.group_by(ADJUDICATION.c.record_id).subquery()
    chosen = (
        sa.select(ANNOTATION.c.record_id, ANNOTATION.c.annotator, settled.c.settled)
        .join(settled, settled.c.record_id == ANNOTATION.c.record_id)
        .where(ANNOTATION.c.created > settled.c.settled, ANNOTATION.c.annotator != IMPORTED)
    )
    yield from map(tuple, connection.execute(chosen.distinct()))


def _stood(connection: sa.Connection, record_id: int, annotator: str, settled: float) -> int | None:
    """The annotation that stood for this record and annotator when the record was settled; None: none."""
    columns = ANNOTATION.c["id", "action", "supersedes"]
    earlier = (
        sa.select(*columns)
        .where(ANNOTATION.c.record_id == record_id, ANNOTATION.c.annotator == annotator)
        .where(ANNOTATION.c.created <= settled)
    )
    last = connection.execute(earlier.order_by(ANNOTATION.c.id.desc()).limit(1)).one_or_none()
    return None if last is None else result_of(connection, last)


def _columns() -> tuple[sa.ColumnElement[Any], ...]:
    return (
        ANNOTATION.c.id,
        ANNOTATION.c.record_id,
        ANNOTATION.c.annotator,
        RECORD.c.patient_id,
        (RECORD.c.caption != "").label("captioned"),
        # as text: few distinct ones among many rows, each decoded once
        sa.cast(ANNOTATION.c.labels, sa.Text).label("labels"),
        sa.case((TEXT_IS_KNOWN, sa.cast(RECORD.c.labels, sa.Text))).label("said"),
    )


@lru_cache(maxsize=65_536)
def _codes(labels: str, keys: tuple[str, ...], blank: int) -> tuple[int, ...]:
    """Codes of stored labels; a blank finding becomes ``blank``, a blank covid19 is no reading."""
    cells = json.loads(labels)
    return tuple(code(cells[key]) if cells.get(key) else (MISSING if key == COVID else blank) for key in keys)
