"""``python -m nlp.extract``: what it writes, prints and refuses; its bad days are in ``test_nlp_extract_stopped``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nlp.command import DONE, FAILED, USAGE
from nlp.errors import OutputError
from nlp.extract import COLUMN_HELP, extract, main
from nlp.lexicon import load_lexicon
from nlp.roles import ROLES
from nlp.schema import COVID, MENTION_COLUMNS, label_columns, row_problems
from tests.caption_files import CAPTIONS, few_captions, many_captions, rows_of, write_captions

ROOT = Path(__file__).parents[1]
CANARY = "xylophone-4711"
LEXICON = load_lexicon()
STATES = ("present", "negated", "resolved", "uncertain", "not_mentioned", "not_mentioned")
CELLS = ("1", "0", "0", "-1", "", "")


@pytest.fixture
def captions(tmp_path: Path) -> Path:
    return few_captions(tmp_path)


@pytest.fixture
def many(tmp_path: Path) -> Path:
    return many_captions(tmp_path)


# The results


def test_extract_writes_the_contract(captions: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(captions)]) == DONE
    labels = rows_of(captions.with_name("captions.labels.csv"))
    columns = label_columns(LEXICON.finding_keys)
    assert list(labels[0]) == [column.name for column in columns]
    assert [problem for row in labels for problem in row_problems(row, columns)] == []
    assert [row["caption"] for row in labels] == list(CAPTIONS)
    assert [row["consolidation"] for row in labels] == list(CELLS)
    assert [row["flags"] for row in labels] == ["", "", "", "", "", "no_text"]
    assert {row["lexicon_version"] for row in labels} == {LEXICON.version}
    assert rows_of(captions.with_name("captions.labels.rejected.csv")) == []


def test_extract_writes_mentions_that_are_slices_of_the_caption(captions: Path) -> None:
    assert main([str(captions)]) == DONE
    texts = {f"{number}.png": text for number, text in enumerate(CAPTIONS)}
    mentions = rows_of(captions.with_name("captions.mentions.csv"))
    assert [row["assertion"] for row in mentions] == list(STATES[:4])
    assert list(mentions[0]) == [column.name for column in MENTION_COLUMNS]
    for row in mentions:
        assert row_problems(row, MENTION_COLUMNS) == []
        caption = texts[row["image"]]
        assert row["text"] == caption[int(row["start"]) : int(row["end"])]
        assert not row["cue"] or row["cue"] == caption[int(row["cue_start"]) : int(row["cue_end"])]


def test_extract_prints_columns_then_states_and_counts(
    captions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with captions.open("a", encoding="utf-8") as handle:
        handle.write("0.png,P0,again\r\n")
    main([str(captions)])
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    for role in COLUMN_HELP:
        assert any(line.split()[0] == role and f"--{role}-column" in line for line in lines[1:8])
    heading = next(line for line in lines if "not mentioned" in line)
    assert heading.split() == ["present", "uncertain", "resolved", "negated", "not", "mentioned"]
    [counts] = [line.split() for line in lines if line.startswith("Consolidation ")]
    assert counts == ["Consolidation", "1", "1", "1", "1", "2"]
    assert "7 rows read = 6 records + 1 rejected" in lines
    assert "flag no_text, the caption is blank: 1" in lines
    assert any(line.startswith("written: ") and "captions.labels.rejected.csv" in line for line in lines)
    assert printed.err.startswith("7 rows in ")
    assert printed.err.count("\n") == 1


def test_extract_counts_the_states_that_the_labels_and_mentions_hold(many: Path) -> None:
    summary = extract(many, batch_rows=300)
    labels = rows_of(many.with_name("many.labels.csv"))
    assert summary.records == len(labels) == 4000
    assert summary.mentions == len(rows_of(many.with_name("many.mentions.csv")))
    for finding in LEXICON.finding_keys:
        counts = summary.states[finding]
        cells = [row[finding] for row in labels]
        assert sum(counts.values()) == 4000
        assert counts["present"] == cells.count("1")
        assert counts["resolved"] + counts["negated"] == cells.count("0")
    assert summary.states["consolidation"]["resolved"] > 0
    assert summary.rows == summary.records + summary.rejected == 4003


def test_extract_lists_rejected_rows_with_number_column_and_reason(many: Path) -> None:
    extract(many, output=many.with_name("labels.csv"))
    rejected = rows_of(many.with_name("labels.rejected.csv"))
    assert [(row["row"], row["column"], row["image"]) for row in rejected] == [
        ("103", "#2 patient_id", ""),
        ("104", "#1 image", ""),
        ("105", "#1 image", "100.png"),
    ]
    assert rejected[2]["reason"] == "the same image as an earlier row, with other content"


def test_extract_keeps_the_covid_column_beside_the_text(tmp_path: Path) -> None:
    header = ("image", "caption", "C0VID19")
    rows = [("a.png", "Consolidation.", "CVD19"), ("b.png", "COVID-19 pneumonia, PCR positive.", "control")]
    source = write_captions(tmp_path / "a.csv", rows, header)
    assert main([str(source), "--covid-column", "C0VID19"]) == DONE
    labels = rows_of(tmp_path / "a.labels.csv")
    assert [row[COVID] for row in labels] == ["1", "0"]
    assert [row["flags"] for row in labels] == ["patient_made_up", "patient_made_up;covid_conflict"]


@pytest.mark.parametrize("kind", [".jsonl", ".parquet", ".tsv"])
def test_extract_gives_the_same_labels_from_every_format(captions: Path, kind: str) -> None:
    extract(captions, output=captions.with_name("expected.csv"))
    table = {name: [row[name] for row in rows_of(captions)] for name in ("image", "patient_id", "caption")}
    other = captions.with_suffix(kind)
    if kind == ".parquet":
        pq.write_table(pa.table(table), other)
    elif kind == ".jsonl":
        lines = [json.dumps(row) for row in rows_of(captions)]
        other.write_text("\n".join(lines), encoding="utf-8")
    else:
        other.write_text(captions.read_text(encoding="utf-8").replace(",", "\t"), encoding="utf-8")
    extract(other, output=captions.with_name("found.csv"))
    assert captions.with_name("found.csv").read_bytes() == captions.with_name("expected.csv").read_bytes()


def test_extract_writes_parquet_with_the_same_content(captions: Path) -> None:
    extract(captions)
    extract(captions, output=captions.with_name("labels.parquet"))
    for name, csv_name in (("labels", "captions.labels"), ("mentions", "captions.mentions")):
        table = pq.read_table(captions.with_name(f"{name}.parquet")).to_pylist()
        assert len(table) == len(rows_of(captions.with_name(f"{csv_name}.csv")))
        for found, expected in zip(table, rows_of(captions.with_name(f"{csv_name}.csv")), strict=True):
            text = {key: "" if value is None else str(value) for key, value in found.items()}
            assert text | {"score": ""} == expected | {"score": ""}


def test_extract_of_a_header_alone_writes_headers(tmp_path: Path) -> None:
    summary = extract(write_captions(tmp_path / "captions.csv", []))
    assert summary.rows == 0
    assert rows_of(tmp_path / "captions.labels.csv") == []
    for name in ("labels", "mentions", "labels.rejected"):
        assert (tmp_path / f"captions.{name}.csv").read_text(encoding="utf-8").count("\n") == 1


def test_extract_takes_the_published_table_with_only_an_encoding(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, output = shared / "data" / "covid-ct" / "COVID-CT-MetaInfo_new.csv", tmp_path / "labels.csv"
    assert main([str(source), "-o", str(output)]) == FAILED
    assert "  gb18030   ,,C0VID19" in capsys.readouterr().err
    assert main([str(source), "-o", str(output), "--encoding", "gb18030"]) == DONE
    printed = capsys.readouterr().out
    assert "349 rows read = 349 records + 0 rejected" in printed
    assert "flag no_text, the caption is blank: 13" in printed
    assert len(rows_of(output)) == 349


# Explain


def test_extract_explains_one_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--explain", "No consolidation."]) == DONE
    assert "consolidation: negated" in capsys.readouterr().out


def test_extract_writes_a_page_with_every_caption(captions: Path) -> None:
    page = captions.with_name("page.html")
    assert main([str(captions), "--html", str(page)]) == DONE
    text = page.read_text(encoding="utf-8")
    assert all(f"{number}.png" in text for number in range(len(CAPTIONS)))


# Failure


def test_extract_refuses_targets_before_it_reads_a_row(captions: Path) -> None:
    for output, message in ((captions, "is the input"), (captions.parent / "none" / "a.csv", "no folder")):
        with pytest.raises(OutputError, match=message):
            extract(captions, output=output)
    with pytest.raises(OutputError, match="no folder"):
        extract(captions, html=captions.parent / "none" / "page.html")
    assert [path.name for path in captions.parent.iterdir()] == ["captions.csv"]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["a.csv", "--explain", "text"],
        ["a.csv", "--workers", "0"],
        ["a.csv", "--workers", "x"],
        ["--nonsense"],
    ],
)
def test_extract_answers_wrong_usage_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == USAGE


def test_extract_never_repeats_a_text(tmp_path: Path) -> None:
    """A marker in every text shows up in no message, log or rejected row, a traceback included."""
    text = f"{CANARY}, consolidation"
    rows = [
        f'a.png,P1,"{text}",1',
        f'a.png,P1,"{text} again",1',  # the same image with other text
        f"b.png,P1,{text},1",  # a comma that is not quoted
        f'c.png,P1,"{text} never closed,1',
        f',P1,"{text}",1',
        f'd.png,P1,"{text}","{text}"',  # text in the COVID column
        f'e.png,P1,"{text} \ufffd",0',
    ]
    source = tmp_path / "captions.csv"
    source.write_text("\n".join(["image,patient_id,caption,status", *rows]) + "\n", encoding="utf-8")
    bad = tmp_path / "bad.csv"
    bad.write_bytes(f"image,caption\na.png,{CANARY} ".encode() + b"\xb1 5\n")
    runs = [
        ([str(source), "--covid-column", "status"], DONE),
        ([str(source), "--covid-column", "status", "--workers", "2", "--debug"], DONE),
        ([str(bad), "--debug"], FAILED),
        ([str(bad), "--debug", "--encoding", "ascii"], FAILED),
        ([str(source), "--debug", "--text-column", "nothing"], FAILED),
    ]
    for arguments, code in runs:
        done = subprocess.run(
            [sys.executable, "-m", "nlp.extract", *arguments], cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == code, done.stderr
        assert CANARY not in done.stdout
        assert CANARY not in done.stderr
    rejected = tmp_path / "captions.labels.rejected.csv"
    assert len(rows_of(rejected)) == 5
    assert CANARY not in rejected.read_text(encoding="utf-8")
    assert [row["image"] for row in rows_of(tmp_path / "captions.labels.csv")] == ["a.png", "e.png"]


# The command itself


def test_extract_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from nlp.extract import _parser; _parser().format_help();"
        "print(sorted({'spacy', 'pandas', 'pyarrow', 'numpy', 'torch', 'openpyxl'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "[]\n"


def test_extract_has_an_option_for_every_role() -> None:
    assert set(COLUMN_HELP) == {role.name for role in ROLES}
