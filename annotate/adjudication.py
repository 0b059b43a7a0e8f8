"""Adjudication: one verdict that counts on a record whose annotators differ, and its undo.

A verdict says which annotations its adjudicator saw. If one of them changed meanwhile, or somebody else settled the
record, nothing is written and she is told. Who may do it is checked here, whatever the screen shows.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from annotate.adjudication_cases import Case, Labels, Seen, Verdict, case_of, filled, new_values
from annotate.decisions import Ack
from annotate.events import log
from annotate.seats import lock, recount
from annotate.store_tables import ADJUDICATION
from nlp.schema import CELL_VALUES, COVID

CHANGED = "record {} was changed by somebody meanwhile: look at it again; nothing was written"
_LONGEST_REASON = 2_000


def adjudicate(
    connection: sa.Connection,
    adjudicator: str,
    *,
    findings: Sequence[str],
    op_id: str,
    record_id: int,
    labels: Labels,
    reason: str,
    base: Seen,
    now: float,
) -> Ack:
    """Settle a record; blanks of findings become 0, because the image was seen.

    Args:
        connection: of ``Store.write``.
        reason: may be blank where every cell is one that a reader or the text has.
        base: what she had before her.

    Returns:
        ``saved``; ``repeated`` where this operation is stored already; ``conflict`` where something changed
        meanwhile; ``refused`` where the labels are not complete or lack a reason. Only the first writes.

    Raises:
        StoreError: she is no adjudicator, or there is no such record.
    """
    case = _locked(connection, adjudicator, record_id)
    if (early := _early(connection, adjudicator, op_id, case, base)) is not None:
        return early
    cells = filled(labels)
    if problem := _problem(case, cells, reason, findings):
        return Ack(op_id, "refused", None, problem)
    return _write(connection, adjudicator, op_id, case, Verdict(cells, reason.strip(), adjudicator), now=now)


def withdraw(
    connection: sa.Connection, adjudicator: str, *, op_id: str, record_id: int, base: Seen, now: float
) -> Ack:
    """Take back the verdict that stands: the record goes back to its annotators' labels, and to the queue.

    Raises:
        StoreError: she is no adjudicator, or there is no such record.
    """
    case = _locked(connection, adjudicator, record_id)
    if (early := _early(connection, adjudicator, op_id, case, base)) is not None:
        return early
    if case.verdict is None:
        return Ack(op_id, "refused", None, f"record {record_id} is not settled: there is nothing to undo")
    return _write(connection, adjudicator, op_id, case, case.verdict, now=now, withdrawn=True)


def _locked(connection: sa.Connection, adjudicator: str, record_id: int) -> Case:
    lock(connection, [record_id])
    return case_of(connection, record_id, adjudicator)


def _early(connection: sa.Connection, adjudicator: str, op_id: str, case: Case, base: Seen) -> Ack | None:
    """The answer where nothing is to be written, else None."""
    chosen = sa.select(ADJUDICATION).where(ADJUDICATION.c.op_id == op_id)
    stored = connection.execute(chosen).one_or_none()
    if stored is not None and (stored.adjudicator, stored.record_id) != (adjudicator, case.record_id):
        return Ack(op_id, "refused", None, "this op_id was used for something else: make a new one")
    if stored is not None:
        return Ack(op_id, "repeated", stored.id)
    if case.seen != base:
        return Ack(op_id, "conflict", case.seen.adjudication_id, CHANGED.format(case.record_id))
    return None


def _problem(case: Case, labels: Labels, reason: str, findings: Sequence[str]) -> str:
    """Why a verdict cannot be kept, or blank."""
    keys = (COVID, *findings)
    if set(labels) != set(keys):
        return f"labels must be of {', '.join(keys)}; found {', '.join(sorted(labels)) or 'none'}"
    if wrong := [f"{key} {cell!r}" for key, cell in labels.items() if cell not in CELL_VALUES]:
        return f"labels are 1, 0, -1 or blank; found {', '.join(wrong)}"
    if len(reason) > _LONGEST_REASON:
        return f"a reason has at most {_LONGEST_REASON:,} characters; found {len(reason):,}"
    if not reason.strip() and (new := new_values(case, labels)):
        return f"nobody says this of {', '.join(new)}: give a reason"
    return ""


def _write(
    connection: sa.Connection,
    adjudicator: str,
    op_id: str,
    case: Case,
    verdict: Verdict,
    *,
    now: float,
    withdrawn: bool = False,
) -> Ack:
    row = ADJUDICATION.insert().values(
        op_id=op_id,
        record_id=case.record_id,
        adjudicator=adjudicator,
        labels=dict(verdict.labels),
        reason=verdict.reason,
        withdrawn=withdrawn,
        supersedes=case.seen.adjudication_id,
        created=now,
    )
    stored = int(connection.execute(row.returning(ADJUDICATION.c.id)).scalar_one())
    recount(connection, [case.record_id])
    old = None if case.verdict is None else {"labels": dict(case.verdict.labels)}
    new = None if withdrawn else {"labels": dict(verdict.labels), "readings": case.seen.annotation_ids}
    kind = "adjudication.withdraw" if withdrawn else "adjudication.save"
    log(connection, adjudicator, kind, now=now, record_id=case.record_id, old=old, new=new)
    return Ack(op_id, "saved", stored)
