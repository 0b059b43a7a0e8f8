"""The files that a store lives on, which no result may replace."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import sqlalchemy as sa

from annotate.store import Store
from annotate.store_tables import RECORD
from nlp.errors import OutputError
from nlp.image_names import IMAGE_SUFFIXES

_BESIDE = ("", "-wal", "-shm", "-journal")


def check_spares(store: Store, targets: Sequence[Path], *, images: Path | None = None) -> None:
    """Refuse, before any work, results in the place of the database in use or of one of its images.

    Args:
        images: the image folder, if it is another than the loaded one.

    Raises:
        OutputError: names the result and what it would replace.
    """
    own = database_files(store)
    for target in targets:
        if any(_same(target, file) for file in own):
            raise OutputError(f"{target} belongs to the database in use, {store.url}: choose another name")
    folder = images or store.image_folder()
    if folder is not None and (taken := _images_among(store, targets, folder)):
        raise OutputError(f"{taken[0]} is an image of the database in use: choose another name")


def database_files(store: Store) -> list[Path]:
    """The SQLite file and what SQLite keeps beside it while it is open; none of PostgreSQL."""
    url = store.engine.url
    if url.get_backend_name() != "sqlite" or not url.database:
        return []
    file = Path(url.database).resolve()
    return [file.with_name(file.name + end) for end in _BESIDE]


def _same(target: Path, file: Path) -> bool:
    """Also by a link or by another spelling of the name."""
    return target.resolve() == file or (target.exists() and file.exists() and target.samefile(file))


def _images_among(store: Store, targets: Sequence[Path], folder: Path) -> list[Path]:
    inside = folder.resolve()
    below = {
        target: target.resolve().relative_to(inside).as_posix()
        for target in targets
        if target.is_file() and target.resolve().is_relative_to(inside)
    }
    if not below:
        return []
    with store.read() as connection:
        known = set(connection.scalars(sa.select(RECORD.c.file).where(RECORD.c.file.in_(below.values()))))
    return [each for each, name in below.items() if name in known or each.suffix.lower() in IMAGE_SUFFIXES]
