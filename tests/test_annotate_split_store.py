"""``annotate.split_store``: a patient's set is written once, by whom and how, and is not changed behind anybody's back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
import sqlalchemy as sa

from annotate.export_data import read_data
from annotate.people import add_user
from annotate.split import Division, split
from annotate.split_store import EVENT_KIND, Choice, last_choice, read_split, use_split
from annotate.store import Store
from annotate.store_tables import EVENT, RECORD
from nlp.errors import StoreError

CHOICE = Choice((60.0, 15.0, 25.0), seed=7, keep_together=(("0.png", "1.png"),))


@pytest.fixture
def filled(store: Store) -> Store:
    """Twenty patients of two images; anna is adjudicator, bea annotates."""
    with store.write() as connection:
        for name in ("anna", "bea"):
            add_user(connection, name, now=0)
        add(connection, range(20))
    return store


def add(connection: sa.Connection, patients: range) -> None:
    rows = [
        {
            "image": f"{2 * patient + place}.png",
            "patient_id": f"p{patient:02}",
            "labels": {"covid19": str(patient % 2)},
        }
        for patient in patients
        for place in (0, 1)
    ]
    connection.execute(RECORD.insert(), rows)


def divide(store: Store, choice: Choice = CHOICE) -> Division:
    table = read_data(store, check=False).table
    options = {"seed": choice.seed, "keep_together": choice.keep_together, "again": choice.again}
    return split(table, store.findings, ratios=choice.ratios, **options)  # type: ignore[arg-type]


def use(store: Store, division: Division, choice: Choice = CHOICE, actor: str = "bea") -> tuple[int, int]:
    with store.write() as connection:
        written = use_split(connection, division, choice, actor=actor, now=5)
    return written.placed, written.moved


def sets(store: Store) -> Mapping[str, str]:
    with store.read() as connection:
        return read_split(connection)


def test_split_store_writes_a_set_per_patient_and_who_chose_it(filled: Store) -> None:
    division = divide(filled)
    assert use(filled, division) == (20, 0)
    assert sets(filled) == dict(zip(division.table["patient_id"], division.table["split"], strict=True))
    with filled.read() as connection:
        last = last_choice(connection)
        event = connection.execute(EVENT.select().where(EVENT.c.kind == EVENT_KIND)).one()
    assert last is not None and (last.choice, last.actor, last.created) == (CHOICE, "bea", 5)
    assert event.new["sets"] == sets(filled) and event.old == {"sets": {}}
    assert read_data(filled).table["split"].tolist() == division.table["split"].tolist()


def test_split_store_moves_nobody_when_patients_are_added(filled: Store) -> None:
    use(filled, divide(filled))
    before = sets(filled)
    with filled.write() as connection:
        add(connection, range(20, 30))
    assert use(filled, divide(filled, replace(CHOICE, seed=99))) == (10, 0)
    assert {patient: sets(filled)[patient] for patient in before} == before


def test_split_store_divides_anew_for_adjudicators_only(filled: Store) -> None:
    use(filled, divide(filled))
    before = sets(filled)
    again = replace(CHOICE, seed=1, again=True)
    division = divide(filled, again)
    with pytest.raises(StoreError, match="adjudicator"):
        use(filled, division, again, "bea")
    assert sets(filled) == before
    placed, moved = use(filled, division, again, "anna")
    assert placed == moved > 0
    with filled.read() as connection:
        event = connection.execute(EVENT.select().order_by(EVENT.c.id.desc()).limit(1)).one()
    assert event.old["sets"] == {patient: before[patient] for patient in event.new["sets"]}


@pytest.mark.parametrize("actor", ["nobody", ""])
def test_split_store_knows_who_may(filled: Store, actor: str) -> None:
    with pytest.raises(StoreError, match="not known"):
        use(filled, divide(filled), actor=actor)
    assert sets(filled) == {}


def test_split_store_refuses_a_division_of_yesterday(filled: Store) -> None:
    old = divide(filled)
    use(filled, divide(filled, replace(CHOICE, seed=1)))
    before = sets(filled)
    with pytest.raises(StoreError, match="have another set by now"):
        use(filled, old)
    with filled.write() as connection:
        add(connection, range(20, 21))
    with pytest.raises(StoreError, match=r"patients were added or taken out since .*p20"):
        use(filled, old)
    assert sets(filled) == before


def test_split_store_knows_of_no_choice_before_the_first(filled: Store) -> None:
    with filled.read() as connection:
        assert last_choice(connection) is None
