"""What progress is counted from: one query each for totals, decisions, labels and leases."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pandas as pd
import sqlalchemy as sa

from annotate.adjudication_cases import filled
from annotate.people import IMPORTED
from annotate.store_tables import ANNOTATION, ANNOTATION_CURRENT, ASSIGNMENT, RECORD, WORK

LONGEST_PAUSE = 300.0
"""Seconds; a longer gap between two decisions is no work."""


def totals(connection: sa.Connection) -> tuple[int, int, int, int]:
    """Records, complete ones, readings wanted, readings left."""
    missing = WORK.c.overlap - WORK.c.done
    columns = (
        sa.func.count(),
        sa.func.sum(sa.case((missing <= 0, 1), else_=0)),
        sa.func.sum(WORK.c.overlap),
        sa.func.sum(sa.case((missing > 0, missing), else_=0)),
    )
    found = connection.execute(sa.select(*columns)).one()
    records, complete, readings, left = (int(each or 0) for each in found)
    return records, complete, readings, left


def decisions(connection: sa.Connection) -> pd.DataFrame:
    """Every decision in order of time.

    ``gap``: seconds since the annotator's decision before; NaN after a pause. ``stands``: not replaced or undone.
    """
    names = ("id", "annotator", "action", "created", "milliseconds", "flagged")
    chosen = (
        sa.select(*ANNOTATION.c[names], ANNOTATION_CURRENT.c.annotation_id.is_not(None).label("stands"))
        .join_from(
            ANNOTATION,
            ANNOTATION_CURRENT,
            sa.and_(
                ANNOTATION_CURRENT.c.annotation_id == ANNOTATION.c.id,
                ANNOTATION_CURRENT.c.record_id == ANNOTATION.c.record_id,  # its key, hence quick
                ANNOTATION_CURRENT.c.annotator == ANNOTATION.c.annotator,
            ),
            isouter=True,
        )
        .where(ANNOTATION.c.annotator != IMPORTED)
        .order_by(ANNOTATION.c.created, ANNOTATION.c.id)
    )
    table = _frame(connection, chosen, [*names, "stands"])
    table = table.astype({"created": float, "milliseconds": float, "flagged": bool, "stands": bool})
    gaps = table.groupby("annotator")["created"].diff()
    return table.assign(gap=gaps.where(gaps <= LONGEST_PAUSE))


def labels(connection: sa.Connection) -> pd.DataFrame:
    """Confirmations that stand, counted: annotator, captioned, labels and said (the text's) as JSON, number.

    Where the table that was loaded brought labels of people, nobody knows what the text says: not ``captioned``.
    """
    labels, said = sa.cast(ANNOTATION.c.labels, sa.Text), sa.cast(RECORD.c.labels, sa.Text)
    captioned = sa.and_(RECORD.c.caption != "", RECORD.c.review == "auto").label("captioned")
    columns = (ANNOTATION.c.annotator, captioned, labels, said)
    chosen = (
        sa.select(*columns, sa.func.count())
        .join_from(ANNOTATION_CURRENT, ANNOTATION, ANNOTATION.c.id == ANNOTATION_CURRENT.c.annotation_id)
        .join(RECORD, RECORD.c.id == ANNOTATION.c.record_id)
        .where(ANNOTATION.c.action == "confirm")
        .group_by(*columns)
    )
    names = ["annotator", "captioned", "labels", "said", "number"]
    table = _frame(connection, chosen, names)
    same = [json.loads(row.labels) == filled(json.loads(row.said)) for row in table.itertuples(index=False)]
    return table.astype({"captioned": bool, "number": int}).assign(changed=[not each for each in same])


def leases(connection: sa.Connection, now: float) -> dict[str, tuple[int, int]]:
    """How many records each annotator holds, and how many leases have ended undecided."""
    over = sa.case((ASSIGNMENT.c.expires <= now, 1), else_=0)
    chosen = sa.select(ASSIGNMENT.c.annotator, sa.func.count(), sa.func.sum(over))
    rows = connection.execute(chosen.where(~ASSIGNMENT.c.done).group_by(ASSIGNMENT.c.annotator))
    return {name: (int(count) - int(ended), int(ended)) for name, count, ended in rows}


def _frame(connection: sa.Connection, chosen: sa.Select[Any], names: Sequence[str]) -> pd.DataFrame:
    rows = map(tuple, connection.execute(chosen))  # pandas takes long over the database's own rows
    return pd.DataFrame(list(rows), columns=list(names))
