"""Whether there is anything to work on."""

from __future__ import annotations

import sqlalchemy as sa

from annotate.store import Store
from annotate.store_tables import RECORD


def is_empty(store: Store) -> bool:
    """Whether no record is loaded."""
    with store.read() as connection:
        return connection.scalar(sa.select(RECORD.c.id).limit(1)) is None
