"""Sensitivity and specificity at fixed probabilities, each with its 95 % interval (Table of Minaee et al. 2020).

The operating point is one choice, made on val; a reader with other costs wants to see the rest. The paper's intervals
take the normal approximation of a proportion, p ± 1.96 √(p (1 − p) / n) over images: too narrow where a patient has
several images, and of no width at 0 and 1. Here patients are resampled, as everywhere, and 0 and 1 have exact bounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from train.bootstrap import Interval, Resamples, exact_bounds, interval

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

CUTOFFS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Of the flag's probability."""


@dataclass(frozen=True)
class CutOff:
    """A probability from which records are called positive, and what that comes to.

    Values are from 0 to 1; intervals are None where there are too few patients.
    """

    cutoff: float
    sensitivity: float
    sensitivity_low: float | None
    sensitivity_high: float | None
    specificity: float
    specificity_low: float | None
    specificity_high: float | None


def at_cutoffs(
    positive: Bools, probabilities: Floats, cutoffs: Sequence[float], resamples: Resamples | None
) -> tuple[CutOff, ...]:
    """A row for each cut-off.

    Args:
        positive: (n,), with both classes.
        probabilities: (n,), from 0 to 1.
        resamples: of the same records; None: too few patients for intervals.
    """
    if not cutoffs:
        return ()
    called = probabilities[:, np.newaxis] >= np.array(cutoffs)
    hits = _shares(called, positive, resamples)
    passes = _shares(~called, ~positive, resamples)
    return tuple(
        CutOff(cutoff, right, of_right.low, of_right.high, passed, of_passed.low, of_passed.high)
        for cutoff, (right, of_right), (passed, of_passed) in zip(cutoffs, hits, passes, strict=True)
    )


def _shares(called: Bools, rows: Bools, resamples: Resamples | None) -> list[tuple[float, Interval]]:
    """The part of ``rows`` that each column of ``called``, (n, k), holds."""
    values = called[rows].mean(axis=0)
    if resamples is None:
        return [(float(value), Interval(None, None)) for value in values]
    sums = resamples.sums(np.column_stack([called & rows[:, np.newaxis], rows]).astype(np.float64))
    whole = sums[-1]
    shares = np.divide(sums[:-1], whole, out=np.full_like(sums[:-1], np.nan), where=whole > 0)
    patients = len(np.unique(resamples.patients[rows]))
    return [
        (float(value), exact_bounds(float(value), patients) or interval(resampled))
        for value, resampled in zip(values, shares, strict=True)
    ]
