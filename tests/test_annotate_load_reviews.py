"""Work of people that comes with a table: ``annotate.load`` keeps it, and argues with nobody who works here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from annotate.adjudication import withdraw
from annotate.adjudication_cases import case_of
from annotate.people import IMPORTED
from annotate.settled import settled_labels
from annotate.store import Store
from annotate.store_tables import ADJUDICATION, ANNOTATION, ANNOTATION_CURRENT, RECORD
from annotate.tables import read_labels
from nlp.schema import COVID
from tests.made_decisions import cells, decision, keep, people, rows, take
from tests.made_loads import ALL, CSLD, FINDINGS, GGO, again, id_of, nothing, with_cells


@pytest.fixture
def table(example_tables: tuple[Path, Path]) -> pd.DataFrame:
    return read_labels(example_tables[0], FINDINGS)


@pytest.fixture
def mentions(example_tables: tuple[Path, Path]) -> Path:
    return example_tables[1]


def reviewed(
    table: pd.DataFrame, images: Sequence[str], review: str = "confirmed", **given: str
) -> pd.DataFrame:
    for image in images:
        table = with_cells(
            table, image, review=review, **(cells(FINDINGS) | dict.fromkeys(FINDINGS, "0") | given)
        )
    return table


def test_load_keeps_confirmed_and_adjudicated_rows_as_imported_work(
    store: Store, table: pd.DataFrame, tmp_path: Path
) -> None:
    one, two = table["image"][:2]
    decided = reviewed(reviewed(table, [one], **{GGO: "1"}), [two], "adjudicated", **{CSLD: "1"})
    for _ in range(2):
        loaded = again(store, decided, tmp_path)
    assert nothing(loaded)
    [annotation], [adjudication] = rows(store, ANNOTATION), rows(store, ADJUDICATION)
    assert annotation.annotator == IMPORTED == adjudication.adjudicator
    with store.read() as connection:
        settled = settled_labels(connection, FINDINGS).table.set_index("image")
    assert (settled.loc[one, GGO], settled.loc[one, "review"]) == ("1", "confirmed")
    assert (settled.loc[two, CSLD], settled.loc[two, "review"]) == ("1", "adjudicated")
    people(store, "anna")
    assert not {id_of(store, one), id_of(store, two)} & set(take(store, "anna", ALL))


def test_load_of_a_verdict_that_is_withdrawn_leaves_an_unread_record(
    store: Store, table: pd.DataFrame, tmp_path: Path
) -> None:
    people(store, "anna")
    image = table["image"].iloc[0]
    again(store, reviewed(table, [image], "adjudicated", **{GGO: "1"}), tmp_path)
    record = id_of(store, image)
    with store.write() as connection:
        case = case_of(connection, record, "anna")
        assert case.columns[-1].labels == {} and case.verdict is not None
        withdraw(connection, "anna", op_id="op-0001", record_id=case.record_id, base=case.seen, now=1)
        settled = settled_labels(connection, FINDINGS).table.set_index("image")
    assert settled.loc[image, [GGO, "review"]].tolist() == ["", "auto"]


def test_load_of_reviewed_rows_keeps_people_apart_from_the_text(
    store: Store, table: pd.DataFrame, mentions: Path, tmp_path: Path
) -> None:
    machine = {
        row["image"]: {key: row[key] for key in (COVID, *FINDINGS)} for row in table.to_dict("records")
    }
    opposite = table[list(FINDINGS)].replace({"1": "0", "": "1", "0": "1", "-1": "1"})
    people_say = table.assign(review="confirmed", **{key: opposite[key] for key in FINDINGS})
    again(store, people_say, tmp_path)
    for row in rows(store, RECORD):  # nothing is known of the text
        assert row.labels == dict.fromkeys(FINDINGS, "") | {COVID: machine[row.image][COVID]}
    again(store, people_say, tmp_path, mentions=mentions)
    assert {row.image: row.labels for row in rows(store, RECORD)} == machine
    assert nothing(again(store, people_say, tmp_path))
    with store.read() as connection:
        settled = settled_labels(connection, FINDINGS).table.set_index("image")
    assert settled[list(FINDINGS)].equals(people_say.set_index("image").sort_index()[list(FINDINGS)])
    other = with_cells(people_say, people_say["image"].iloc[0], caption="other words")
    again(store, other, tmp_path)
    [first] = rows(store, RECORD, RECORD.c.image == people_say["image"].iloc[0])
    assert {first.labels[key] for key in FINDINGS} == {""}


def test_load_of_a_settled_row_keeps_the_confirmation_that_was_imported_before(
    store: Store, table: pd.DataFrame, tmp_path: Path
) -> None:
    one, two = table["image"][:2]
    again(store, reviewed(table, [one], **{GGO: "1"}), tmp_path)
    settled = reviewed(table, [one], "adjudicated", **{GGO: "0"})
    again(store, reviewed(settled, [two], **{GGO: "1"}), tmp_path)
    assert {row.record_id for row in rows(store, ANNOTATION_CURRENT)} == {
        id_of(store, one),
        id_of(store, two),
    }


def test_load_of_a_corrected_table_replaces_imported_work_and_machine_labels_stay(
    example_store: Store, table: pd.DataFrame, tmp_path: Path
) -> None:
    image = table["image"].iloc[0]
    machine = rows(example_store, RECORD, RECORD.c.image == image)[0].labels
    for cell in ("1", "-1", "1"):
        again(example_store, reviewed(table, [image], **{GGO: cell}), tmp_path)
        with example_store.read() as connection:
            settled = settled_labels(connection, FINDINGS).table.set_index("image")
        assert settled.loc[image, GGO] == cell
    assert len(rows(example_store, ANNOTATION)) == 3
    assert rows(example_store, RECORD, RECORD.c.image == image)[0].labels == machine


def test_load_of_an_old_export_does_not_argue_with_people(
    example_store: Store, table: pd.DataFrame, tmp_path: Path
) -> None:
    people(example_store, "anna")
    image = table["image"].iloc[0]
    keep(example_store, "anna", decision(example_store, id_of(example_store, image), labels={GGO: "1"}))
    same = again(example_store, reviewed(table, [image], **{GGO: "1"}), tmp_path)
    assert nothing(same)
    loaded = again(example_store, reviewed(table, [image], **{GGO: "0"}), tmp_path)
    assert loaded.reviews.contradicted == [image] and loaded.reviews.imported == []
    assert [row.annotator for row in rows(example_store, ANNOTATION)] == ["anna"]
