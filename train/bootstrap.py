"""Patient-clustered bootstrap: 95 % intervals of every metric from the same resamples.

Images of one patient resemble each other, so patients are drawn, not images (Field and Welsh 2007, "Bootstrapping
clustered data", doi:10.1111/j.1467-9868.2007.00593.x). Nothing is refitted and nothing is sorted again: a resample is
a number of copies per patient, every metric a weighted sum over records that were sorted once. 10,000 AUCs of 200
records take hundredths of a second, and equal a loop over scikit-learn.

Arrays of resampled values have one entry per resample; NaN marks a resample that lacks a class, where the metric
is undefined. Those are left out of the interval and counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Counts = NDArray[np.float32]

RESAMPLES = 10_000
LEVELS = (2.5, 97.5)
FEWEST_PATIENTS = 2
"""Per class; below that a resample either lacks the class or repeats one patient, so there is no interval."""
_CHUNK = 1_000_000  # weights held at once: 4 MB each, which stays in the processor's cache


@dataclass(frozen=True)
class Resamples:
    """How often each patient was drawn.

    Attributes:
        copies: (n_patients, n_resamples); whole numbers, exact in float32. Columns sum to n_patients.
        patients: (n_records,), the row of ``copies`` that a record belongs to.
    """

    copies: Counts
    patients: NDArray[np.intp]

    def chunks(self) -> Iterator[Counts]:
        """The copies of some resamples at a time, (n_patients, some), in order."""
        step = max(1, _CHUNK // max(1, len(self.patients)))
        for start in range(0, self.copies.shape[1], step):
            yield self.copies[:, start : start + step]

    def sums(self, values: Floats) -> Floats:
        """Sum records' values in each resample: (n_records, k) to (k, n_resamples)."""
        totals = np.zeros((len(self.copies), values.shape[1]))
        np.add.at(totals, self.patients, values)
        return totals.T @ self.copies.astype(np.float64)


@dataclass(frozen=True)
class Interval:
    """A 95 % percentile interval; None where too few patients allow none. ``dropped`` resamples lacked a class."""

    low: float | None
    high: float | None
    dropped: int = 0


def draw(
    patient_ids: Sequence[str], *, seed: int | np.random.Generator, resamples: int = RESAMPLES
) -> Resamples:
    """Draw as many patients as there are, with replacement, again and again.

    The result depends on the set of patients, not on the order of records.
    """
    names, patients = np.unique(np.asarray(patient_ids, dtype=str), return_inverse=True)
    size = len(names)
    drawn = np.random.default_rng(seed).integers(0, max(size, 1), (resamples, size))
    places = drawn * resamples + np.arange(resamples)[:, np.newaxis]
    copies = np.bincount(places.ravel(), minlength=size * resamples).reshape(size, resamples)
    return Resamples(copies.astype(np.float32), patients)


def enough_patients(positive: Bools, patient_ids: Sequence[str]) -> bool:
    """Whether each class has at least ``FEWEST_PATIENTS`` patients."""
    names = np.asarray(patient_ids, dtype=str)
    return all(len(np.unique(names[rows])) >= FEWEST_PATIENTS for rows in (positive, ~positive))


def interval(values: Floats) -> Interval:
    """The 2.5 and 97.5 % points of the resampled values that are defined."""
    defined = values[~np.isnan(values)]
    if not len(defined):
        return Interval(None, None, len(values))
    low, high = np.percentile(defined, LEVELS)
    return Interval(float(low), float(high), len(values) - len(defined))


def exact_bounds(value: float, patients: int) -> Interval | None:
    """The interval of a proportion that is exactly 0 or 1, where resampling gives none; None for all others.

    Clopper and Pearson 1934, doi:10.1093/biomet/26.4.404, taking each patient as one trial.
    """
    if value not in (0.0, 1.0):
        return None
    between = binomtest(round(value * patients), patients).proportion_ci(method="exact")
    return Interval(float(between.low), float(between.high))


def resampled_auc(positive: Bools, scores: Floats, resamples: Resamples) -> Floats:
    """The area under the ROC curve in each resample, ties counting one half.

    Args:
        positive: (n_records,), the class.
        scores: (n_records,), finite; higher means positive.
        resamples: of the same records.
    """
    negatives = _sorted(~positive, scores)
    positives = _sorted(positive, scores)
    below = np.searchsorted(scores[negatives], scores[positives], "left")
    up_to = np.searchsorted(scores[negatives], scores[positives], "right")
    parts = []
    for copies in resamples.chunks():
        right, wrong = copies[resamples.patients[positives]], copies[resamples.patients[negatives]]
        passed = np.concatenate([np.zeros((1, wrong.shape[1]), np.float32), np.cumsum(wrong, axis=0)])
        won = (right * (passed[below] + passed[up_to])).sum(axis=0, dtype=np.float64) / 2
        pairs = right.sum(axis=0, dtype=np.float64) * passed[-1]
        parts.append(_ratio(won, pairs))
    return np.concatenate(parts)


def resampled_average_precision(positive: Bools, scores: Floats, resamples: Resamples) -> Floats:
    """Average precision (scikit-learn's definition, no interpolation) in each resample."""
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.diff(scores[order], append=-np.inf))  # last record of each group of equal scores
    is_positive = positive[order].astype(np.float32)[:, np.newaxis]
    parts = []
    for copies in resamples.chunks():
        weights = copies[resamples.patients[order]]
        hits = np.cumsum(weights * is_positive, axis=0)[ends]
        called = np.cumsum(weights, axis=0)[ends]
        gained = np.diff(hits, axis=0, prepend=np.float32(0))
        precision = hits / np.maximum(called, 1)
        total = (gained * precision).sum(axis=0, dtype=np.float64)
        both = (hits[-1] > 0) & (called[-1] > hits[-1])
        parts.append(np.where(both, _ratio(total, hits[-1]), np.nan))
    return np.concatenate(parts)


def _sorted(rows: Bools, scores: Floats) -> NDArray[np.intp]:
    """These records by rising score."""
    places = np.flatnonzero(rows)
    return places[np.argsort(scores[places], kind="stable")]


def _ratio(part: Floats | Counts, whole: Floats | Counts) -> Floats:
    divided: Floats = np.where(whole > 0, part / np.maximum(whole, 1), np.nan).astype(np.float64)
    return divided
