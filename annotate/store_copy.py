"""The content of a store, told by hashes and moved to another: whatever the database, one snapshot, every table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import sqlalchemy as sa

from annotate.store_tables import META, METADATA, RECORD, USER

Part = list[dict[str, Any]]

_AT_ONCE = 1000
_SUM = 2**256


@dataclass(frozen=True)
class Content:
    """How many rows a table has, and a hash of them that does not depend on their order.

    Each row's SHA-256 is added up: databases sort texts each in its own way.
    """

    rows: int
    sha256: str


def content_of(connection: sa.Connection) -> dict[str, Content]:
    """Every table of the store, by name."""
    return {table.name: _content(_parts(connection, table)) for table in METADATA.sorted_tables}


def copy_store(source: sa.Connection, target: sa.Connection) -> dict[str, Content]:
    """Copy every row of a snapshot into an empty store; what was read, by table.

    The copy keeps ids, times, the secret and the database's identity: links and tokens go on holding.
    """
    target.execute(META.delete())
    read = {}
    for table in METADATA.sorted_tables:
        read[table.name] = _content(_inserted(target, table, _parts(source, table)))
    if target.dialect.name == "postgresql":
        _move_sequences(target)
    return read


def is_empty(connection: sa.Connection) -> bool:
    """Whether nothing was loaded and nobody has worked."""
    return all(connection.execute(sa.select(table).limit(1)).first() is None for table in (RECORD, USER))


def _parts(connection: sa.Connection, table: sa.Table) -> Iterator[Part]:
    """In the order of the key: a row comes after those it points to."""
    query = sa.select(table).order_by(*table.primary_key.columns)
    streamed = connection.execute(query, execution_options={"stream_results": True, "yield_per": _AT_ONCE})
    for part in streamed.mappings().partitions():
        yield [dict(row) for row in part]


def _inserted(connection: sa.Connection, table: sa.Table, parts: Iterator[Part]) -> Iterator[Part]:
    for part in parts:
        connection.execute(table.insert(), part)
        yield part


def _content(parts: Iterator[Part]) -> Content:
    count, total = 0, 0
    for row in (row for part in parts for row in part):
        line = json.dumps(row, sort_keys=True, ensure_ascii=True).encode()
        count, total = count + 1, (total + int.from_bytes(sha256(line).digest(), "big")) % _SUM
    return Content(count, f"{total:064x}")


def _move_sequences(connection: sa.Connection) -> None:
    """The server counts its ids by itself, and was not asked for those that were copied."""
    for table in METADATA.sorted_tables:
        for column in _counted(table):
            sequence = sa.func.pg_get_serial_sequence(f'"{table.name}"', column.name)
            highest = sa.select(sa.func.max(column)).scalar_subquery()
            connection.execute(
                sa.select(sa.func.setval(sequence, sa.func.coalesce(highest, 1), highest.is_not(None)))
            )


def _counted(table: sa.Table) -> Sequence[sa.Column[Any]]:
    keys = list(table.primary_key.columns)
    only = keys[0] if len(keys) == 1 else None
    return [only] if only is not None and only is table.autoincrement_column else []
