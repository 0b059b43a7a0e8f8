"""``annotate.store``: one suite on SQLite and PostgreSQL: nothing is changed behind anybody's back."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from annotate.events import log
from annotate.people import add_user, users
from annotate.store import Store, open_store
from annotate.store_tables import APPEND_ONLY, EVENT, META, METADATA, ORDER_COLUMNS, SCHEMA_VERSION
from benchmarks.store import contest, filled, kill_writers
from nlp.errors import StoreError
from nlp.lexicon import load_lexicon

MARKER = "zebrafish"


def test_open_store_makes_a_database_that_stays_the_same(store_url: str) -> None:
    with closing(open_store(store_url)) as first:
        identity, secret = first.identity(), first.secret()
        assert first.findings == load_lexicon().finding_keys
    with closing(open_store(store_url, create=False)) as again:
        assert (again.identity(), again.secret()) == (identity, secret)
        assert len(secret) == 32 and again.image_folder() is None


def test_open_store_keeps_the_findings_a_database_was_made_with(store_url: str) -> None:
    open_store(store_url, findings=["fibrosis", "nodule"]).close()
    with closing(open_store(store_url)) as store:
        assert store.findings == ("fibrosis", "nodule")


def test_open_store_without_create_says_what_to_do(store_url: str) -> None:
    with pytest.raises(StoreError, match=r"annotate\.load"):
        open_store(store_url, create=False)


@pytest.mark.parametrize(
    ("version", "said"),
    [
        (SCHEMA_VERSION + 1, "newer"),
        (SCHEMA_VERSION - 1, "Export the labels"),
        ("x", "not a database of labels"),
    ],
)
def test_open_store_refuses_another_schema_version(
    store: Store, store_url: str, version: object, said: str
) -> None:
    with store.write() as connection:
        where = META.c.key == "schema_version"
        connection.execute(META.update().where(where).values(value=str(version)))
    with pytest.raises(StoreError, match=said):
        open_store(store_url)


def test_open_store_refuses_tables_of_another_program(store_url: str) -> None:
    engine = sa.create_engine(store_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE invoice (id INTEGER)")
    engine.dispose()
    with pytest.raises(StoreError, match="invoice"):
        open_store(store_url)


def test_open_store_leaves_a_file_that_is_no_database_alone(tmp_path: Path) -> None:
    for content in (b"image,patient_id\n" * 500, b""):
        target = tmp_path / "labels.csv"
        target.write_bytes(content)
        if content:
            with pytest.raises(StoreError, match="not a database"):
                open_store(str(target))
            assert target.read_bytes() == content
        else:
            open_store(str(target)).close()


def test_open_store_does_not_touch_another_programs_sqlite_file(tmp_path: Path) -> None:
    target = tmp_path / "other.db"
    with closing(sqlite3.connect(target)) as other:
        other.execute("CREATE TABLE invoice (id INTEGER)")
        other.commit()
    before = target.read_bytes()
    with pytest.raises(StoreError, match="invoice"):
        open_store(str(target))
    assert target.read_bytes() == before


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://localhost/x", "sqlite or postgresql"),
        ("sqlite://", "memory"),
        ("sqlite:///no/such/folder/labels.db", "no folder"),
        ("postgresql://nobody:secret-word@127.0.0.1:1/x", "127.0.0.1"),
        ("://", "no address"),
    ],
)
def test_open_store_says_what_is_wrong_with_an_address(url: str, said: str) -> None:
    with pytest.raises(StoreError, match=said) as caught:
        open_store(url)
    assert "secret-word" not in str(caught.value)


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize("change", ["UPDATE {} SET id = id", "DELETE FROM {}"])
def test_write_refuses_to_change_what_only_grows(example_store: Store, table: str, change: str) -> None:
    _fill(example_store)
    with pytest.raises(StoreError, match=f"{table} only grows"), example_store.write() as connection:
        connection.exec_driver_sql(change.format(table))


def test_write_refuses_to_replace_or_truncate_what_only_grows(example_store: Store) -> None:
    _fill(example_store)
    sqlite = example_store.engine.dialect.name == "sqlite"
    replace = "REPLACE INTO event (id, created, actor, kind) VALUES (1, 0, 'x', 'y')"
    with pytest.raises(StoreError, match="only grows"), example_store.write() as connection:
        connection.exec_driver_sql(replace if sqlite else "TRUNCATE event")


def test_write_is_all_or_nothing(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.write() as connection:
        add_user(connection, "anna")
        _ = 1 / 0
    with store.read() as connection:
        assert users(connection) == []


def test_read_is_a_snapshot(store: Store) -> None:
    with store.read() as reader:
        assert users(reader) == []
        with store.write() as writer:
            add_user(writer, "anna")
        assert users(reader) == []
    with store.read() as reader:
        assert [user.name for user in users(reader)] == ["anna"]


def test_errors_of_the_database_hold_no_text_of_a_row(store: Store) -> None:
    row = {"key": "caption", "value": f"a whole report about a {MARKER}"}
    with pytest.raises(StoreError) as caught, store.write() as connection:
        connection.execute(META.insert(), [row, row])
    assert MARKER not in str(caught.value)
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


def test_write_serves_many_threads_and_loses_none(store: Store) -> None:
    def work(name: str) -> None:
        for _ in range(10):
            with store.write() as connection:
                log(connection, name, "test", now=time.time())

    threads = [threading.Thread(target=work, args=[f"t{number}"]) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(EVENT)) == 120


def test_open_store_by_several_at_once_makes_one_database(store_url: str) -> None:
    found: list[str] = []

    def work() -> None:
        with closing(open_store(store_url)) as store:
            found.append(store.identity())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and len(set(found)) == 1


def test_killed_writers_lose_nothing_that_was_acknowledged(store_url: str, tmp_path: Path) -> None:
    """The loose form of ``benchmarks.store``, which kills 50 on each database."""
    filled(store_url, tmp_path, 40, 2)[0].close()
    found = kill_writers(store_url, 3)
    assert found["acknowledged"] >= 3
    assert (found["lost"], found["twice"], found["records_with_wrong_seats"]) == (0, 0, 0)


def test_four_processes_share_the_work_without_duplicates(store_url: str, tmp_path: Path) -> None:
    """The loose form of ``benchmarks.store``, which shares 1,000 records."""
    filled(store_url, tmp_path, 60, 2)[0].close()
    found = contest(store_url)
    assert found["annotations"] == 120 and found["seats_left"] == 0
    assert {found[name] for name in ("duplicates", "overwritten", "refused_or_extra")} == {0}


def test_every_order_of_work_has_an_index(store: Store) -> None:
    found = {index["name"] for index in sa.inspect(store.engine).get_indexes("work")}
    assert {f"work_{order}" for order in ORDER_COLUMNS} <= found
    store.engine.dispose()


def test_the_tables_are_those_that_are_declared(store: Store) -> None:
    assert set(sa.inspect(store.engine).get_table_names()) == set(METADATA.tables)
    store.engine.dispose()


def _fill(store: Store) -> None:
    """One row at least in each table that only grows, so that a statement has something to change."""
    from annotate.store_tables import ADJUDICATION, ANNOTATION

    row = {"op_id": "a", "record_id": 1, "labels": {}, "created": 0.0}
    with store.write() as connection:
        connection.execute(
            ANNOTATION.insert().values(**row, annotator="x", action="confirm", mentions=[], boxes=[])
        )
        connection.execute(ADJUDICATION.insert().values(**row, adjudicator="x"))
