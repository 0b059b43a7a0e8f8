"""Where a backup lies: two files, and the older two until both of the new ones are in place."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from nlp.errors import OutputError

if TYPE_CHECKING:  # sqlalchemy loads inside the functions: --help must not wait for it
    from annotate.store import Store


def seal_path(backup: Path) -> Path:
    """Where the seal of a backup lies.

    >>> seal_path(Path("safe/labels.backup.db")).as_posix()
    'safe/labels.backup.db.json'
    """
    return backup.with_name(f"{backup.name}.json")


def previous_path(backup: Path) -> Path:
    """Where the older backup lies while a new one takes its place; it is a backup by itself, with its seal.

    >>> previous_path(Path("safe/labels.backup.db")).as_posix()
    'safe/labels.backup.db.previous'
    """
    return backup.with_name(f"{backup.name}.previous")


def check_place(store: Store, output: Path) -> None:
    """Refuse, before any work, a place where a backup cannot or must not be written.

    Raises:
        OutputError: no such folder, a folder, the database in use or one of its images, another database that
            is open, or a file that is no backup.
    """
    from annotate.store_files import check_spares

    if not output.parent.is_dir():
        raise OutputError(f"{output} cannot be written: there is no folder {output.parent}")
    if output.is_dir():
        raise OutputError(f"{output} is a folder; give the name of a file")
    seal, previous = seal_path(output), previous_path(output)
    check_spares(store, [output, seal, previous, seal_path(previous)])
    if output.exists() and not seal.is_file():
        raise OutputError(
            f"{output} is there and is no backup, for it has no {seal.name}: choose another name"
        )
    if output.resolve().with_name(f"{output.resolve().name}-wal").exists():
        raise OutputError(f"{output} is in use as a database: choose another name")


def put_in_place(draft: Path, seal_text: str, output: Path, *, keep_older: bool) -> None:
    """Let a new backup and its seal take the place of the older ones.

    Whenever this is killed, one whole pair is there: the older one, under its name or that of
    ``previous_path``, or the new one.

    Args:
        draft: on the disk of ``output``; it is moved.
        keep_older: whether the pair in place is whole; else an earlier ``previous_path`` is the one to keep.

    Raises:
        OSError: the folder cannot be written to.
    """
    from nlp.write import flush_folder, flush_to_disk

    seal, previous = seal_path(output), previous_path(output)
    pairs = ((output, previous), (seal, seal_path(previous)))
    if keep_older:
        for older, kept in pairs:
            _keep(older, kept)
        flush_folder(output.parent)
    with draft.open("rb+") as file:
        flush_to_disk(file)
    seal_draft = draft.with_name("seal.json")
    with os.fdopen(os.open(seal_draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as handle:
        handle.write(seal_text.encode())
        flush_to_disk(handle)
    # the seal first: a backup without one would be taken for somebody's file the next time
    shutil.move(seal_draft, seal.resolve())  # a linked backup has its seal on another disk
    draft.replace(output.resolve())  # a link keeps its place and gets new content
    for folder in {seal.resolve().parent, output.resolve().parent}:
        flush_folder(folder)
    for _, kept in pairs:
        kept.unlink(missing_ok=True)


def _keep(file: Path, name: Path) -> None:
    """Give a file a second name; a copy where the disk knows no second names."""
    name.unlink(missing_ok=True)
    try:
        os.link(file.resolve(), name)
    except OSError:
        shutil.copy2(file, name)
