"""``train.records``: what the cells of labels.csv mean to a network, and what it refuses."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nlp.errors import ContractError, ImageError, InputError, TrainingError
from nlp.lexicon import load_lexicon
from nlp.schema import label_columns
from train.records import Records, check_trainable, read_records

KEYS = load_lexicon().finding_keys
GGO, CSLD, CRPA, AIR, SEPTAL = KEYS
COLUMNS = [column.name for column in label_columns(KEYS)]
NAN = math.nan
MARKER = "zebrafish"

Row = Mapping[str, str]


def write_table(folder: Path, rows: Sequence[Row], columns: Sequence[str] = COLUMNS) -> Path:
    """labels.csv with an image file for every row that names one."""
    images = folder / "images"
    images.mkdir(exist_ok=True)
    table = folder / "labels.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", extrasaction="ignore")
        writer.writeheader()
        for number, row in enumerate(rows):
            full = {"image": f"{number}.png", "patient_id": f"p{number}", "review": "auto", **row}
            (images / (full["image"] or "blank.png")).touch()
            writer.writerow(full)
    return table


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Records]:
    def ask(*rows: Row, **options: Any) -> Records:
        return read_records(write_table(tmp_path, rows), tmp_path / "images", **options)

    return ask


def cells(records: Records, row: int = 0) -> list[float]:
    return [None if math.isnan(cell) else cell for cell in records.findings[row].tolist()]  # type: ignore[misc]


# ---- what a cell means

CAPTION = {"caption": "Bilateral opacities."}


def test_records_keep_literal_cells_beside_targets(read: Callable[..., Records]) -> None:
    records = read({**CAPTION, GGO: "1", CSLD: "0", AIR: "-1"})
    np.testing.assert_array_equal(records.finding_cells, np.array([[1, 0, NAN, -1, NAN]], dtype=np.float32))
    np.testing.assert_array_equal(records.findings, np.array([[1, 0, 0, NAN, 0]], dtype=np.float32))
    assert records.findings.dtype == records.covid19.dtype == np.float32


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (CAPTION, 0),
        ({}, None),
        ({"caption": " \n"}, None),
        ({"review": "confirmed"}, 0),
        ({"review": "adjudicated", **CAPTION}, 0),
    ],
    ids=["caption", "no text", "spaces", "confirmed without text", "adjudicated"],
)
def test_records_blank_is_absent_where_somebody_looked(
    read: Callable[..., Records], row: Row, expected: float | None
) -> None:
    assert cells(read(row)) == [expected] * 5


def test_records_blank_is_unknown_where_a_present_finding_entails_it(read: Callable[..., Records]) -> None:
    records = read(
        {**CAPTION, CRPA: "1"},
        {**CAPTION, CRPA: "1", GGO: "0"},
        {**CAPTION, CRPA: "-1"},
        {CRPA: "1", "review": "confirmed"},
    )
    assert cells(records, 0) == [None, 0, 1, 0, None]
    assert cells(records, 1) == [0, 0, 1, 0, None]  # what the text says stands
    assert cells(records, 2) == [0, 0, None, 0, 0]
    assert cells(records, 3) == [0, 0, 1, 0, 0]  # a person saw the image


def test_records_entailment_reaches_through_other_findings(
    tmp_path: Path, grow_lexicon: Callable[..., Path]
) -> None:
    added = f"mosaic,Mosaic,Mos,#123456,made up,{CRPA},,"
    lexicon = grow_lexicon({"findings.csv": [added]})
    columns = [column.name for column in label_columns((*KEYS, "mosaic"))]
    table = write_table(tmp_path, [{**CAPTION, "mosaic": "1"}], columns)
    records = read_records(table, tmp_path / "images", lexicon=lexicon)
    assert records.finding_keys == (*KEYS, "mosaic")
    assert cells(records) == [None, 0, None, 0, None, 1]


@pytest.mark.parametrize(("policy", "expected"), [("mask", None), ("zero", 0), ("one", 1)])
def test_records_policy_for_uncertain(
    read: Callable[..., Records], policy: str, expected: float | None
) -> None:
    records = read({**CAPTION, GGO: "-1"}, {"review": "confirmed", GGO: "-1"}, uncertain=policy)
    assert cells(records, 0)[0] == cells(records, 1)[0] == expected


def test_records_policy_for_not_mentioned(read: Callable[..., Records]) -> None:
    records = read({**CAPTION, GGO: "1"}, {"review": "confirmed", GGO: "1"}, not_mentioned="mask")
    assert cells(records, 0) == [1, None, None, None, None]
    assert cells(records, 1) == [1, 0, 0, 0, 0]


def test_records_policy_for_controls_without_text(read: Callable[..., Records]) -> None:
    rows = ({"covid19": "0"}, {"covid19": "1"}, {"covid19": "0", CRPA: "1"}, {"covid19": ""})
    masked, free = (read(*rows, controls_without_text=policy) for policy in ("mask", "zero"))
    assert cells(masked, 0) == [None] * 5
    assert cells(free, 0) == [0] * 5
    assert cells(free, 1) == cells(free, 3) == [None] * 5
    assert cells(free, 2) == [None, 0, 1, 0, None]


def test_records_flag_is_known_or_masked(read: Callable[..., Records]) -> None:
    records = read(*({"covid19": cell} for cell in ("1", "0", "-1", "")))
    np.testing.assert_array_equal(records.covid19, np.array([1, 0, NAN, NAN], dtype=np.float32))
    assert records.captioned.tolist() == [False] * 4


# ---- reading


def test_records_keep_texts_as_they_are_and_ignore_other_columns(tmp_path: Path) -> None:
    row = {"image": "a%0", "patient_id": "007", "source": "NA", "diagnosis": "None", "split": "val"}
    table = write_table(tmp_path, [row, {}], [*reversed(COLUMNS), "remark"])
    (tmp_path / "images" / "a%0").rename(tmp_path / "images" / "a%0.png")
    table.write_bytes(b"\xef\xbb\xbf" + table.read_bytes())
    records = read_records(table, tmp_path / "images")
    assert records.images == ("a%0", "1.png")
    assert records.paths[0].name == "a%0.png"
    first = (records.patient_ids[0], records.sources[0], records.diagnoses[0], records.splits[0])
    assert first == ("007", "NA", "None", "val")


def test_records_take_and_rows(read: Callable[..., Records]) -> None:
    records = read(*({"split": split} for split in ("test", "train", "", "train")))
    assert records.rows("train").tolist() == [1, 3] and records.rows("val").tolist() == []
    taken = records.take(np.array([3, 0, 3]))
    assert len(taken) == 3 and taken.images == ("3.png", "0.png", "3.png")
    assert taken.findings.shape == (3, 5) and taken.finding_keys == KEYS
    np.testing.assert_array_equal(taken.rows("train"), [0, 2])
    assert len(records.take(records.rows("val"))) == 0


def test_records_list_every_breach_with_its_row_and_no_text(tmp_path: Path) -> None:
    text = f"A {MARKER} with opacities in both lungs"
    rows = [
        {"caption": text},
        {"image": "0.png", GGO: "2"},
        {"patient_id": "", "review": "", "covid19": text, "split": "Train", "flags": f"{text};no_text"},
        {},
    ]
    table = write_table(tmp_path, rows)
    with pytest.raises(ContractError) as raised:
        read_records(table, tmp_path / "images")
    message = str(raised.value)
    for part in (
        f"row 3: {GGO} must be one of 1, 0, -1, blank; found '2'",
        "row 3: image '0.png' stands in row 2 already",
        "row 4: patient_id is blank",
        "row 4: covid19 must be one of 1, 0, -1, blank; found '(40 characters)'",
        "row 4: review must be",
        "row 4: split must be one of train, val, test, blank; found 'Train'",
        "row 4: flags holds '(40 characters)'",
    ):
        assert part in message
    assert MARKER not in message and "row 5" not in message


def test_records_count_the_breaches_that_they_do_not_list(tmp_path: Path) -> None:
    table = write_table(tmp_path, [{"covid19": "yes"}] * 35)
    with pytest.raises(ContractError, match=r"row 31: .*\n  and 5 more$"):
        read_records(table, tmp_path / "images")


def test_records_name_missing_columns_and_broken_rows(tmp_path: Path) -> None:
    images = tmp_path / "images"
    table = write_table(tmp_path, [{}], [name for name in COLUMNS if name not in (GGO, "split")])
    with pytest.raises(ContractError, match=rf"column {GGO} is missing\n.*column split is missing"):
        read_records(table, images)
    table = write_table(tmp_path, [{}])
    table.write_text(table.read_text(encoding="utf-8") + "short,row\n", encoding="utf-8")
    with pytest.raises(ContractError, match=rf"row 3: 2 cells where the header has {len(COLUMNS)}"):
        read_records(table, images)
    header = ",".join([*COLUMNS, GGO])
    table.write_text(header + "\n", encoding="utf-8")
    with pytest.raises(ContractError, match=f"column {GGO} stands 2 times"):
        read_records(table, images)


def test_records_refuse_tables_that_are_none(tmp_path: Path) -> None:
    images = tmp_path / "images"
    with pytest.raises(InputError, match="no file"):
        read_records(tmp_path / "none.csv", images)
    table = write_table(tmp_path, [])
    with pytest.raises(InputError, match="no records"):
        read_records(table, images)
    table.write_bytes(table.read_bytes() + "a,café".encode("latin-1"))
    with pytest.raises(InputError, match="UTF-8"):
        read_records(table, images)


def test_records_list_every_image_that_is_missing(tmp_path: Path) -> None:
    table = write_table(tmp_path, [{}, {}, {}])
    for name in ("0.png", "2.png"):
        (tmp_path / "images" / name).unlink()
    with pytest.raises(ImageError) as raised:
        read_records(table, tmp_path / "images")
    assert "'0.png'" in str(raised.value) and "'2.png'" in str(raised.value)


# ---- what can be trained on


def splits(*wanted: tuple[str, str]) -> list[Row]:
    return [{"split": split, "covid19": flag} for split, flag in wanted]


GOOD = [(split, flag) for split in ("train", "val", "test") for flag in "10"]


def test_records_that_can_be_trained_on_pass(read: Callable[..., Records]) -> None:
    check_trainable(read(*splits(*GOOD, ("train", ""))))
    check_trainable(read(*splits(*GOOD[:4])), sets=("train", "val"))


@pytest.mark.parametrize(
    ("rows", "problems"),
    [
        (splits(("", "1"), ("", "0")), ["2 of 2 records have no split, the first is '0.png'"]),
        (splits(*GOOD, ("", "1")), ["1 of 7 records have no split"]),
        (splits(*GOOD[:4]), ["no record is in the set test"]),
        (
            splits(*GOOD[:3], *GOOD[4:5], ("val", "-1")),
            [
                "the set val has no control (covid19 = 0), records: 2",
                "the set test has no control (covid19 = 0), records: 1",
            ],
        ),
        (
            [*splits(*GOOD), {"patient_id": "p0", "split": "test"}, {"patient_id": "p1", "split": "val"}],
            ["patient 'p0' is in several sets: train, test", "patient 'p1' is in several sets: train, val"],
        ),
    ],
    ids=["no splits", "one blank", "no test", "one class", "patient in two"],
)
def test_records_that_cannot_be_trained_on_name_all_reasons_and_the_command(
    read: Callable[..., Records], rows: list[Row], problems: list[str]
) -> None:
    with pytest.raises(TrainingError) as raised:
        check_trainable(read(*rows))
    message = str(raised.value)
    assert all(problem in message for problem in problems)
    assert message.count("\n") == len(problems) + 1
    torn = any("several sets" in problem for problem in problems)
    assert message.endswith(
        f"python -m annotate.split labelled.csv -o labelled.csv{' --again' if torn else ''}"
    )


def test_records_of_one_class_are_not_sent_to_be_split(read: Callable[..., Records]) -> None:
    rows = [row | {"covid19": "1"} for row in splits(*GOOD)]
    with pytest.raises(TrainingError, match="add records with covid19 = 1 and with covid19 = 0") as raised:
        check_trainable(read(*rows))
    assert "annotate.split" not in str(raised.value)
