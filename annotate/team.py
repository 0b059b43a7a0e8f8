"""What an adjudicator settles about the work itself: how many annotators each record shall have."""

from __future__ import annotations

import sqlalchemy as sa

from annotate.events import log
from annotate.people import require_role
from annotate.store_tables import META
from annotate.worklist import set_overlap


def overlap_of(connection: sa.Connection) -> int:
    """How many annotators a record gets."""
    return int(connection.scalar(sa.select(META.c.value).where(META.c.key == "overlap")) or 1)


def change_overlap(connection: sa.Connection, actor: str, overlap: int, *, now: float) -> None:
    """Let every record have so many annotators; what is done stays done.

    Raises:
        StoreError: she is no adjudicator, or the number is out of range.
    """
    require_role(connection, actor, "adjudicator")
    old = overlap_of(connection)
    set_overlap(connection, None, overlap)
    log(connection, actor, "work.overlap", now=now, old={"overlap": old}, new={"overlap": overlap})
