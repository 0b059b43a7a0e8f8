"""Reading: every format gives the same text, and every row that cannot be read says why."""

from __future__ import annotations

import csv
import json
import math
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from nlp.column_names import MOST_COLUMNS
from nlp.columns import Columns, choose_columns, describe_columns
from nlp.csv_rows import CELL_LIMIT
from nlp.encodings import first_invalid_byte
from nlp.errors import InputError
from nlp.ids import CHANGED, NEW, REPEATED, SeenImages, made_up_patients
from nlp.read import Batch, read_records
from nlp.roles import COVID_VALUES, covid_cell
from nlp.schema import CELL_VALUES, RECORD_COLUMNS
from nlp.tables import Table, open_table, sample_columns

DATA = Path(__file__).parents[2] / "shared" / "data"
CANARY = "xylophone-4711"
FINDING_NAMES = ("ground_glass_opacity", "GGO", "consolidation", "Csld", "CrPa", "AirBr", "InSepThi")
PROSE = "Patchy ground-glass opacities in both lower lobes, no effusion."
HEADER = ("image", "patient_id", "caption")


def write_table(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]], **dialect: str) -> Path:
    with path.open("w", encoding=dialect.pop("encoding", "utf-8"), newline="") as handle:
        csv.writer(handle, **dialect).writerows([header, *rows])  # type: ignore[arg-type]
    return path


def columns_of(table: Table, asked: Mapping[str, str] | None = None) -> Columns:
    return choose_columns(table, sample_columns(table), asked or {}, FINDING_NAMES)


def read(
    path: Path, asked: Mapping[str, str] | None = None, encoding: str | None = None, batch_rows: int = 100
) -> list[Batch]:
    table = open_table(path, encoding)
    return list(read_records(table, columns_of(table, asked), batch_rows=batch_rows))


def records(batches: Sequence[Batch]) -> list[dict[str, str]]:
    return [row for batch in batches for row in batch.records.to_pylist()]


def rejected(batches: Sequence[Batch]) -> list[tuple[int, str, str, str]]:
    return [(row.row, row.column, row.reason, row.image) for batch in batches for row in batch.rejected]


def warned(batches: Sequence[Batch]) -> dict[str, tuple[int, int]]:
    return {name: (w.count, w.first) for batch in reversed(batches) for name, w in batch.warnings.items()}


def error_of(path: Path, asked: Mapping[str, str] | None = None, encoding: str | None = None) -> str:
    with pytest.raises(InputError) as error:
        read(path, asked, encoding)
    return str(error.value)


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


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 2)), max_size=60), st.integers(1, 7))
def test_read_remembers_images_as_a_dictionary_would(rows: list[tuple[int, int]], size: int) -> None:
    seen, known, expected, found = SeenImages(), {}, [], []
    for start in range(0, len(rows), size):
        batch = rows[start : start + size]
        for image, content in batch:
            first = known.setdefault(image, content) if image in known else None
            known.setdefault(image, content)
            expected.append(NEW if first is None else REPEATED if first == content else CHANGED)
        ids = pa.array([str(image) for image, _ in batch], pa.string())
        contents = pa.array([f"{image}:{content}" for image, content in batch], pa.string())
        found += seen.check(ids, contents).tolist()
    assert found == expected


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


# Ids


@pytest.mark.parametrize(
    ("image", "source", "patient"),
    [
        ("2020.02.10.20021584-p6-52%0.png", "", "figure:2020.02.10.20021584-p6-52"),
        ("2020.02.10.20021584-p6-52%15.png", "", "figure:2020.02.10.20021584-p6-52"),
        ("covid/fig_1.jpg", "", "figure:covid/fig"),
        ("covid/fig_2.jpg", "", "figure:covid/fig"),
        ("ROCO_81825.jpg", "", "figure:ROCO_81825"),  # a number of the collection, not of a part
        ("a%1", "Hospital North", "figure:a"),  # a hospital is not one patient
        ("a%1.png", " 10.1148/radiol.2020200432 ", "source:10.1148/radiol.2020200432"),
        ("b.png", "PMC3830306", "source:PMC3830306"),
    ],
)
def test_read_makes_up_one_patient_per_article_or_figure(image: str, source: str, patient: str) -> None:
    assert made_up_patients(pa.array([image]), pa.array([source])).to_pylist() == [patient]


