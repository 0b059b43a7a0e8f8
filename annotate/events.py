"""The log of every change: who, when, what, the old and the new; never the text of a report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from annotate.store_tables import EVENT

Values = Mapping[str, Any]


def log(
    connection: sa.Connection,
    actor: str,
    kind: str,
    *,
    now: float,
    record_id: int | None = None,
    old: Values | None = None,
    new: Values | None = None,
) -> None:
    """Add one event. ``kind`` is ``thing.change``, such as ``user.role``; ``old`` is None where there was nothing."""
    log_all(connection, actor, kind, [(record_id, old, new)], now=now)


def log_all(
    connection: sa.Connection,
    actor: str,
    kind: str,
    changes: Iterable[tuple[int | None, Values | None, Values | None]],
    *,
    now: float,
) -> None:
    """Add events of one kind: (record_id, old, new) of each."""
    common = {"created": now, "actor": actor, "kind": kind}
    rows = [{**common, "record_id": record, "old": old, "new": new} for record, old, new in changes]
    if rows:
        connection.execute(EVENT.insert(), rows)
