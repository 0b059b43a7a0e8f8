"""Where a logit is called positive: chosen on val, frozen for test.

The rule is Youden's (1950, doi:10.1002/1097-0142(1950)3:1<32::AID-CNCR2820030106>3.0.CO;2-3): the largest sensitivity
plus specificity; or the largest specificity among thresholds with a wanted sensitivity.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp.errors import TrainingError
from train.calibration import Calibration, calibrate, probability
from train.population import Population, finding_populations, flag_population
from train.records import Records

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

YOUDEN, DEFAULT = "youden", "default"


@dataclass(frozen=True)
class OperatingPoint:
    """A logit at or above ``logit`` is called positive.

    Attributes:
        logit: 0 (probability one half) where val allows no choice.
        rule: ``youden``, ``sensitivity>=0.9`` or ``default``.
        n_positive: val records of each class behind the choice.
        n_negative: the same.
        note: why the default was taken; blank otherwise.
    """

    logit: float = 0.0
    rule: str = DEFAULT
    n_positive: int = 0
    n_negative: int = 0
    note: str = ""

    def calls(self, logits: Floats) -> Bools:
        """Which records are called positive."""
        return np.asarray(logits >= self.logit)


@dataclass(frozen=True)
class Thresholds:
    """Everything that was chosen on val: operating points, and the temperature of the flag's probability."""

    covid19: OperatingPoint = field(default_factory=OperatingPoint)
    findings: Mapping[str, OperatingPoint] = field(default_factory=dict)
    calibration: Calibration = field(default_factory=Calibration)

    def as_json(self) -> dict[str, Any]:
        """For metrics.json; ``probability`` is the threshold on the scale of predictions.csv."""
        points = {"covid19": self._point(self.covid19, self.calibration.temperature)}
        findings = {key: self._point(point) for key, point in self.findings.items()}
        return {**points, "findings": findings, "calibration": asdict(self.calibration)}

    @staticmethod
    def _point(point: OperatingPoint, temperature: float = 1.0) -> dict[str, Any]:
        at = float(probability(np.array([point.logit]), temperature)[0])
        return {**asdict(point), "probability": at}


def choose_thresholds(
    records: Records, logits: NDArray[np.floating], *, sensitivity: float | None = None
) -> Thresholds:
    """Choose everything that is chosen on val.

    Args:
        records: of val, and of val alone.
        logits: (n_records, 1 + F), the flag first, then findings in order.
        sensitivity: least sensitivity of the flag; None: Youden's rule. Findings always take Youden's.

    Raises:
        TrainingError: a logit is not a finite number, or the shapes do not fit.
    """
    check_logits(records, logits)
    flag = flag_population(records)
    measured = flag.logits(logits)
    return Thresholds(
        covid19=operating_point(flag.positive, measured, sensitivity=sensitivity),
        findings={key: _chosen(found, logits) for key, found in finding_populations(records).items()},
        calibration=calibrate(flag.positive, measured, flag.patient_ids),
    )


def check_logits(records: Records, logits: NDArray[np.floating]) -> None:
    """Refuse logits that do not belong to the records.

    Raises:
        TrainingError: wrong shape, or a logit that is not finite, with the first image that has one.
    """
    wanted = (len(records), 1 + len(records.finding_keys))
    if logits.shape != wanted:
        raise TrainingError(f"logits have the shape {logits.shape}; these records and findings need {wanted}")
    wrong = np.flatnonzero(~np.isfinite(logits).all(axis=1))
    if len(wrong):
        first = records.images[int(wrong[0])]
        raise TrainingError(
            f"{len(wrong)} of {len(records)} records have a logit that is no finite number; the first is {first!r}"
        )


def operating_point(positive: Bools, logits: Floats, *, sensitivity: float | None = None) -> OperatingPoint:
    """Choose a threshold half-way between two neighbouring logits of val.

    Of equally good thresholds the one whose sensitivity and specificity are closest is taken.

    Args:
        positive: (n_records,), the class of val records.
        logits: (n_records,), finite.
        sensitivity: the least sensitivity wanted, above 0 and at most 1; None: Youden's rule.
    """
    counts = int(positive.sum()), int((~positive).sum())
    if not all(counts):
        return OperatingPoint(0.0, DEFAULT, *counts, "val lacks a class; probability one half is used")
    from sklearn.metrics import roc_curve  # here, so that prediction, which chooses nothing, starts sooner

    wrong, right, steps = roc_curve(positive, logits, drop_intermediate=False)
    wrong, right = wrong[1:], right[1:]  # the first step calls nothing positive
    steps = steps[1:]
    allowed = np.ones_like(right, dtype=bool) if sensitivity is None else right >= sensitivity
    gain = right - wrong if sensitivity is None else -wrong
    if sensitivity is None and gain.max() <= 0:
        return OperatingPoint(
            0.0, DEFAULT, *counts, "no threshold beats chance on val; probability one half is used"
        )
    best = np.flatnonzero(allowed & np.isclose(gain, gain[allowed].max(), atol=1e-12))
    place = int(best[np.argmin(np.abs(right[best] + wrong[best] - 1))])
    rule = YOUDEN if sensitivity is None else f"sensitivity>={sensitivity:g}"
    return OperatingPoint(_below(steps, place), rule, *counts)


def _chosen(population: Population, logits: NDArray[np.floating]) -> OperatingPoint:
    return operating_point(population.positive, population.logits(logits))


def _below(steps: Floats, place: int) -> float:
    """Half-way to the next lower logit; the lowest logit has none."""
    return float(steps[place : place + 2].mean())
