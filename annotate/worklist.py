"""Who works on which record: seats are leased in an order of work, and come back when a lease ends."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from annotate.filters import NO_FILTERS, Filters, conditions
from annotate.open_records import first_open
from annotate.people import require_role
from annotate.seats import LEASE_SECONDS, hold, is_in, joined, lock, open_seats, recount
from annotate.store_tables import ADJUDICATION, ASSIGNMENT, META, ORDER_COLUMNS, WORK
from annotate.urgency import refresh
from annotate.verdicts import standing_verdicts
from nlp.errors import StoreError

__all__ = [
    "ORDERS",
    "Filters",
    "claim",
    "open_record",
    "rank_suspects_first",
    "refresh",
    "release",
    "set_overlap",
]

ORDERS = tuple(ORDER_COLUMNS)

_MOST = 200
_MOST_OVERLAP = 20
_RETURNED_AT_ONCE = 500
_SPARE = 4
_TRIES = 100
_PAUSE = 0.02


def claim(
    connection: sa.Connection,
    annotator: str,
    count: int,
    *,
    order: str = "priority",
    filters: Filters = NO_FILTERS,
    now: float,
    lease_seconds: float = LEASE_SECONDS,
    have: Sequence[int] = (),
) -> list[int]:
    """Lease the annotator records to decide, in order; her own leases first, which are renewed.

    Nobody gets a record that she has decided or skipped, nor a second seat of one record.

    Args:
        connection: in a write transaction.
        count: at most so many.
        have: records that she has on her desk: their leases are renewed, and they are not given again.

    Returns:
        Record ids; fewer than ``count`` where no more are left for her.

    Raises:
        StoreError: the annotator is unknown, or no such order.
    """
    if order not in ORDERS:
        raise StoreError(f"the order of work is one of {', '.join(ORDERS)}; found {order!r}")
    require_role(connection, annotator, "annotator")
    count = max(0, min(count, _MOST))
    until = now + lease_seconds
    wanted = ORDER_COLUMNS[order], conditions(filters)
    _return_expired(connection, now)
    mine = _leased(connection, annotator, *wanted)
    _renew(connection, annotator, {*mine, *have}, until)
    given = [record for record in mine if record not in set(have)][:count]
    while len(given) < count:
        taken = _take(connection, annotator, count - len(given), *wanted, until, tries=1 if given else _TRIES)
        if not taken:
            break
        given += taken
    return given


def open_record(
    connection: sa.Connection,
    annotator: str,
    record_id: int,
    *,
    now: float,
    lease_seconds: float = LEASE_SECONDS,
) -> bool:
    """Lease one record by its id, skipped or not; False where others have all seats: then it may still be decided.

    Raises:
        StoreError: the annotator is unknown, or there is no such record.
    """
    require_role(connection, annotator, "annotator")
    if not lock(connection, [record_id]):
        raise StoreError(f"there is no record {record_id}")
    mine = ASSIGNMENT.c.record_id == record_id, ASSIGNMENT.c.annotator == annotator
    if connection.scalar(sa.select(ASSIGNMENT.c.done).where(*mine)):
        return True
    seated = hold(connection, record_id, annotator, until=now + lease_seconds)
    recount(connection, [record_id])
    return seated


def release(connection: sa.Connection, annotator: str) -> None:
    """Give back everything that is leased to the annotator and not decided."""
    leased = sa.and_(ASSIGNMENT.c.annotator == annotator, ~ASSIGNMENT.c.done)
    records = lock(connection, list(connection.scalars(sa.select(ASSIGNMENT.c.record_id).where(leased))))
    here = ASSIGNMENT.c.record_id.in_(sorted(records))
    connection.execute(ASSIGNMENT.delete().where(leased, here))
    recount(connection, sorted(records))


def set_overlap(connection: sa.Connection, record_ids: Iterable[int] | None, overlap: int) -> None:
    """How many annotators records shall have; None: all that are there, and those loaded later.

    Raises:
        StoreError: not between 1 and 20.
    """
    if not 1 <= overlap <= _MOST_OVERLAP:
        raise StoreError(f"overlap is 1 to {_MOST_OVERLAP} annotators a record; found {overlap}")
    seats = sa.select(sa.func.count()).where(ASSIGNMENT.c.record_id == WORK.c.record_id).scalar_subquery()
    settled = WORK.c.record_id.in_(standing_verdicts(ADJUDICATION.c.record_id))
    change = WORK.update().values(overlap=overlap, open=open_seats(sa.literal(overlap), seats, settled))
    if record_ids is None:
        # locked first, so that the seats are counted after claims that are on their way
        connection.execute(sa.select(WORK.c.record_id).order_by(WORK.c.record_id).with_for_update()).close()
        connection.execute(change)
        connection.execute(META.update().where(META.c.key == "overlap").values(value=str(overlap)))
        return
    ids = sorted(lock(connection, set(record_ids)))
    connection.execute(change.where(WORK.c.record_id.in_(ids)))


def rank_suspects_first(connection: sa.Connection, suspicion: Mapping[int, float]) -> None:
    """Set what ``order="suspects"`` sorts by, the highest first; records not named get 0."""
    connection.execute(WORK.update().where(WORK.c.suspicion != 0).values(suspicion=0.0))
    change = (
        WORK.update().where(WORK.c.record_id == sa.bindparam("id")).values(suspicion=sa.bindparam("score"))
    )
    rows = [{"id": record, "score": score} for record, score in sorted(suspicion.items()) if score]
    if rows:
        connection.execute(change, rows)


def _return_expired(connection: sa.Connection, now: float) -> None:
    over = ASSIGNMENT.c.expires <= now
    query = sa.select(ASSIGNMENT.c.record_id).where(over).limit(_RETURNED_AT_ONCE)
    found = set(connection.scalars(query))
    if not found:
        return
    locked = sa.select(WORK.c.record_id).where(WORK.c.record_id.in_(sorted(found)))
    records = list(connection.scalars(locked.with_for_update(skip_locked=True)))
    connection.execute(ASSIGNMENT.delete().where(over, ASSIGNMENT.c.record_id.in_(records)))
    recount(connection, records)


def _leased(
    connection: sa.Connection,
    annotator: str,
    order: Sequence[sa.ColumnElement[Any]],
    fitting: Sequence[sa.ColumnElement[bool]],
) -> list[int]:
    query = sa.select(WORK.c.record_id).join(ASSIGNMENT, ASSIGNMENT.c.record_id == WORK.c.record_id)
    mine = ASSIGNMENT.c.annotator == annotator, ~ASSIGNMENT.c.done
    return list(connection.scalars(query.where(*mine, *fitting).order_by(*order)))


def _renew(connection: sa.Connection, annotator: str, records: set[int], until: float) -> None:
    mine = ASSIGNMENT.c.annotator == annotator, ~ASSIGNMENT.c.done
    here = ASSIGNMENT.c.record_id.in_(sorted(records))
    if records:
        connection.execute(ASSIGNMENT.update().where(*mine, here).values(expires=until))


def _take(
    connection: sa.Connection,
    annotator: str,
    count: int,
    order: Sequence[sa.ColumnElement[Any]],
    fitting: Sequence[sa.ColumnElement[bool]],
    until: float,
    *,
    tries: int,
) -> list[int]:
    """Lease the first records that are open to the annotator, passing over those that others hold locked."""
    found: list[tuple[int, str]] = []
    for _ in range(tries):
        first = first_open(connection, annotator, count * _SPARE, order, fitting)
        found = _locked(connection, annotator, first, count, order)
        if found or not first:
            break
        time.sleep(_PAUSE)  # others hold all of them for the moment of a key: that is not the end of the work
    if found:
        leases = [{"record_id": record, "annotator": annotator, "expires": until} for record, _ in found]
        connection.execute(ASSIGNMENT.insert(), leases)
        change = WORK.update().where(WORK.c.record_id == sa.bindparam("id"))
        change = change.values(open=WORK.c.open - 1, closed_to=sa.bindparam("group"))
        connection.execute(
            change, [{"id": record, "group": joined(name, annotator)} for record, name in found]
        )
    return [record for record, _ in found]


def _locked(
    connection: sa.Connection,
    annotator: str,
    record_ids: Sequence[int],
    count: int,
    order: Sequence[sa.ColumnElement[Any]],
) -> list[tuple[int, str]]:
    """Lock so many of these records as are still open to the annotator: (record_id, closed_to)."""
    query = sa.select(WORK.c.record_id, WORK.c.closed_to).where(
        WORK.c.record_id.in_(record_ids), WORK.c.open > 0
    )
    locked = connection.execute(query.order_by(*order).limit(count).with_for_update(skip_locked=True))
    return [(record, closed_to) for record, closed_to in locked if not is_in(annotator, closed_to)]
