"""DeLong's covariance against published numbers, the definition, and the bootstrap."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from nlp.errors import TrainingError
from train.bootstrap import draw, resampled_auc
from train.delong import auc_difference, delong

OVARIAN = """
3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0  2.5 5.7 8 0  1.6 5.6 5 1
3.8 5.7 5 1  3.7 6.7 6 1  3.2 5.4 4 1  3.8 6.6 6 1  4.1 6.6 5 1  3.6 5.7 5 1  4.3 7.0 4 1  3.6 6.7 4 0
2.3 4.4 6 1  4.2 7.6 4 0  4.0 6.6 6 0  3.5 5.8 6 1  3.8 6.8 7 1  3.0 4.7 8 0  4.5 7.4 5 1  3.7 7.4 5 1
3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1  4.3 6.5 4 1  3.2 5.1 5 1  2.6 4.7 6 1  3.3 6.8 6 0  1.7 4.0 7 0
3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1  3.5 6.2 5 1  2.9 5.7 9 0  2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1
3.3 5.7 6 1  3.7 6.9 5 1  3.6 6.6 5 1
"""
"""Albumin, total protein, K-G score, outcome: DeLong et al. 1988, the example of SAS PROC LOGISTIC."""


def by_definition(positive: NDArray[np.bool_], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """The covariance from the kernel of every pair, as in the paper of 1988."""
    kernel = np.stack(
        [
            (row[positive][:, None] > row[~positive]) + 0.5 * (row[positive][:, None] == row[~positive])
            for row in scores
        ]
    )
    won, lost = kernel.mean(axis=2), kernel.mean(axis=1)
    return np.cov(won) / won.shape[1] + np.cov(lost) / lost.shape[1]


def example(seed: int, n: int = 60) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    generator = np.random.default_rng(seed)
    positive = np.arange(n) % 3 == 0
    return positive, (positive + generator.normal(size=(3, n))).round(1)


def test_delong_gives_the_published_numbers() -> None:
    table = np.array(OVARIAN.split(), dtype=float).reshape(-1, 4)
    positive = table[:, 3] == 1
    areas = delong(positive, np.stack([table[:, 0], table[:, 1], 10 - table[:, 2]]))
    assert areas.auc == pytest.approx([0.7366, 0.6478, 0.7258], abs=5e-5)
    assert np.sqrt(np.diag(areas.covariance)) == pytest.approx([0.0927, 0.1000, 0.1028], abs=5e-5)
    for first, difference, error in ((0, 0.0108, 0.0953), (1, -0.0780, 0.1046)):
        found = auc_difference(areas, first, 2)
        assert found.low is not None and found.high is not None
        assert (found.value, (found.high - found.low) / 3.92) == pytest.approx((difference, error), abs=5e-5)


@pytest.mark.parametrize("seed", range(5))
def test_delong_by_midranks_equals_the_definition(seed: int) -> None:
    positive, scores = example(seed)
    areas = delong(positive, scores)
    assert areas.auc == pytest.approx([roc_auc_score(positive, row) for row in scores])
    assert areas.covariance == pytest.approx(by_definition(positive, scores))


def test_delong_with_a_patient_for_every_record_is_delong() -> None:
    positive, scores = example(0)
    patients = [f"p{number}" for number in range(len(positive))]
    assert delong(positive, scores, patients).covariance == pytest.approx(delong(positive, scores).covariance)


def test_delong_of_patients_agrees_with_the_patient_bootstrap() -> None:
    generator = np.random.default_rng(4)
    of_patient = generator.normal(size=150).repeat(3)
    positive = generator.random(450) < 0.5  # patients have images of both classes
    scores = (positive + of_patient + 0.3 * generator.normal(size=450))[np.newaxis]
    patients = [f"p{number // 3}" for number in range(450)]
    error = float(np.sqrt(delong(positive, scores, patients).covariance[0, 0]))
    plain = float(np.std(resampled_auc(positive, scores[0], draw(patients, seed=0, resamples=4000))))
    assert error == pytest.approx(plain, rel=0.06)


def test_delong_of_equal_models_has_no_test() -> None:
    positive, scores = example(1)
    twice = delong(positive, np.stack([scores[0], 2 * scores[0] + 1]))
    difference = auc_difference(twice)
    assert (difference.value, difference.low, difference.p) == (0.0, None, None)


def test_delong_changes_sign_with_the_order_of_models() -> None:
    positive, scores = example(2)
    areas = delong(positive, scores)
    forth, back = auc_difference(areas, 0, 1), auc_difference(areas, 1, 0)
    assert forth.value == -back.value and forth.p == back.p
    assert forth.low is not None and back.high is not None and forth.low == pytest.approx(-back.high)


def test_delong_refuses_one_patient_of_a_class() -> None:
    positive = np.array([True, True, False, False])
    scores = np.array([[1.0, 2, 3, 4]])
    with pytest.raises(TrainingError, match="2 positive records of different patients; found 1"):
        delong(positive, scores, ["a", "a", "b", "c"])
