"""The no-network baseline: how well the file alone tells the flag.

If format, size or grey levels predict COVID-19, classes come from different sources, and a network's figure may be
the source's. Each group of ``file_features`` gets a logistic regression or gradient boosting, chosen by
cross-validation over patients inside train; val gives the threshold, test is measured like a network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from train.bootstrap import RESAMPLES
from train.file_features import GROUPS, file_features
from train.metrics import Output, score_output
from train.operating_point import OperatingPoint, operating_point
from train.population import Population, flag_population
from train.records import IntArray, Records

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_FOLDS = 5
_STRENGTHS = (0.01, 0.1, 1.0, 10.0)
_FAR = 30.0
"""Logits of a perfect separation are cut here: a probability of 1 - 1e-13."""


@dataclass(frozen=True)
class Shortcut:
    """One group of file features: the model that cross-validation chose, and how it does on each set."""

    group: str
    meaning: str
    model: str
    sets: Mapping[str, Output]


@dataclass(frozen=True)
class _Candidate:
    name: str
    estimator: Any


def shortcut_baseline(records: Records, *, seed: int, bootstraps: int = RESAMPLES) -> tuple[Shortcut, ...]:
    """Measure every group on val and test of the records' own split.

    Args:
        records: of all sets, with readable files; train needs both classes.
        seed: of cross-validation and bootstrap.
        bootstraps: how many resamples.
    """
    known = flag_population(records)
    features = file_features([records.paths[row] for row in known.rows])
    splits = np.array([records.splits[row] for row in known.rows])
    fit = np.flatnonzero(splits == "train")
    found = []
    for group, values in features.items():
        candidate = _choose(values[fit], known.positive[fit], _patients(known, fit), seed)
        logits = _fitted(candidate, values, known.positive, fit, np.arange(len(splits)))
        val = splits == "val"
        point = operating_point(known.positive[val], logits[val]) if val.any() else OperatingPoint()
        sets = {
            name: _measured(known, np.flatnonzero(splits == name), logits, point, seed, bootstraps)
            for name in ("val", "test")
        }
        found.append(Shortcut(group, GROUPS[group], candidate.name, sets))
    return tuple(found)


def shortcut_of_folds(
    records: Records, folds: Sequence[IntArray], *, seed: int, bootstraps: int = RESAMPLES
) -> tuple[Shortcut, ...]:
    """The same out of fold: each array of ``folds`` holds record numbers that the rest is used to predict.

    Each fold chooses its own model; the threshold is probability one half.
    """
    known = flag_population(records)
    place = np.full(len(records), -1)
    place[known.rows] = np.arange(len(known.rows))
    held_out = [rows[rows >= 0] for rows in (place[fold] for fold in folds)]
    everyone = np.concatenate(held_out)
    found = []
    for group, values in file_features([records.paths[row] for row in known.rows]).items():
        logits = np.zeros(len(known.rows))
        names = []
        for out in held_out:
            fit = np.setdiff1d(everyone, out)
            candidate = _choose(values[fit], known.positive[fit], _patients(known, fit), seed)
            names.append(candidate.name)
            logits[out] = _fitted(candidate, values, known.positive, fit, out)
        sets = {
            "out_of_fold": _measured(known, np.sort(everyone), logits, OperatingPoint(), seed, bootstraps)
        }
        found.append(Shortcut(group, GROUPS[group], "; ".join(dict.fromkeys(names)), sets))
    return tuple(found)


def shortcuts_as_json(shortcuts: Sequence[Shortcut]) -> dict[str, Any]:
    """The value of ``metrics.json["shortcut"]``: by group, what it is, the model, and each set's metrics."""
    return {
        each.group: {
            "meaning": each.meaning,
            "model": each.model,
            **{name: output.as_json() for name, output in each.sets.items()},
        }
        for each in shortcuts
    }


def _choose(values: Floats, positive: Bools, patients: Sequence[str], seed: int) -> _Candidate:
    """The candidate of the best pooled AUC over held-out patients; the plainest where there are too few."""
    candidates = _candidates(seed)
    of_class = [len(np.unique(np.array(patients)[rows])) for rows in (positive, ~positive)]
    folds = min(_FOLDS, *of_class)
    if folds < 2:
        return candidates[0]
    parts = list(
        StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(values, positive, patients)
    )
    if any(len(np.unique(positive[rest])) < 2 for rest, _ in parts):
        return candidates[0]
    areas = [
        roc_auc_score(
            positive,
            cross_val_predict(each.estimator, values, positive, cv=parts, method="decision_function"),
        )
        for each in candidates
    ]
    return candidates[int(np.argmax(areas))]


def _candidates(seed: int) -> list[_Candidate]:
    linear = [
        _Candidate(
            f"logistic regression, C = {strength:g}",
            make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=5000)),
        )
        for strength in _STRENGTHS
    ]
    boosting = HistGradientBoostingClassifier(
        max_iter=60, max_leaf_nodes=8, min_samples_leaf=10, early_stopping=False, random_state=seed
    )
    return [*linear, _Candidate("gradient boosting, 60 trees of 8 leaves", boosting)]


def _fitted(candidate: _Candidate, values: Floats, positive: Bools, fit: IntArray, ask: IntArray) -> Floats:
    model = clone(candidate.estimator).fit(values[fit], positive[fit])
    logits: Floats = np.clip(model.decision_function(values[ask]), -_FAR, _FAR)
    return logits


def _patients(known: Population, rows: IntArray) -> list[str]:
    return [known.patient_ids[row] for row in rows]


def _measured(
    known: Population, rows: IntArray, logits: Floats, point: OperatingPoint, seed: int, bootstraps: int
) -> Output:
    part = Population(known.rows[rows], known.positive[rows], 0, tuple(_patients(known, rows)))
    return score_output(part, logits[rows], point, seed, bootstraps)
