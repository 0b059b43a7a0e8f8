"""The audit's tables by cases small enough for the hand: texts, label errors, sets, and what the page says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp.errors import ContractError
from nlp.schema import CELL_VALUES, COVID, STATES, State
from tests.made_records import CSLD, GGO, KEYS, NAN, make_records
from train.audit import Audit
from train.audit_data import coverage, one_sided_sources, shared_between_sets
from train.audit_report import page
from train.audit_tables import coverage_table, source_sentence, summary_table
from train.audit_text import Mention, contradiction_rows, contradictions, contradicts
from train.label_errors import label_errors
from train.near_duplicates import Pair
from train.predictions import columns, csv_lines
from train.records import Records

CELLS = [[1, NAN, 0, -1, NAN], [NAN] * 5, [0, 1, NAN, NAN, NAN]]


@pytest.mark.parametrize(
    ("key", "label", "state", "expected"),
    [
        (GGO, "1", "present", False),
        (GGO, "1", "uncertain", False),
        (GGO, "1", "negated", True),
        (GGO, "1", "resolved", True),
        (GGO, "1", "not_mentioned", True),
        (GGO, "", "present", True),
        (GGO, "0", "present", True),
        (GGO, "0", "not_mentioned", False),
        (GGO, "", "uncertain", False),
        (COVID, "1", "negated", True),
        (COVID, "0", "present", True),
        (COVID, "1", "not_mentioned", False),
        (COVID, "", "present", False),
    ],
)
def test_audit_text_contradicts_by_its_table(key: str, label: str, state: State, expected: bool) -> None:
    assert contradicts(key, label, state) is expected


@given(st.sampled_from([COVID, *KEYS]), st.sampled_from(STATES))
def test_audit_text_never_contradicts_an_uncertain_label(key: str, state: State) -> None:
    assert not contradicts(key, "-1", state)
    assert not any(contradicts(key, label, "uncertain") for label in CELL_VALUES)


def test_audit_text_gives_the_place_that_decides_and_skips_records_without_text() -> None:
    records = make_records([1, 1, 0], CELLS, captioned=[True, False, True])
    said = {
        ("image-000.png", GGO): [Mention("negated", "3", "6", "before")],
        ("image-000.png", CSLD): [
            Mention("negated", "9", "12", "after"),
            Mention("present", "20", "33", "plain"),
        ],
        ("image-001.png", GGO): [Mention("present", "0", "3", "plain")],
        ("image-002.png", CSLD): [Mention("present", "5", "18", "plain")],
        ("image-002.png", COVID): [Mention("present", "0", "5", "name")],
    }
    found = list(contradiction_rows(records, contradictions(records, said)))
    assert [row[0:1] + row[3:] for row in found] == [
        ("image-000.png", GGO, "1", "negated", "3", "6", "before"),
        ("image-000.png", CSLD, "", "present", "20", "33", "plain"),
        ("image-002.png", COVID, "0", "present", "0", "5", "name"),
    ]


def test_audit_text_without_mentions_leaves_every_positive_label_alone_in_the_text() -> None:
    records = make_records([1], [[1, 0, NAN, NAN, NAN]])
    assert [(each.key, each.state) for each in contradictions(records, {})] == [(GGO, "not_mentioned")]


def test_label_errors_follow_confident_learning(tmp_path: Path) -> None:
    flags = [1.0] * 5 + [0.0] * 5
    probabilities = [0.9, 0.8, 0.9, 0.8, 0.1, 0.1, 0.2, 0.1, 0.45, 0.95]
    records = make_records(flags)
    path = tmp_path / "out_of_fold.csv"
    path.write_bytes(_predictions(records, probabilities))
    # mean of the present 0.7, of the opposite among the absent 0.64: 0.9 of absence and 0.95 of presence exceed them
    found = label_errors(records, path)
    assert [(each.record, each.positive) for each in found] == [(9, False), (4, True)]
    assert [round(each.self_confidence, 3) for each in found] == [0.05, 0.1]
    order = np.array([9, 3, 4, 0, 1, 2, 5, 6, 7, 8])
    again = label_errors(records.take(order), path)
    assert [order[each.record] for each in again] == [9, 4]


def test_label_errors_pass_over_findings_that_were_not_learnt(tmp_path: Path) -> None:
    records = make_records([1.0] * 12, [[place % 2] * 5 for place in range(12)])
    path, found = tmp_path / "out_of_fold.csv", {}
    for cell in ("0.9", ""):
        rows = [(image, "", "", "0", "3", "0.9", "1", *[cell] * 10, "") for image in records.images]
        path.write_bytes(csv_lines([columns(KEYS), *rows]))
        found[cell] = {each.key for each in label_errors(records, path)}
    assert found == {"0.9": set(KEYS), "": set()}


def test_label_errors_refuse_predictions_of_other_images(tmp_path: Path) -> None:
    path = tmp_path / "out_of_fold.csv"
    path.write_bytes(_predictions(make_records([1.0] * 3), [0.5] * 3))
    with pytest.raises(ContractError, match="another table"):
        label_errors(make_records([1.0] * 2), path)


def test_audit_data_finds_who_lies_in_several_sets() -> None:
    records = make_records(
        [1, 0, 1, NAN], patients=["a", "b", "a", "c"], splits=["train", "train", "test", ""]
    )
    found = shared_between_sets(records)
    assert [each.row for each in found] == [
        ("patient", "a", "train:1;test:1", "2", "2", "0"),
        ("source", "article", "train:2;test:1", "3", "2", "1"),
    ]
    assert one_sided_sources(records) == (3, 0)
    assert one_sided_sources(replace(records, sources=("x", "y", "x", ""))) == (3, 3)


def test_audit_data_names_the_class_without_which_nothing_can_be_scored() -> None:
    records = make_records([1, 1, 0], CELLS, splits=["train", "test", "test"])
    cells = {(cell.split, cell.output): cell for cell in coverage(records)}
    assert cells["train", COVID].missing == "absent"
    assert cells["test", COVID].missing == ""
    assert cells["train", GGO].row == ("train", GGO, "1", "0", "1", "0")
    assert {cell.split for cell in coverage(replace(records, splits=("", "", "")))} == {"all"}


def test_audit_report_escapes_names_and_says_what_was_skipped(tmp_path: Path) -> None:
    records = make_records([1, 0], splits=["train", "test"], patients=["<b>p</b>"] * 2)
    shared = shared_between_sets(records)
    found = Audit(records, (), shared, coverage(records), (), None, None, ("Skipped <this>.",))
    shown = page(found)
    assert "&lt;b&gt;p&lt;/b&gt;" in shown and "<b>p" not in shown
    assert "Skipped &lt;this&gt;." in shown
    assert "No two pictures show the same slice." in shown
    assert "Labels against texts" not in shown
    values = {row[0]: row[1] for row in summary_table(found).rows}
    assert values["AUC of the file alone"] == "not measured"
    assert values["suspected label errors"] == "not looked for"
    assert values["outputs that cannot be scored"] == f"{len(found.cells)} of {len(found.cells)}"
    assert "none absent" in coverage_table(found).rows[0][1]
    assert source_sentence(records).startswith("0 of 2 records")


def test_audit_tables_count_pairs_by_what_they_spoil() -> None:
    records = make_records([1, 0, 1], splits=["train", "test", "train"])
    pairs = (Pair(0, 1, 0.99), Pair(0, 2, 0.98), Pair(1, 2, 0.7))
    found = Audit(records, pairs, (), coverage(records), (), (), (), ())
    values = {row[0]: row[1] for row in summary_table(found).rows}
    assert values["certain near duplicates"] == "2 (1 across sets, 1 of opposite flags)"
    assert values["possible near duplicates"] == "1 (1 across sets, 1 of opposite flags)"


def _predictions(records: Records, probabilities: list[float]) -> bytes:
    """out_of_fold.csv with these probabilities of the flag."""
    rest = [text for _ in KEYS for text in ("0.0", "0.5")]
    rows = [
        (image, "", "", "0", "0.0", str(value), "1", *rest, "")
        for image, value in zip(records.images, probabilities, strict=True)
    ]
    return csv_lines([columns(KEYS), *rows])
