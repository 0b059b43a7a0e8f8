"""Sensitivity and specificity at fixed probabilities, with intervals over patients."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import recall_score

from train.bootstrap import draw
from train.cutoffs import CUTOFFS, at_cutoffs


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(6, 60))
def test_cutoffs_equal_scikit_learn_and_lie_within_their_intervals(seed: int, count: int) -> None:
    generator = np.random.default_rng(seed)
    positive = generator.permutation(np.arange(count) % 2 == 0)
    probabilities = np.clip(generator.normal(0.4 + 0.2 * positive, 0.2), 0, 1)
    resamples = draw([str(each) for each in range(count)], seed=0, resamples=300)
    rows = at_cutoffs(positive, probabilities, CUTOFFS, resamples)
    assert [row.cutoff for row in rows] == list(CUTOFFS)
    for row in rows:
        called = probabilities >= row.cutoff
        assert row.sensitivity == pytest.approx(recall_score(positive, called))
        assert row.specificity == pytest.approx(recall_score(~positive, ~called))
        assert row.sensitivity_low is not None and row.sensitivity_high is not None
        assert 0 <= row.sensitivity_low <= row.sensitivity <= row.sensitivity_high <= 1
    assert all(np.diff([row.sensitivity for row in rows]) <= 0)
    assert all(np.diff([row.specificity for row in rows]) >= 0)


def test_cutoffs_resample_patients_not_images() -> None:
    """Ten copies of each patient's image say no more than one; the normal approximation believes they do."""
    patients = np.repeat(np.arange(20), 10)
    positive = patients % 2 == 0
    probabilities = np.where(patients % 4 < 2, 0.75, 0.25)  # half of either class is called
    names = [f"p{each}" for each in patients]
    [row] = at_cutoffs(positive, probabilities, (0.5,), draw(names, seed=0, resamples=2000))
    assert row.sensitivity == 0.5 and row.sensitivity_low is not None and row.sensitivity_high is not None
    normal = 2 * 1.96 * np.sqrt(0.25 / positive.sum())
    assert row.sensitivity_high - row.sensitivity_low > 2 * normal


def test_cutoffs_nothing_missed_still_has_a_bound() -> None:
    positive = np.array([True] * 8 + [False] * 8)
    names = [str(each // 2) for each in range(16)]  # two images a patient
    [row] = at_cutoffs(positive, positive.astype(float), (0.5,), draw(names, seed=0, resamples=100))
    wanted = binomtest(4, 4).proportion_ci(method="exact")
    assert row.sensitivity == 1 and row.sensitivity_low == pytest.approx(wanted.low)
    assert (row.specificity, row.specificity_high) == (1, 1)


def test_cutoffs_of_too_few_patients_have_no_interval() -> None:
    [row] = at_cutoffs(np.array([True, False]), np.array([0.9, 0.8]), (0.85,), None)
    assert (row.sensitivity, row.specificity, row.sensitivity_low) == (1, 1, None)
    assert at_cutoffs(np.array([True, False]), np.array([0.9, 0.8]), (), None) == ()
