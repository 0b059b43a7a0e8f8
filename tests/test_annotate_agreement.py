"""``annotate.agreement``: independent readings in, words and numbers out."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from annotate.adjudication import adjudicate
from annotate.adjudication_cases import case_of
from annotate.agreement import PEOPLE, TEXT, Report, main, measure_agreement
from annotate.agreement_matrix import TEXT_NAME, kappa_colours, kappa_matrix, pair_at, pair_names
from annotate.agreement_readings import Readings, differing, read_readings
from annotate.agreement_report import MEASURES, as_json, as_text
from annotate.agreement_statistics import UNANIMOUS, Agreement
from annotate.agreement_tables import MISSING, code
from annotate.progress_report import progress_report
from annotate.store import Store
from annotate.store_tables import RECORD
from nlp.command import DONE, FAILED
from nlp.lexicon import load_lexicon
from nlp.schema import COVID
from tests.made_people import CANARY, NOW, add_people, add_records, read, same

GGO, CSLD, CRPA = load_lexicon().finding_keys[:3]


@pytest.fixture
def desk(store: Store) -> Store:
    """Ten records of five patients, whose texts say ground glass."""
    add_people(store, "head", "anna", "bob", "carl")
    add_records(store, 10, said={GGO: "1", COVID: "1"})
    return store


def readings_of(store: Store) -> Readings:
    with store.read() as connection:
        return read_readings(connection, store.findings)


def report_of(store: Store) -> Report:
    with store.read() as connection:
        return measure_agreement(connection, store.findings, resamples=200)


def row(report: Report, key: str, of: str = PEOPLE) -> Agreement:
    (found,) = [each.agreement for each in report.rows if (each.key, each.of) == (key, of)]
    return found


def disagree(store: Store) -> None:
    """Anna and bob read everything; they differ on ground glass in records 1 and 2."""
    ids = range(1, 11)
    read(store, "anna", {each: {GGO: "1" if each < 6 else "0", COVID: "1"} for each in ids})
    read(store, "bob", {each: {GGO: "1" if 2 < each < 6 else "0"} for each in ids})


def test_agreement_measures_each_finding_and_the_text(desk: Store) -> None:
    disagree(desk)
    report = report_of(desk)
    assert report.keys == (*desk.findings, COVID) and report.annotators == ("anna", "bob")
    found = row(report, GGO)
    assert (found.records, found.patients, found.disagreed, found.prevalence) == (10, 6, 2, 0.4)
    assert found.raw.value == 0.8 and found.positive.value == 0.75
    assert found.kappa.value == pytest.approx((0.8 - 0.5) / 0.5)
    assert str(row(report, CSLD).alpha) == str(row(report, CSLD).kappa) == UNANIMOUS
    assert row(report, COVID).records == 0  # a blank is no reading, and bob said nothing
    text = row(report, GGO, TEXT)
    assert text.alpha is None and text.raw.value == pytest.approx(0.4) and text.records == 10
    pair, *with_text = [each for each in report.pairs if each.key == GGO]
    assert (pair.first, pair.second, pair.records, pair.disagreed) == ("anna", "bob", 10, 2)
    assert pair.kappa == found.kappa
    assert [(each.first, each.second, each.disagreed) for each in with_text] == [
        ("anna", None, 5),
        ("bob", None, 7),
    ]


def test_agreement_names_the_records_behind_a_cell(desk: Store) -> None:
    disagree(desk)
    found = readings_of(desk)
    assert differing(found, GGO, ["anna", "bob"]) == [1, 2]
    assert differing(found, GGO, ["bob", None]) == [1, 2, 6, 7, 8, 9, 10]
    assert differing(found, CSLD, found.annotators) == []


def test_agreement_counts_what_was_said_before_adjudication(desk: Store) -> None:
    read(desk, "anna", {1: {GGO: "1"}, 2: {GGO: "1"}})
    read(desk, "bob", {1: {}, 2: {}})
    with desk.write() as connection:
        case = case_of(connection, 1, "head")
        labels = dict(case.columns[0].labels)
        options = {"op_id": "op-0001", "record_id": 1, "reason": "", "base": case.seen, "now": NOW + 100}
        adjudicate(connection, "head", findings=desk.findings, labels=labels, **options)  # type: ignore[arg-type]
    read(desk, "bob", {1: {GGO: "1"}}, now=NOW + 200)  # convinced by the verdict
    read(desk, "carl", {1: {GGO: "1"}}, now=NOW + 300)
    found = readings_of(desk)
    assert found.late == 2
    assert found.annotators == ("anna", "bob")
    assert differing(found, GGO, ["anna", "bob"]) == [1, 2]
    read(desk, "bob", {1: {}}, action="undo", now=NOW + 400)
    assert readings_of(desk).late == 1  # back at what was said before
    assert "1 reading was made or changed after" in as_text(report_of(desk))


def test_agreement_counts_what_stood_though_it_was_undone_after_adjudication(desk: Store) -> None:
    read(desk, "anna", {1: {GGO: "1"}})
    read(desk, "bob", {1: {GGO: "1"}}, now=NOW + 1)
    read(desk, "bob", {1: {}}, now=NOW + 2)
    with desk.write() as connection:
        case = case_of(connection, 1, "head")
        labels = dict(case.columns[0].labels)
        options = {"op_id": "op-0001", "record_id": 1, "reason": "", "base": case.seen, "now": NOW + 100}
        adjudicate(connection, "head", findings=desk.findings, labels=labels, **options)  # type: ignore[arg-type]
    read(desk, "anna", {1: {}}, action="undo", now=NOW + 200)
    read(desk, "bob", {1: {}}, action="undo", now=NOW + 200)  # back at what he said first
    found = readings_of(desk)
    assert differing(found, GGO, ["anna", "bob"]) == [1] and found.late == 2


def test_agreement_leaves_skips_and_undone_readings_out(desk: Store) -> None:
    read(desk, "anna", same([1, 2, 3]))
    read(desk, "bob", same([1]), action="skip")
    read(desk, "bob", same([2, 3]))
    read(desk, "bob", same([3]), action="undo", now=NOW + 50)
    assert row(report_of(desk), GGO).records == 1


def test_agreement_knows_no_text_where_there_is_no_caption(desk: Store) -> None:
    ids = [*range(1, 11), *add_records(desk, 2, caption="")]
    read(desk, "anna", same(ids))
    found = readings_of(desk)
    place = found.keys.index(CSLD)
    # a text that does not mention it says absent; no text says nothing
    assert found.text[:, place].tolist() == [code("0")] * 10 + [MISSING] * 2
    assert row(report_of(desk), CSLD, TEXT).records == 10


def test_agreement_takes_labels_of_people_that_were_loaded_for_no_text(desk: Store) -> None:
    with desk.write() as connection:
        connection.execute(RECORD.update().where(RECORD.c.id == 1).values(review="confirmed"))
    read(desk, "anna", same([1, 2]))
    found = readings_of(desk)
    assert (found.text[0] == MISSING).all() and (found.text[1] != MISSING).all()
    with desk.read() as connection:
        (told,) = progress_report(connection, desk.findings, now=NOW).annotators
    assert told.corrected == 1.0 and row(report_of(desk), GGO, TEXT).records == 1


def test_agreement_of_nobody_or_one_annotator_is_said_in_words(desk: Store) -> None:
    assert as_text(report_of(desk)).startswith("Nobody has confirmed a record yet")
    read(desk, "anna", same([1, 2], **{GGO: "1"}))
    said = as_text(report_of(desk))
    assert "No record has been read by two annotators: give records an overlap of 2." in said
    assert "Agreement of text and people" in said


def test_agreement_text_explains_each_measure_and_shows_no_caption(desk: Store) -> None:
    disagree(desk)
    said = as_text(report_of(desk))
    assert all(f"{title}: {meaning}" in said for title, meaning in MEASURES.values())
    assert "Measured before adjudication" in said and UNANIMOUS in said
    assert CANARY not in said and "nan" not in said.replace("not", "").lower()


def test_agreement_command_prints_and_writes(
    desk: Store, store_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    disagree(desk)
    as_json_path, as_csv_path = tmp_path / "agreement.json", tmp_path / "agreement.csv"
    arguments = ["--db", store_url, "--json", str(as_json_path), "--csv", str(as_csv_path)]
    assert main(arguments) == DONE
    assert "anna, bob" in capsys.readouterr().out
    written = json.loads(as_json_path.read_text(encoding="utf-8"))
    assert written["bootstrap"] == {"unit": "patient", "resamples": 2000, "seed": 0}
    assert written["people"][GGO]["raw"]["value"] == 0.8
    assert written["people"][CSLD]["alpha"] == {"value": None, "undefined": "all annotators agree"}
    assert [each["finding"] for each in written["pairs"] if each["second"] == "bob"] == list(desk.findings)
    with as_csv_path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 2 * (len(desk.findings) + 1)
    assert (
        lines[0]["raw"] == "0.8" and lines[1]["alpha"] == "" and "alpha: all annot" in lines[1]["undefined"]
    )


def test_agreement_command_needs_a_database(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--db", str(tmp_path / "none.db")]) == FAILED
    assert "there is no database" in capsys.readouterr().err


def test_agreement_json_has_no_undefined_number(desk: Store) -> None:
    disagree(desk)
    json.dumps(as_json(report_of(desk)), allow_nan=False)


# ---- the heat map


def test_agreement_matrix_says_kappa_and_records_of_every_pair(desk: Store) -> None:
    disagree(desk)
    read(desk, "carl", same([1]))
    report = report_of(desk)
    table, colours = kappa_matrix(report, GGO), kappa_colours(report, GGO)
    assert list(table.index) == ["anna", "bob", "carl"] and list(table.columns) == [*table.index, TEXT_NAME]
    assert table.loc["anna", "bob"] == table.loc["bob", "anna"] == "0.60 · 10"
    assert table.loc["anna", "anna"] == "" == colours.loc["anna", "anna"]
    assert kappa_matrix(report, CSLD).loc["anna", "bob"] == "all agree · 10"
    assert (colours.loc["anna", "bob"] == colours.loc["bob", "anna"]) and "rgb(" in colours.loc["anna", "bob"]
    assert table.loc["bob", "carl"] == "all agree · 1"


def test_agreement_matrix_finds_the_pair_behind_a_cell(desk: Store) -> None:
    disagree(desk)
    report = report_of(desk)
    assert pair_at(report, [(1, "anna")]) == pair_at(report, [(0, "bob")]) == ("anna", "bob")
    assert pair_at(report, [(1, TEXT_NAME)]) == ("bob", None)
    assert pair_at(report, [(0, "anna")]) is None and pair_at(report, []) is None
    assert pair_names(report) == {
        ("anna", "bob"): "anna and bob",
        ("anna", None): "anna and the text",
        ("bob", None): "bob and the text",
    }
