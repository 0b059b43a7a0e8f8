"""How far an annotator is: cheap enough to ask after every key."""

from __future__ import annotations

import time
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import sqlalchemy as sa

from annotate.seats import is_in
from annotate.store_tables import ANNOTATION_CURRENT, ASSIGNMENT, META, WORK


@dataclass(frozen=True)
class Standing:
    """How far one annotator is.

    Attributes:
        done: records she confirmed; ``skipped``: that she passed on.
        left: records that still wait for her, those on her desk included.
        total: all records.
    """

    done: int
    skipped: int
    left: int
    total: int


def progress_of(connection: sa.Connection, annotator: str, *, at_most_old: float = 0.0) -> Standing:
    """How far the annotator is.

    Args:
        at_most_old: seconds by which what others did may be out of date; her own decisions never are.
            Counting what is left walks through an index of all open records, so ask for 0 rarely.
    """
    hers = ANNOTATION_CURRENT.c.annotator == annotator
    actions = sa.select(ANNOTATION_CURRENT.c.action, sa.func.count()).where(hers)
    counts: dict[str, int] = dict(connection.execute(actions.group_by(ANNOTATION_CURRENT.c.action)).all())
    decided = sum(counts.values())
    total = connection.scalar(sa.select(META.c.value).where(META.c.key == "records"))
    left = max(0, _reach(connection, annotator, decided, at_most_old) - decided)
    return Standing(counts.get("confirm", 0), counts.get("skip", 0), left, int(total or 0))


_reaches: WeakKeyDictionary[sa.Pool, dict[str, tuple[float, int]]] = WeakKeyDictionary()


def _reach(connection: sa.Connection, annotator: str, decided: int, at_most_old: float) -> int:
    """Records that are, or were, the annotator's to decide: her own decisions do not change how many."""
    known = _reaches.setdefault(connection.engine.pool, {})
    now = time.monotonic()
    counted, reach = known.get(annotator, (-1.0, 0))
    if counted < 0 or now - counted >= at_most_old:
        reach = decided + _left(connection, annotator)
        known[annotator] = now, reach
    return reach


def _left(connection: sa.Connection, annotator: str) -> int:
    groups = sa.select(WORK.c.closed_to, sa.func.count()).where(WORK.c.open > 0).group_by(WORK.c.closed_to)
    left = sum(number for name, number in connection.execute(groups) if not is_in(annotator, name))
    leased = sa.select(sa.func.count()).where(ASSIGNMENT.c.annotator == annotator, ~ASSIGNMENT.c.done)
    return int(left + (connection.scalar(leased) or 0))
