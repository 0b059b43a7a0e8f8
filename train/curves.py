"""ROC and precision-recall curves with a 95 % band over patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve, roc_curve

from train.bootstrap import LEVELS, draw, enough_patients

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_RESAMPLES = 1000
_GRID = np.linspace(0, 1, 101)


@dataclass(frozen=True)
class Curve:
    """``y`` over ``x``, and the band at ``grid``; ``low`` and ``high`` are None where patients are too few.

    The band holds, at each point of the grid, 95 % of the resampled curves: it is pointwise.
    """

    x: Floats
    y: Floats
    grid: Floats
    low: Floats | None
    high: Floats | None


def roc(positive: Bools, scores: Floats, patient_ids: Sequence[str], *, seed: int) -> Curve:
    """Sensitivity over the false positive rate."""
    wrong, right, _ = roc_curve(positive, scores, drop_intermediate=False)
    return Curve(wrong, right, _GRID, *_band(positive, scores, patient_ids, seed, _sensitivity_at))


def precision_recall(positive: Bools, scores: Floats, patient_ids: Sequence[str], *, seed: int) -> Curve:
    """Precision over sensitivity, in steps as average precision counts it."""
    precision, recall, _ = precision_recall_curve(positive, scores)
    return Curve(
        recall[::-1], precision[::-1], _GRID, *_band(positive, scores, patient_ids, seed, _precision_at)
    )


def _band(
    positive: Bools, scores: Floats, patient_ids: Sequence[str], seed: int, read: object
) -> tuple[Floats | None, Floats | None]:
    if not enough_patients(positive, patient_ids):
        return None, None
    resamples = draw(patient_ids, seed=seed, resamples=_RESAMPLES)
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.diff(scores[order], append=-np.inf))
    weights = resamples.copies[resamples.patients[order]].astype(np.float64)
    hits = np.cumsum(weights * positive[order][:, np.newaxis], axis=0)[ends]
    wrong = np.cumsum(weights * ~positive[order][:, np.newaxis], axis=0)[ends]
    usable = (hits[-1] > 0) & (wrong[-1] > 0)
    curves = [read(*pair) for pair in zip(hits.T[usable], wrong.T[usable], strict=True)]  # type: ignore[operator]
    low, high = np.percentile(curves, LEVELS, axis=0)
    return low, high


def _sensitivity_at(hits: Floats, wrong: Floats) -> Floats:
    start = np.zeros(1)
    rates, found = np.concatenate([start, wrong / wrong[-1]]), np.concatenate([start, hits / hits[-1]])
    # the highest point of a vertical stretch
    last = np.append(np.flatnonzero(np.diff(rates)), len(rates) - 1)
    at: Floats = np.interp(_GRID, rates[last], found[last])
    return at


def _precision_at(hits: Floats, wrong: Floats) -> Floats:
    precision = hits / np.maximum(hits + wrong, 1)
    place = np.searchsorted(hits / hits[-1], _GRID - 1e-12, "left")
    at: Floats = precision[np.minimum(place, len(precision) - 1)]
    return at
