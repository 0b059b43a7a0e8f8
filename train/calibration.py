"""Whether probabilities mean what they say, and one temperature that mends them.

Temperature scaling: Guo et al. 2017, arXiv:1706.04599. It divides every logit by one number found on val, so that
order, AUC and the threshold on logits stay as they are. It is kept only where it lowers the log loss of val
patients that it was not fitted to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

BINS = 10
_FOLDS = 5
_NORMAL_975 = 1.959963984540054  # the 97.5 % point of the standard normal distribution
_LOG_RANGE = (-3.0, 3.0)  # temperatures from 0.05 to 20


@dataclass(frozen=True)
class Calibration:
    """The temperature in use, and the mean log loss of held-out val records without and with one.

    ``temperature`` is 1 (no change) unless ``log_loss_after`` is below ``log_loss_before``; both are None where val
    was too small to tell.
    """

    temperature: float = 1.0
    log_loss_before: float | None = None
    log_loss_after: float | None = None


@dataclass(frozen=True)
class Bin:
    """Records of similar probability: how many, their mean probability, the part that is positive, their patients."""

    n: int
    probability: float
    observed: float
    n_patients: int


def probability(logits: Floats, temperature: float = 1.0) -> Floats:
    """Sigmoid of the logits over the temperature, in float64."""
    found: Floats = expit(np.asarray(logits, dtype=np.float64) / temperature)
    return found


def log_loss(positive: Bools, logits: Floats, temperature: float = 1.0) -> float:
    """Mean negative log likelihood, from logits so that no probability is clipped."""
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    return float(np.logaddexp(0, np.where(positive, -scaled, scaled)).mean())


def fit_temperature(positive: Bools, logits: Floats) -> float:
    """The temperature of least log loss, within 0.05 and 20."""
    from scipy.optimize import minimize_scalar  # here, so that prediction, which fits nothing, starts sooner

    found = minimize_scalar(
        lambda log: log_loss(positive, logits, float(np.exp(log))), bounds=_LOG_RANGE, method="bounded"
    )
    return float(np.exp(found.x))


def calibrate(positive: Bools, logits: Floats, patient_ids: Sequence[str]) -> Calibration:
    """Fit on val, and keep the fit only if it helps patients it has not seen (five folds of patients).

    Args:
        positive: (n_records,), the class of val records.
        logits: (n_records,).
        patient_ids: of the same records.
    """
    from sklearn.model_selection import GroupKFold  # brings pandas with it: see above

    if len(set(patient_ids)) < _FOLDS or positive.all() or not positive.any():
        return Calibration()
    scaled = np.empty(len(logits))
    for rest, held_out in GroupKFold(_FOLDS).split(logits, positive, patient_ids):
        scaled[held_out] = logits[held_out] / fit_temperature(positive[rest], logits[rest])
    before, after = log_loss(positive, logits), log_loss(positive, scaled)
    temperature = fit_temperature(positive, logits) if after < before else 1.0
    return Calibration(temperature, before, after)


def reliability(
    positive: Bools, probabilities: Floats, patient_ids: Sequence[str], *, bins: int = BINS
) -> tuple[Bin, ...]:
    """Records in up to ``bins`` groups of equal number by rising probability; equal probabilities stay together."""
    patients = np.asarray(patient_ids, dtype=str)
    order = np.argsort(probabilities, kind="stable")
    ordered = probabilities[order]
    edges = np.searchsorted(ordered, ordered[np.arange(bins) * len(ordered) // bins], "left")
    groups = [rows for rows in np.split(order, np.unique(edges)[1:]) if len(rows)]
    return tuple(
        Bin(
            n=len(rows),
            probability=float(probabilities[rows].mean()),
            observed=float(positive[rows].mean()),
            n_patients=len(np.unique(patients[rows])),
        )
        for rows in groups
    )


def frequency_interval(observed: float, n_patients: float) -> tuple[float, float]:
    """The 95 % interval of a frequency, 0 to 1, each patient being one trial.

    Wilson 1927, doi:10.1080/01621459.1927.10502953. As wide as if all images of a patient agreed: it may be too wide
    where they do not, and it is never narrower for having more images of the same patients.
    """
    part = _NORMAL_975**2 / n_patients
    middle = observed + part / 2
    half = (part * (observed * (1 - observed) + part / 4)) ** 0.5
    return max(0.0, (middle - half) / (1 + part)), min(1.0, (middle + half) / (1 + part))


def calibration_error(bins: Sequence[Bin]) -> float:
    """Expected calibration error: the mean distance of probability and frequency, weighted by records."""
    total = sum(each.n for each in bins)
    return sum(each.n * abs(each.probability - each.observed) for each in bins) / total
