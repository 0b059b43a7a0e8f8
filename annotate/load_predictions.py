"""predictions.csv into the store: what the image model says of records it was not trained on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd
import sqlalchemy as sa

from annotate.store_tables import PREDICTION, RECORD
from nlp.errors import ContractError
from nlp.schema import COVID

_CHUNK = 400
_LISTED = 20
_HELD_OUT = ("val", "test")


def load_predictions(
    connection: sa.Connection, table: pd.DataFrame, findings: Sequence[str], *, run: str = ""
) -> int:
    """Keep the out-of-fold probabilities of records, in place of older ones; how many records.

    A row is out of fold where it has a fold, or lies in val or test. Rows without numbers (images that could
    not be predicted) are left out; so are findings that are blank in a row, as the model did not learn them.

    Args:
        table: predictions.csv as text, as ``annotate.tables.read_table`` gives it.
        run: where they come from.

    Raises:
        ContractError: lists missing columns, rows the model was trained on, images that come twice or are
            unknown, and numbers that are no probabilities.
    """
    keys = {key: f"{key}_probability" for key in (COVID, *findings)}
    needed = ("image", "split", "fold", *keys.values())
    if missing := [name for name in needed if name not in table.columns]:
        raise ContractError(f"the predictions lack the columns {', '.join(missing)}")
    table = table[table[keys[COVID]] != ""]
    ids = _ids(connection, table["image"].tolist())
    problems = _problems(table, list(keys.values()), ids)
    if problems:
        more = [f"... and {len(problems) - _LISTED:,} more"] if len(problems) > _LISTED else []
        heading = f"the predictions cannot be used, {len(problems):,} rows:"
        raise ContractError("\n".join([heading, *problems[:_LISTED], *more]))
    rows = [
        {
            "record_id": ids[row["image"]],
            "probabilities": {key: float(row[name]) for key, name in keys.items() if row[name]},
            "run": run,
        }
        for row in table.to_dict("records")
    ]
    for place in range(0, len(rows), _CHUNK):
        part = rows[place : place + _CHUNK]
        old = PREDICTION.c.record_id.in_([row["record_id"] for row in part])
        connection.execute(PREDICTION.delete().where(old))
        connection.execute(PREDICTION.insert(), part)
    return len(rows)


def _problems(table: pd.DataFrame, columns: Iterable[str], ids: Mapping[str, int]) -> list[str]:
    twice = table["image"].duplicated()
    found = []
    for (number, row), again in zip(table.iterrows(), twice, strict=True):
        if not row["fold"] and row["split"] not in _HELD_OUT:
            found.append(
                f"row {number}: the model was trained on this image (no fold, split {row['split']!r})"
            )
        if row["image"] not in ids:
            found.append(f"row {number}: no record has the image {row['image']!r}")
        if wrong := [name for name in columns if row[name] and not _is_probability(row[name])]:
            found.append(f"row {number}: {', '.join(wrong)} must be numbers from 0 to 1")
        if again:
            found.append(f"row {number}: image {row['image']!r} stands there twice")
    return found


def _is_probability(text: str) -> bool:
    try:
        return 0 <= float(text) <= 1
    except ValueError:
        return False


def _ids(connection: sa.Connection, images: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for place in range(0, len(images), _CHUNK):
        names = images[place : place + _CHUNK]
        query = sa.select(RECORD.c.image, RECORD.c.id).where(RECORD.c.image.in_(names))
        found |= dict(connection.execute(query).all())
    return found
