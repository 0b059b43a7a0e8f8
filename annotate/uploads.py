"""Pictures that somebody gave on the Diagnose page: records without text, which wait in the queue like all others."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

from annotate.events import log
from annotate.load_changes import ACTOR, write_records
from annotate.load_images import rows_without_text
from annotate.load_write import count_records
from annotate.store import Store
from annotate.worklist import refresh
from nlp.write import replacing, writing

FOLDER = "uploads"


def add_upload(store: Store, images: Path, picture: bytes, *, now: float | None = None) -> bool:
    """Keep a picture in the image folder, and its record in the store.

    Its name is made of its content alone, so that nothing of the giver's file name stays, and the same picture given
    again is known.

    Args:
        images: the image folder of the store.
        picture: PNG without anything beside its pixels.

    Returns:
        Whether it is new.

    Raises:
        OutputError: the image folder cannot be written to.
        StoreError: the database refuses.
    """
    name = f"{FOLDER}/{hashlib.sha256(picture).hexdigest()[:24]}.png"
    if not (images / name).exists():
        with writing(images / name):
            (images / name).parent.mkdir(exist_ok=True)
        with replacing([images / name]) as [file]:
            file.write(picture)
    moment = time.time() if now is None else now
    with store.write() as connection:
        table = rows_without_text([name], store.findings)
        changes = write_records(connection, table, {name: name}, store.findings, now=moment, from_table=False)
        refresh(connection, set(changes.new))
        count_records(connection)
        log(connection, ACTOR, "upload", now=moment, new={"new": len(changes.new)})
    return bool(changes.new)
