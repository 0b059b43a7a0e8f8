"""Many rows of the store at once: as columns, and their labels as numbers.

Where 100,000 records are counted or compared, an object for each row and a dict for each row's labels take most of
the time. Here rows become columns while they are fetched, and the JSON of labels is read by one call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from nlp.schema import CELL_VALUES

Codes = NDArray[np.int8]
Places = NDArray[np.intp]

PRESENT, ABSENT, UNCERTAIN, BLANK = (CELL_VALUES.index(cell) for cell in ("1", "0", "-1", ""))
"""What labels are as numbers: their places in ``nlp.schema.CELL_VALUES``."""
CELLS = np.array(CELL_VALUES, dtype=object)

_AT_ONCE = 2_000


def columns(connection: sa.Connection, query: sa.Select[Any]) -> list[list[Any]]:
    """What a query finds, a list for each of its columns."""
    found: list[list[Any]] = [[] for _ in query.selected_columns]
    # rows are let go in portions: the collector of garbage would walk through all that are kept
    for rows in connection.execute(query).partitions(_AT_ONCE):
        for column, values in zip(found, zip(*rows, strict=True), strict=True):
            column.extend(values)
    return found


def as_text(labels: sa.ColumnElement[Any]) -> sa.ColumnElement[str]:
    """A column of labels as its JSON, which ``label_codes`` reads."""
    return sa.cast(labels, sa.Text)


def label_codes(labels: Sequence[str | None], keys: Sequence[str]) -> Codes:
    """Labels as JSON to places in ``CELL_VALUES``: (n,) to (n, n_keys); what is missing is blank."""
    import pyarrow as pa
    import pyarrow.compute as pc

    table = _read_json(labels, keys, pa.string())
    values = pa.array(CELL_VALUES)
    codes = (pc.fill_null(pc.index_in(table[key], values), BLANK).to_numpy() for key in keys)
    return np.column_stack([np.empty((len(labels), 0), np.int8), *codes]).astype(np.int8)


def numbers(texts: Sequence[str | None], keys: Sequence[str]) -> NDArray[np.float64]:
    """Numbers by key as JSON: (n,) to (n, n_keys); NaN where a key is missing."""
    import pyarrow as pa

    table = _read_json(texts, keys, pa.float64())
    return np.column_stack([np.empty((len(texts), 0)), *(table[key].to_numpy() for key in keys)])


def starts_of(groups: NDArray[Any]) -> Places:
    """The place at which each group begins, where equal values stand together: (n,) to (n_groups,)."""
    if not len(groups):
        return np.empty(0, np.intp)
    return np.flatnonzero(np.concatenate([[True], groups[1:] != groups[:-1]]))


def _read_json(texts: Sequence[str | None], keys: Sequence[str], kind: Any) -> Any:
    import pyarrow as pa
    from pyarrow import json

    schema = pa.schema([(key, kind) for key in keys])
    if not texts or not keys:
        return schema.empty_table()
    lines = "\n".join(text or "{}" for text in texts).encode()
    options = json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
    whole = json.ReadOptions(block_size=min(len(lines) + 1, 2**30))
    return json.read_json(pa.BufferReader(lines), read_options=whole, parse_options=options)
