"""Backup, restore and one person's work: consistent while others write, checked, and into either database."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from annotate.backup import backup, main, read_seal
from annotate.backup_files import previous_path, seal_path
from annotate.decisions import Decision, save
from annotate.export import main as export_main
from annotate.people import add_user
from annotate.restore import main as restore_main
from annotate.restore import restore
from annotate.store import Store, open_store
from annotate.store_copy import content_of
from annotate.store_tables import ANNOTATION, ANNOTATION_CURRENT, EVENT
from nlp.command import DONE, FAILED
from nlp.errors import OutputError, StoreError
from nlp.schema import COVID
from tests.busy_store import fill_at_random
from tests.made_people import NOW
from tests.postgres import fresh_database

LABELS_OF: Callable[[Store], dict[str, str]] = lambda store: dict.fromkeys((COVID, *store.findings), "1")  # noqa: E731


@pytest.fixture
def other_url(request: pytest.FixtureRequest, store: Store, tmp_path: Path) -> Iterator[str]:
    """A new database of the other kind."""
    if store.engine.dialect.name == "postgresql":
        yield f"sqlite:///{tmp_path / 'other.db'}"
        return
    with fresh_database(request.getfixturevalue("postgres")) as url:
        yield url


def content(store: Store) -> dict[str, object]:
    with store.read() as connection:
        return dict(content_of(connection))


def decide(store: Store, op_id: str, record: int = 1, name: str = "anna") -> str:
    with store.write() as connection:
        [ack] = save(connection, store.findings, name, [Decision(op_id, record, "skip", {})], now=time.time())
    return ack.status


@contextmanager
def busy_writer(store: Store) -> Iterator[list[str]]:
    """Somebody who decides without a pause; what she was promised."""
    promised: list[str] = []
    stop = threading.Event()

    def work() -> None:
        base = None
        while not stop.is_set():
            one = Decision(f"busy-{len(promised)}", 50, "confirm", LABELS_OF(store), base=base)
            with store.write() as connection:
                [ack] = save(connection, store.findings, "busy", [one], now=time.time())
            assert ack.status == "saved"
            base = ack.annotation_id
            promised.append(one.op_id)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield promised
    finally:
        stop.set()
        thread.join()


def test_backup_restores_into_the_other_database_as_it_was(
    store: Store, other_url: str, tmp_path: Path
) -> None:
    fill_at_random(store, seed=1)
    target = tmp_path / "safe.db"
    sealed = backup(store, target, now=NOW)
    assert sealed.tables == content(store)
    assert restore(target, other_url) == sealed
    with closing(open_store(other_url, create=False)) as again:
        assert content(again) == content(store)
        assert (again.identity(), again.secret(), again.findings) == (
            store.identity(), store.secret(), store.findings
        )  # fmt: skip
        assert decide(again, "after", record=60, name="head") in ("saved", "conflict")  # its ids go on
        with pytest.raises(StoreError, match="only grows"), again.write() as connection:
            connection.execute(EVENT.delete())
    with closing(open_store(str(target), create=False)) as opened:
        assert opened.identity() == store.identity()


def test_backup_is_one_moment_while_people_write(example_store: Store, tmp_path: Path) -> None:
    store = example_store
    with store.write() as connection:
        add_user(connection, "busy")
    with busy_writer(store) as promised:
        ends = time.monotonic() + 60
        while len(promised) < 3:
            assert time.monotonic() < ends
            time.sleep(0.005)
        before = len(promised)
        backup(store, tmp_path / "safe.db", now=NOW)
        after = len(promised) + 1  # one may be saved and not yet noted
    with closing(open_store(str(tmp_path / "safe.db"), create=False)) as copy, copy.read() as connection:
        mine = ANNOTATION.c.annotator == "busy"
        saved = list(connection.scalars(sa.select(ANNOTATION.c.op_id).where(mine).order_by(ANNOTATION.c.id)))
        current = sa.select(ANNOTATION.c.op_id).join(
            ANNOTATION_CURRENT, ANNOTATION_CURRENT.c.annotation_id == ANNOTATION.c.id
        )
        assert connection.scalar(current.where(mine)) == saved[-1]
    assert saved == [f"busy-{number}" for number in range(len(saved))]
    assert before <= len(saved) <= after


def test_restore_refuses_damage_and_databases_in_use(store: Store, tmp_path: Path) -> None:
    fill_at_random(store, seed=3, count=12)
    target, new = tmp_path / "safe.db", f"sqlite:///{tmp_path / 'new.db'}"
    backup(store, target, now=NOW)
    with pytest.raises(StoreError, match="holds records or people already"):
        restore(target, store.engine.url.render_as_string(hide_password=False))
    whole, seal = target.read_bytes(), seal_path(target).read_text()
    chance = np.random.default_rng(0)
    for place in chance.integers(0, len(whole), 20):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << int(chance.integers(8))
        target.write_bytes(bytes(flipped))
        with pytest.raises(StoreError, match="is damaged"):
            restore(target, new)
    target.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StoreError, match="is damaged"):
        restore(target, new)
    target.write_bytes(whole)
    seal_path(target).write_text(seal[:-20])
    with pytest.raises(StoreError, match="take both files"):
        read_seal(target)
    seal_path(target).unlink()
    with pytest.raises(StoreError, match="a backup is two files"):
        restore(target, new)
    assert not (tmp_path / "new.db").exists()
    seal_path(target).write_text(seal)
    assert restore(target, new).tables == content(store)


def test_backup_commands_say_what_they_did(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill_at_random(store, seed=4, count=12)
    url = store.engine.url.render_as_string(hide_password=False)
    target = tmp_path / "safe.db"
    assert main(["--db", url, "-o", str(target)]) == DONE
    assert restore_main([str(target), "--db", str(tmp_path / "new.db")]) == DONE
    shown = capsys.readouterr().out
    assert "saved and read back: " in shown and "record 12" in shown and "restored as it was at " in shown
    assert main(["--db", url, "-o", str(tmp_path / "none" / "safe.db")]) == FAILED
    assert main(["--db", url, "-o", str(tmp_path)]) == FAILED
    assert "there is no folder" in capsys.readouterr().err
    left = {path.name for path in tmp_path.iterdir() if path.name.startswith((".", "safe"))}
    assert left == {"safe.db", "safe.db.json"}


def sqlite_store(folder: Path) -> Store:
    store = open_store(str(folder / "labels.db"))
    fill_at_random(store, seed=6, count=12)
    return store


@pytest.mark.parametrize("name", ["labels.db", "linked.db", "labels.db-wal", "labels.db-shm", "labels"])
def test_backup_never_replaces_the_database_it_saves(tmp_path: Path, name: str) -> None:
    with closing(sqlite_store(tmp_path)) as store:
        (tmp_path / "linked.db").hardlink_to(tmp_path / "labels.db")
        # what would be written as the seal is the database
        seal_path(tmp_path / "labels").symlink_to("labels.db")
        before = (tmp_path / "labels.db").stat().st_ino
        with pytest.raises(OutputError, match="belongs to the database in use"):
            backup(store, tmp_path / name, now=NOW)
        assert decide(store, "later") in ("saved", "conflict")
    assert (tmp_path / "labels.db").stat().st_ino == before


def test_backup_replaces_backups_only(tmp_path: Path) -> None:
    with closing(sqlite_store(tmp_path)) as store:
        other = tmp_path / "thesis.db"
        other.write_text("mine")
        with pytest.raises(OutputError, match=r"is no backup, for it has no thesis\.db\.json"):
            backup(store, other, now=NOW)
        assert other.read_text() == "mine"
        backup(store, tmp_path / "safe.db", now=NOW)
        with (
            closing(open_store(str(tmp_path / "safe.db"))) as opened,
            opened.read(),
            pytest.raises(OutputError, match="in use as a database"),
        ):
            backup(store, tmp_path / "safe.db", now=NOW)


def test_backup_and_database_are_for_their_owner_alone(tmp_path: Path) -> None:
    with closing(sqlite_store(tmp_path)) as store:
        backup(store, tmp_path / "safe.db", now=NOW)
        found = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert set(found) == {"labels.db", "labels.db-wal", "labels.db-shm", "safe.db", "safe.db.json"}
    assert set(found.values()) == {0o600}


_KILLED = """
import os, sys
from pathlib import Path
from annotate.backup_files import put_in_place
import nlp.write
folder, left = Path(sys.argv[1]), [int(sys.argv[2])]
def die(event, arguments):
    if event in ("os.rename", "os.link", "os.remove"):
        left[0] -= 1
        if left[0] < 0:
            os._exit(9)
