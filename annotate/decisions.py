"""What annotators decide, kept: nothing is overwritten, nothing is saved twice, an undo is a row of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from annotate.annotation_rows import add_row, current_of, earlier_of, point_to, result_of
from annotate.decision_forms import MENTION_CELLS, Box, Decision, parse_decision
from annotate.events import log
from annotate.people import require_role
from annotate.seats import LEASE_SECONDS, has_seat, hold, leave, lock, recount
from annotate.store_tables import ANNOTATION, ANNOTATION_CURRENT, RECORD

__all__ = ["MENTION_CELLS", "Ack", "Box", "Decision", "history", "parse_decision", "save"]

Status = Literal["saved", "repeated", "conflict", "refused"]
EXTRA = "kept as an extra opinion, beside those of others who have done it meanwhile"
_STALE = "you decided this record elsewhere meanwhile: look at it again; nothing was overwritten"


@dataclass(frozen=True)
class Ack:
    """What became of a decision.

    Attributes:
        status: saved; repeated (it was saved before, and is safe); conflict (a newer decision of the same
            annotator stands, and nothing was changed); refused (it cannot be saved, and never will be).
        annotation_id: what is now the annotator's own current decision on the record; None: none.
        message: one sentence where there is something to say, else blank.
    """

    op_id: str
    status: Status
    annotation_id: int | None
    message: str = ""


def save(
    connection: sa.Connection,
    findings: Sequence[str],
    annotator: str,
    decisions: Sequence[Decision],
    *,
    now: float,
    lease_seconds: float = LEASE_SECONDS,
) -> list[Ack]:
    """Keep decisions in their order; an ack for each, true once the transaction has been left.

    Confirming writes ``0`` into blank findings where the person has seen the image. Undo brings back the
    annotator's decision before the current one, or her lease where there was none. Work on a record whose
    seats others have taken meanwhile is kept as an extra opinion.

    Args:
        connection: in a write transaction.
        now: Unix time in seconds.
        lease_seconds: of the lease after an undo.

    Raises:
        StoreError: the annotator is unknown.
    """
    require_role(connection, annotator, "annotator")
    known = lock(connection, {decision.record_id for decision in decisions})
    until = now + lease_seconds
    return [
        _keep(connection, findings, annotator, decision, now, until)
        if decision.record_id in known
        else Ack(decision.op_id, "refused", None, f"there is no record {decision.record_id}")
        for decision in decisions
    ]


def history(connection: sa.Connection, annotator: str, limit: int = 50) -> list[int]:
    """Records the annotator has decided, the last one first; undone ones are left out."""
    current = ANNOTATION_CURRENT.c
    still = sa.and_(
        current.record_id == ANNOTATION.c.record_id,
        current.annotator == ANNOTATION.c.annotator,
        current.annotation_id == ANNOTATION.c.id,
    )
    query = sa.select(ANNOTATION.c.record_id).join(ANNOTATION_CURRENT, still)
    query = query.where(ANNOTATION.c.annotator == annotator).order_by(ANNOTATION.c.id.desc()).limit(limit)
    return list(connection.scalars(query))


def _keep(
    connection: sa.Connection,
    findings: Sequence[str],
    annotator: str,
    decision: Decision,
    now: float,
    until: float,
) -> Ack:
    known = connection.execute(sa.select(ANNOTATION).where(ANNOTATION.c.op_id == decision.op_id)).first()
    if known is not None:
        return _repeated(connection, known, annotator, decision)
    current = current_of(connection, decision.record_id, annotator)
    current_id = None if current is None else current.id
    if problem := _problem(connection, annotator, decision, current):
        status: Status = "conflict" if problem is _STALE else "refused"
        return Ack(decision.op_id, status, current_id, problem)
    seen = decision.action == "confirm" and decision.saw_image
    labels = _filled(decision.labels, findings) if seen else dict(decision.labels)
    row = add_row(connection, annotator, decision, labels, current_id, now)
    stands = earlier_of(connection, current) if decision.action == "undo" else (row, str(decision.action))
    point_to(connection, decision, annotator, current_id, stands)
    new_id, action = stands or (None, None)
    seated = _seat(connection, decision.record_id, annotator, action, until)
    recount(connection, [decision.record_id])
    old = None if current is None else {"annotation": current.id, "labels": current.labels}
    new = {"annotation": new_id, "labels": labels}
    kind = f"annotation.{decision.action}"
    log(connection, annotator, kind, now=now, record_id=decision.record_id, old=old, new=new)
    return Ack(decision.op_id, "saved", new_id, "" if seated else EXTRA)


def _problem(
    connection: sa.Connection, annotator: str, decision: Decision, current: sa.Row[Any, Any, Any] | None
) -> str:
    """Why a decision cannot be kept, or blank."""
    base = decision.base
    if isinstance(base, str):
        base = _after(connection, annotator, base)
    if base != (None if current is None else current.id):
        return _STALE
    if decision.action == "undo" and current is None:
        return "there is nothing to undo on this record"
    ends = [end for each in decision.mentions or () if isinstance(end := each.get("end"), int)]
    if ends:
        length = sa.select(sa.func.length(RECORD.c.caption)).where(RECORD.c.id == decision.record_id)
        if max(ends) > (connection.scalar(length) or 0):
            return "a mention ends behind the end of the caption"
    return ""


def _after(connection: sa.Connection, annotator: str, op_id: str) -> int | None:
    """The annotator's current decision after one of her own operations; -1 where there is no such operation."""
    query = sa.select(ANNOTATION).where(ANNOTATION.c.op_id == op_id, ANNOTATION.c.annotator == annotator)
    row = connection.execute(query).first()
    return -1 if row is None else result_of(connection, row)


def _repeated(connection: sa.Connection, known: sa.Row[Any], annotator: str, decision: Decision) -> Ack:
    if (known.annotator, known.record_id) != (annotator, decision.record_id):
        return Ack(decision.op_id, "refused", None, "this op_id was used for something else: make a new one")
    current = current_of(connection, known.record_id, annotator)
    stands = known.action == "confirm" and current is not None and current.id == known.id
    extra = stands and not has_seat(connection, known.record_id, annotator)
    return Ack(decision.op_id, "repeated", result_of(connection, known), EXTRA if extra else "")


def _filled(labels: Mapping[str, str], findings: Sequence[str]) -> dict[str, str]:
    return {key: "0" if key in findings and not cell else cell for key, cell in labels.items()}


def _seat(
    connection: sa.Connection, record_id: int, annotator: str, action: str | None, until: float
) -> bool:
    """The seat that goes with the current action, None: undecided; False where a confirmation has none."""
    if action == "skip":
        leave(connection, record_id, annotator)
        return True
    seated = hold(connection, record_id, annotator, until=until if action is None else None)
    return seated or action is None
