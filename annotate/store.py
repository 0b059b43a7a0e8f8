"""The database of labels: SQLite in one file by default, PostgreSQL by URL for teams.

``open_store`` gives a ``Store``; everything else takes one of its connections::

    with store.write() as connection:
        acks = save(connection, store.findings, "anna", decisions, now=time.time())

Whoever holds a write connection of SQLite is the only writer, so that what was read in it still holds when it
writes. Leaving the block commits and, before it returns, brings everything to the disk.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from annotate.store_engine import DEFAULT_URL, check_file, make_engine, parse_address, said_plainly
from annotate.store_schema import make_schema, schema_stands
from annotate.store_tables import META
from nlp.errors import StoreError

__all__ = ["DEFAULT_URL", "Store", "open_store"]

_TRIES = 4


@dataclass(frozen=True)
class Store:
    """An open database; shared by all threads of a process.

    Attributes:
        url: without a password; for messages.
        findings: finding keys in the order of the lexicon.
    """

    engine: sa.Engine
    url: str
    findings: tuple[str, ...]

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A snapshot: what others write meanwhile is not seen.

        Raises:
            StoreError: the database fails.
        """
        engine = self.engine
        if engine.dialect.name == "postgresql":
            engine = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with said_plainly(self.url), engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """One transaction: all of it is on the disk when the block has been left, or nothing.

        Raises:
            StoreError: the database fails, refuses, or another writer held it too long.
        """
        with said_plainly(self.url), self.engine.connect() as plain:
            connection = plain.execution_options(lesion_labels_write=True)
            with _begun(connection):
                yield connection

    def secret(self) -> bytes:
        """Signs tokens and links; made with the database, so that they hold after a restart."""
        return bytes.fromhex(self._meta("secret") or "")

    def identity(self) -> str:
        """An id of this database, whatever its address."""
        return self._meta("database_id") or ""

    def image_folder(self) -> Path | None:
        """The folder that was loaded last, or None."""
        folder = self._meta("image_folder")
        return Path(folder) if folder else None

    def close(self) -> None:
        """Let go of all connections."""
        self.engine.dispose()

    def _meta(self, key: str) -> str | None:
        with self.read() as connection:
            value: str | None = connection.scalar(sa.select(META.c.value).where(META.c.key == key))
        return value


def open_store(
    url: str = DEFAULT_URL, *, create: bool = True, findings: Sequence[str] | None = None
) -> Store:
    """Open a database and make sure that it is one of ours.

    Args:
        url: ``sqlite:///labels.db``, ``postgresql+psycopg://user@host/name``, or the path of a SQLite file.
        create: make the tables where the database is empty, and the SQLite file where there is none.
        findings: keys that a new database gets; by default those of the toolkit's lexicon.

    Raises:
        StoreError: unreachable, another program's database, or another schema version.
    """
    parsed = parse_address(url)
    shown = parsed.render_as_string(hide_password=True)
    if parsed.get_backend_name() == "sqlite":
        check_file(parsed, create=create)
    store = Store(make_engine(parsed), shown, ())
    try:
        _ensure(store, findings, create=create)
        keys = tuple(json.loads(store._meta("findings") or "[]"))
    except BaseException:
        store.close()
        raise
    return Store(store.engine, shown, keys)


def _ensure(store: Store, findings: Sequence[str] | None, *, create: bool) -> None:
    with store.read() as connection:  # looked at before anything is changed: it may be somebody else's
        stands = schema_stands(connection, store.url)
    if not stands and not create:
        raise StoreError(f"{store.url} is empty: load a table first, with python -m annotate.load")
    if store.engine.dialect.name == "sqlite":
        with (
            store.engine.execution_options(lesion_labels_bare=True).connect() as connection,
            said_plainly(store.url),
        ):
            # kept in the file; never inside a transaction
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
    if not stands:
        with store.write() as connection:
            make_schema(connection, store.url, findings)


@contextmanager
def _begun(connection: sa.Connection) -> Iterator[None]:
    for tries_left in reversed(range(_TRIES)):
        try:
            transaction = connection.begin()
            break
        except sa.exc.OperationalError as error:
            if not tries_left or "locked" not in str(error.orig):
                raise
            time.sleep(0.05)
    with transaction:
        yield
