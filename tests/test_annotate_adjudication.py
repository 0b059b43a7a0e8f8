"""``annotate.adjudication``: hidden names, one verdict that counts, and nothing written over a change."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from annotate.adjudication import adjudicate, withdraw
from annotate.adjudication_cases import TEXT_TITLE, Case, Seen, case_of, new_values, queue, verdicts_by
from annotate.decisions import Ack
from annotate.store import Store
from annotate.store_tables import ADJUDICATION, EVENT, WORK
from annotate.worklist import claim, set_overlap
from nlp.errors import StoreError
from nlp.lexicon import load_lexicon
from nlp.schema import COVID
from tests.busy_store import fill_at_random
from tests.made_people import CANARY, NOW, add_people, add_records, read, same

GGO, CSLD, CRPA = load_lexicon().finding_keys[:3]


@pytest.fixture
def desk(store: Store) -> Store:
    """A head who is adjudicator, two readers, six records of three patients that each shall be read twice."""
    add_people(store, "head", "anna", "bob", "carl")
    add_records(store, 6, said={GGO: "1", COVID: "1"})
    return store


def waiting(store: Store) -> list[int]:
    with store.read() as connection:
        return queue(connection)


def seen_by(store: Store, record_id: int, adjudicator: str = "head") -> Case:
    with store.read() as connection:
        return case_of(connection, record_id, adjudicator)


def settle(store: Store, case: Case, *, who: str = "head", op_id: str = "op-0001", **changes: object) -> Ack:
    values = {"labels": case.columns[0].labels, "reason": "", "base": case.seen} | changes
    with store.write() as connection:
        return adjudicate(
            connection, who, findings=store.findings, op_id=op_id, record_id=case.record_id, now=NOW, **values
        )  # type: ignore[arg-type]


def take_back(store: Store, case: Case, *, op_id: str = "op-undo") -> Ack:
    with store.write() as connection:
        return withdraw(
            connection, "head", op_id=op_id, record_id=case.record_id, base=case.seen, now=NOW + 1
        )


def rows(store: Store) -> int:
    with store.read() as connection:
        return len(connection.execute(sa.select(ADJUDICATION.c.id)).all())


def test_adjudication_queue_holds_what_differs_or_is_flagged_once_all_have_read(desk: Store) -> None:
    read(desk, "anna", {1: {GGO: "1"}, 2: {GGO: "1"}, 3: {GGO: "1", CSLD: "1"}, 4: {GGO: "1"}})
    read(desk, "anna", {5: {}}, flagged=True)
    assert waiting(desk) == []  # everybody is to read twice
    read(desk, "bob", {1: {GGO: "1"}, 2: {}, 3: {}, 5: {}})
    assert waiting(desk) == [3, 2, 5]  # two differences, one, none but a flag
    read(desk, "bob", {6: {}}, action="skip", flagged=True)
    assert waiting(desk) == [3, 2, 5, 6]


def test_adjudication_case_hides_names_until_settled(desk: Store) -> None:
    for record_id in range(1, 7):
        read(desk, "anna", {record_id: {GGO: "1"}}, comment="by anna" if record_id == 1 else "")
        read(desk, "bob", {record_id: {}})
    cases = [seen_by(desk, record_id) for record_id in range(1, 7)]
    for case in cases:
        assert [column.title for column in case.columns] == ["Reader A", "Reader B", TEXT_TITLE]
        assert {column.annotator for column in case.columns} == {None}
        assert case.differing == (GGO,) and case.verdict is None and not case.own
        assert case == seen_by(desk, case.record_id)
    first = {case.columns[0].labels[GGO] for case in cases}
    assert first == {"1", "0"}  # the order of readers is the record's own
    assert settle(desk, cases[0]).status == "saved"
    done = seen_by(desk, 1)
    assert {column.annotator for column in done.columns} == {"anna", "bob", None}
    assert done.verdict is not None and done.verdict.adjudicator == "head"


def test_adjudication_tells_an_adjudicator_that_she_read_the_record(desk: Store) -> None:
    read(desk, "head", {1: {GGO: "1"}})
    read(desk, "bob", {1: {}})
    assert seen_by(desk, 1).own
    read(desk, "anna", {2: {}})
    assert not seen_by(desk, 2).own


def test_adjudication_closes_open_seats_until_withdrawn(desk: Store) -> None:
    read(desk, "anna", {1: {}}, action="skip", flagged=True)
    settle(desk, seen_by(desk, 1), labels={COVID: "1", **dict.fromkeys(desk.findings, "0")}, reason="seen")
    with desk.write() as connection:
        set_overlap(connection, None, 3)
        assert 1 not in claim(connection, "bob", 6, now=NOW)
    take_back(desk, seen_by(desk, 1))
    with desk.write() as connection:
        assert claim(connection, "carl", 6, now=NOW)[0] == 1


def test_adjudication_settles_and_withdraws(desk: Store) -> None:
    read(desk, "anna", {1: {GGO: "1"}})
    read(desk, "bob", {1: {}})
    case = seen_by(desk, 1)
    text = case.columns[-1].labels
    assert text[CSLD] == ""
    assert settle(desk, case, labels=text).status == "saved"
    assert waiting(desk) == []
    done = seen_by(desk, 1)
    assert done.verdict is not None
    assert done.verdict.labels == {COVID: "1", **dict.fromkeys(desk.findings, "0"), GGO: "1"}
    with desk.read() as connection:
        assert verdicts_by(connection, "head") == [1] and verdicts_by(connection, "anna") == []
    assert take_back(desk, done).status == "saved"
    assert waiting(desk) == [1] and rows(desk) == 2
    assert seen_by(desk, 1).verdict is None
    with desk.read() as connection:
        assert verdicts_by(connection, "head") == []
        kinds = connection.scalars(
            sa.select(EVENT.c.kind).where(EVENT.c.actor == "head", EVENT.c.record_id == 1)
        )
        assert list(kinds) == ["adjudication.save", "adjudication.withdraw"]
    assert take_back(desk, seen_by(desk, 1), op_id="op-undo-2").status == "refused"


def test_adjudication_same_operation_twice_is_one_verdict(desk: Store) -> None:
    read(desk, "anna", {1: {GGO: "1"}, 2: {GGO: "1"}})
    read(desk, "bob", {1: {}, 2: {}})
    case = seen_by(desk, 1)
    first = settle(desk, case)
    again = settle(desk, case)
    assert (first.status, again.status) == ("saved", "repeated")
    assert first.annotation_id == again.annotation_id and rows(desk) == 1
    assert settle(desk, seen_by(desk, 2)).status == "refused"  # op_id of another record


def test_adjudication_is_told_when_a_reading_changed_meanwhile(desk: Store) -> None:
    read(desk, "anna", {1: {GGO: "1"}})
    read(desk, "bob", {1: {}})
    case = seen_by(desk, 1)
    read(desk, "bob", {1: {GGO: "1"}})
    ack = settle(desk, case)
    assert ack.status == "conflict" and "record 1 was changed" in ack.message
    assert rows(desk) == 0
    assert settle(desk, seen_by(desk, 1), op_id="op-0002").status == "saved"


def test_adjudication_of_two_heads_keeps_the_first(desk: Store) -> None:
    read(desk, "anna", {1: {GGO: "1"}})
    read(desk, "bob", {1: {}})
    case = seen_by(desk, 1)
    assert settle(desk, case, op_id="op-first").status == "saved"
    assert settle(desk, case, op_id="op-second").status == "conflict"
    assert take_back(desk, case).status == "conflict"  # what she saw was not settled
    assert rows(desk) == 1


def test_adjudication_needs_a_reason_for_what_nobody_says(desk: Store) -> None:
    read(desk, "anna", {1: {GGO: "1"}})
    read(desk, "bob", {1: {}})
    case = seen_by(desk, 1)
    mixed = {**case.columns[0].labels, GGO: "-1", CRPA: "1"}
    assert new_values(case, mixed) == [GGO, CRPA]
    refused = settle(desk, case, labels=mixed, reason="  ")
    assert refused.status == "refused" and f"{GGO}, {CRPA}" in refused.message
    assert settle(desk, case, labels=mixed, reason=" both wrong ", op_id="op-0002").status == "saved"
    verdict = seen_by(desk, 1).verdict
    assert verdict is not None and (verdict.reason, verdict.labels[CRPA]) == ("both wrong", "1")


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ({GGO: "1"}, "labels must be of covid19, "),
        ({COVID: "", **dict.fromkeys(load_lexicon().finding_keys, "0"), GGO: "yes"}, f"{GGO} 'yes'"),
    ],
)
def test_adjudication_refuses_labels_outside_the_contract(
    desk: Store, labels: dict[str, str], said: str
) -> None:
    read(desk, "anna", {1: {GGO: "1"}})
    ack = settle(desk, seen_by(desk, 1), labels=labels)
    assert ack.status == "refused" and said in ack.message
    assert rows(desk) == 0


def test_adjudication_is_for_adjudicators_whatever_the_screen_shows(desk: Store) -> None:
    read(desk, "anna", {1: {GGO: "1"}})
    case = seen_by(desk, 1)
    for name in ("anna", "nobody"):
        with pytest.raises(StoreError):
            settle(desk, case, who=name)
        with pytest.raises(StoreError):
            seen_by(desk, 1, name)
    with pytest.raises(StoreError, match="there is no record 99") as caught:
        seen_by(desk, 99)
    assert rows(desk) == 0 and CANARY not in str(caught.value)


def test_adjudication_of_a_record_that_all_skipped_takes_the_text(desk: Store) -> None:
    read(desk, "anna", same([1]), action="skip", flagged=True, comment="not a CT")
    case = seen_by(desk, 1)
    assert (case.columns[0].labels, case.columns[0].comment, case.differing) == ({}, "not a CT", ())
    assert settle(desk, case, labels=case.columns[-1].labels).status == "saved"
    assert case.seen == Seen(case.seen.annotation_ids, None) and len(case.seen.annotation_ids) == 1


@pytest.mark.parametrize("seed", range(3))
def test_adjudication_queue_is_that_of_each_record(store: Store, seed: int) -> None:
    fill_at_random(store, seed)
    expected = {}
    with store.read() as connection:
        found = queue(connection)
        for work in connection.execute(sa.select(WORK)).all():
            case = case_of(connection, work.record_id, "head")
            readers = case.columns[:-1]
            asked = any(reader.flagged and not reader.labels for reader in readers)
            wanted = case.differing or any(reader.flagged for reader in readers)
            if wanted and case.verdict is None and (work.done >= work.overlap or asked):
                expected[work.record_id] = -len(case.differing)
    assert found == sorted(expected, key=lambda number: (expected[number], number))
    assert found
