"""Which column is what: by name, by content, as asked, and how it is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from nlp.columns import describe_columns
from nlp.tables import open_table, sample_columns
from tests.reading import HEADER, PROSE, chosen, columns_of, error_of, read, records, write_table

NONE = dict.fromkeys(("image", "patient", "panel", "source", "diagnosis", "text", "covid"))


def test_columns_guesses_columns_from_their_names(tmp_path: Path) -> None:
    header = ("Diagnosis", "DOI", "Sub-figure", "Subject ID", "Image", "Report", "Notes")
    row = ("normal", "x", "A", "7", "img7", PROSE, PROSE * 3)
    assert chosen(write_table(tmp_path / "a.csv", header, [row])) == {
        **NONE,
        "diagnosis": 0,
        "source": 1,
        "panel": 2,
        "patient": 3,
        "image": 4,
        "text": 5,
    }


def test_columns_guesses_columns_from_their_content_where_names_are_blank(tmp_path: Path) -> None:
    rows = [(str(n), f"{n}.PNG", f"Patient {n}", "10.1000/x", PROSE, f"see {n}") for n in range(4)]
    path = write_table(tmp_path / "a.csv", ("", "", " ", "", "", "remark"), rows)
    assert chosen(path) == {**NONE, "image": 1, "patient": 2, "source": 3, "text": 4}


def test_columns_takes_an_id_for_the_image_only_where_there_is_none(tmp_path: Path) -> None:
    rows = [("C1", PROSE, "same"), ("C2", PROSE, "same")]
    path = write_table(tmp_path / "a.csv", ("caption_id", "caption", "group_id"), rows)
    assert chosen(path)["image"] == 0
    twice = write_table(tmp_path / "b.csv", ("x", "caption"), [("C1", PROSE), ("C1", PROSE)])
    assert "no column looks like the image; say which it is: --image-column NAME" in error_of(twice)
    assert "It has #1 x, #2 caption" in error_of(twice)


def test_columns_never_takes_a_lesion_column_for_anything(tmp_path: Path) -> None:
    header = ("image", "caption", "GGO", "consolidation(Csld)", "Consolidation")
    path = write_table(tmp_path / "a.csv", header, [("a.png", PROSE, "GGO", "Csld", PROSE * 9)])
    table = open_table(path)
    columns = columns_of(table)
    assert columns.used == (0, 1)
    shown = describe_columns(table, columns, sample_columns(table))
    assert "ignored, labels are made from the text: #3 GGO, #4 consolidation(Csld), #5 Cons" in shown


def test_columns_says_for_every_role_what_was_taken_and_which_flag_changes_it(tmp_path: Path) -> None:
    path = write_table(tmp_path / "a.csv", (*HEADER, ""), [("a.png", "P1", PROSE, "cut off")])
    table = open_table(path)
    lines = describe_columns(table, columns_of(table), sample_columns(table)).splitlines()
    assert lines[0] == "a.csv: CSV, utf-8, 4 columns"
    by_role = {line.split()[0]: line for line in lines[1:8]}
    for role in NONE:
        assert f"--{role}-column" in by_role[role]
    assert "#3 caption" in by_role["text"]
    assert "none" in by_role["panel"].split()
    assert lines[8] == "  not read: #4 (no name) (cells filled: 1)"


@pytest.mark.parametrize(("value", "index"), [("note", 3), ("#4", 3), ("#1", 0), ("#2", 4), ("none", None)])
def test_columns_takes_a_column_by_name_or_number_or_none(
    tmp_path: Path, value: str, index: int | None
) -> None:
    header = ("panel", "image", "caption", "note", "#2")  # a name goes before a number
    path = write_table(tmp_path / "a.csv", header, [("A", "a.png", PROSE, "B", "C")])
    assert chosen(path, {"panel": value})["panel"] == index


def test_columns_refuses_a_column_that_does_not_exist_or_is_asked_for_twice(tmp_path: Path) -> None:
    path = write_table(tmp_path / "a.csv", ("image", "caption", "note", "note"), [])
    for value in ("txt", "#5", "#0"):
        message = error_of(path, {"text": value})
        assert f"has no column '{value}' (--text-column); it has #1 image, #2 caption" in message
    assert "choose by number: --panel-column '#3', '#4'" in error_of(path, {"panel": "note"})
    message = error_of(path, {"text": "caption", "covid": "#2"})
    assert message == "column #2 caption cannot be both --text-column and --covid-column"
    assert "--image-column cannot be none" in error_of(path, {"image": "none"})


def test_columns_takes_images_without_text_if_told_so(tmp_path: Path) -> None:
    path = write_table(tmp_path / "a.csv", ("", "image name", "patient id"), [("0", "0.jpg", "crawled_0")])
    assert "or --text-column none for images without text" in error_of(path)
    assert records(read(path, {"text": "none"}))[0]["caption"] == ""
