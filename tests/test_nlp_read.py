"""Reading: every format gives the same text, and every row that cannot be read says why."""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from nlp.column_names import MOST_COLUMNS
from nlp.csv_rows import CELL_LIMIT
from nlp.encodings import first_invalid_byte
from nlp.schema import RECORD_COLUMNS
from nlp.tables import open_table
from tests.reading import CANARY, HEADER, PROSE, error_of, read, records, rejected, warned, write_table

# Formats


def save_as(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Path:
    if path.suffix == ".jsonl":
        lines = [json.dumps(dict(zip(header, row, strict=True))) for row in rows]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    elif path.suffix == ".parquet":
        pq.write_table(pa.table({name: [row[i] for row in rows] for i, name in enumerate(header)}), path)
    elif path.suffix == ".xlsx":
        book = Workbook()
        for row in [header, *rows]:
            book.worksheets[0].append(list(row))
        book.save(path)
    else:
        delimiter = {".tsv": "\t", ".txt": ";"}.get(path.suffix, ",")
        write_table(path, header, rows, delimiter=delimiter)
    return path


TRICKY = [
    ("a.png", "007", 'He said "consolidation", twice; no GGO.'),
    ("b.png", "1E+05", "First line\nsecond line\twith a tab"),
    ("c.png", "P 3", "NA"),
    ("d.png", "P 4", "None"),
    ("e%20f.png", "P 5", "Größe ≥ 3 mm \u2013 磨玻璃影"),
    ("f.png", "P 6", ""),
    ("g.png", "P 7", "=HYPERLINK(1)<script>"),
]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".txt", ".xlsx", ".parquet", ".jsonl"])
def test_read_keeps_every_cell_as_it_is_in_every_format(tmp_path: Path, suffix: str) -> None:
    rows = [row for row in TRICKY if suffix != ".xlsx" or not row[2].startswith("=")]
    path = save_as(tmp_path / f"captions{suffix}", HEADER, rows)
    batches = read(path)
    assert [(r["image"], r["patient_id"], r["caption"]) for r in records(batches)] == rows
    assert rejected(batches) == []
    assert batches[0].records.schema.names == list(RECORD_COLUMNS)


def test_read_takes_numbers_of_a_spreadsheet_and_of_parquet_as_text(tmp_path: Path) -> None:
    book = Workbook()
    for row in [("image", "patient_id", "caption"), (7, 1.5, PROSE), (None, None, None), (8, True, PROSE)]:
        book.worksheets[0].append(row)
    book.save(tmp_path / "a.xlsx")
    table = {"image": [7, 8], "patient_id": [1.5, None], "caption": [PROSE, None]}
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    asked = {"image": "image"}
    sheet, parquet = (records(read(tmp_path / name, asked)) for name in ("a.xlsx", "a.parquet"))
    assert [(r["image"], r["patient_id"]) for r in sheet] == [("7", "1.5"), ("8", "TRUE")]
    assert [(r["image"], r["patient_id"], r["caption"]) for r in parquet] == [
        ("7", "1.5", PROSE),
        ("8", "figure:8", ""),
    ]


def test_read_keeps_numbers_in_jsonl_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"image": "a.png", "patient_id": 1.50, "caption": "{PROSE}"}}\n', encoding="utf-8")
    assert records(read(path))[0]["patient_id"] == "1.50"


def test_read_rejects_jsonl_lines_that_are_no_object(tmp_path: Path) -> None:
    good = json.dumps({"image": "a.png", "caption": PROSE})
    half = '{"image": "b.png", "caption": "\\ud800"}'
    path = tmp_path / "a.jsonl"
    path.write_text(f'{good}\n\n{{"image": "{CANARY}\n[1]\n{half}\n', encoding="utf-8")
    found = rejected(read(path))
    assert [row[:3] for row in found] == [
        (3, "", "not a JSON object"),
        (4, "", "not a JSON object"),
        (5, "#2 caption", "half of a surrogate pair: not valid Unicode"),
    ]
    assert CANARY not in str(found)