sys.addaudithook(die)
put_in_place(folder / "draft" / "copy.db", "seal new", folder / "safe.db", keep_older=sys.argv[3] == "yes")
"""


def test_backup_killed_anywhere_leaves_one_whole_pair(tmp_path: Path) -> None:
    target = tmp_path / "safe.db"
    names = (target, previous_path(target))

    def pairs() -> set[str]:
        there = [name for name in names if name.is_file() and seal_path(name).is_file()]
        found = [(name.read_text(), seal_path(name).read_text()) for name in there]
        return {content for content, seal in found if seal == f"seal {content}"}

    target.write_text("old")
    seal_path(target).write_text("seal old")
    (tmp_path / "draft").mkdir()
    for kills in range(20):
        for draft in (tmp_path / "draft").iterdir():
            draft.unlink()
        (tmp_path / "draft" / "copy.db").write_text("new")
        whole = "yes" if seal_path(target).read_text() == f"seal {target.read_text()}" else "no"
        done = subprocess.run([sys.executable, "-c", _KILLED, str(tmp_path), str(kills), whole])
        assert done.returncode in (0, 9) and pairs(), kills
        if done.returncode == 0:
            break
    assert done.returncode == 0 and kills > 3 and pairs() == {"new"}
    assert {path.name for path in tmp_path.iterdir()} == {"safe.db", "safe.db.json", "draft"}


def test_restore_names_the_backup_before_a_half_replaced_one(tmp_path: Path) -> None:
    with closing(sqlite_store(tmp_path)) as store:
        target = tmp_path / "safe.db"
        backup(store, target, now=NOW)
        for file, kept in (
            (target, previous_path(target)),
            (seal_path(target), seal_path(previous_path(target))),
        ):
            kept.write_bytes(file.read_bytes())
        target.write_bytes(b"half")
        with pytest.raises(StoreError, match=r"take safe\.db\.previous, the one before"):
            restore(target, str(tmp_path / "new.db"))
        restore(previous_path(target), str(tmp_path / "new.db"))
        backup(store, target, now=NOW)
        assert not previous_path(target).exists() and read_seal(target)


def test_export_never_replaces_the_database_or_an_image(
    example_sqlite: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database, images = tmp_path / "labels.db", tmp_path / "images"
    database.write_bytes(example_sqlite.read_bytes())
    images.mkdir()
    (images / "slice.png").write_bytes(b"picture")
    linked = tmp_path / "linked.jsonl"
    linked.symlink_to(database)
    before = database.stat().st_ino
    common = ["--db", str(database), "--images", str(images)]
    csv = str(tmp_path / "labelled.csv")
    for wrong, said in (
        (["-o", csv, "--manifest", str(database)], "belongs to the database in use"),
        (["-o", csv, "--manifest", str(images / "slice.png")], "is an image of the database in use"),
    ):
        assert export_main([*common, *wrong]) == FAILED
        assert said in capsys.readouterr().err
    person = ["--db", str(database), "--annotator", "imported"]
    for wrong, said in (
        (["-o", str(database)], "must end in .jsonl"),
        (["-o", str(linked)], "belongs to the database in use"),
        (
            ["-o", str(tmp_path / "a.jsonl"), "--mentions", csv, "--format", "chexpert", "--reviewed-only"],
            "leave out --format, --mentions, --reviewed-only",
        ),
    ):
        assert export_main([*person, *wrong]) == FAILED
        assert said in capsys.readouterr().err
    assert database.stat().st_ino == before and (images / "slice.png").read_bytes() == b"picture"
    assert not (tmp_path / "labelled.csv").exists()


def test_export_person_holds_all_she_did_and_nothing_of_others(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill_at_random(store, seed=5)
    url = store.engine.url.render_as_string(hide_password=False)
    target = tmp_path / "anna.jsonl"
    assert export_main(["--db", url, "--annotator", "anna", "-o", str(target)]) == DONE
    rows = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    with store.read() as connection:
        said = list(connection.scalars(sa.select(ANNOTATION.c.op_id).where(ANNOTATION.c.annotator == "anna")))
    annotations = [row for row in rows if row["what"] == "annotation"]
    assert sorted(row["op_id"] for row in annotations) == sorted(said) and said
    assert all(row["current"] and row["image"] for row in annotations)
    assert rows[0]["what"] == "person" and rows[0]["name"] == "anna"
    assert {row[key] for row in rows for key in ("annotator", "adjudicator", "actor") if key in row} == {
        "anna"
    }
    assert "another text" not in target.read_text(encoding="utf-8")
    assert export_main(["--db", url, "--annotator", "eve", "-o", str(target)]) == FAILED
    assert "knows no 'eve'; it knows anna, bob, carl, head" in capsys.readouterr().err
    assert len(target.read_text(encoding="utf-8").splitlines()) == len(rows)
