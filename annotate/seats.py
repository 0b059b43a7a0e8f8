"""Seats of a record: each annotator who holds or has decided it takes one, until its overlap is full.

A record that was adjudicated has no open seats: nobody else needs to read it, until the verdict is withdrawn.

Whoever changes seats locks the record's row of ``work`` first (on SQLite a writer is alone anyway), so that
seats, opinions and what ``work`` says of them always agree.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

import sqlalchemy as sa

from annotate.store_tables import ADJUDICATION, ANNOTATION_CURRENT, ASSIGNMENT, WORK
from annotate.verdicts import standing_verdicts

LEASE_SECONDS = 900.0
_SEAT: sa.ColumnElement[int] = sa.literal_column("1", sa.Integer)
_NO_SEAT: sa.ColumnElement[int] = sa.literal_column("0", sa.Integer)
_MARK = "\n"  # no name holds a line break


def lock(connection: sa.Connection, record_ids: Collection[int]) -> set[int]:
    """Lock records in the order of their ids, so that nobody waits in a circle; those that exist."""
    query = sa.select(WORK.c.record_id).where(WORK.c.record_id.in_(sorted(record_ids)))
    return set(connection.scalars(query.order_by(WORK.c.record_id).with_for_update()))


def hold(connection: sa.Connection, record_id: int, annotator: str, *, until: float | None) -> bool:
    """Lease the annotator a seat until a time, or mark it done (None); False where all seats are taken.

    A seat that she has already is used again.
    """
    values = {"expires": until, "done": until is None}
    mine = _seat_of(record_id, annotator)
    if connection.execute(ASSIGNMENT.update().where(mine).values(values)).rowcount:
        return True
    if not connection.scalar(sa.select(WORK.c.open).where(WORK.c.record_id == record_id)):
        return False
    connection.execute(ASSIGNMENT.insert().values(record_id=record_id, annotator=annotator, **values))
    return True


def leave(connection: sa.Connection, record_id: int, annotator: str) -> None:
    """Give the annotator's seat back, if she has one."""
    connection.execute(ASSIGNMENT.delete().where(_seat_of(record_id, annotator)))


def has_seat(connection: sa.Connection, record_id: int, annotator: str) -> bool:
    """Whether the annotator holds or has done one of the record's seats."""
    return (
        connection.scalar(sa.select(ASSIGNMENT.c.record_id).where(_seat_of(record_id, annotator))) is not None
    )


def open_seats(
    overlap: sa.ColumnElement[int], taken: sa.ColumnElement[int], settled: sa.ColumnElement[bool]
) -> sa.ColumnElement[int]:
    """How many seats are open, by how many there shall be, those taken, and whether a verdict stands."""
    left = overlap - taken
    return sa.case((sa.and_(left > 0, ~settled), left), else_=0)


def recount(connection: sa.Connection, record_ids: Sequence[int]) -> None:
    """Bring ``work`` in line with the seats and opinions of records that are locked."""
    seats = sa.select(ASSIGNMENT.c.record_id, ASSIGNMENT.c.annotator, _SEAT, ASSIGNMENT.c.done)
    opinions = sa.select(ANNOTATION_CURRENT.c.record_id, ANNOTATION_CURRENT.c.annotator, _NO_SEAT, sa.false())
    both = seats.where(ASSIGNMENT.c.record_id.in_(record_ids)).union_all(
        opinions.where(ANNOTATION_CURRENT.c.record_id.in_(record_ids))
    )
    closed_to: dict[int, set[str]] = defaultdict(set)
    taken: dict[int, int] = defaultdict(int)
    done: dict[int, int] = defaultdict(int)
    for record, annotator, seat, is_done in connection.execute(both):
        closed_to[record].add(annotator)
        taken[record] += seat
        done[record] += bool(is_done)
    settled = set(connection.scalars(standing_verdicts(ADJUDICATION.c.record_id, record_ids=record_ids)))
    rows = [
        {
            "id": record,
            "group": group(closed_to[record]),
            "taken": taken[record],
            "has": done[record],
            "settled": record in settled,
        }
        for record in record_ids
    ]
    change = WORK.update().where(WORK.c.record_id == sa.bindparam("id"))
    change = change.values(
        open=open_seats(
            WORK.c.overlap,
            sa.bindparam("taken", type_=sa.Integer),
            sa.bindparam("settled", type_=sa.Boolean),
        ),
        done=sa.bindparam("has", type_=sa.Integer),
        closed_to=sa.bindparam("group"),
    )
    if rows:
        connection.execute(change, rows)


def group(annotators: Collection[str]) -> str:
    r"""How ``work.closed_to`` writes a set of annotators; blank where nobody.

    >>> group({"bob", "anna"})
    '\nanna\nbob\n'
    """
    return f"{_MARK}{_MARK.join(sorted(annotators))}{_MARK}" if annotators else ""


def is_in(annotator: str, closed_to: str) -> bool:
    """Whether a group written by ``group`` holds the annotator."""
    return f"{_MARK}{annotator}{_MARK}" in closed_to


def joined(closed_to: str, annotator: str) -> str:
    r"""A group with one annotator more.

    >>> joined("\nbob\n", "anna")
    '\nanna\nbob\n'
    """
    return group({*closed_to.split(_MARK), annotator} - {""})


def _seat_of(record_id: int, annotator: str) -> sa.ColumnElement[bool]:
    return sa.and_(ASSIGNMENT.c.record_id == record_id, ASSIGNMENT.c.annotator == annotator)
