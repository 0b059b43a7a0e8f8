"""The vectorised bootstrap equals a plain loop over scikit-learn, and resamples patients."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from train.bootstrap import (
    Interval,
    Resamples,
    draw,
    enough_patients,
    interval,
    resampled_auc,
    resampled_average_precision,
)


def weights(resamples: Resamples) -> NDArray[np.float32]:
    """(n_records, n_resamples)."""
    return resamples.copies[resamples.patients]


@st.composite
def measured(draw_from: st.DrawFn) -> tuple[NDArray[np.bool_], NDArray[np.float64], list[str]]:
    n = draw_from(st.integers(2, 40))
    scores = draw_from(st.lists(st.integers(-3, 3), min_size=n, max_size=n))  # many ties
    positive = draw_from(st.lists(st.booleans(), min_size=n, max_size=n))
    patients = draw_from(st.lists(st.sampled_from("abcdefgh"), min_size=n, max_size=n))
    return np.array(positive), np.array(scores, dtype=float), patients


@settings(max_examples=30)
@given(measured())
def test_bootstrap_equals_a_loop_over_scikit_learn(
    case: tuple[NDArray[np.bool_], NDArray[np.float64], list[str]],
) -> None:
    positive, scores, patients = case
    resamples = draw(patients, seed=1, resamples=20)
    found = (
        resampled_auc(positive, scores, resamples),
        resampled_average_precision(positive, scores, resamples),
    )
    for number, copies in enumerate(weights(resamples).T):
        if len(np.unique(positive[copies > 0])) < 2:
            assert np.isnan(found[0][number]) and np.isnan(found[1][number])
            continue
        for values, plain in zip(found, (roc_auc_score, average_precision_score), strict=True):
            assert values[number] == pytest.approx(plain(positive, scores, sample_weight=copies), abs=1e-6)


def test_bootstrap_in_chunks_equals_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    positive, scores = generator.random(50) < 0.4, generator.normal(size=50)
    resamples = draw([str(number // 2) for number in range(50)], seed=0, resamples=101)
    whole = resampled_auc(positive, scores, resamples)
    monkeypatch.setattr("train.bootstrap._CHUNK", 500)
    assert np.array_equal(resampled_auc(positive, scores, resamples), whole)


def test_bootstrap_draws_as_many_patients_as_there_are() -> None:
    resamples = draw(["b", "a", "b", "c"], seed=0, resamples=1000)
    assert resamples.copies.shape == (3, 1000)
    assert np.all(resamples.copies.sum(axis=0) == 3)
    # each patient's copies follow Binomial(3, 1/3): mean 1, variance 2/3
    assert resamples.copies.mean(axis=1) == pytest.approx([1, 1, 1], abs=0.1)
    assert resamples.copies.var(axis=1) == pytest.approx([2 / 3] * 3, abs=0.1)
    assert np.array_equal(resamples.patients, [1, 0, 1, 2])


def test_bootstrap_does_not_depend_on_the_order_of_records() -> None:
    generator = np.random.default_rng(3)
    positive, scores = generator.random(60) < 0.5, generator.normal(size=60).round(1)
    patients = np.array([f"p{number // 3}" for number in range(60)])
    order = generator.permutation(60)
    first = resampled_auc(positive, scores, draw(patients, seed=5, resamples=200))
    second = resampled_auc(positive[order], scores[order], draw(patients[order], seed=5, resamples=200))
    assert np.array_equal(first, second)


def test_bootstrap_interval_widens_when_images_belong_to_few_patients() -> None:
    generator = np.random.default_rng(0)
    of_patient = generator.normal(size=20).repeat(10)  # ten equal images each
    positive = (np.arange(20) % 2 == 0).repeat(10)
    scores = of_patient + positive
    alone = interval(resampled_auc(positive, scores, draw([str(i) for i in range(200)], seed=0)))
    together = interval(resampled_auc(positive, scores, draw([str(i // 10) for i in range(200)], seed=0)))
    assert None not in (alone.low, alone.high, together.low, together.high)
    assert together.high - together.low > 2 * (alone.high - alone.low)  # type: ignore[operator]


def test_bootstrap_drops_and_counts_resamples_without_both_classes() -> None:
    positive = np.array([True, True, False, False])
    resamples = draw(list("abcd"), seed=0, resamples=20_000)
    found = interval(resampled_auc(positive, np.array([0.9, 0.4, 0.6, 0.1]), resamples))
    assert found.dropped == pytest.approx(20_000 * 2 / 16, rel=0.06)  # all four draws of one class: 2 (1/2)^4
    assert interval(np.full(5, np.nan)) == Interval(None, None, 5)


def test_bootstrap_sums_records_by_resample() -> None:
    resamples = draw(list("aabc"), seed=2, resamples=50)
    values = np.array([[1.0, 0.5], [2, 0], [4, 0], [8, 0]])
    assert resamples.sums(values) == pytest.approx(values.T @ weights(resamples))


def test_bootstrap_needs_two_patients_of_each_class() -> None:
    positive = np.array([True, True, False, False])
    assert enough_patients(positive, ["a", "b", "c", "d"])
    assert not enough_patients(positive, ["a", "a", "c", "d"])
    assert not enough_patients(np.ones(4, dtype=bool), ["a", "b", "c", "d"])
