"""``annotate.settled``: adjudicated, else agreed, else as loaded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.settled import Settled, readings, settle, settled_labels, settlements
from annotate.store import Store
from annotate.store_tables import ADJUDICATION, RECORD, SPLIT
from annotate.tables import check_labels, read_labels
from nlp.lexicon import load_lexicon
from nlp.schema import CELL_VALUES, COVID, label_columns
from tests.busy_store import fill_at_random
from tests.made_decisions import NOW, cells, decision, keep, people, rows

FINDINGS = load_lexicon().finding_keys
GGO, CSLD = FINDINGS[:2]
KEYS = (COVID, *FINDINGS)


@pytest.fixture
def desk(example_store: Store) -> Store:
    people(example_store, "anna", "bob")
    return example_store


def settled(store: Store) -> Settled:
    with store.read() as connection:
        return settled_labels(connection, store.findings)


def row_of(store: Store, record_id: int) -> Mapping[str, str]:
    [record] = rows(store, RECORD, RECORD.c.id == record_id)
    table = settled(store).table
    found: Mapping[str, str] = table[table["image"] == record.image].iloc[0].to_dict()
    return found


def adjudicate(store: Store, record_id: int, op_id: str, *, withdrawn: bool = False, **given_: str) -> None:
    with store.write() as connection:
        row = {"op_id": op_id, "record_id": record_id, "adjudicator": "anna", "created": NOW}
        values = {**row, "labels": cells(FINDINGS, **given_), "withdrawn": withdrawn}
        connection.execute(ADJUDICATION.insert().values(values))


def test_settled_labels_of_an_untouched_store_are_the_loaded_table(
    example_store: Store, example_tables: tuple[Path, Path]
) -> None:
    found = settled(example_store)
    check_labels(found.table, FINDINGS, "settled")
    loaded = read_labels(example_tables[0], FINDINGS)[[column.name for column in label_columns(FINDINGS)]]
    in_order = loaded.sort_values("image", ignore_index=True)
    assert found.table.to_dict("list") == in_order.to_dict("list")
    assert found.unsettled.empty and found.annotators.sum() == 0


def test_settled_labels_are_what_annotators_agree_on(desk: Store) -> None:
    keep(desk, "anna", decision(desk, 1, labels={GGO: "1", CSLD: "1"}), decision(desk, 2, "skip"))
    keep(desk, "bob", decision(desk, 1, labels={GGO: "1", CSLD: "0"}))
    row = row_of(desk, 1)
    assert (row[GGO], row[CSLD], row["review"]) == ("1", "-1", "confirmed")
    assert row_of(desk, 2)["review"] == "auto"
    found = settled(desk)
    assert found.unsettled[["finding", "readings"]].to_numpy().tolist() == [[CSLD, "1|0"]]
    assert found.annotators[row["image"]] == 2


def test_settled_labels_take_the_adjudicator_unless_withdrawn(desk: Store) -> None:
    keep(desk, "anna", decision(desk, 1, labels={GGO: "1"}))
    keep(desk, "bob", decision(desk, 1, labels={GGO: "0"}))
    adjudicate(desk, 1, "a", **{GGO: "0"})
    adjudicate(desk, 1, "b", **{GGO: "1"})
    assert (row_of(desk, 1)[GGO], row_of(desk, 1)["review"]) == ("1", "adjudicated")
    assert settled(desk).unsettled.empty
    adjudicate(desk, 1, "c", withdrawn=True)
    assert (row_of(desk, 1)[GGO], row_of(desk, 1)["review"]) == ("-1", "confirmed")
    assert len(settled(desk).unsettled) == 1


def test_settled_labels_have_the_split_of_the_patient(desk: Store) -> None:
    patient = row_of(desk, 1)["patient_id"]
    with desk.write() as connection:
        connection.execute(SPLIT.insert().values(patient_id=patient, split="val"))
    table = settled(desk).table
    assert set(table["split"][table["patient_id"] == patient]) == {"val"}
    assert set(table["split"][table["patient_id"] != patient]) == {""}


@pytest.mark.parametrize("seed", range(3))
def test_settled_labels_are_those_of_each_record(store: Store, seed: int) -> None:
    fill_at_random(store, seed)
    with store.read() as connection:
        said, settled_by = readings(connection), settlements(connection)
    found = settled(store)
    table, unsettled = found.table.set_index("image"), []
    records = sorted(rows(store, RECORD), key=lambda record: record.image)
    for record in records:
        read, verdict = [*said.get(record.id, {}).values()], settled_by.get(record.id)
        expected, review = settle(record.labels, read, verdict, store.findings)
        row = table.loc[record.image]
        assert ({key: row[key] for key in KEYS}, row["review"]) == (expected, review)
        assert found.annotators[record.image] == len(read)
        each_said = ((key, [labels[key] for labels in read]) for key in KEYS if verdict is None)
        unsettled += [(record.image, key, "|".join(told)) for key, told in each_said if len({*told}) > 1]
    assert [*found.unsettled.itertuples(index=False, name=None)] == unsettled and unsettled
    assert [*table.index] == [record.image for record in records]


loaded_cells = st.fixed_dictionaries({key: st.sampled_from(CELL_VALUES) for key in KEYS})


@given(loaded=loaded_cells, read=st.lists(loaded_cells, max_size=4), verdict=st.none() | loaded_cells)
def test_settle_invents_no_cell(
    loaded: dict[str, str], read: list[dict[str, str]], verdict: dict[str, str] | None
) -> None:
    found, review = settle(loaded, read, verdict, FINDINGS)
    assert review == ("adjudicated" if verdict else "confirmed" if read else "auto")
    for key in KEYS:
        said = {verdict[key]} if verdict else {each[key] for each in read} or {loaded[key]}
        assert {found[key]} == said if len(said) == 1 else found[key] == "-1"
    assert settle(loaded, read[::-1], verdict, FINDINGS) == (found, review)
