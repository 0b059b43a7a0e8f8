"""``annotate.split``: no patient in two sets, nobody moves, and every set gets its share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotate.convert import main as convert
from annotate.groups import read_pairs
from annotate.split import Division, check_split, main, split
from annotate.split_report import absent, composition, sentences
from annotate.tables import read_labels, write_labels
from nlp.command import DONE, FAILED
from nlp.errors import ContractError
from nlp.lexicon import load_lexicon
from nlp.schema import label_columns

FINDINGS = load_lexicon().finding_keys
GGO, CSLD, CRPA = FINDINGS[:3]
NAMES = [column.name for column in label_columns(FINDINGS)]
Row = dict[str, str]


def labels(rows: Sequence[Row]) -> pd.DataFrame:
    basis = dict.fromkeys(NAMES, "") | {"review": "auto"}
    filled = [basis | {"image": f"x/{number}.png"} | row for number, row in enumerate(rows)]
    return pd.DataFrame(filled, dtype=object).set_axis(range(2, len(filled) + 2))


def cohort(count: int, images: int = 2, **cells: str) -> list[Row]:
    """Patients with some images each, half of them controls."""
    return [
        {"patient_id": f"p{number:03}", "covid19": str(number % 2), **cells}
        for number in range(count)
        for _ in range(images)
    ]


def of_patients(table: pd.DataFrame) -> dict[str, str]:
    assert (table.groupby("patient_id")["split"].nunique() == 1).all()
    return dict(zip(table["patient_id"], table["split"], strict=True))


def divide(rows: Sequence[Row], **options: object) -> Division:
    return split(labels(rows), FINDINGS, **options)  # type: ignore[arg-type]


records = st.fixed_dictionaries(
    {
        "patient_id": st.sampled_from([f"p{number}" for number in range(12)]),
        "covid19": st.sampled_from(["1", "0", "-1", ""]),
        GGO: st.sampled_from(["1", "0", "-1", ""]),
        CSLD: st.sampled_from(["1", ""]),
        "source": st.sampled_from(["a", "b", ""]),
    }
)
tables = st.lists(records, min_size=1, max_size=25)


# ---- invariants


@settings(max_examples=25)
@given(tables, st.integers(0, 9), st.data())
def test_split_never_cuts_a_patient_or_what_must_stay_together(
    rows: list[Row], seed: int, data: st.DataObject
) -> None:
    places = st.integers(0, len(rows) - 1).map(lambda number: f"x/{number}.png")
    pairs = data.draw(st.lists(st.tuples(places, places), max_size=4))
    table = divide(rows, seed=seed, keep_together=pairs).table
    of_patients(table)
    of_image = dict(zip(table["image"], table["split"], strict=True))
    assert all(of_image[left] == of_image[right] for left, right in pairs)
    check_split(table, pairs)
    assert set(table["split"]) <= {"train", "val", "test"}


@settings(max_examples=20)
@given(tables, st.randoms(use_true_random=False))
def test_split_does_not_depend_on_the_order_of_rows(rows: list[Row], random: object) -> None:
    named = [row | {"image": f"{number}.png"} for number, row in enumerate(rows)]
    shuffled = sorted(named, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert of_patients(divide(named).table) == of_patients(divide(shuffled).table)


@settings(max_examples=20)
@given(tables, tables, st.integers(0, 9))
def test_split_moves_nobody_when_data_are_added(old: list[Row], new: list[Row], seed: int) -> None:
    before = of_patients(divide(old).table)
    kept = [row | {"split": before[row["patient_id"]]} for row in old]
    division = divide([*kept, *new], seed=seed)
    after = of_patients(division.table)
    assert {patient: after[patient] for patient in before} == before
    assert division.kept == len(before)


@settings(max_examples=20)
@given(st.integers(1, 40), st.integers(1, 40))
def test_split_keeps_the_ratios_of_patients_within_each_class(positives: int, controls: int) -> None:
    rows = [{"patient_id": f"a{number}", "covid19": "1"} for number in range(positives)]
    rows += [{"patient_id": f"b{number}", "covid19": "0"} for number in range(controls)]
    table = divide(rows).table
    for value, count in (("1", positives), ("0", controls)):
        held = table[table["covid19"] == value]["split"].value_counts()
        for name, ratio in (("train", 0.6), ("val", 0.15), ("test", 0.25)):
            number = held.get(name, 0)
            assert (
                abs(number - ratio * count) < 1 or number == 1
            )  # one where the share is less: all are covered


# ---- behaviour


def test_split_covers_every_finding_that_three_patients_have() -> None:
    rows = cohort(40)
    for number, finding in enumerate((GGO, CSLD, CRPA)):
        for patient in range(3):
            rows[2 * (6 * number + patient)][finding] = "1"
    table = divide(rows).table
    assert all(
        set(table["split"][table[key] == "1"]) == {"train", "val", "test"} for key in (GGO, CSLD, CRPA)
    )


def test_split_says_what_cannot_be_covered() -> None:
    rows = cohort(20)
    rows[0][GGO] = rows[1][GGO] = "1"
    rows[4][CSLD] = rows[8][CSLD] = "1"
    said = list(sentences(divide(rows)))
    assert f"no record with {GGO} in val and test: only 1 group of patients has it" in said
    assert f"no record with {CSLD} in val: only 2 groups of patients have it" in said


def test_split_says_that_earlier_splits_prevent_it() -> None:
    rows = [*cohort(20, split="train", **{GGO: "1"}), {"patient_id": "new", "covid19": "1"}]
    said = "\n".join(sentences(divide(rows)))
    assert "patients that had a set already and stay in it: 20 " in said
    assert (
        f"no record with {GGO} in val and test: 20 groups of patients have it, but earlier splits stay"
        in said
    )


def test_split_new_rows_of_an_old_patient_follow_it() -> None:
    rows = [*cohort(20), {"patient_id": "p000", "covid19": "0", "split": "val"}]
    assert of_patients(divide(rows).table)["p000"] == "val"


def test_split_new_patients_go_where_the_ratios_lack() -> None:
    rows = cohort(12, split="train") + [{"patient_id": f"n{number}", "covid19": "1"} for number in range(4)]
    after = of_patients(divide(rows).table)
    assert {after[f"n{number}"] for number in range(4)} == {"val", "test"}


def test_split_again_forgets_what_was() -> None:
    rows = cohort(20, split="train")
    assert set(divide(rows).table["split"]) == {"train"}
    division = divide(rows, again=True)
    assert division.kept == 0
    assert of_patients(division.table) == of_patients(divide(cohort(20)).table)


def test_split_seed_changes_who_but_not_how_many() -> None:
    first, second = (of_patients(divide(cohort(40), seed=seed).table) for seed in (0, 1))
    assert first != second
    assert sorted(first.values()) == sorted(second.values())


def test_split_names_patients_that_lie_in_two_sets() -> None:
    rows = [*cohort(6, split="train"), {"patient_id": "p001", "covid19": "1", "split": "test"}]
    for ask in (lambda: divide(rows), lambda: check_split(labels(rows))):
        with pytest.raises(ContractError, match=r"p001: train and test(.|\n)*--again"):
            ask()
    assert len(of_patients(divide(rows, again=True).table)) == 6


def test_split_names_old_patients_that_a_shared_image_joins() -> None:
    rows = [{"patient_id": "a", "split": "train"}, {"patient_id": "b", "split": "test"}]
    with pytest.raises(ContractError, match="a, b: train and test"):
        divide(rows, keep_together=[("x/0.png", "1")])


def test_split_keep_together_finds_images_by_stem_and_names_unknown_ones() -> None:
    rows = cohort(20, images=1)
    chain = [("0", "other/1.jpg"), ("x/1.png", "2.png"), ("x/2.png", "x/3.png")]
    division = divide(rows, keep_together=chain)
    after = of_patients(division.table)
    assert len({after[f"p00{number}"] for number in range(4)}) == 1
    assert "groups of patients that share images and were kept together: 1" in list(sentences(division))
    with pytest.raises(
        ContractError, match=r"2 images to keep together are not in the table: '77\.png', 'gone'"
    ):
        divide(rows, keep_together=[("gone", "0"), ("77.png", "gone")])


@pytest.mark.parametrize("ratios", [(0, 0, 0), (60, -1, 41), (float("nan"), 1, 1), (1, 1)])
def test_split_refuses_ratios_that_are_no_shares(ratios: tuple[float, ...]) -> None:
    with pytest.raises(ContractError, match="ratios must be three numbers"):
        divide(cohort(4), ratios=ratios)


def test_split_patient_with_positive_and_control_images_is_positive() -> None:
    rows = [
        {"patient_id": f"p{number}", "covid19": value} for number in range(10) for value in ("0", "1", "")
    ]
    lines = composition(divide(rows).table, FINDINGS).splitlines()
    assert lines[1].split()[-4:] == ["6", "1", "3", "10"] or lines[1].split()[-4:] == ["6", "2", "2", "10"]
    assert lines[2].startswith("records, covid19 1") and lines[4].startswith("records, covid19 rest")


# ---- command


def test_split_command_writes_prints_and_is_repeatable(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = tmp_path / "labels.csv", tmp_path / "labelled.csv"
    write_labels(labels(cohort(40)).assign(mine="kept"), source, FINDINGS)
    assert main([str(source), "-o", str(target)]) == DONE
    shown = capsys.readouterr().out
    assert "patients, covid19 1 " in shown and "every count is its target" in shown
    first = target.read_bytes()
    assert main([str(target), "-o", str(target), "--seed", "7"]) == DONE  # in place; nobody moves
    assert target.read_bytes() == first
    assert read_labels(target, FINDINGS)["mine"].tolist() == ["kept"] * 80
    assert main([str(target), "--check"]) == DONE
    assert "no patient lies in two sets" in capsys.readouterr().out


def test_split_command_check_fails_on_a_leak(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"patient_id": "a", "split": "train"}, {"patient_id": "b", "split": "val"}]
    write_labels(labels(rows), tmp_path / "labelled.csv", FINDINGS)
    pairs = tmp_path / "near_duplicates.csv"
    pairs.write_text("image_a,image_b,similarity\nx/0.png,x/1.png,0.9\n")
    assert read_pairs(pairs) == [("x/0.png", "x/1.png")]
    assert main([str(tmp_path / "labelled.csv"), "--check"]) == DONE
    assert main([str(tmp_path / "labelled.csv"), "--check", "--keep-together", str(pairs)]) == FAILED
    assert "a, b: train and val" in capsys.readouterr().err
    pairs.write_text("left,right\n")
    assert main([str(tmp_path / "labelled.csv"), "--check", "--keep-together", str(pairs)]) == FAILED
    assert "lacks the columns image_a, image_b" in capsys.readouterr().err


def test_split_published_data_reaches_every_target(shared: Path, tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    assert convert(["la-dnn", str(shared / "data" / "covid-ct"), "-o", str(path)]) == DONE
    table = read_labels(path, FINDINGS)
    check_split(table)
    assert list(absent(table, FINDINGS)) == [
        f"no record with {key} in {sets}"
        for key, sets in zip(FINDINGS[2:], ("val", "val", "val and test"), strict=True)
    ]
    division = split(table, FINDINGS, again=True)
    assert list(sentences(division)) == ["every count is its target, rounded up or down"]
    assert all(
        set(division.table["split"][table[key] == "1"]) == {"train", "val", "test"} for key in FINDINGS
    )
