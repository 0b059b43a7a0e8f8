"""``nlp.evaluate``: rows joined, states compared, and what is refused; its numbers are in ``test_nlp_scores``."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from nlp.command import DONE, FAILED
from nlp.evaluate import main, mentions_beside
from nlp.lexicon import load_lexicon
from nlp.schema import MENTION_COLUMNS, label_columns
from nlp.score_report import format_table

FINDINGS = load_lexicon().finding_keys
GGO, CSLD, CRPA = "ground_glass_opacity", "consolidation", "crazy_paving"
SHORT = ("GGO", "Csld", "CrPa", "AirBr", "InSepThi")
MARKER = "zebrafish"


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def write_labels(path: Path, rows: Sequence[dict[str, str]]) -> Path:
    names = [column.name for column in label_columns(FINDINGS)]
    basis = dict.fromkeys(names, "") | {"patient_id": "p", "review": "auto"}
    return write_csv(path, names, [list((basis | row).values()) for row in rows])


def mention(
    image: str, finding: str, assertion: str, caption: str, words: str, cue: str = ""
) -> dict[str, str]:
    start = caption.index(words)
    given = {"image": image, "finding": finding, "assertion": assertion, "text": words, "cue": cue}
    places = {"start": str(start), "end": str(start + len(words)), "rule": "r", "term": "t"}
    return given | places | {"match": "exact", "score": "100"}


def write_mentions(path: Path, rows: Sequence[dict[str, str]]) -> Path:
    names = [column.name for column in MENTION_COLUMNS]
    return write_csv(path, names, [[row.get(name, "") for name in names] for row in rows])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four records: what each says stands in the comments of ``test_evaluate_scores_a_run_by_hand``."""
    texts = {"a": "No consolidation is seen", "b": f"GGO is gone {MARKER}", "c": "possible GGO", "d": "CT"}
    labels = [
        {"image": "a", "caption": texts["a"], CSLD: "0", "covid19": "1"},
        {"image": "b", "caption": texts["b"], GGO: "0", "covid19": "1"},
        {"image": "c", "caption": texts["c"], GGO: "1", "covid19": ""},
        {"image": "d", "caption": texts["d"], "covid19": "0"},
    ]
    write_labels(tmp_path / "x.labels.csv", labels)
    rows = [
        mention("a", CSLD, "negated", texts["a"], "consolidation", "No"),
        mention("b", GGO, "resolved", texts["b"], "GGO", "gone"),
        mention("c", GGO, "present", texts["c"], "GGO"),
    ]
    write_mentions(tmp_path / "x.mentions.csv", rows)
    reference = [
        ["a", texts["a"], "confirmed", "not_mentioned", "negated", *["not_mentioned"] * 3],
        ["b", texts["b"], "unstated", "resolved", *["not_mentioned"] * 4],
        ["c", texts["c"], "unclear", "uncertain", *["not_mentioned"] * 4],
        ["d", texts["d"], "confirmed", "present", "present", *["not_mentioned"] * 3],
    ]
    write_csv(tmp_path / "reference.csv", ["caption_id", "caption", "covid19", *SHORT], reference)
    return tmp_path


def run(folder: Path, *options: str, reference: str = "reference.csv") -> dict[str, object]:
    """Run the command, which must succeed; the JSON it wrote."""
    paths = [str(folder / "x.labels.csv"), str(folder / reference), "--json", str(folder / "out.json")]
    assert main([*paths, *options]) == DONE
    result: dict[str, object] = json.loads((folder / "out.json").read_text())
    return result


def test_evaluate_scores_a_run_by_hand(folder: Path) -> None:
    result = run(folder)
    # present: only d's two, both missed; c's GGO is present in the output alone
    assert (result["n"], result["joined_by"], result["five_states"]) == (4, "id", True)
    micro = result["micro"]
    assert isinstance(micro, dict)
    assert (micro["n_positive"], micro["n_output"], micro["recall"], micro["f1"]) == (2, 1, 0.0, 0.0)
    # a consolidation equal, b GGO equal (resolved!), c and d's two not: 2 of 5
    assert (micro["state_accuracy"], micro["n_state_accuracy"]) == (pytest.approx(0.4), 5)
    paving = result["findings"][CRPA]  # type: ignore[index]
    assert (paving["f1"], paving["precision"], paving["n"], paving["n_positive"]) == (None, None, 4, 0)


def test_evaluate_covid_leaves_unclear_rows_out(folder: Path) -> None:
    covid = run(folder)["covid19"]
    assert isinstance(covid, dict)
    # clear rows a (equal), b (unstated, called confirmed), d (confirmed, called control); c is unclear
    assert (covid["n"], covid["n_positive"], covid["n_output"]) == (3, 2, 2)
    assert covid["state_accuracy"] == pytest.approx(1 / 3)
    assert covid["precision"] == covid["recall"] == covid["f1"] == pytest.approx(1 / 2)


