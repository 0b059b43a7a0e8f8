"""The contract: columns, states, cells, and every breach of it."""

from __future__ import annotations

import itertools

import pytest

from nlp.schema import (
    ASSERTIONS,
    CELL_VALUES,
    COVID,
    COVID_ASSERTION,
    COVID_CELL,
    FLAGS,
    MENTION_COLUMNS,
    RECORD_COLUMNS,
    STATE_CELL,
    STATES,
    Column,
    label_columns,
    record_state,
    row_problems,
)

FINDINGS = ("consolidation", "cavity")
COLUMNS = label_columns(FINDINGS)
GOOD = {
    "image": "a/007.png",
    "patient_id": "007",
    "source": "",
    "panel": "B",
    "caption": "NA",
    COVID: "-1",
    "diagnosis": "",
    "consolidation": "1",
    "cavity": "",
    "review": "auto",
    "split": "",
    "flags": "ambiguous_panel;patient_made_up",
    "lexicon_version": "0123456789ab",
}


@pytest.mark.parametrize("count", range(5))
def test_schema_state_of_a_record_is_its_strongest_assertion(count: int) -> None:
    strongest = ("present", "uncertain", "resolved", "negated")
    for assertions in itertools.product(ASSERTIONS, repeat=count):
        expected = min(assertions, key=strongest.index, default="not_mentioned")
        assert record_state(assertions) == expected


def test_schema_every_state_has_a_cell_of_the_chexpert_convention() -> None:
    assert set(STATE_CELL) == set(STATES) == {*ASSERTIONS, "not_mentioned"}
    assert dict(STATE_CELL) == {
        "present": "1",
        "uncertain": "-1",
        "resolved": "0",
        "negated": "0",
        "not_mentioned": "",
    }
    assert set(STATE_CELL.values()) == set(COVID_CELL.values()) == set(CELL_VALUES)


def test_schema_every_stated_covid_state_has_an_assertion() -> None:
    assert set(COVID_ASSERTION) == set(COVID_CELL) - {"unstated"}
    assert all(COVID_CELL[state] == STATE_CELL[COVID_ASSERTION[state]] for state in COVID_ASSERTION)


def test_schema_label_columns_keep_their_order_with_the_findings_in_the_middle() -> None:
    assert [column.name for column in COLUMNS] == list(GOOD)


def test_schema_record_columns_are_those_before_the_findings_and_the_flags() -> None:
    before = [column.name for column in label_columns(())]
    assert list(RECORD_COLUMNS) == [*before[: before.index("review")], "flags"]


def test_schema_column_names_are_distinct_and_each_has_a_meaning() -> None:
    for columns in (COLUMNS, MENTION_COLUMNS):
        names = [column.name for column in columns]
        assert len(set(names)) == len(names)
        assert all(column.meaning for column in columns)


def test_schema_a_good_row_has_no_problems() -> None:
    assert row_problems(GOOD, COLUMNS) == []


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("image", "", ("image is blank",)),
        ("patient_id", "", ("patient_id is blank",)),
        (COVID, "yes", ("covid19", "1, 0, -1, blank", "'yes'")),
        ("consolidation", "2", ("consolidation", "1, 0, -1, blank", "'2'")),
        ("review", "", ("review", "auto, confirmed, adjudicated", "''")),
        ("split", "Train", ("split", "train, val, test, blank", "'Train'")),
        ("flags", "ambiguous_panel;odd", ("'odd'", *FLAGS)),
    ],
)
def test_schema_a_bad_cell_is_named_with_what_is_allowed(
    column: str, value: str, words: tuple[str, ...]
) -> None:
    problems = row_problems({**GOOD, column: value}, COLUMNS)
    assert len(problems) == 1
    assert all(word in problems[0] for word in words), problems[0]


def test_schema_all_problems_of_a_row_are_named_at_once() -> None:
    problems = row_problems({**GOOD, "image": "", "split": "dev", "flags": "odd"}, COLUMNS)
    assert len(problems) == 3


def test_schema_missing_columns_are_all_named() -> None:
    row = {key: value for key, value in GOOD.items() if key not in ("split", "cavity")}
    assert row_problems(row, COLUMNS) == ["column cavity is missing", "column split is missing"]


def test_schema_a_column_without_values_takes_any_text() -> None:
    assert Column("caption", "text").problem("<b>;\n=1+1") is None