def test_read_completes_and_trims_patients_and_says_so(tmp_path: Path) -> None:
    rows = [("a%0.png", "Patient 9 ", PROSE), ("b%0.png", " ", PROSE), ("b%1.png", "", PROSE)]
    batches = read(write_table(tmp_path / "a.csv", HEADER, rows))
    assert [(r["patient_id"], r["flags"]) for r in records(batches)] == [
        ("Patient 9", ""),
        ("figure:b", "patient_made_up"),
        ("figure:b", "patient_made_up"),
    ]
    assert warned(batches) == {"patient_made_up": (2, 3), "patient_trimmed": (1, 2)}


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


# The COVID column


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
def test_read_understands_the_covid_column(value: str, cell: str | None) -> None:
    assert covid_cell(value) == cell


def test_read_maps_covid_values_into_the_contract() -> None:
    assert set(COVID_VALUES.values()) == set(CELL_VALUES)


def test_read_rejects_an_unknown_covid_value_without_repeating_it(tmp_path: Path) -> None:
    rows = [("a.png", PROSE, "CVD19"), ("b.png", PROSE, CANARY), ("c.png", PROSE, "")]
    path = write_table(tmp_path / "a.csv", ("image", "caption", "status"), rows)
    batches = read(path, {"covid": "status"})
    assert [(r["image"], r["covid19"]) for r in records(batches)] == [("a.png", "1"), ("c.png", "")]
    [(row, column, reason, image)] = rejected(batches)
    assert (row, column, image) == (3, "#3 status", "b.png")
    assert reason.startswith("not a COVID value; write 1, 0, -1 or blank")
    assert CANARY not in reason


def test_read_never_guesses_the_covid_column(tmp_path: Path) -> None:
    header = ("image", "caption", "C0VID19", "covid19")
    path = write_table(tmp_path / "a.csv", header, [("a.png", PROSE, "CVD19", "1")])
    table = open_table(path)
    columns = columns_of(table)
    assert columns.index("covid") is None
    shown = describe_columns(table, columns, sample_columns(table))
    assert "looks like a COVID column, not read: #3 C0VID19, #4 covid19 (--covid-column" in shown
    assert records(read(path))[0]["covid19"] == ""
    assert records(read(path, {"covid": "C0VID19"}))[0]["covid19"] == "1"


# Columns


def chosen(path: Path, asked: Mapping[str, str] | None = None) -> dict[str, int | None]:
    columns = columns_of(open_table(path), asked)
    return {role: choice.index for role, choice in columns.choices.items()}


NONE = dict.fromkeys(("image", "patient", "panel", "source", "diagnosis", "text", "covid"))


def test_read_guesses_columns_from_their_names(tmp_path: Path) -> None:
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


def test_read_guesses_columns_from_their_content_where_names_are_blank(tmp_path: Path) -> None:
    rows = [(str(n), f"{n}.PNG", f"Patient {n}", "10.1000/x", PROSE, f"see {n}") for n in range(4)]
    path = write_table(tmp_path / "a.csv", ("", "", " ", "", "", "remark"), rows)
    assert chosen(path) == {**NONE, "image": 1, "patient": 2, "source": 3, "text": 4}


def test_read_takes_an_id_for_the_image_only_where_there_is_none(tmp_path: Path) -> None:
    rows = [("C1", PROSE, "same"), ("C2", PROSE, "same")]
    path = write_table(tmp_path / "a.csv", ("caption_id", "caption", "group_id"), rows)
    assert chosen(path)["image"] == 0
    twice = write_table(tmp_path / "b.csv", ("x", "caption"), [("C1", PROSE), ("C1", PROSE)])
    assert "no column looks like the image; say which it is: --image-column NAME" in error_of(twice)
    assert "It has #1 x, #2 caption" in error_of(twice)