def test_read_takes_the_width_of_a_sheet_from_its_rows(tmp_path: Path) -> None:
    book = Workbook()
    for row in [("image", None, None), ("a.png", "Patient 1", PROSE)]:  # blank names, as published
        book.worksheets[0].append(row)
    book.save(tmp_path / "a.xlsx")
    assert records(read(tmp_path / "a.xlsx"))[0]["caption"] == PROSE


def test_read_says_that_only_the_first_sheet_is_read(tmp_path: Path) -> None:
    book = Workbook()
    book.worksheets[0].append(["image", "caption"])
    book.create_sheet("More")
    book.save(tmp_path / "a.xlsx")
    assert (
        open_table(tmp_path / "a.xlsx").description == "XLSX, only the first of 2 sheets (Sheet), 2 columns"
    )
    message = error_of(tmp_path / "a.xlsx", encoding="utf-8")
    assert message.endswith("is XLSX, whose encoding is fixed: leave out --encoding")


def test_read_shows_no_control_characters_of_a_header(tmp_path: Path) -> None:
    path = write_table(tmp_path / "a.csv", ("im\x1b[31mage", "caption", "b" * 999), [])
    message = error_of(path)
    assert "#1 im [31mage, #2 caption, #3 (999 characters)" in message
    assert "\x1b" not in message


def test_read_refuses_more_columns_than_a_spreadsheet_has_and_lists_few(tmp_path: Path) -> None:
    names = [f"c{number}" for number in range(MOST_COLUMNS)]
    message = error_of(write_table(tmp_path / "wide.csv", (*names, "one more"), []))
    assert "wide.csv has 16,385 columns, more than the 16,384 that are read" in message
    message = error_of(write_table(tmp_path / "most.csv", tuple(names), []))
    assert "#30 c29, and 16,354 more" in message and len(message) < 1000


def test_read_refuses_a_record_in_the_place_of_the_header(tmp_path: Path) -> None:
    path = write_table(tmp_path / "a.csv", ("p 12", "A.PNG", "GGO"), [("p 13", "b.png", "GGO")])
    assert "seems to have no header: column #2 A.PNG is called like an image" in error_of(path)


def test_read_refuses_a_workbook_that_inflates_without_end(tmp_path: Path) -> None:
    path, book = tmp_path / "a.xlsx", Workbook()
    book.active.append(("image", "caption"))
    book.save(path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as file:
        file.writestr("xl/more.xml", bytes(100 * 2**20))
    assert "a.xlsx would unpack to 100 MB: a zip bomb, not a workbook" in error_of(path)


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)


