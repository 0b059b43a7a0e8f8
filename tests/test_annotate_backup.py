"""Backup, restore and one person's work: consistent while others write, checked, and into either database."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from annotate.backup import backup, main, read_seal, seal_path
from annotate.decisions import Decision, save
from annotate.export import main as export_main
from annotate.people import add_user
from annotate.restore import main as restore_main
from annotate.restore import restore
from annotate.store import Store, open_store
from annotate.store_copy import content_of
from annotate.store_tables import ANNOTATION, ANNOTATION_CURRENT, EVENT
from nlp.command import DONE, FAILED
from nlp.errors import StoreError
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