def test_read_never_takes_a_lesion_column_for_anything(tmp_path: Path) -> None:
    header = ("image", "caption", "GGO", "consolidation(Csld)", "Consolidation")
    path = write_table(tmp_path / "a.csv", header, [("a.png", PROSE, "GGO", "Csld", PROSE * 9)])
    table = open_table(path)
    columns = columns_of(table)
    assert columns.used == (0, 1)
    shown = describe_columns(table, columns, sample_columns(table))
    assert "ignored, labels are made from the text: #3 GGO, #4 consolidation(Csld), #5 Cons" in shown


def test_read_says_for_every_role_what_was_taken_and_which_flag_changes_it(tmp_path: Path) -> None:
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
def test_read_takes_a_column_by_name_or_number_or_none(tmp_path: Path, value: str, index: int | None) -> None:
    header = ("panel", "image", "caption", "note", "#2")  # a name goes before a number
    path = write_table(tmp_path / "a.csv", header, [("A", "a.png", PROSE, "B", "C")])
    assert chosen(path, {"panel": value})["panel"] == index


def test_read_refuses_a_column_that_does_not_exist_or_is_asked_for_twice(tmp_path: Path) -> None:
    path = write_table(tmp_path / "a.csv", ("image", "caption", "note", "note"), [])
    for value in ("txt", "#5", "#0"):
        message = error_of(path, {"text": value})
        assert f"has no column '{value}' (--text-column); it has #1 image, #2 caption" in message
    assert "choose by number: --panel-column '#3', '#4'" in error_of(path, {"panel": "note"})
    message = error_of(path, {"text": "caption", "covid": "#2"})
    assert message == "column #2 caption cannot be both --text-column and --covid-column"
    assert "--image-column cannot be none" in error_of(path, {"image": "none"})


def test_read_takes_images_without_text_if_told_so(tmp_path: Path) -> None:
    path = write_table(tmp_path / "a.csv", ("", "image name", "patient id"), [("0", "0.jpg", "crawled_0")])
    assert "or --text-column none for images without text" in error_of(path)
    assert records(read(path, {"text": "none"}))[0]["caption"] == ""


# The published files, as they are


def published(name: str) -> Path:
    if not (DATA / name).exists():
        pytest.skip(f"{DATA / name} is not here")
    return DATA / name


@pytest.mark.parametrize(
    ("name", "encoding", "image", "text", "patient", "count"),
    [
        ("covid-ct/COVID-CT-MetaInfo_new.csv", "gb18030", 0, 8, 1, 349),
        ("covid-ct/COVID-CT-MetaInfo.csv", None, 0, 10, 1, 349),
        ("text/captions_reference.csv", None, 0, 1, None, 149),
        ("text/open_reference.csv", None, 0, 2, None, 137),
    ],
)
def test_read_takes_the_published_tables_untouched(
    name: str, encoding: str | None, image: int, text: int, patient: int | None, count: int
) -> None:
    path = published(name)
    assert {k: v for k, v in chosen_in(path, encoding).items() if k in ("image", "text", "patient")} == {
        "image": image,
        "text": text,
        "patient": patient,
    }
    with path.open(encoding=encoding or "utf-8-sig", newline="") as handle:
        expected = [(row[image], row[text]) for row in list(csv.reader(handle))[1:]]
    batches = read(path, encoding=encoding)
    assert [(r["image"], r["caption"]) for r in records(batches)] == expected
    assert len(expected) == count
    assert not rejected(batches)


def chosen_in(path: Path, encoding: str | None) -> dict[str, int | None]:
    columns = columns_of(open_table(path, encoding))
    return {role: choice.index for role, choice in columns.choices.items()}


def test_read_asks_how_the_published_gb18030_file_is_encoded() -> None:
    message = error_of(published("covid-ct/COVID-CT-MetaInfo_new.csv"))
    assert "is not UTF-8 (byte 10757, line" in message
    assert "  gb18030   ,,C0VID19,GGO" in message


def test_read_warns_of_the_faults_of_the_published_file() -> None:
    batches = read(published("covid-ct/COVID-CT-MetaInfo_new.csv"), encoding="gb18030", batch_rows=1000)
    assert warned(batches) == {"patient_trimmed": (1, 290), "no_suffix": (83, 266)}
