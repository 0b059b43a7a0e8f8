"""A whole store in one file, while people work: ``python -m annotate.backup -o labels.backup.db``."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from annotate.backup_files import check_place, previous_path, put_in_place, seal_path
from nlp.command import run_command
from nlp.errors import StoreError

if TYPE_CHECKING:  # sqlalchemy loads inside the functions: --help must not wait for it
    from annotate.store import Store
    from annotate.store_copy import Content


@dataclass(frozen=True)
class Sealed:
    """What stands beside a backup: when it was made, of which database, and what it holds.

    Attributes:
        database: identity of the database, kept by the copy.
        sha256: of the backup's file.
        tables: rows and hash of each.
    """

    made: str
    database: str
    sha256: str
    tables: Mapping[str, Content]

    @property
    def text(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self), indent=1) + "\n"

    @property
    def summary(self) -> str:
        """What is in it, in one line."""
        return ", ".join(f"{name} {content.rows:,}" for name, content in self.tables.items() if content.rows)


def backup(store: Store, output: Path, *, now: float) -> Sealed:
    """Copy one snapshot of the store into a SQLite file, read it back, compare, and only then put it in place.

    Writers go on meanwhile; what they commit after the start is not in it. The file is a store by itself; opening
    it changes it, so that ``--db`` is for a copy.

    Raises:
        OutputError: it cannot be written, or would replace something that is no backup; an older one is intact.
        StoreError: the database fails, or the copy does not hold what was read.
    """
    from annotate.manifest import file_hash, utc
    from annotate.store import open_store
    from annotate.store_copy import copy_store
    from nlp.write import writing

    check_place(store, output)
    beside = output.resolve().parent
    with writing(output), TemporaryDirectory(prefix=f".{output.name}.", dir=beside) as folder:
        draft = Path(folder) / "copy.db"
        with (
            closing(open_store(str(draft), findings=store.findings)) as copy,
            store.read() as source,
            copy.write() as target,
        ):
            read = copy_store(source, target)
        check(draft, read)
        sealed = Sealed(utc(now), store.identity(), file_hash(draft, output.name).sha256, read)
        put_in_place(draft, sealed.text, output, keep_older=_is_whole(output))
    return sealed


def check(path: Path, expected: Mapping[str, Content]) -> None:
    """Read a backup from the disk, page by page and row by row.

    Raises:
        StoreError: it is damaged, or holds something else; the message names the tables.
    """
    from annotate.store import open_store
    from annotate.store_copy import content_of

    with closing(open_store(str(path), create=False)) as store, store.read() as connection:
        said = connection.exec_driver_sql("PRAGMA integrity_check").scalar()
        found = content_of(connection)
    wrong = [name for name, content in expected.items() if found.get(name) != content]
    if said != "ok" or wrong:
        raise StoreError(f"{path} is damaged: {', '.join(wrong) or 'its pages'} differ from what was saved")


def read_seal(path: Path) -> Sealed:
    """What stands beside a backup.

    Raises:
        StoreError: the backup or its seal is missing or damaged.
    """
    from annotate.manifest import file_hash
    from annotate.store_copy import Content

    seal = seal_path(path)
    for needed in (path, seal):
        if not needed.is_file():
            raise StoreError(f"there is no file {needed}; a backup is two files, {path.name} and {seal.name}")
    try:
        read = json.loads(seal.read_text(encoding="utf-8"))
        tables = {name: Content(**content) for name, content in read.pop("tables").items()}
        sealed = Sealed(**read, tables=tables)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise StoreError(f"{seal} is damaged: take both files from another copy") from None
    if file_hash(path, path.name).sha256 != sealed.sha256:
        older = previous_path(path)
        instead = f"{older.name}, the one before," if older.is_file() else "another backup"
        raise StoreError(f"{path} is damaged: its SHA-256 is not that of {seal.name}; take {instead}")
    return sealed


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run_command(_parser(), _command, arguments)


def _is_whole(path: Path) -> bool:
    try:
        read_seal(path)
    except StoreError:
        return False
    return True


def _command(options: argparse.Namespace) -> None:
    from annotate.store import DEFAULT_URL, open_store

    with closing(open_store(options.db or DEFAULT_URL, create=False)) as store:
        sealed = backup(store, options.output, now=time.time())
    print(f"saved and read back: {sealed.summary}\nwritten: {options.output}, {seal_path(options.output)}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m annotate.backup",
        description="Save the whole database in one checked file while people go on working.",
        epilog="Captions, decisions and the key that signs links are in it: keep it as safe as the database.",
    )
    parser.add_argument("--db", metavar="URL", help="the database (labels.db in this folder)")
    parser.add_argument(
        "-o", "--output", metavar="FILE", type=Path, required=True, help="the backup, a SQLite file"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
