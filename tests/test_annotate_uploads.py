from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa

from annotate.store import open_store
from annotate.store_tables import META, RECORD
from annotate.uploads import add_upload


def test_uploads_join_the_queue_once_under_a_name_of_their_content(
    example_sqlite: Path, tmp_path: Path
) -> None:
    url = f"sqlite:///{shutil.copy(example_sqlite, tmp_path / 'example.db')}"
    images = tmp_path / "images"
    images.mkdir()
    with closing(open_store(url)) as store:
        assert add_upload(store, images, b"picture", now=1.0)
        assert not add_upload(store, images, b"picture", now=2.0)
        with store.read() as connection:
            rows = connection.execute(sa.select(RECORD).where(RECORD.c.image.like("uploads/%"))).all()
            counted = connection.scalar(sa.select(META.c.value).where(META.c.key == "records"))
            total = connection.scalar(sa.select(sa.func.count()).select_from(RECORD))
    (row,) = rows
    assert (images / row.image).read_bytes() == b"picture" and row.file == row.image
    assert set(row.labels.values()) == {""} and str(total) == counted
