"""AUCs with their covariance, without resampling: DeLong's method, for records alone or patients with several.

DeLong, DeLong and Clarke-Pearson 1988, doi:10.2307/2531595; by midranks after Sun and Xu 2014,
doi:10.1109/LSP.2014.2337313, so that the cost grows as n log n. With patients given, the covariance is that of
Obuchowski 1997, doi:10.2307/2533958, which is DeLong's where every patient has one record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

from nlp.errors import TrainingError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
_NORMAL_95 = float(norm.ppf(0.975))


@dataclass(frozen=True)
class Areas:
    """AUCs of k models on the same records: ``auc`` (k,) and ``covariance`` (k, k)."""

    auc: Floats
    covariance: Floats


@dataclass(frozen=True)
class Difference:
    """First minus second AUC, its 95 % interval and two-sided p; the last three are None where they differ nowhere."""

    value: float
    low: float | None
    high: float | None
    p: float | None


def delong(positive: Bools, scores: Floats, patient_ids: Sequence[str] | None = None) -> Areas:
    """AUCs and their covariance.

    Args:
        positive: (n_records,), the class.
        scores: (k, n_records), one row per model.
        patient_ids: records of one patient are not independent; None: every record is.

    Raises:
        TrainingError: a class has fewer than two records (or patients): there is no variance.
    """
    patients = (
        np.arange(len(positive)) if patient_ids is None else np.unique(patient_ids, return_inverse=True)[1]
    )
    for rows, name in ((positive, "positive"), (~positive, "negative")):
        if (found := len(np.unique(patients[rows]))) < 2:
            raise TrainingError(
                f"an AUC's variance needs 2 {name} records of different patients; found {found}"
            )
    auc, won, lost = _placements(positive, scores)
    of_positives = _centred_sums(won, auc, patients[positive], patients.max() + 1)
    of_negatives = _centred_sums(lost, auc, patients[~positive], patients.max() + 1)
    return Areas(auc, _covariance(of_positives, of_negatives, patients, positive))


def auc_difference(areas: Areas, first: int = 0, second: int = 1) -> Difference:
    """Paired comparison of two models on the same records."""
    value = float(areas.auc[first] - areas.auc[second])
    contrast = np.zeros(len(areas.auc))
    contrast[first], contrast[second] = 1, -1
    variance = float(contrast @ areas.covariance @ contrast)
    if variance <= 1e-15:  # the same order of records; what is left is rounding
        return Difference(value, None, None, None)
    error = float(np.sqrt(variance))
    p = float(2 * norm.sf(abs(value) / error))
    return Difference(value, value - _NORMAL_95 * error, value + _NORMAL_95 * error, p)


def _placements(positive: Bools, scores: Floats) -> tuple[Floats, Floats, Floats]:
    """AUC (k,), the part of negatives below each positive (k, m), and of positives above each negative (k, n)."""
    m, n = int(positive.sum()), int((~positive).sum())
    overall = rankdata(scores, axis=1)
    won = (overall[:, positive] - rankdata(scores[:, positive], axis=1)) / n
    lost = 1 - (overall[:, ~positive] - rankdata(scores[:, ~positive], axis=1)) / m
    return won.mean(axis=1), won, lost


def _centred_sums(placements: Floats, auc: Floats, patients: NDArray[np.intp], size: int) -> Floats:
    """Sum placements minus AUC over each patient's records: (k, n_patients)."""
    sums = np.zeros((size, len(auc)))
    np.add.at(sums, patients, (placements - auc[:, np.newaxis]).T)
    return sums.T


def _covariance(
    of_positives: Floats, of_negatives: Floats, patients: NDArray[np.intp], positive: Bools
) -> Floats:
    """Obuchowski's sum: between positives, between negatives, and within patients who have both."""
    m, n = int(positive.sum()), int((~positive).sum())
    with_positive, with_negative = (len(np.unique(patients[rows])) for rows in (positive, ~positive))
    total = len(np.unique(patients))
    between = of_positives @ of_positives.T * with_positive / (with_positive - 1) / m**2
    between = between + of_negatives @ of_negatives.T * with_negative / (with_negative - 1) / n**2
    crossed = of_positives @ of_negatives.T * total / (total - 1) / (m * n)
    covariance: Floats = between + crossed + crossed.T
    return covariance
