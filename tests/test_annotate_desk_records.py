"""``annotate.desk_records``: all that the desk shows, and nothing of what others decided."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa

from annotate.decisions import MENTION_CELLS
from annotate.desk_records import desk_records
from annotate.store import Store
from annotate.store_tables import MENTION, RECORD
from nlp.lexicon import load_lexicon
from nlp.schema import COVID
from tests.made_decisions import decision, keep, people, rows

FINDINGS = load_lexicon().finding_keys
GGO = FINDINGS[0]


@pytest.fixture
def desk(example_store: Store) -> Store:
    people(example_store, "anna", "bob")
    return example_store


def test_desk_records_come_as_json_in_the_order_asked_for(desk: Store) -> None:
    with desk.read() as connection:
        records = desk_records(connection, [5, 2, 9_999, 3], "anna", findings=FINDINGS)
    assert [record["id"] for record in json.loads(json.dumps(records))] == [5, 2, 3]
    assert all(list(record["labels"]) == [COVID, *FINDINGS] for record in records)


def test_desk_records_have_every_mention_with_its_provenance(desk: Store) -> None:
    ids = [row.id for row in rows(desk, RECORD)]
    with desk.read() as connection:
        records = desk_records(connection, ids, "anna", findings=FINDINGS)
    assert sum(len(record["mentions"]) for record in records) == len(rows(desk, MENTION)) > 100
    for record in records:
        starts = [mention["start"] for mention in record["mentions"]]
        assert starts == sorted(starts)
        for mention in record["mentions"]:
            assert set(mention) == set(MENTION_CELLS)
            assert mention["finding"] in (COVID, *FINDINGS) and mention["term"] and mention["rule"]
            assert mention["end"] <= len(record["caption"])
            if mention["cue"]:
                assert record["caption"][mention["cue_start"] : mention["cue_end"]] == mention["cue"]


def test_desk_records_show_own_decisions_and_never_those_of_others(desk: Store) -> None:
    keep(desk, "bob", decision(desk, 1, labels={GGO: "-1"}, comment="bob's secret", flagged=True))
    with desk.read() as connection:
        [hers] = desk_records(connection, [1], "anna", findings=FINDINGS)
        [his] = desk_records(connection, [1], "bob", findings=FINDINGS)
    assert hers["mine"] is None and "secret" not in json.dumps(hers)
    assert his["mine"]["comment"] == "bob's secret" and his["mine"]["labels"][GGO] == "-1"


def test_desk_records_name_the_patients_other_images_of_the_same_figure_first(desk: Store) -> None:
    with desk.write() as connection:
        few = RECORD.c.id.in_([10, 11, 12, 13])
        connection.execute(RECORD.update().where(few).values(patient_id="one", figure="b"))
        connection.execute(RECORD.update().where(RECORD.c.id.in_([11, 13])).values(figure="a"))
    keep(desk, "anna", decision(desk, 12))
    with desk.read() as connection:
        [record] = desk_records(connection, [11], "anna", findings=FINDINGS)
        others = {each["id"] for each in record["relatives"]}
    assert record["relatives"][0]["id"] == 13 and others == {10, 12, 13}
    assert [each["mine"] for each in record["relatives"] if each["id"] == 12] == [True]
    assert not any(each["mine"] for each in record["relatives"] if each["id"] != 12)


def test_desk_records_of_an_old_lexicon_have_blank_cells_for_new_findings(desk: Store) -> None:
    with desk.read() as connection:
        [record] = desk_records(connection, [1], "anna", findings=[*FINDINGS, "fibrosis"])
        stored = connection.scalar(sa.select(RECORD.c.labels).where(RECORD.c.id == 1))
    assert record["labels"] == {**stored, "fibrosis": ""}