def test_evaluate_without_mentions_says_so_and_folds_resolved(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "x.mentions.csv").unlink()
    result = run(folder)
    assert result["five_states"] is False
    assert result["confusion"]["negated"]["negated"] == 2  # type: ignore[index]
    assert not any(result["confusion"]["resolved"].values())  # type: ignore[index]
    captured = capsys.readouterr()
    assert "no mentions file beside x.labels.csv" in captured.err
    assert "resolved is counted as negated on both sides" in captured.out


def test_evaluate_tells_resolved_from_negated_by_the_mentions(folder: Path) -> None:
    confusion = run(folder)["confusion"]
    assert confusion["resolved"]["resolved"] == 1  # type: ignore[index]
    assert confusion["negated"]["negated"] == 1  # type: ignore[index]


def test_evaluate_reads_chexpert_cells_and_finding_keys(folder: Path) -> None:
    rows = [["a", "", "0"], ["b", "0.0", ""], ["c", "-1.0", ""], ["d", "1", "1.0"]]
    write_csv(folder / "cells.csv", ["image", GGO, CSLD], rows)
    result = run(folder, reference="cells.csv")
    assert list(result["findings"]) == [GGO, CSLD]  # type: ignore[call-overload]
    assert result["five_states"] is False  # a 0 may mean either
    assert result["micro"]["state_accuracy"] == pytest.approx(0.4)  # type: ignore[index]
    assert result["covid19"] is None


def test_evaluate_joins_by_text_where_ids_do_not_match(folder: Path) -> None:
    rows = [["possible GGO", "present"], ["No consolidation is seen", "not_mentioned"], ["", "present"]]
    write_csv(folder / "texts.csv", ["text", "GGO"], rows)
    result = run(folder, reference="texts.csv")
    assert (result["joined_by"], result["n"], result["not_joined"]) == ("text", 2, ["row 4"])
    assert result["findings"][GGO]["f1"] == 1.0  # type: ignore[index]


