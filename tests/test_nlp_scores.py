"""``nlp.scores``: every expected number here is worked out by hand in the comment beside it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from nlp.schema import STATES
from nlp.scores import Comparison, Metric, score


def codes(*rows: Sequence[str]) -> np.ndarray[tuple[int, ...], np.dtype[np.int8]]:
    return np.array([[STATES.index(state) for state in row] for row in rows], dtype=np.int8)


def compared(reference: Sequence[str], output: Sequence[str], clusters: Sequence[int] = ()) -> Comparison:
    """One finding over several records."""
    numbers = np.array(clusters or range(len(reference)), dtype=np.int64)
    columns = (codes(*([state] for state in states)) for states in (reference, output))
    return Comparison(("finding",), *columns, numbers)


def value(metric: Metric) -> float:
    assert metric.value is not None
    return metric.value


def test_scores_precision_recall_and_f1_count_only_present_as_positive() -> None:
    reference = ["present", "present", "present", "uncertain", "negated", "not_mentioned"]
    output = ["present", "present", "uncertain", "present", "present", "not_mentioned"]
    found = score(compared(reference, output))["finding"]
    # hit 2, wrong 2 (uncertain, negated), missed 1
    assert value(found.precision) == pytest.approx(2 / 4)
    assert value(found.recall) == pytest.approx(2 / 3)
    assert value(found.f1) == pytest.approx(4 / 7)
    assert (found.n, found.n_positive, found.n_output) == (6, 3, 4)


def test_scores_state_accuracy_leaves_out_cells_that_neither_side_mentions() -> None:
    reference = ["resolved", "negated", "not_mentioned", "not_mentioned", "not_mentioned"]
    output = ["resolved", "resolved", "present", "not_mentioned", "not_mentioned"]
    found = score(compared(reference, output))["finding"]
    assert found.n_compared == 3
    assert value(found.accuracy) == pytest.approx(1 / 3)


def test_scores_micro_sums_the_findings() -> None:
    reference = codes(["present", "present"], ["not_mentioned", "present"])
    output = codes(["present", "not_mentioned"], ["present", "present"])
    scores = score(Comparison(("one", "two"), reference, output, np.arange(2)))
    assert value(scores["one"].f1) == pytest.approx(2 / 3)  # hit 1, wrong 1
    assert value(scores["two"].f1) == pytest.approx(2 / 3)  # hit 1, missed 1
    assert value(scores["micro"].f1) == pytest.approx(4 / 6)  # hit 2, wrong 1, missed 1
    assert scores["micro"].n == 4


def test_scores_a_metric_without_positives_is_null_with_its_n() -> None:
    found = score(compared(["negated"] * 3, ["negated"] * 3))["finding"]
    assert found.precision == found.recall == found.f1 == Metric(None, None, None)
    assert (found.n, found.n_positive) == (3, 0)
    assert found.accuracy == Metric(1.0, 1.0, 1.0)


def test_scores_recall_and_f1_stay_null_when_only_the_output_has_positives() -> None:
    found = score(compared(["negated"] * 4, ["present", *["negated"] * 3]))["finding"]
    assert found.recall == found.f1 == Metric(None, None, None)
    assert (found.precision.value, found.n_positive, found.n_output) == (0.0, 0, 1)


def test_scores_interval_is_that_of_the_binomial() -> None:
    # One of four right: a resample holds Binomial(4, 1/4) right ones. P(0) = .316 and P(<= 2) = .949 < .975
    # and P(<= 3) = .996, so the interval runs from 0 to 3/4.
    accuracy = score(compared(["negated"] * 4, ["negated", *["resolved"] * 3]))["finding"].accuracy
    assert accuracy == Metric(0.25, 0.0, 0.75)


def test_scores_interval_equals_resampling_row_by_row() -> None:
    generator = np.random.default_rng(5)
    reference, output = generator.integers(0, 5, (2, 60, 3)).astype(np.int8)
    output = np.where(generator.random((60, 3)) < 0.6, reference, output)
    found = score(Comparison(("a", "b", "c"), reference, output, np.arange(60)), resamples=20_000)["micro"]
    plain = []
    for _ in range(4_000):
        rows = generator.integers(0, 60, 60)
        actual, stated = reference[rows] == 0, output[rows] == 0
        plain.append(2 * (actual & stated).sum() / (actual.sum() + stated.sum()))
    low, high = np.percentile(plain, [2.5, 97.5])
    assert (found.f1.low, found.f1.high) == (pytest.approx(low, abs=0.012), pytest.approx(high, abs=0.012))


def test_scores_interval_of_equal_records_widens_when_they_are_one_patient() -> None:
    reference, output = ["present"] * 40, ["present"] * 20 + ["negated"] * 20
    alone = score(compared(reference, output))["finding"].recall
    pairs = score(compared(reference, output, [number // 10 for number in range(40)]))["finding"].recall
    assert alone.low is not None and alone.high is not None
    # 40 records: about .5 +- 1.96 * sqrt(.25 / 40) = .345 to .655
    assert (alone.low, alone.high) == (pytest.approx(0.345, abs=0.03), pytest.approx(0.655, abs=0.03))
    # 4 clusters of 10, half of them right: P(Binomial(4, 1/2) = 0) = .0625 > .025
    assert pairs == Metric(0.5, 0.0, 1.0)


def test_scores_are_the_same_for_the_same_seed_and_whatever_the_order() -> None:
    reference, output = ["present", "negated", "present"] * 9, ["present", "present", "negated"] * 9
    first = score(compared(reference, output), seed=3)
    assert score(compared(reference, output), seed=3).targets == first.targets
    assert score(compared(reference[::-1], output[::-1]), seed=3).targets == first.targets


def test_scores_found_reads_the_diagonal_of_the_confusion_table() -> None:
    scores = score(compared(["resolved", "resolved", "negated"], ["resolved", "negated", "negated"]))
    assert scores.found("resolved") == (1, 2)
    assert scores.confusion[STATES.index("resolved"), STATES.index("negated")] == 1
