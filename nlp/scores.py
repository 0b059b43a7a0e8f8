"""States against states: precision, recall, F1 and accuracy with bootstrap intervals.

Pure numbers: no files, no text. ``nlp.compare`` makes the arrays, ``nlp.evaluate`` prints the result.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlp.schema import COVID, COVID_CELL, STATES

Codes = NDArray[np.int8]
Counts = NDArray[np.int64]

COVID_STATES: tuple[str, ...] = tuple(COVID_CELL)
UNCLEAR = -1
"""Code of a COVID state that the reference calls unclear: left out of scoring."""
MICRO = "micro"
RESAMPLES = 2000
_LEVELS = (2.5, 97.5)
_CHUNK = 4_000_000  # cells of resampled weights held at once: 32 MB


@dataclass(frozen=True)
class Comparison:
    """What reference and output say of the same records.

    Attributes:
        findings: the finding keys, in column order.
        reference: (n_records, n_findings), index into ``schema.STATES``.
        output: the same for the labels under test.
        clusters: (n_records,), records with one number are resampled together.
        covid_reference: (n_records,), index into ``COVID_STATES`` or ``UNCLEAR``; None without COVID.
        covid_output: (n_records,), index into ``COVID_STATES``; None without COVID.
    """

    findings: tuple[str, ...]
    reference: Codes
    output: Codes
    clusters: Counts
    covid_reference: Codes | None = None
    covid_output: Codes | None = None


@dataclass(frozen=True)
class Metric:
    """A value with its 95 % interval; all None where it is undefined (no positives)."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class TargetScore:
    """The scores of one finding, of COVID, or of all findings together (``micro``).

    ``n`` counts records (for micro: cells; for COVID: rows whose reference is clear), ``n_positive`` those
    the reference calls present, ``n_output`` those the output calls present, and ``n_compared`` the cells
    behind ``accuracy``: those that reference or output mentions (for COVID: every clear row).
    """

    target: str
    n: int
    n_positive: int
    n_output: int
    n_compared: int
    precision: Metric
    recall: Metric
    f1: Metric
    accuracy: Metric


@dataclass(frozen=True)
class Scores:
    """Everything ``nlp.evaluate`` reports.

    ``confusion[i, j]`` counts cells with reference ``STATES[i]`` and output ``STATES[j]``.
    """

    targets: tuple[TargetScore, ...]
    confusion: Counts
    n_clusters: int

    def __getitem__(self, target: str) -> TargetScore:
        return next(score for score in self.targets if score.target == target)

    def found(self, state: str) -> tuple[int, int]:
        """How many reference cells of a state the output gives the same state, and how many there are."""
        index = STATES.index(state)
        return int(self.confusion[index, index]), int(self.confusion[index].sum())


def score(comparison: Comparison, *, seed: int = 0, resamples: int = RESAMPLES) -> Scores:
    """Score the output against the reference.

    Intervals are percentile bootstrap intervals over clusters (records, where each is its own cluster).
    They degrade with few clusters, and a metric of exactly 1 has the interval 1 to 1.

    Args:
        comparison: the two sets of states.
        seed: of the bootstrap.
        resamples: how many bootstrap samples.
    """
    names, counts = _count(comparison)
    clusters, codes = np.unique(comparison.clusters, return_inverse=True)
    summed = np.zeros((len(clusters), *counts.shape[1:]), dtype=np.int64)
    np.add.at(summed, codes, counts)
    values = _metrics(summed.sum(axis=0))
    low, high = _intervals(summed, np.random.default_rng(seed), resamples)
    totals = counts.sum(axis=0)
    targets = tuple(_target(*parts) for parts in zip(names, totals, values, low, high, strict=True))
    return Scores(targets, _confusion(comparison.reference, comparison.output), len(clusters))


def _count(comparison: Comparison) -> tuple[tuple[str, ...], Counts]:
    """Names and (n_records, n_targets, 6): cells, true positive, false positive, missed, compared, equal."""
    reference, output = comparison.reference, comparison.output
    not_mentioned = STATES.index("not_mentioned")
    compared = (reference != not_mentioned) | (output != not_mentioned)
    findings = _cells(reference, output, np.ones_like(compared), compared)
    parts = [findings, findings.sum(axis=1, keepdims=True)]
    names = (*comparison.findings, MICRO)
    if comparison.covid_reference is not None and comparison.covid_output is not None:
        clear = comparison.covid_reference != UNCLEAR
        covid = _cells(comparison.covid_reference, comparison.covid_output, clear, clear)
        return (*names, COVID), np.concatenate([*parts, covid[:, np.newaxis]], axis=1)
    return names, np.concatenate(parts, axis=1)


def _cells(reference: Codes, output: Codes, scored: NDArray[np.bool_], compared: NDArray[np.bool_]) -> Counts:
    """Count what each cell adds; code 0 is the positive state (present, confirmed)."""
    actual, stated = (reference == 0) & scored, (output == 0) & scored
    columns = [
        scored,
        actual & stated,
        ~actual & stated,
        actual & ~stated,
        compared,
        compared & (reference == output),
    ]
    return np.stack(columns, axis=-1).astype(np.int64)


def _metrics(counts: Counts) -> NDArray[np.float64]:
    """Precision, recall, F1, accuracy of (..., 6) counts; NaN where there is nothing to divide by."""
    _, hit, wrong, missed, compared, equal = np.moveaxis(counts, -1, 0)
    positive = hit + missed
    pairs = [
        (hit, hit + wrong),
        (hit, positive),
        (2 * hit, np.where(positive > 0, 2 * hit + wrong + missed, 0)),
        (equal, compared),
    ]
    return np.stack([_ratio(part, whole) for part, whole in pairs], axis=-1)


def _ratio(part: Counts, whole: Counts) -> NDArray[np.float64]:
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)


def _intervals(
    summed: Counts, generator: np.random.Generator, resamples: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Low and high, each (n_targets, 4), from resampled clusters.

    Clusters with equal counts are interchangeable, so one multinomial draw over the distinct counts is the
    same experiment as drawing clusters one by one, at a cost that does not grow with their number.
    """
    shape = summed.shape[1:]
    kinds, repeats = np.unique(summed.reshape(len(summed), -1), axis=0, return_counts=True)
    drawn = []
    for start in range(0, resamples, step := max(1, _CHUNK // len(kinds))):
        size = min(step, resamples - start)
        weights = generator.multinomial(len(summed), repeats / len(summed), size=size)
        drawn.append(_metrics((weights @ kinds).reshape(size, *shape)))
    values = np.concatenate(drawn)
    low, high = np.full((2, *values.shape[1:]), np.nan)
    defined = ~np.isnan(values).all(axis=0)
    low[defined], high[defined] = np.nanpercentile(values[:, defined], _LEVELS, axis=0)
    return low, high


def _target(
    name: str,
    counts: Counts,
    values: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
) -> TargetScore:
    cells, hit, wrong, missed, compared, _ = (int(count) for count in counts)
    metrics = (_metric(*parts) for parts in zip(values, low, high, strict=True))
    return TargetScore(name, cells, hit + missed, hit + wrong, compared, *metrics)


def _metric(value: float, low: float, high: float) -> Metric:
    if np.isnan(value):
        return Metric(None, None, None)
    return Metric(float(value), float(low), float(high))


def _confusion(reference: Codes, output: Codes) -> Counts:
    size = len(STATES)
    pairs = reference.astype(np.int64) * size + output
    return np.bincount(pairs.ravel(), minlength=size * size).reshape(size, size)
