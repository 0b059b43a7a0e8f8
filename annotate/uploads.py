"""Pictures that somebody gave on the Diagnose page: records without text, which wait in the queue like all others."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import sqlalchemy as sa

from annotate.events import log
from annotate.load_changes import write_records
from annotate.load_images import rows_without_text
from annotate.load_write import count_records
from annotate.people import require_role
from annotate.store import Store
from annotate.store_tables import EVENT, RECORD
from annotate.worklist import refresh
from nlp.errors import StoreError
from nlp.write import replacing, writing

FOLDER = "uploads"
MOST_A_DAY = 200
"""New pictures from one person in 24 hours."""

_KIND = "upload"
_DAY = 86_400


def add_upload(store: Store, images: Path, picture: bytes, *, actor: str, now: float | None = None) -> bool:
    """Keep a picture in the image folder, and its record in the store.

    Its name is made of its content alone, so that nothing of the giver's file name stays. The same picture given
    again changes nothing: its record may have got a patient meanwhile. Each has a made-up patient of its own.

    Args:
        images: the image folder of the store.
        picture: PNG without anything beside its pixels.
        actor: who gives it, as the log says.

    Returns:
        Whether it is new.

    Raises:
        OutputError: the image folder cannot be written to.
        StoreError: nobody of this name, too many pictures from her, or the database refuses.
    """
    name = f"{FOLDER}/{hashlib.sha256(picture).hexdigest()[:24]}.png"
    moment = time.time() if now is None else now
    with store.write() as connection:
        require_role(connection, actor, "annotator")
        record = sa.select(RECORD.c.id).where((RECORD.c.image == name) | (RECORD.c.file == name))
        if connection.scalar(record.limit(1)) is not None:
            return False
        _check_number(connection, actor, moment)
        _write(images / name, picture)
        table = rows_without_text([name], store.findings)
        changes = write_records(connection, table, {name: name}, store.findings, now=moment, from_table=False)
        refresh(connection, set(changes.new))
        count_records(connection)
        log(connection, actor, _KIND, now=moment, record_id=changes.ids[name], new={"image": name})
    return True


def _check_number(connection: sa.Connection, actor: str, now: float) -> None:
    mine = EVENT.c.kind == _KIND, EVENT.c.actor == actor, EVENT.c.created > now - _DAY
    if (connection.scalar(sa.select(sa.func.count()).select_from(EVENT).where(*mine)) or 0) >= MOST_A_DAY:
        raise StoreError(
            f"{actor} gave {MOST_A_DAY} pictures in 24 hours, the most there may be: go on tomorrow, or load a"
            " folder with python -m annotate.load --images"
        )


def _write(file: Path, picture: bytes) -> None:
    with writing(file):
        file.parent.mkdir(exist_ok=True)
    with replacing([file]) as [handle]:
        handle.write(picture)
