"""Rows of ``annotation`` and which of them is an annotator's current one: reading, adding, pointing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from annotate.decision_forms import Decision
from annotate.store_tables import ANNOTATION, ANNOTATION_CURRENT


def current_of(connection: sa.Connection, record_id: int, annotator: str) -> sa.Row[Any, Any, Any] | None:
    """Id, labels and supersedes of the annotator's current decision on a record; None: she has none."""
    query = sa.select(ANNOTATION.c.id, ANNOTATION.c.labels, ANNOTATION.c.supersedes).join_from(
        ANNOTATION_CURRENT, ANNOTATION, ANNOTATION_CURRENT.c.annotation_id == ANNOTATION.c.id
    )
    mine = ANNOTATION_CURRENT.c.record_id == record_id, ANNOTATION_CURRENT.c.annotator == annotator
    return connection.execute(query.where(*mine)).first()


def current_confirmations(*columns: sa.ColumnElement[Any]) -> sa.Select[*tuple[Any, ...]]:
    """Selects columns of what annotators confirm now."""
    query = sa.select(*columns).join_from(
        ANNOTATION_CURRENT, ANNOTATION, ANNOTATION_CURRENT.c.annotation_id == ANNOTATION.c.id
    )
    return query.where(ANNOTATION_CURRENT.c.action == "confirm")


def earlier_of(connection: sa.Connection, current: sa.Row[Any, Any, Any] | None) -> tuple[int, str] | None:
    """Id and action of what the current annotation came after; None: it was the first."""
    if current is None or current.supersedes is None:
        return None
    query = sa.select(ANNOTATION.c.id, ANNOTATION.c.action).where(ANNOTATION.c.id == current.supersedes)
    annotation_id, action = connection.execute(query).one()
    return annotation_id, action


def result_of(connection: sa.Connection, row: sa.Row[Any]) -> int | None:
    """What was current after a row: itself, or what an undo brought back."""
    if row.action != "undo":
        return int(row.id)
    undone = sa.select(ANNOTATION.c.supersedes).where(ANNOTATION.c.id == row.supersedes)
    result: int | None = connection.scalar(undone)
    return result


def add_row(
    connection: sa.Connection,
    annotator: str,
    decision: Decision,
    labels: Mapping[str, str],
    supersedes: int | None,
    now: float,
) -> int:
    """Append a decision; its annotation_id."""
    mentions = None if decision.mentions is None else [dict(mention) for mention in decision.mentions]
    row = ANNOTATION.insert().values(
        op_id=decision.op_id,
        record_id=decision.record_id,
        annotator=annotator,
        action=decision.action,
        labels=labels,
        mentions=mentions,
        boxes=[asdict(box) for box in decision.boxes],
        comment=decision.comment,
        flagged=decision.flagged,
        supersedes=supersedes,
        milliseconds=decision.milliseconds,
        created=now,
    )
    return int(connection.execute(row.returning(ANNOTATION.c.id)).scalar_one())


def point_to(
    connection: sa.Connection,
    decision: Decision,
    annotator: str,
    old: int | None,
    new: tuple[int, str] | None,
) -> None:
    """Make an annotation (its id and action) the current one, or none."""
    row = {"record_id": decision.record_id, "annotator": annotator}
    if old is not None:
        mine = [ANNOTATION_CURRENT.c[name] == value for name, value in row.items()]
        connection.execute(ANNOTATION_CURRENT.delete().where(*mine))
    if new is not None:
        annotation_id, action = new
        values = {**row, "annotation_id": annotation_id, "action": action}
        connection.execute(ANNOTATION_CURRENT.insert().values(values))