@given(st.lists(st.tuples(TEXT, TEXT), max_size=8))
def test_read_csv_gives_back_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[str, str]]
) -> None:
    rows = [(f"{i}.png", f"p{patient.strip()}", text) for i, (patient, text) in enumerate(cells)]
    path = write_table(tmp_path_factory.mktemp("t") / "a.csv", HEADER, rows)
    asked = {"image": "image", "patient": "patient_id", "text": "caption"}
    assert [(r["image"], r["caption"]) for r in records(read(path, asked))] == [(r[0], r[2]) for r in rows]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n\n", "has no header"),
        (b"\x1f\x8b\x08\0", "is a gzip archive: unpack it first"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is an old Excel file: save it as .xlsx or CSV"),
        (b"PK\x03\x04rest", "is not a readable XLSX file"),
        (b"PAR1rest", "is not a readable Parquet file"),
        (b'"image,caption\n', "row 1 (the header): a quote is opened and never closed"),
    ],
)
def test_read_refuses_a_file_that_is_no_table(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "captions.csv"
    path.write_bytes(content)
    assert message in error_of(path)
    assert str(path) in error_of(path)


def test_read_refuses_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    assert "cannot be read: No such file" in error_of(tmp_path / "none.csv")
    assert "cannot be read: Is a directory" in error_of(tmp_path)


def test_read_refuses_a_parquet_column_that_is_no_text(tmp_path: Path) -> None:
    pq.write_table(pa.table({"image": ["a.png"], "caption": [[PROSE]]}), tmp_path / "a.parquet")
    assert "column #2 caption holds list<" in error_of(tmp_path / "a.parquet")


def test_read_accepts_a_header_without_rows(tmp_path: Path) -> None:
    assert read(write_table(tmp_path / "a.csv", HEADER, [])) == []


# Encodings


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_read_finds_the_encoding_by_its_mark(tmp_path: Path, encoding: str) -> None:
    path = write_table(
        tmp_path / "a.csv", HEADER, [("a.png", "P1", f"\u2013 ≥ 磨 {PROSE}")], encoding=encoding
    )
    assert records(read(path))[0] | {"flags": ""} == {
        **dict.fromkeys(RECORD_COLUMNS, ""),
        "image": "a.png",
        "patient_id": "P1",
        "caption": f"\u2013 ≥ 磨 {PROSE}",
    }


@pytest.mark.parametrize("encoding", ["gb18030", "cp1252", "latin-1", "utf-16-le"])
def test_read_asks_for_an_encoding_that_has_no_mark(tmp_path: Path, encoding: str) -> None:
    text = f"{CANARY} \u00d7 ± 5 mm. {PROSE}"
    path = write_table(tmp_path / "a.csv", HEADER, [("a.png", "P1", text)], encoding=encoding)
    message = error_of(path)
    assert "is not UTF-8" in message
    assert "--encoding" in message
    for candidate in ("gb18030", "cp1252", "latin-1", "utf-16"):
        assert f"\n  {candidate}" in message
    shown = message.split(f"  {encoding.removesuffix('-le')} ")[1].split("\n")[0]
    assert "image,patient_id,caption" in shown  # the header as that encoding reads it
    assert "[± \u00d7]" in shown
    assert CANARY not in message
    assert "mm" not in message
    for asked in {encoding, encoding.removesuffix("-le")}:
        assert records(read(path, encoding=asked))[0]["caption"] == text


def test_read_names_the_place_where_a_chosen_encoding_fails(tmp_path: Path) -> None:
    path = write_table(tmp_path / "a.csv", HEADER, [("a.png", "P1", f"{CANARY} \u2013")], encoding="cp1252")
    message = error_of(path, encoding="utf-8")
    place = path.read_bytes().index(b"\x96") + 1
    assert f"is not utf-8-sig throughout: byte {place}, on line 2, does not fit" in message
    assert CANARY not in message


@pytest.mark.parametrize("encoding", ["klingon", "rot13", "hex"])
def test_read_refuses_an_unknown_encoding(tmp_path: Path, encoding: str) -> None:
    path = write_table(tmp_path / "a.csv", HEADER, [])
    assert error_of(path, encoding=encoding).startswith(f"--encoding {encoding} is not known")


@pytest.mark.parametrize("before", [0, 5, (1 << 20) - 1, 1 << 20])
def test_read_finds_the_first_invalid_byte_across_chunks(tmp_path: Path, before: int) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"a" * before + "é".encode() + b"\xff")
    assert first_invalid_byte(path) == before + 2
    path.write_bytes(b"a" * before + "é".encode()[:1])  # cut in the middle of a character
    assert first_invalid_byte(path) == before


# Rows that cannot be read


def test_read_rejects_ragged_rows_and_reads_on(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        f"image,patient_id,caption\na.png,P1,{PROSE.replace(',', '')}\nb.png,P2\n"
        f"c.png,P3,{CANARY}, with an unquoted comma\nd.png,P4,fine,,\n",
        encoding="utf-8",
    )
    batches = read(path)
    assert [r["image"] for r in records(batches)] == ["a.png", "d.png"]
    assert rejected(batches) == [
        (3, "#3 caption", "2 cells where the header has 3: this is the first that is missing", ""),
        (
            4,
            "#3 caption",
            "4 cells where the header has 3: too many; is a delimiter in the text not quoted?",
            "",
        ),
    ]
    assert sum(batch.rows for batch in batches) == 4


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (f'b.png,P2,"{CANARY} never closed', "a quote inside a quoted cell must be doubled"),
        (f'b.png,P2,"{CANARY} said "no" twice"', "a quote inside a quoted cell must be doubled"),
    ],
)
def test_read_loses_one_row_to_a_stray_quote(tmp_path: Path, bad: str, reason: str) -> None:
    path = tmp_path / "a.csv"
    rows = [f'a.png,P1,"{PROSE}"', bad, f'c.png,P3,"{PROSE}"', f'd.png,P4,"{PROSE}"']
    path.write_text("\n".join(["image,patient_id,caption", *rows]) + "\n", encoding="utf-8")
    batches = read(path)
    assert [r["image"] for r in records(batches)] == ["a.png", "c.png", "d.png"]
    assert [(row, reason in why) for row, _, why, _ in rejected(batches)] == [(3, True)]
    assert CANARY not in str(rejected(batches))


