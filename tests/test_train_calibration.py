"""Probabilities: temperature, log loss, reliability."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from train.calibration import (
    Bin,
    Calibration,
    calibrate,
    calibration_error,
    fit_temperature,
    frequency_interval,
    log_loss,
    probability,
    reliability,
)


def overconfident(n: int = 400, *, factor: float = 3.0) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    generator = np.random.default_rng(0)
    true = generator.normal(size=n) * 2
    return generator.random(n) < probability(true), true * factor


def test_calibration_finds_the_temperature() -> None:
    positive, logits = overconfident(4000)
    assert fit_temperature(positive, logits) == pytest.approx(3, rel=0.1)


def test_calibration_is_kept_where_it_helps_patients_it_has_not_seen() -> None:
    positive, logits = overconfident()
    found = calibrate(positive, logits, [str(number // 2) for number in range(400)])
    assert found.temperature == pytest.approx(3, rel=0.25)
    assert found.log_loss_before is not None and found.log_loss_after is not None
    assert found.log_loss_after < found.log_loss_before


def test_calibration_is_left_alone_where_it_does_not() -> None:
    generator = np.random.default_rng(1)
    logits = generator.normal(size=30)
    positive = generator.random(30) < probability(logits)
    found = calibrate(positive, logits, [str(number) for number in range(30)])
    assert found.log_loss_after is not None and found.log_loss_before is not None
    assert (found.temperature == 1) == (found.log_loss_after >= found.log_loss_before)


def test_calibration_needs_five_patients_and_both_classes() -> None:
    positive, logits = overconfident(40)
    assert calibrate(positive, logits, ["one"] * 40) == Calibration()
    assert calibrate(np.ones(40, dtype=bool), logits, [str(number) for number in range(40)]) == Calibration()


def test_log_loss_equals_scikit_learn_and_stays_finite() -> None:
    positive, logits = overconfident(50)
    assert log_loss(positive, logits) == pytest.approx(
        sklearn.metrics.log_loss(positive, probability(logits))
    )
    assert log_loss(np.array([True, False]), np.array([-1e4, 0.0])) == pytest.approx((1e4 + np.log(2)) / 2)


def test_reliability_by_hand() -> None:
    positive = np.array([False, True, True, True])
    bins = reliability(positive, np.array([0.2, 0.4, 0.8, 0.6]), ["a", "b", "c", "c"], bins=2)
    assert bins == (Bin(2, pytest.approx(0.3), 0.5, 2), Bin(2, pytest.approx(0.7), 1.0, 1))
    assert calibration_error(bins) == pytest.approx((0.2 + 0.3) / 2)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 8)), min_size=1, max_size=50), st.integers(1, 12))
def test_reliability_bins_hold_every_record_and_part_no_equals(
    rows: list[tuple[bool, int]], bins: int
) -> None:
    positive, steps = (np.array(column) for column in zip(*rows, strict=True))
    found = reliability(positive, steps / 8, ["one"] * len(rows), bins=bins)
    assert sum(each.n for each in found) == len(rows)
    assert sum(each.n * each.observed for each in found) == pytest.approx(positive.sum())
    assert len(found) <= bins
    means = [each.probability for each in found]
    assert means == sorted(set(means))


@pytest.mark.parametrize(("positive", "patients"), [(0, 1), (3, 8), (15, 20), (9, 9)])
def test_frequency_interval_equals_scipy_and_is_wider_for_fewer_patients(
    positive: int, patients: int
) -> None:
    peer = scipy.stats.binomtest(positive, patients).proportion_ci(method="wilson")
    low, high = frequency_interval(positive / patients, patients)
    assert (low, high) == pytest.approx((peer.low, peer.high))
    narrower = frequency_interval(positive / patients, 4 * patients)
    assert low <= narrower[0] <= positive / patients <= narrower[1] <= high
