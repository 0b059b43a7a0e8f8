"""``benchmarks.published_rows``: findings out of fold, by pairs of one fold."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks.published_rows import within_folds
from train.population import Population


def test_published_rows_compare_pairs_of_one_fold_only() -> None:
    generator = np.random.default_rng(0)
    folds = np.repeat(["0", "1", "2"], [30, 50, 20])
    positive = generator.random(100) < 0.4
    scores = generator.normal(size=100) + positive + 10 * folds.astype(float)
    people = tuple(f"p{number // 2}" for number in range(100))
    population = Population(np.arange(100), positive, 1, people)
    auc, low, high = within_folds(population, np.stack([np.zeros(100), scores], axis=1), folds)
    areas, pairs = [], []
    for fold in "012":
        rows = folds == fold
        areas.append(roc_auc_score(positive[rows], scores[rows]))
        pairs.append(positive[rows].sum() * (~positive[rows]).sum())
    assert auc == pytest.approx(np.average(areas, weights=pairs))
    assert low is not None and high is not None and low < auc < high
    assert auc > roc_auc_score(positive, scores) + 0.1


def test_published_rows_pass_over_a_fold_with_one_class() -> None:
    positive = np.array([True, False, True, False, True])
    folds = np.array(["0", "0", "0", "0", "1"])
    population = Population(np.arange(5), positive, 0, ("a", "b", "c", "d", "e"))
    logits = np.array([[3.0], [1.0], [2.0], [0.0], [-9.0]])
    assert within_folds(population, logits, folds)[0] == 1.0
