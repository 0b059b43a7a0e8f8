"""Re-labelling: what no person confirmed follows the lexicon, all else stays as it is."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from annotate.decisions import Decision, save
from annotate.lexicon_edit import with_term
from annotate.lexicon_versions import active_version, load_files, own_version
from annotate.people import add_user
from annotate.relabel import Relabelled, relabel
from annotate.reread import read_again, stored_records
from annotate.store import Store
from annotate.store_tables import ANNOTATION, EVENT, LEXICON, MENTION, META, RECORD
from nlp.errors import StoreError
from nlp.lexicon import load_lexicon
from nlp.reader import Reader

FINDINGS = load_lexicon().finding_keys
WORDS = "bilateral"  # stands in captions without being a term


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    own = dict(own_version().files)
    return own | {"terms.csv": with_term(own["terms.csv"], "crazy_paving", WORDS)}


@pytest.fixture(scope="module")
def reader(files: dict[str, str]) -> Reader:
    return Reader(load_files(files, FINDINGS))


@pytest.fixture
def people(example_store: Store) -> Store:
    with example_store.write() as connection:
        add_user(connection, "adele")
        add_user(connection, "anna")
    return example_store


def run(store: Store, files: dict[str, str], reader: Reader, actor: str = "adele") -> Relabelled:
    return relabel(store, files, actor, reader=reader, base=own_version().version, now=5.0)


def rows(store: Store, table: sa.Table) -> list[dict[str, Any]]:
    with store.read() as connection:
        return [
            dict(row) for row in connection.execute(table.select().order_by(*table.primary_key)).mappings()
        ]


def confirm(store: Store, record_id: int) -> None:
    decision = Decision(
        f"op-{record_id:08}", record_id, "confirm", dict.fromkeys(("covid19", *FINDINGS), "0")
    )
    with store.write() as connection:
        save(connection, FINDINGS, "anna", [decision], now=1.0)


def concerned(store: Store, reader: Reader) -> list[int]:
    """Records in which the edited lexicon reads a lesion that the active one does not."""
    with store.read() as connection:
        records = list(stored_records(connection, [row["id"] for row in rows(store, RECORD)]))
    pairs = zip(records, read_again(records, reader, covid=False), strict=True)
    return [record.id for record, read in pairs if record.labels != read.labels]


def test_relabel_leaves_what_a_person_confirmed(people: Store, files: dict[str, str], reader: Reader) -> None:
    mine, other = concerned(people, reader)[:2]
    confirm(people, mine)
    before = {row["id"]: row for row in rows(people, RECORD)}
    annotations, mentions = rows(people, ANNOTATION), rows(people, MENTION)
    done = run(people, files, reader)
    after = {row["id"]: row for row in rows(people, RECORD)}
    assert after[mine] == before[mine]
    assert rows(people, ANNOTATION) == annotations
    assert [m for m in rows(people, MENTION) if m["record_id"] == mine] == [
        m for m in mentions if m["record_id"] == mine
    ]
    assert (after[other]["labels"]["crazy_paving"], after[other]["lexicon_version"]) == ("1", done.version)
    found = [m for m in rows(people, MENTION) if m["record_id"] == other and m["details"]["term"] == WORDS]
    assert found
    assert {after[other]["caption"][m["start"] : m["end"]].lower() for m in found} == {WORDS}
    assert done.confirmed == 1
    assert done.version == reader.lexicon.version
    changed = [record for record in after if after[record]["labels"] != before[record]["labels"]]
    assert done.relabelled == len(changed) > 1
    assert done.confirmed + done.unchanged + done.mentions + done.unread == len(after)


def test_relabel_logs_every_record_without_a_caption(
    people: Store, files: dict[str, str], reader: Reader
) -> None:
    done = run(people, files, reader)
    events = rows(people, EVENT)
    assert len([event for event in events if event["kind"] == "record.relabel"]) == done.relabelled
    (activated,) = [event for event in events if event["kind"] == "lexicon.activate"]
    assert activated["new"]["relabelled"] == done.relabelled
    assert not any(row["caption"] and row["caption"] in str(events) for row in rows(people, RECORD))


def test_relabel_twice_changes_nothing_more_and_goes_back(
    people: Store, files: dict[str, str], reader: Reader
) -> None:
    before = [{name: row[name] for name in ("id", "labels", "flags")} for row in rows(people, RECORD)]
    mentions = {
        (m["record_id"], m["start"], m["finding"], m["details"]["term"]) for m in rows(people, MENTION)
    }
    done = run(people, files, reader)
    again = relabel(people, files, "adele", reader=reader, base=done.version, now=6.0)
    assert (again.relabelled, again.mentions) == (0, 0)
    own = own_version()
    own_reader = Reader(load_files(own.files, FINDINGS))
    back = relabel(people, own.files, "adele", reader=own_reader, base=done.version, now=7.0)
    assert back.relabelled == done.relabelled
    assert [{name: row[name] for name in ("id", "labels", "flags")} for row in rows(people, RECORD)] == before
    assert {
        (m["record_id"], m["start"], m["finding"], m["details"]["term"]) for m in rows(people, MENTION)
    } == mentions


@pytest.mark.parametrize("example_store", ["sqlite"], indirect=True)
def test_relabel_keeps_labels_that_no_lexicon_made(
    people: Store, files: dict[str, str], reader: Reader
) -> None:
    record = concerned(people, reader)[0]
    with people.write() as connection:
        connection.execute(RECORD.update().where(RECORD.c.id == record).values(lexicon_version=""))
    before = next(row for row in rows(people, RECORD) if row["id"] == record)
    done = run(people, files, reader)
    assert next(row for row in rows(people, RECORD) if row["id"] == record) == before
    assert done.unread >= 1


@pytest.mark.parametrize("example_store", ["sqlite"], indirect=True)
def test_relabel_changes_a_covid_flag_only_when_asked(people: Store) -> None:
    own = dict(own_version().files)
    lines = own["covid.csv"].splitlines(keepends=True)
    files = own | {"covid.csv": "".join([lines[0], *(line for line in lines[1:] if ",name," not in line)])}
    reader = Reader(load_files(files, FINDINGS))
    before = {row["id"]: row["labels"]["covid19"] for row in rows(people, RECORD)}
    done = run(people, files, reader)
    assert {row["id"]: row["labels"]["covid19"] for row in rows(people, RECORD)} == before
    relabel(people, files, "adele", reader=reader, base=done.version, covid=True, now=6.0)
    assert {row["id"]: row["labels"]["covid19"] for row in rows(people, RECORD)} != before


@pytest.mark.parametrize("example_store", ["sqlite"], indirect=True)
def test_relabel_is_all_or_nothing(people: Store, files: dict[str, str], reader: Reader) -> None:
    before = rows(people, RECORD)
    with pytest.raises(StoreError, match="needs the role adjudicator"):
        run(people, files, reader, actor="anna")

    def load_something(done: float) -> None:
        with people.write() as connection:
            connection.execute(EVENT.insert().values(actor="annotate.load", kind="load", created=1.0))

    with pytest.raises(StoreError, match="loaded meanwhile"):
        relabel(
            people,
            files,
            "adele",
            reader=reader,
            base=own_version().version,
            now=5.0,
            progress=load_something,
        )
    assert rows(people, RECORD) == before
    assert rows(people, LEXICON) == []
    with people.read() as connection:
        assert active_version(connection).version == own_version().version
        assert connection.scalar(sa.select(META.c.value).where(META.c.key == "lexicon")) is None


@pytest.mark.parametrize("example_store", ["sqlite"], indirect=True)
def test_relabel_leaves_out_whom_somebody_confirmed_while_it_read(
    people: Store, files: dict[str, str], reader: Reader
) -> None:
    record = concerned(people, reader)[0]
    before = next(row for row in rows(people, RECORD) if row["id"] == record)

    def decide(done: float) -> None:
        confirm(people, record)

    done = relabel(
        people, files, "adele", reader=reader, base=own_version().version, now=5.0, progress=decide
    )
    assert next(row for row in rows(people, RECORD) if row["id"] == record) == before
    assert done.confirmed == 1
