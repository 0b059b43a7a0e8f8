"""The schema of a store in its database: made on an empty one, checked on one that is there."""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Sequence

import sqlalchemy as sa

from annotate.store_tables import APPEND_ONLY, META, METADATA, SCHEMA_VERSION
from nlp.errors import StoreError

_SQLITE_GUARD = """
CREATE TRIGGER {table}_no_{change} BEFORE {change} ON {table}
BEGIN SELECT RAISE(ABORT, '{message}'); END
"""
_POSTGRES_GUARDS = (
    """
    CREATE FUNCTION {table}_only_grows() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION '{message}'; END $$
    """,
    """
    CREATE TRIGGER {table}_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION {table}_only_grows()
    """,
)
_LOCK = 0x6C657369  # any number: makers of one database wait for each other


def schema_stands(connection: sa.Connection, name: str) -> bool:
    """Whether the tables of this version are there; False where the database is empty.

    Args:
        name: of the database, for messages; without a password.

    Raises:
        StoreError: another program's database, or another schema version.
    """
    tables = set(sa.inspect(connection).get_table_names())
    if not tables:
        return False
    if not {"meta", "record", "annotation"} <= tables:
        shown = ", ".join(sorted(tables)[:5])
        raise StoreError(
            f"{name} is not a database of labels: it holds the tables {shown}. Choose another with --db"
        )
    version = connection.scalar(sa.select(META.c.value).where(META.c.key == "schema_version"))
    _check_version(version, name)
    return True


def make_schema(connection: sa.Connection, name: str, findings: Sequence[str] | None) -> None:
    """Make the tables, in a write transaction, unless another process just made them.

    Args:
        findings: keys of the new database; None: those of the toolkit's lexicon.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    if not schema_stands(connection, name):
        _make(connection, findings)


def _make(connection: sa.Connection, findings: Sequence[str] | None) -> None:
    METADATA.create_all(connection)
    for statement in _guards(connection.dialect.name):
        connection.exec_driver_sql(statement)
    values = {
        "schema_version": str(SCHEMA_VERSION),
        "database_id": str(uuid.uuid4()),
        "secret": secrets.token_hex(32),
        "findings": json.dumps(list(findings if findings is not None else _own_findings())),
        "overlap": "1",
        "records": "0",
    }
    connection.execute(META.insert(), [{"key": key, "value": value} for key, value in values.items()])


def _guards(dialect: str) -> list[str]:
    statements = []
    for table in APPEND_ONLY:
        message = f"{table} only grows: rows are never changed or deleted; an undo is a row of its own"
        if dialect == "postgresql":
            statements += [guard.format(table=table, message=message) for guard in _POSTGRES_GUARDS]
        else:
            changes = ("update", "delete")
            statements += [_SQLITE_GUARD.format(table=table, change=c, message=message) for c in changes]
    return statements


def _check_version(found: str | None, name: str) -> None:
    if found is None or not found.isdigit():
        raise StoreError(f"{name} is not a database of labels: its table meta holds no schema_version")
    if int(found) > SCHEMA_VERSION:
        raise StoreError(
            f"{name} has schema version {found}, made by a newer lesion-labels; this one knows {SCHEMA_VERSION}."
            " Install the newer version; nothing was changed"
        )
    if int(found) < SCHEMA_VERSION:
        raise StoreError(
            f"{name} has schema version {found}; this lesion-labels needs {SCHEMA_VERSION}. Export the labels with"
            " the version that made it, and load them into a new database; nothing was changed"
        )


def _own_findings() -> tuple[str, ...]:
    from nlp.lexicon import load_lexicon

    return load_lexicon().finding_keys
