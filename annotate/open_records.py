"""The first records that are open to an annotator, found without a look at what she has done before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from annotate.seats import is_in
from annotate.store_tables import WORK

_GROUPS_AT_ONCE = 100  # SQLite takes no more than 500 parts in one question


def first_open(
    connection: sa.Connection,
    annotator: str,
    count: int,
    order: Sequence[sa.ColumnElement[Any]],
    fitting: Sequence[sa.ColumnElement[bool]],
) -> list[int]:
    """Candidates, the first of each group that is not closed to the annotator: each is the start of an index."""
    groups = [name for name in _groups(connection) if not is_in(annotator, name)]
    found: list[int] = []
    for place in range(0, len(groups), _GROUPS_AT_ONCE):
        starts = [
            sa.select(WORK.c.record_id)
            .where(WORK.c.open > 0, WORK.c.closed_to == name, *fitting)
            .order_by(*order)
            .limit(count)
            .subquery()
            .select()
            for name in groups[place : place + _GROUPS_AT_ONCE]
        ]
        found += connection.scalars(sa.union_all(*starts))
    return found


def _groups(connection: sa.Connection) -> list[str]:
    """The different ``closed_to`` of open records, each found by one step in the index."""
    least = sa.select(sa.func.min(WORK.c.closed_to).label("name")).where(WORK.c.open > 0)
    walk = least.cte("walk", recursive=True)
    above = sa.select(sa.func.min(WORK.c.closed_to)).where(WORK.c.open > 0, WORK.c.closed_to > walk.c.name)
    walk = walk.union_all(sa.select(above.scalar_subquery()).where(walk.c.name.is_not(None)))
    return list(connection.scalars(sa.select(walk.c.name).where(walk.c.name.is_not(None))))