@pytest.mark.parametrize("length", [10, CELL_LIMIT + 10])
def test_read_gives_up_an_open_quote_at_the_end_or_at_the_limit(tmp_path: Path, length: int) -> None:
    path = tmp_path / "a.csv"
    after = "\n".join(f"{number}.png,P{number},fine" for number in range(math.ceil(length / 12)))
    path.write_text(f'image,patient_id,caption\nb.png,P,"open\n{after}\n', encoding="utf-8")
    batches = read(path, batch_rows=10_000)
    assert [row[2] for row in rejected(batches)] == ["a quote is opened and never closed"]
    assert len(records(batches)) == after.count("\n") + 1


def test_read_rejects_a_cell_beyond_all_measure(tmp_path: Path) -> None:
    rows = [("a.png", "P1", "x" * (CELL_LIMIT + 1)), ("b.png", "P2", PROSE)]
    batches = read(write_table(tmp_path / "a.csv", HEADER, rows), {"text": "caption"})
    assert [row[2] for row in rejected(batches)] == ["a cell is longer than 1,000,000 characters"]
    assert [r["image"] for r in records(batches)] == ["b.png"]


def test_read_rejects_rows_without_image_and_images_that_come_again(tmp_path: Path) -> None:
    rows = [
        ("a.png", "P1", PROSE),
        (" ", "P2", CANARY),
        ("a.png", "P1", PROSE),
        ("b.png", "P1", PROSE),
        ("a.png", "P1", CANARY),
    ]
    for batch_rows in (1, 2, 100):
        batches = read(write_table(tmp_path / "a.csv", HEADER, rows), batch_rows=batch_rows)
        assert [r["image"] for r in records(batches)] == ["a.png", "b.png"]
        assert rejected(batches) == [
            (3, "#1 image", "no image id", ""),
            (4, "#1 image", "duplicate", "a.png"),
            (6, "#1 image", "the same image as an earlier row, with other content", "a.png"),
        ]
        assert sum(batch.rows for batch in batches) == len(rows)


def test_read_counts_every_row_once_whatever_the_batch(tmp_path: Path) -> None:
    rows = [(f"{number % 70}.png", "P", f"text {number}") for number in range(100)]
    path = write_table(tmp_path / "a.csv", HEADER, [*rows, ("x.png",)])
    all_at_once = read(path, batch_rows=1000)
    for batch_rows in (1, 7, 64):
        batches = read(path, batch_rows=batch_rows)
        assert records(batches) == records(all_at_once)
        assert rejected(batches) == rejected(all_at_once)
        assert sum(batch.rows for batch in batches) == 101
    assert batches[-1].done == 1


# Damaged ids and texts


def test_read_warns_of_damaged_ids_and_texts_and_repairs_none(tmp_path: Path) -> None:
    rows = [
        ("1E+05", "P1", PROSE),
        ("b.png", "2.03E+11", PROSE),
        ("c.png", "3-Mar", "NA"),
        ("d.png ", "2020-03-01 00:00:00", "lost \ufffd letter"),
        ("e.png", "007", "none"),
    ]
    path = write_table(tmp_path / "a.csv", HEADER, rows)
    batches = read(path, {"image": "image", "patient": "patient_id"})
    assert [(r["image"], r["patient_id"], r["caption"]) for r in records(batches)] == rows
    assert warned(batches) == {
        "mangled": (4, 2),
        "no_suffix": (2, 2),
        "placeholder": (2, 4),
        "broken": (1, 5),
        "image_blanks": (1, 5),
    }
