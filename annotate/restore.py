"""A backup back into a database, SQLite or PostgreSQL: ``python -m annotate.restore FILE --db URL``."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from nlp.command import run_command
from nlp.errors import StoreError

if TYPE_CHECKING:  # sqlalchemy loads inside the functions: --help must not wait for it
    from annotate.backup import Sealed


def restore(backup: Path, url: str) -> Sealed:
    """Fill an empty or new database with a backup; all of it, compared row by row, or nothing.

    Raises:
        StoreError: the backup is missing or damaged, or somebody works in the database already.
    """
    from annotate.backup import check, read_seal
    from annotate.store import open_store
    from annotate.store_copy import content_of, copy_store, is_empty

    sealed = read_seal(backup)
    with TemporaryDirectory(prefix="lesion-labels-") as folder:
        copy = Path(shutil.copy(backup, Path(folder) / "copy.db"))  # to open a database is to write beside it
        check(copy, sealed.tables)
        with (
            closing(open_store(str(copy), create=False)) as source,
            closing(open_store(url, findings=source.findings)) as target,
            source.read() as read,
            target.write() as written,
        ):
            if not is_empty(written):
                raise StoreError(f"{target.url} holds records or people already: restore into a new database")
            copy_store(read, written)
            if content_of(written) != sealed.tables:
                raise StoreError(f"{target.url} did not take the backup as it is; nothing was changed")
    return sealed


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run_command(_parser(), _command, arguments)


def _command(options: argparse.Namespace) -> None:
    from annotate.store import DEFAULT_URL

    url = options.db or DEFAULT_URL
    sealed = restore(options.backup, url)
    print(f"restored as it was at {sealed.made}: {sealed.summary}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m annotate.restore",
        description="Fill a new database, SQLite or PostgreSQL, with a backup.",
        epilog="Old programs must be stopped first: what they save goes to the old database.",
    )
    parser.add_argument("backup", metavar="FILE", type=Path, help="what annotate.backup wrote")
    parser.add_argument("--db", metavar="URL", help="a new or empty database (labels.db in this folder)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
