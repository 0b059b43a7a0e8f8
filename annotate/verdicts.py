"""The adjudications that stand: of each record the newest, unless it was withdrawn."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from annotate.store_tables import ADJUDICATION


def standing_verdicts(
    *columns: sa.ColumnElement[Any], record_ids: Collection[int] | None = None
) -> sa.Select[*tuple[Any, ...]]:
    """Selects columns of the adjudications that stand.

    Args:
        record_ids: only of these records; None: of all.
    """
    newest = newest_verdicts(sa.func.max(ADJUDICATION.c.id), record_ids=record_ids)
    return sa.select(*columns).where(ADJUDICATION.c.id.in_(newest), ~ADJUDICATION.c.withdrawn)


def newest_verdicts(
    *columns: sa.ColumnElement[Any], record_ids: Collection[int] | None = None
) -> sa.Select[*tuple[Any, ...]]:
    """Selects one row for each record that was ever settled; a withdrawn verdict counts here, too."""
    newest = sa.select(*columns).group_by(ADJUDICATION.c.record_id)
    return newest if record_ids is None else newest.where(ADJUDICATION.c.record_id.in_(record_ids))
