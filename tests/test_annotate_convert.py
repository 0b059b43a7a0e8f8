"""``annotate.convert``: published files become records of the contract, each image once."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from annotate.convert import main
from annotate.tables import read_labels
from nlp.command import DONE, FAILED
from nlp.lexicon import load_lexicon
from nlp.schema import label_columns

FINDINGS = load_lexicon().finding_keys
GGO, CSLD = FINDINGS[:2]
MARKER = "zebrafish"
FILES = {
    "train_meta.csv": [
        ["imgname", "CVD19", "GGO", "Csld"],
        ["2020.01.01.1-p2-3.png", "CVD19", "GGO", ""],
        ["2020.01.01.1-p2-4%0", "CVD19", "", ""],
        ["0.jpg", "", "", ""],
    ],
    "val_meta.csv": [["imgname", "CVD19", "GGO", "Csld"], ["paper_a-p1-1%0.png", "CVD19", "GGO", "Csld"]],
    "test_meta.csv": [["imgname", "CVD19", "GGO", "Csld"], ["7%1.png", "", "", ""]],
    "COVID-CT-MetaInfo.csv": [
        ["File name", "Patient ID", "Age", "DOI", "Captions", "", ""],
        ["2020.01.01.1-p2-3.png", "Patient 1", "41", "", f"['GGO {MARKER}", " cut']", ""],
        ["2020.01.01.1-p2-4%0", "Patient 2 ", "", "10.1101/ 2020.01.01.1 ", "", "", ""],
        ["paper_a-p1-1%0.png", "Patient 3", "", "", "NA", "", ""],
    ],
    "COVID-CT-MetaInfo_new.csv": [
        ["", "", "C0VID19", "GGO", ""],
        ["2020.01.01.1-p2-3", "Patient 1", "CVD19", "GGO", f"['GGO {MARKER}; cut – 中']"],
    ],
    "NonCOVID-CT-MetaInfo.csv": [
        ["", "image name", "patient id"],
        ["0", "0.jpg", "crawled_patient_0"],
        ["1", "7%1.png", "medpix_patient_7"],
    ],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "published"
    place.mkdir()
    for name, rows in FILES.items():
        write(place / name, rows, "gb18030" if "_new" in name else "utf-8")
    return place


def write(path: Path, rows: list[list[str]], encoding: str = "utf-8") -> Path:
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def run(*arguments: object) -> pd.DataFrame:
    output = Path(str(arguments[1])).parent / "labels.csv"
    assert main([*map(str, arguments), "-o", str(output)]) == DONE
    return read_labels(output, FINDINGS).set_index("image")


def failure(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    output = Path(str(arguments[1])).parent / "labels.csv"
    assert main([*map(str, arguments), "-o", str(output)]) == FAILED
    assert not output.exists()
    return capsys.readouterr().err


# ---- la-dnn


def test_convert_la_dnn_joins_split_lesions_patient_source_and_caption(folder: Path) -> None:
    table = run("la-dnn", folder)
    assert list(table.reset_index().columns) == [column.name for column in label_columns(FINDINGS)]
    first = table.loc["2020.01.01.1-p2-3.png"]
    assert first[["patient_id", "covid19", "split", "review"]].tolist() == ["Patient 1", "1", "train", "auto"]
    assert first[list(FINDINGS)].tolist() == ["1", "", "", "", ""]
    assert first["caption"] == f"['GGO {MARKER}; cut – 中']"  # unaltered, from the table that did not cut it
    assert first["lexicon_version"] == first["diagnosis"] == ""
    assert table["split"].tolist() == ["train", "train", "train", "val", "test"]
    assert table["covid19"].tolist() == ["1", "1", "0", "1", "0"]


def test_convert_la_dnn_source_is_the_doi_of_the_article_or_its_name_or_the_collection(folder: Path) -> None:
    sources = run("la-dnn", folder)["source"].tolist()
    assert sources == ["10.1101/2020.01.01.1", "10.1101/2020.01.01.1", "crawled", "paper_a", "medpix"]


def test_convert_la_dnn_keeps_text_as_it_is_and_flags_what_has_none(folder: Path) -> None:
    table = run("la-dnn", folder)
    assert table.loc["paper_a-p1-1%0.png", "caption"] == "NA"
    assert table["flags"].tolist() == ["", "no_text", "no_text", "", "no_text"]
    assert table.loc["2020.01.01.1-p2-4%0", "patient_id"] == "Patient 2"


def test_convert_la_dnn_writes_paths_below_the_image_folder(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["CT_COVID/2020.01.01.1-p2-3.png", "CT_COVID/2020.01.01.1-p2-4%0.png", "CT_NonCOVID/0.jpg"]
    names += ["CT_COVID/paper_a-p1-1%0.png", "CT_NonCOVID/7%1.png"]
    for name in [*names, "CT_NonCOVID/unlisted.png"]:
        (folder / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "images" / name).touch()
    assert run("la-dnn", folder).index.tolist() == names
    assert "image files without a row, left out: 1 (CT_NonCOVID/unlisted.png)" in capsys.readouterr().err
    (folder / "images" / names[1]).unlink()
    (folder.parent / "labels.csv").unlink()
    assert "'2020.01.01.1-p2-4%0': no such file" in failure(capsys, "la-dnn", folder)


def test_convert_la_dnn_names_images_that_no_table_knows_and_keeps_them(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [["imgname", "CVD19"], ["new-p9-1%0.png", "CVD19"], ["new-p9-1%1.png", "CVD19"]]
    write(folder / "test_meta.csv", rows)
    table = run("la-dnn", folder)
    assert "images without a row in a MetaInfo table, kept: 2 (new-p9-1%0.png" in capsys.readouterr().err
    added = table.loc[["new-p9-1%0.png", "new-p9-1%1.png"]]
    assert set(added["flags"]) == {"patient_made_up;no_text"} and set(added["source"]) == {"new"}
    assert added["patient_id"].nunique() == 1  # two parts of one figure


def test_convert_la_dnn_joins_names_without_suffix(folder: Path) -> None:
    write(folder / "test_meta.csv", [["imgname", "CVD19"], ["7%1", ""]])
    assert run("la-dnn", folder).loc["7%1", "patient_id"] == "medpix_patient_7"


def test_convert_la_dnn_warns_of_a_patient_of_several_articles(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = FILES["COVID-CT-MetaInfo.csv"]
    write(folder / "COVID-CT-MetaInfo.csv", [*rows[:3], [rows[3][0], "Patient 1", *rows[3][2:]]])
    run("la-dnn", folder)
    assert (
        "patient ids with several sources, each kept as one patient: 1 (Patient 1)" in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("name", "rows", "message"),
    [
        (
            "val_meta.csv",
            [["imgname", "CVD19"], ["0.jpg", ""]],
            "row 5: image '0.jpg' stands in row 4 already",
        ),
        ("val_meta.csv", [["imgname", "GGO"], ["0.jpg", ""]], "lacks the column CVD19"),
        ("val_meta.csv", [["imgname", "CVD19"], ["x", MARKER]], "column CVD19 must hold CVD19, 1 or blank"),
        ("NonCOVID-CT-MetaInfo.csv", [["image name"], ["0.jpg"]], "lacks the column patient id"),
    ],
)
def test_convert_la_dnn_refuses_bad_tables(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, rows: list[list[str]], message: str
) -> None:
    write(folder / name, rows)
    said = failure(capsys, "la-dnn", folder)
    assert message in said and MARKER not in said


def test_convert_la_dnn_names_a_missing_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "NonCOVID-CT-MetaInfo.csv").unlink()
    assert "NonCOVID-CT-MetaInfo.csv is missing" in failure(capsys, "la-dnn", folder)


def test_convert_la_dnn_has_every_published_image_once(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, output = shared / "data" / "covid-ct", tmp_path / "labels.csv"
    assert main(["la-dnn", str(source), "-o", str(output)]) == DONE
    table = read_labels(output, FINDINGS)
    assert Counter(table["split"]) == {"train": 425, "val": 118, "test": 203}
    assert table["image"].is_unique and all((source / "images" / name).is_file() for name in table["image"])
    assert table.groupby("covid19")["patient_id"].nunique().to_dict() == {"0": 171, "1": 213}
    assert (table["source"] != "").all() and "patient_made_up" not in set(table["flags"])
    lesions = table[list(FINDINGS)].eq("1").groupby(table["split"]).sum()
    assert lesions.loc[["train", "val", "test"], GGO].tolist() == [108, 37, 66]
    assert lesions.loc["train"].tolist() == [108, 51, 11, 8, 12]
    reference = pd.read_csv(
        shared / "data" / "text" / "captions_reference.csv", dtype=str, keep_default_na=False
    )
    assert set(table.loc[table["covid19"] == "1", "caption"]) == set(reference["caption"])
    shown = capsys.readouterr()
    assert shown.out.splitlines()[1].split() == ["all", "746", "384"] and not shown.err


# ---- chexpert


def test_convert_chexpert_reads_the_data_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        ["Path", "Sex", "No Finding", "Consolidation", "Ground Glass Opacity", "COVID-19"],
        ["train/patient00001/study1/v.jpg", "F", "", "1.0", "-1.0", "1.0"],
        ["train/patient00001/study2/v.jpg", "F", "1.0", "0.0", "", ""],
        ["train/other/v.jpg", "F", "", "", "0.0", "0.0"],
    ]
    table = run("chexpert", write(tmp_path / "train.csv", rows))
    assert table[CSLD].tolist() == ["1", "0", ""] and table[GGO].tolist() == ["-1", "", "0"]
    assert table["covid19"].tolist() == ["1", "", "0"]
    assert table["patient_id"].tolist()[:2] == ["patient00001"] * 2
    assert table["flags"].tolist() == ["no_text", "no_text", "patient_made_up;no_text"]
    assert set(table["split"]) == {""} and set(table["diagnosis"]) == {""}
    captured = capsys.readouterr()
    assert "columns left out: Sex, No Finding" in captured.err
    assert [CSLD, "1", "1", "0", "1"] in [line.split() for line in captured.out.splitlines()]


def test_convert_chexpert_reads_what_the_labeler_writes(tmp_path: Path) -> None:
    rows = [["Reports", "Consolidation"], [f"Consolidation.\n{MARKER}", "1.0"], [" clear", ""]]
    table = run("chexpert", write(tmp_path / "labeled.csv", rows))
    assert table.index.tolist() == ["report-1", "report-2"] and table["patient_id"].is_unique
    assert table["caption"].tolist() == [f"Consolidation.\n{MARKER}", " clear"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([["id", "Consolidation"], ["a", "1"]], "neither a column Path nor Reports"),
        ([["Path", "Edema"], ["a", "1"]], "no column that is a finding"),
        ([["Path", "Consolidation", "Csld"], ["a", "1", "1"]], "the same finding (consolidation)"),
        ([["Path", "Consolidation"], ["a", MARKER], ["b", "2"]], "column Consolidation: rows 2, 3"),
        ([["Path", "Consolidation"], ["a", "1"], ["a", "1"]], "image 'a' stands in row 2 already"),
    ],
)
def test_convert_chexpert_refuses_bad_tables(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rows: list[list[str]], message: str
) -> None:
    said = failure(capsys, "chexpert", write(tmp_path / "bad.csv", rows))
    assert message in said and MARKER not in said


def test_convert_help_waits_for_nothing_heavy() -> None:
    code = (
        "import sys, annotate.convert, annotate.split; print({'pandas', 'scipy', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
