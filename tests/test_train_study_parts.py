from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp.errors import TrainingError
from train.budget import check_budgets, within_budget
from train.label_rows import LabelRow
from train.sources import source_folds


def make_row(number: int, **cells: str) -> LabelRow:
    usual = {"image": f"{number:04}.png", "patient_id": f"p{number}", "source": "", "covid19": "1"}
    return {**usual, "review": "auto", "split": "train", **cells}


def published() -> list[LabelRow]:
    """As in the published set: controls of two collections, confirmed cases of many articles."""
    controls = [
        make_row(n, patient_id=f"c{n // 2}", source=("crawled", "medpix")[n // 60], covid19="0")
        for n in range(120)
    ]
    cases = [make_row(200 + n, patient_id=f"k{n // 2}", source=f"article-{n // 8}") for n in range(100)]
    return [*controls, *cases]


def values(rows: tuple[LabelRow, ...] | list[LabelRow], column: str, split: str) -> set[str]:
    return {row[column] for row in rows if row["split"] == split}


def test_study_parts_a_source_kept_out_brings_sources_of_the_other_class() -> None:
    folds = source_folds(published())
    assert [fold.source for fold in folds] == ["crawled", "medpix"]
    for fold in folds:
        seen = values(fold.rows, "source", "train") | values(fold.rows, "source", "val")
        measured = values(fold.rows, "source", "test")
        assert fold.source in measured and not seen & measured and not fold.note
        assert values(fold.rows, "covid19", "test") == {"0", "1"}
    articles = [values(fold.rows, "source", "test") - {fold.source} for fold in folds]
    assert not articles[0] & articles[1] and len(articles[0] | articles[1]) == 13


def test_study_parts_a_single_source_of_the_other_class_is_dealt_by_patient() -> None:
    rows = [row | {"source": "clinic"} if row["covid19"] == "1" else row for row in published()]
    folds = source_folds(rows, fewest=60)
    assert [fold.source for fold in folds] == ["crawled", "medpix"]  # without the clinic no case is left
    for fold in folds:
        patients = [values(fold.rows, "patient_id", split) for split in ("train", "val", "test")]
        assert sum(map(len, patients)) == len(set.union(*patients)) and "trained on" in fold.note
        assert "clinic" in values(fold.rows, "source", "test") & values(fold.rows, "source", "train")


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 30), st.sampled_from(("0", "1", "-1"))),
        min_size=20,
        max_size=120,
    ),
    st.integers(0, 3),
)
def test_study_parts_no_patient_of_a_source_kept_out_is_trained_on(
    drawn: list[tuple[int, int, str]], seed: int
) -> None:
    rows = [
        make_row(n, source=f"s{source}" if source else "", patient_id=f"p{patient}", covid19=flag)
        for n, (source, patient, flag) in enumerate(drawn)
    ]
    try:
        folds = source_folds(rows, fewest=8, seed=seed)
    except TrainingError:
        return
    for fold in folds:
        patients = [values(fold.rows, "patient_id", split) for split in ("train", "val", "test")]
        assert sum(map(len, patients)) == len(set.union(*patients))
        assert fold.source not in values(fold.rows, "source", "train") | values(fold.rows, "source", "val")
        assert all(values(fold.rows, "covid19", split) == {"0", "1"} for split in ("train", "val"))
        assert all(row["covid19"] in ("0", "1") and row["source"] for row in fold.rows)
    assert folds == source_folds(rows, fewest=8, seed=seed)


def test_study_parts_too_few_sources_are_refused() -> None:
    with pytest.raises(TrainingError, match="none of the 0 known sources"):
        source_folds([row | {"source": ""} for row in published()])
    with pytest.raises(TrainingError, match="--source-records"):
        source_folds(published(), fewest=500)


# ---- budgets


@given(st.integers(0, 10), st.integers(2, 60), st.integers(2, 60))
def test_study_parts_budgets_lie_inside_each_other(seed: int, one: int, other: int) -> None:
    rows = [row | {"split": "test"} if n % 5 == 0 else row for n, row in enumerate(published())]
    small, large = (within_budget(rows, budget, seed=seed) for budget in sorted((one, other)))
    trained = [{row["image"] for row in part if row["split"] == "train"} for part in (small, large)]
    assert [len(images) for images in trained] == sorted((one, other))
    assert trained[0] <= trained[1]
    assert [row for row in large if row["split"] == "test"] == [row for row in rows if row["split"] == "test"]
    confirmed = sum(row["covid19"] == "1" for row in large if row["split"] == "train")
    assert abs(confirmed - len(trained[1]) * 100 / 220) <= 1.5
    assert within_budget(rows[::-1], one, seed=seed)[::-1] == within_budget(rows, one, seed=seed)


def test_study_parts_a_budget_takes_what_people_confirmed_first() -> None:
    rows = [row | {"review": "confirmed"} if n % 4 == 0 else row for n, row in enumerate(published())]
    taken = within_budget(rows, 40, seed=1)
    assert len(taken) == 40 and {row["review"] for row in taken} == {"confirmed"}
    more = within_budget(rows, 100, seed=1)
    assert sum(row["review"] == "confirmed" for row in more) == 55
    assert within_budget(rows, 40, seed=2) != taken


def test_study_parts_budgets_beyond_train_are_refused() -> None:
    with pytest.raises(TrainingError, match="2 to the 220 records of train; found 1, 221"):
        check_budgets(published(), [50, 1, 221])
