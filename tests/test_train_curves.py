"""Curves and their bands against a plain loop."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from train.bootstrap import draw
from train.curves import precision_recall, roc


def test_curves_hold_the_areas_they_stand_for() -> None:
    generator = np.random.default_rng(0)
    positive = generator.random(120) < 0.4
    scores = (positive + generator.normal(size=120)).round(1)
    patients = [f"p{number // 2}" for number in range(120)]
    curve = roc(positive, scores, patients, seed=0)
    assert np.trapezoid(curve.y, curve.x) == pytest.approx(roc_auc_score(positive, scores))
    curve = precision_recall(positive, scores, patients, seed=0)
    average = (np.diff(curve.x) * curve.y[1:]).sum()
    assert average == pytest.approx(average_precision_score(positive, scores))


def test_curves_band_equals_a_loop_over_scikit_learn() -> None:
    generator = np.random.default_rng(1)
    positive = np.arange(60) % 3 == 0
    scores = (positive + generator.normal(size=60)).round(1)
    patients = [f"p{number // 2}" for number in range(60)]
    curve = roc(positive, scores, patients, seed=5)
    resamples = draw(patients, seed=5, resamples=1000)
    plain = []
    for copies in resamples.copies[resamples.patients].T:
        if len(np.unique(positive[copies > 0])) == 2:
            wrong, right, _ = roc_curve(positive, scores, sample_weight=copies, drop_intermediate=False)
            highest = np.append(np.flatnonzero(np.diff(wrong)), len(wrong) - 1)
            plain.append(np.interp(curve.grid, wrong[highest], right[highest]))
    low, high = np.percentile(plain, (2.5, 97.5), axis=0)
    assert curve.low == pytest.approx(low, abs=1e-6) and curve.high == pytest.approx(high, abs=1e-6)


def test_curves_band_holds_the_curve_and_is_absent_for_one_patient() -> None:
    generator = np.random.default_rng(2)
    positive = np.arange(200) % 2 == 0
    scores = positive + generator.normal(size=200)
    patients = [str(number) for number in range(200)]
    curve = roc(positive, scores, patients, seed=0)
    assert curve.low is not None and curve.high is not None
    at = np.interp(curve.grid[1:-1], curve.x, curve.y)
    assert np.all(curve.low[1:-1] <= at + 0.05) and np.all(at <= curve.high[1:-1] + 0.05)
    alone = roc(
        positive, scores, ["a" if flag else str(place) for place, flag in enumerate(positive)], seed=0
    )
    assert alone.low is alone.high is None
