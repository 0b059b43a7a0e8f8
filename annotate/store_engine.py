"""How the databases are reached: addresses, connections that keep what they promise, and errors in plain words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from nlp.errors import StoreError

DEFAULT_URL = "sqlite:///labels.db"

_BUSY_SECONDS = 30
_PRAGMAS = (
    f"busy_timeout={_BUSY_SECONDS * 1000}",
    "synchronous=FULL",  # a commit is on the disk before it is acknowledged
    "foreign_keys=ON",
    "recursive_triggers=ON",  # else INSERT OR REPLACE deletes rows past the triggers
)


def parse_address(url: str) -> sa.URL:
    """The address of a database from a URL or the path of a SQLite file.

    Raises:
        StoreError: no address, or another kind of database.
    """
    if "://" not in url:
        return sa.URL.create("sqlite", database=url)
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise StoreError(f"no address of a database: use a path, {DEFAULT_URL} or postgresql://…") from None
    backend = parsed.get_backend_name()
    if backend not in ("sqlite", "postgresql"):
        raise StoreError(f"databases are sqlite or postgresql; found {backend!r}")
    return parsed.set(drivername="postgresql+psycopg") if backend == "postgresql" else parsed


def check_file(url: sa.URL, *, create: bool) -> None:
    """Make sure that a SQLite file is there; a new one is for its owner alone, as are SQLite's files beside it.

    Raises:
        StoreError: in memory, a folder, no such folder, one that cannot be written, or no such file and not
            ``create``.
    """
    if not url.database or url.database == ":memory:":
        raise StoreError("a database in memory would lose every label: give the path of a file")
    path = Path(url.database)
    if path.is_dir():
        raise StoreError(f"{path} is a folder; give the path of a database file")
    if not path.is_file() and not create:
        raise StoreError(f"there is no database {path}: load a table first, with python -m annotate.load")
    if not path.parent.is_dir():
        raise StoreError(f"{path} cannot be made: there is no folder {path.parent}")
    try:
        if not path.exists():
            path.touch(mode=0o600)
    except OSError as error:
        raise StoreError(f"{path} cannot be made: {error.strerror or error}") from None


def make_engine(url: sa.URL) -> sa.Engine:
    """An engine that many threads may use; see ``Store.write`` for what its transactions promise."""
    # hide_parameters: no text of a report in an error
    options: dict[str, Any] = {
        "hide_parameters": True,
        "pool_size": 8,
        "max_overflow": 56,
        "pool_timeout": 60,
    }
    if url.get_backend_name() == "postgresql":
        return sa.create_engine(url, pool_pre_ping=True, **options)
    engine = sa.create_engine(url, **options)
    sa.event.listen(engine, "connect", _prepare)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver would begin by itself, and too late
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: sa.Connection) -> None:
    """A reader that turned writer would fail at once if another wrote meanwhile: writers queue from the start."""
    options = connection.get_execution_options()
    if not options.get("lesion_labels_bare"):
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("lesion_labels_write") else "BEGIN")


@contextmanager
def said_plainly(url: str) -> Iterator[None]:
    """Errors of the driver in one sentence; their details may quote a row, hence a report: they are left out."""
    try:
        yield
    except sa.exc.SQLAlchemyError as error:
        raise StoreError(f"database {url}: {_reason(error)}") from None


def _reason(error: sa.exc.SQLAlchemyError) -> str:
    cause = getattr(error, "orig", None)
    if cause is None:
        return type(error).__name__
    primary = getattr(getattr(cause, "diag", None), "message_primary", None)
    said = str(
        primary or (cause if not hasattr(cause, "diag") or _unconnected(cause) else type(cause).__name__)
    )
    return f"{said}; {hint}" if (hint := _hint(said)) else said


def _unconnected(cause: BaseException) -> bool:
    """A connection that failed has no row to quote."""
    return getattr(cause, "sqlstate", None) is None


def _hint(said: str) -> str:
    hints = {
        "locked": "another program has held it for long; try again when it is done",
        "not a database": "choose another file with --db",
        "readonly": "the file or its folder cannot be written",
        "full": "free some space; what was saved before is intact",
    }
    return next((hint for part, hint in hints.items() if part in said), "")
