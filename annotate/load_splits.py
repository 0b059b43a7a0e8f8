"""Splits that come with a table: patients that have none yet get theirs, and nobody is moved."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import sqlalchemy as sa

from annotate.store_tables import SPLIT
from nlp.errors import ContractError

_NAMED = 20


def import_splits(connection: sa.Connection, table: pd.DataFrame) -> int:
    """Give patients the split that the table has; how many got one.

    Raises:
        ContractError: names patients in two sets, in the table or in table and store.
    """
    pairs = table.loc[table["split"] != "", ["patient_id", "split"]].drop_duplicates()
    torn = sorted(set(pairs["patient_id"][pairs["patient_id"].duplicated()]))
    if torn:
        raise ContractError(
            f"{len(torn)} patients lie in two sets of the table: {_some(torn)}."
            " Blank the split column, or divide anew with python -m annotate.split --again"
        )
    known = dict(connection.execute(sa.select(SPLIT.c.patient_id, SPLIT.c.split)).all())
    asked = dict(zip(pairs["patient_id"], pairs["split"], strict=True))
    moved = sorted(patient for patient, split in asked.items() if known.get(patient, split) != split)
    if moved:
        raise ContractError(
            f"{len(moved)} patients have another set in the database than in the table: {_some(moved)}."
            " Nobody is moved: blank the split column of the table"
        )
    new = [{"patient_id": p, "split": split} for p, split in asked.items() if p not in known]
    if new:
        connection.execute(SPLIT.insert(), new)
    return len(new)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
