from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

import annotate.uploads
from annotate.people import add_user
from annotate.store import open_store
from annotate.store_tables import EVENT, META, RECORD
from annotate.uploads import FOLDER, add_upload
from nlp.errors import StoreError


def test_uploads_join_the_queue_once_under_a_name_of_their_content(
    example_sqlite: Path, tmp_path: Path
) -> None:
    url = f"sqlite:///{shutil.copy(example_sqlite, tmp_path / 'example.db')}"
    images = tmp_path / "images"
    images.mkdir()
    with closing(open_store(url)) as store:
        with store.write() as connection:
            add_user(connection, "anna")
        assert add_upload(store, images, b"picture", actor="anna", now=1.0)
        with store.write() as connection:
            given = RECORD.c.image.like("uploads/%")
            connection.execute(RECORD.update().where(given).values(patient_id="p7"))
        assert not add_upload(store, images, b"picture", actor="anna", now=2.0)
        with store.read() as connection:
            events = connection.execute(sa.select(EVENT).where(EVENT.c.kind == "upload")).all()
            rows = connection.execute(sa.select(RECORD).where(RECORD.c.image.like("uploads/%"))).all()
            counted = connection.scalar(sa.select(META.c.value).where(META.c.key == "records"))
            total = connection.scalar(sa.select(sa.func.count()).select_from(RECORD))
    (row,) = rows
    assert (images / row.image).read_bytes() == b"picture" and row.file == row.image
    assert set(row.labels.values()) == {""} and str(total) == counted and row.patient_id == "p7"
    assert [(event.actor, event.record_id) for event in events] == [("anna", row.id)]


def test_uploads_are_of_known_people_and_so_many_a_day(
    example_sqlite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{shutil.copy(example_sqlite, tmp_path / 'example.db')}"
    monkeypatch.setattr(annotate.uploads, "MOST_A_DAY", 2)
    with closing(open_store(url)) as store:
        with store.write() as connection:
            add_user(connection, "anna")
            add_user(connection, "bob")
        with pytest.raises(StoreError, match="'eve' is not known"):
            add_upload(store, tmp_path, b"0", actor="eve", now=1.0)
        assert not (tmp_path / FOLDER).exists()
        assert add_upload(store, tmp_path, b"1", actor="anna", now=1.0)
        assert add_upload(store, tmp_path, b"2", actor="anna", now=2.0)
        with pytest.raises(StoreError, match="anna gave 2 pictures in 24 hours"):
            add_upload(store, tmp_path, b"3", actor="anna", now=3.0)
        assert len(list((tmp_path / FOLDER).iterdir())) == 2
        assert add_upload(store, tmp_path, b"3", actor="bob", now=3.0)
        assert add_upload(store, tmp_path, b"4", actor="anna", now=86_500.0)