def test_evaluate_lists_what_did_not_join(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_csv(folder / "part.csv", ["id", "GGO"], [["c", "present"], ["nowhere", "present"]])
    result = run(folder, reference="part.csv")
    assert (result["not_joined"], result["labels_without_reference"]) == (["nowhere"], 3)
    shown = capsys.readouterr().out
    assert "1 of 2 reference rows joined by id = image" in shown
    assert "not in the labels: nowhere" in shown
    assert "labels rows without reference: 3 (a, b, d)" in shown


def test_evaluate_resamples_patients_where_the_reference_names_them(tmp_path: Path) -> None:
    labels = [{"image": str(number), "caption": "x", GGO: "1"} for number in range(44)]
    write_labels(tmp_path / "x.labels.csv", labels)
    many = [[str(number), f"p{number // 2}", "present"] for number in range(44)]
    write_csv(tmp_path / "many.csv", ["id", "patient_id", "GGO"], many)
    few = [[number, patient[:2], state] for number, patient, state in many]
    write_csv(tmp_path / "few.csv", ["id", "patient_id", "GGO"], few)
    unit = run(tmp_path, reference="many.csv")["bootstrap"]
    assert (unit["unit"], unit["n_units"]) == ("patient_id", 22)  # type: ignore[index]
    unit = run(tmp_path, reference="few.csv")["bootstrap"]
    assert (unit["unit"], unit["n_units"]) == ("record", 44)  # type: ignore[index]


def test_evaluate_disagreements_name_span_and_cue_but_not_the_text(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_csv(folder / "reference.csv", ["id", "GGO"], [["b", "present"], ["d", "present"]])
    run(folder, "--disagreements", str(folder / "d.csv"))
    with (folder / "d.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["id"], first["finding"], first["reference"], first["output"]) == (
        "b",
        GGO,
        "present",
        "resolved",
    )
    assert (first["start"], first["end"], first["text"], first["cue"]) == ("0", "3", "GGO", "gone")
    assert (second["id"], second["output"], second["text"]) == ("d", "not_mentioned", "")
    assert MARKER not in capsys.readouterr().out + (folder / "d.csv").read_text()
    run(folder, "--show-text")
    assert MARKER in capsys.readouterr().out


def test_evaluate_lists_covid_disagreements_but_not_of_unclear_rows(folder: Path) -> None:
    run(folder, "--disagreements", str(folder / "d.csv"))
    with (folder / "d.csv").open(newline="") as file:
        covid = [
            (row["id"], row["reference"], row["output"])
            for row in csv.DictReader(file)
            if row["finding"] == "covid19"
        ]
    assert covid == [("b", "unstated", "confirmed"), ("d", "confirmed", "control")]


def test_evaluate_keeps_a_cell_that_a_person_changed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = folder / "x.labels.csv"
    labels.write_text(labels.read_text().replace("possible GGO,,,1", "possible GGO,,,-1"))
    assert run(folder)["micro"]["state_accuracy"] == pytest.approx(3 / 5)  # type: ignore[index]
    assert "1 cells of the labels are not what their mentions say" in capsys.readouterr().out


def test_evaluate_shows_no_control_characters(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "GGO \x1b[31m gone"
    write_labels(folder / "x.labels.csv", [{"image": "b", "caption": text, GGO: "0"}])
    write_mentions(folder / "x.mentions.csv", [mention("b", GGO, "resolved", text, text[:8])])
    write_csv(folder / "reference.csv", ["id", "GGO"], [["b", "present"]])
    run(folder, "--show-text")
    assert "\x1b" not in capsys.readouterr().out


# ---- bad input


def failure(
    folder: Path, capsys: pytest.CaptureFixture[str], *options: str, reference: str = "bad.csv"
) -> str:
    assert main([str(folder / "x.labels.csv"), str(folder / reference), *options]) == FAILED
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("header", "rows", "message"),
    [
        (["id", "lung"], [["a", "present"]], "has no finding column; it needs at least one of"),
        (["id", "GGO"], [["a", "yes"], ["b", "2"]], "column GGO: row 2: 'yes'; row 3: '2'; allowed are 1,"),
        (["id", "GGO"], [["a", "present"], ["b", ""]], "column GGO: row 3: ''; allowed are present,"),
        (["id", "GGO"], [["a", "1"], ["a", "1"]], "1 ids in column id occur more than once: a"),
        (["id", "GGO"], [], "has a header but no rows"),
        (["id", "GGO"], [["a"]], "row 2: 1 cells where the header has 2"),
        (["id", "GGO", "GGO"], [["a", "1", "0"]], "column 'GGO' occurs twice"),
        (["id", "GGO"], [["q", "1"]], "no row of x.labels.csv joins bad.csv by image"),
    ],
)
def test_evaluate_refuses_a_bad_reference(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    header: list[str],
    rows: list[list[str]],
    message: str,
) -> None:
    write_csv(folder / "bad.csv", header, rows)
    assert message in failure(folder, capsys)


def test_evaluate_never_shows_a_report_that_stands_in_a_finding_column(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_csv(folder / "bad.csv", ["id", "GGO"], [["a", f"the report says {MARKER} and more"]])
    message = failure(folder, capsys)
    assert "row 2: 34 characters" in message
    assert MARKER not in message


def test_evaluate_refuses_a_missing_mentions_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    message = failure(folder, capsys, "--mentions", str(folder / "none.csv"), reference="reference.csv")
    assert "none.csv" in message


def test_evaluate_refuses_mentions_of_other_captions(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    caption = "a GGO that stands elsewhere"
    write_mentions(folder / "x.mentions.csv", [mention("c", GGO, "present", caption, "GGO")])
    message = failure(folder, capsys, "--show-text", reference="reference.csv")
    assert "the mentions of 'c' do not fit its caption" in message


def test_evaluate_refuses_a_labels_cell_outside_the_contract(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_labels(folder / "x.labels.csv", [{"image": "a", "caption": "x", GGO: "maybe"}])
    assert "row 2: ground_glass_opacity is 'maybe'" in failure(folder, capsys, reference="reference.csv")


def test_evaluate_refuses_an_image_that_occurs_twice(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_labels(folder / "x.labels.csv", [{"image": "a", "caption": "x"}, {"image": "a", "caption": "y"}])
    assert "row 3: image 'a' occurs twice" in failure(folder, capsys, reference="reference.csv")


def test_evaluate_a_result_that_cannot_be_written_is_an_error(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = str(folder / "no" / "such.json")
    assert "such.json was not written" in failure(folder, capsys, "--json", target, reference="reference.csv")


@pytest.mark.parametrize(
    ("labels", "beside"), [("x.labels.csv", "x.mentions.csv"), ("labels.csv", "mentions.csv")]
)
def test_mentions_beside_follows_the_names_of_extract(tmp_path: Path, labels: str, beside: str) -> None:
    assert mentions_beside(tmp_path / labels) is None
    (tmp_path / beside).touch()
    assert mentions_beside(tmp_path / labels) == tmp_path / beside
    assert mentions_beside(tmp_path / "other.csv") is None


def test_format_table_aligns_columns() -> None:
    assert format_table([("a", "b"), ("long", "c")]) == "a     b\nlong  c"
