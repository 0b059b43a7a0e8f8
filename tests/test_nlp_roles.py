"""The COVID column: which values it may hold, and that it is never guessed."""

from __future__ import annotations

from pathlib import Path

import pytest

from nlp.columns import describe_columns
from nlp.roles import COVID_VALUES, covid_cell
from nlp.schema import CELL_VALUES
from nlp.tables import open_table, sample_columns
from tests.reading import CANARY, PROSE, columns_of, read, records, rejected, write_table


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        *[(value, "1") for value in ("1", "CVD19", "COVID-19", "Positive", "YES", " confirmed ", "True")],
        *[(value, "0") for value in ("0", "negative", "No", "Control", "FALSE", "non-COVID")],
        *[(value, "-1") for value in ("-1", "Suspected", "unclear")],
        *[(value, "") for value in ("", "  ", "unstated")],
        *[(value, None) for value in ("2", "-", "pneumonia", "COVID-19?")],
    ],
)
def test_roles_understands_the_covid_column(value: str, cell: str | None) -> None:
    assert covid_cell(value) == cell


def test_roles_maps_covid_values_into_the_contract() -> None:
    assert set(COVID_VALUES.values()) == set(CELL_VALUES)


def test_roles_rejects_an_unknown_covid_value_without_repeating_it(tmp_path: Path) -> None:
    rows = [("a.png", PROSE, "CVD19"), ("b.png", PROSE, CANARY), ("c.png", PROSE, "")]
    path = write_table(tmp_path / "a.csv", ("image", "caption", "status"), rows)
    batches = read(path, {"covid": "status"})
    assert [(r["image"], r["covid19"]) for r in records(batches)] == [("a.png", "1"), ("c.png", "")]
    [(row, column, reason, image)] = rejected(batches)
    assert (row, column, image) == (3, "#3 status", "b.png")
    assert reason.startswith("not a COVID value; write 1, 0, -1 or blank")
    assert CANARY not in reason


def test_roles_never_guesses_the_covid_column(tmp_path: Path) -> None:
    header = ("image", "caption", "C0VID19", "covid19")
    path = write_table(tmp_path / "a.csv", header, [("a.png", PROSE, "CVD19", "1")])
    table = open_table(path)
    columns = columns_of(table)
    assert columns.index("covid") is None
    shown = describe_columns(table, columns, sample_columns(table))
    assert "looks like a COVID column, not read: #3 C0VID19, #4 covid19 (--covid-column" in shown
    assert records(read(path))[0]["covid19"] == ""
    assert records(read(path, {"covid": "C0VID19"}))[0]["covid19"] == "1"
