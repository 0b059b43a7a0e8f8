"""The audit finds what was planted in the example: copies, a patient in two sets, a wrong label, and feeds the next steps."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import closing, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from annotate.groups import read_pairs
from annotate.load import load
from annotate.split import main as split_main
from annotate.store import open_store
from annotate.suspects import rank_suspects
from benchmarks.planted import SETS, Planted, Row, plant, read_rows, write_rows
from tests.made_records import KEYS
from train.audit import main
from train.near_duplicates import CERTAIN
from train.predictions import columns, csv_lines


@dataclass(frozen=True)
class Written:
    """What the command wrote and printed."""

    folder: Path
    printed: str

    def rows(self, name: str) -> list[Row]:
        return read_rows(self.folder / name)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory, example_tables: tuple[Path, Path]) -> Planted:
    return plant(example_tables[0], tmp_path_factory.mktemp("planted"))


@pytest.fixture(scope="module")
def found(
    tmp_path_factory: pytest.TempPathFactory, planted: Planted, example_tables: tuple[Path, Path]
) -> Written:
    """The audit of the spoilt example, without a run."""
    folder = tmp_path_factory.mktemp("found") / "new" / "audit"
    with redirect_stdout(io.StringIO()) as printed:
        assert _audit(planted.table, planted.images, folder, "--mentions", example_tables[1]) == 0
    return Written(folder, printed.getvalue())


@pytest.fixture
def small(planted: Planted, tmp_path: Path) -> Path:
    """A table of twenty of the records, for what needs no pairs; none has a split."""
    table = tmp_path / "small.csv"
    rows = read_rows(planted.table)
    write_rows(table, [{**row, "split": ""} for row in [*rows[:10], *rows[-12:-2]]])
    return table


def test_audit_writes_a_report_and_tables(found: Written, planted: Planted) -> None:
    assert {path.name for path in found.folder.iterdir()} == {
        *("report.html", "near_duplicates.csv", "possible_duplicates.csv", "shared_between_sets.csv"),
        *("coverage.csv", "shortcuts.csv", "contradictions.csv"),
    }
    assert "certain near duplicates: 2 (2 across sets, 2 of opposite flags)" in found.printed
    assert "train.run with --folds" in found.printed  # what was skipped, and how it is not
    page = (found.folder / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page and "not for diagnosis" in page and "data:image/png" in page
    captions = [row["caption"] for row in read_rows(planted.table) if row["caption"]]
    assert not any(caption in page for caption in captions)


def test_audit_finds_planted_copies_and_no_others(found: Written, planted: Planted) -> None:
    certain = found.rows("near_duplicates.csv")
    assert all(float(row["score"]) < CERTAIN for row in found.rows("possible_duplicates.csv"))
    assert {row["image_a"]: row["image_b"] for row in certain} == planted.copied
    for row in certain:
        assert row["split_a"] != row["split_b"]
        assert {row["covid19_a"], row["covid19_b"]} == {"0", "1"}
    exact = list(planted.copied.values())[-1]
    assert [row["image_b"] for row in certain if row["score"] == "1.0000"] == [exact]


def test_audit_finds_the_patient_in_two_sets(found: Written, planted: Planted) -> None:
    shared = found.rows("shared_between_sets.csv")
    assert [row["name"] for row in shared if row["kind"] == "patient"] == [planted.torn]


def test_audit_finds_the_contradiction(found: Written, planted: Planted) -> None:
    image, key = planted.contradicted
    told = {(row["image"], row["finding"]): row for row in found.rows("contradictions.csv")}
    row = told[image, key]
    assert (row["label"], row["text_state"]) == ("", "present")
    caption = next(each["caption"] for each in read_rows(planted.table) if each["image"] == image)
    assert caption[int(row["start"]) : int(row["end"])].strip()


def test_audit_counts_what_each_set_covers(found: Written, planted: Planted) -> None:
    cells = {(row["set"], row["output"]): row for row in found.rows("coverage.csv")}
    assert {output for _, output in cells} == {"covid19", *KEYS}
    for name in SETS:
        rows = [row for row in read_rows(planted.table) if row["split"] == name]
        for value, column in (("1", "n_positive"), ("0", "n_negative")):
            assert int(cells[name, "covid19"][column]) == sum(row["covid19"] == value for row in rows)


def test_audit_measures_shortcuts_with_intervals(found: Written) -> None:
    rows = {row["features"]: row for row in found.rows("shortcuts.csv")}
    assert {"format", "size", "aspect", "histogram", "border"} <= set(rows)
    for row in rows.values():
        assert float(row["auc_low"]) <= float(row["auc"]) <= float(row["auc_high"])


def test_audit_feeds_the_split(found: Written, planted: Planted, tmp_path: Path) -> None:
    pairs, divided = found.folder / "near_duplicates.csv", tmp_path / "divided.csv"
    together = ["--keep-together", str(pairs)]
    assert split_main([str(planted.table), *together, "--check"]) == 1  # copies lie in two sets
    assert split_main([str(planted.table), *together, "--again", "-o", str(divided)]) == 0
    sets = {row["image"]: row["split"] for row in read_rows(divided)}
    assert all(sets[one] == sets[other] for one, other in read_pairs(pairs))
    assert split_main([str(divided), *together, "--check"]) == 0


def test_audit_feeds_the_suspects(found: Written, planted: Planted, tmp_path: Path) -> None:
    table = tmp_path / "whole.csv"
    write_rows(table, [{**row, "split": ""} for row in read_rows(planted.table)])
    with closing(open_store(f"sqlite:///{tmp_path / 'labels.db'}")) as store:
        load(store, table, images=planted.images)
        with store.read() as connection:
            pairs = read_pairs(found.folder / "near_duplicates.csv")
            ranked = rank_suspects(connection, store.findings, pairs=pairs)
            suspects = ranked.told(connection, ranked.places(kind="near_identical", key="covid19"))
    assert {each.image for each in suspects} == {*planted.copied, *planted.copied.values()}


def test_audit_names_the_label_that_predictions_speak_against(
    planted: Planted, small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known = [row for row in read_rows(small) if row["covid19"] in ("0", "1")]
    run, folder = tmp_path / "run", tmp_path / "audit"
    run.mkdir()
    (run / "out_of_fold.csv").write_bytes(_predictions(known, wrong=known[3]["image"]))
    assert _audit(small, planted.images, folder, "--run", run) == 0
    rows = read_rows(folder / "label_errors.csv")
    assert [(row["image"], row["finding"]) for row in rows] == [(known[3]["image"], "covid19")]
    printed = capsys.readouterr().out
    assert "suspected label errors: 1" in printed
    assert "no record has a split" in printed  # and what needs one was skipped
    assert not (folder / "contradictions.csv").exists()


def test_audit_refuses_mentions_of_another_table(
    planted: Planted, small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other, folder = tmp_path / "mentions.csv", tmp_path / "audit"
    header = "image,finding,assertion,start,end,rule\n"
    for text, problem in (
        (f"{header}else.png,{KEYS[0]},present,0,3,plain\n", "run nlp.extract on the same table"),
        (f"{header}else.png,{KEYS[0]},perhaps,0,3,plain\n", "row 2: assertion must be one of present"),
        ("image,finding\n", "lacks the columns assertion, start, end, rule"),
    ):
        other.write_text(text, encoding="utf-8")
        assert _audit(small, planted.images, folder, "--mentions", other) == 1
        assert problem in capsys.readouterr().err
    assert not folder.exists()


def _audit(table: Path, images: Path, out: Path, *more: str | Path) -> int:
    return main([str(table), "--images", str(images), "--out", str(out), *map(str, more)])


def _predictions(rows: Sequence[Row], wrong: str) -> bytes:
    """Sure of every flag, but of the opposite for one image."""
    cells = [columns(KEYS)]
    for row in rows:
        sure = (row["covid19"] == "1") != (row["image"] == wrong)
        rest = [text for _ in KEYS for text in ("0.0", "0.5")]
        flag = ("0.0", "0.9" if sure else "0.1", "1")
        cells.append((row["image"], row["patient_id"], "", "0", *flag, *rest, ""))
    return csv_lines(cells)
