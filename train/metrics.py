"""How good one output is over one population: values, 95 % intervals, n.

A metric over one class is None, with its n. Intervals resample patients; all metrics of one output share their
resamples, so that they can be read together. Resampling cannot say how sure a proportion of exactly 0 or 1 is: there
the exact binomial bound is taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from train.bootstrap import (
    RESAMPLES,
    Interval,
    Resamples,
    draw,
    enough_patients,
    exact_bounds,
    interval,
    resampled_auc,
    resampled_average_precision,
)
from train.calibration import Bin, calibration_error, log_loss, probability, reliability
from train.cutoffs import CutOff, at_cutoffs
from train.operating_point import OperatingPoint
from train.population import Population

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

METRICS = ("auc", "sensitivity", "specificity", "precision", "f1", "accuracy", "average_precision", "brier")
"""In the order of tables; the first four of Table 2 of the paper are sensitivity, auc, f1 and accuracy."""
RANKING = ("auc", "average_precision", "brier")
"""Those without a threshold."""


@dataclass(frozen=True)
class Metric:
    """A value from 0 to 1 with its 95 % interval; all None where it is undefined, the interval where n is too small."""

    value: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Counts:
    """Records called right and wrong at the operating point."""

    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int


@dataclass(frozen=True)
class Output:
    """Everything about one output on one set.

    ``threshold`` is on the probability scale of predictions.csv. ``resamples_dropped`` counts resamples without both
    classes, which no interval uses. Where a class is missing, ``bins`` and ``cutoffs`` are empty, the error None.
    """

    metrics: Mapping[str, Metric]
    n_positive: int
    n_negative: int
    n_patients: int
    n_patients_positive: int
    n_patients_negative: int
    threshold: float
    threshold_logit: float
    threshold_rule: str
    confusion: Counts
    log_loss: float | None
    calibration_error: float | None
    bins: tuple[Bin, ...]
    cutoffs: tuple[CutOff, ...]
    resamples: int
    resamples_dropped: int

    def as_json(self) -> dict[str, Any]:
        """Flat, as metrics.json has it: ``auc``, ``auc_low``, ``auc_high`` and so on."""
        found: dict[str, Any] = {}
        for name, metric in self.metrics.items():
            found |= {name: metric.value, f"{name}_low": metric.low, f"{name}_high": metric.high}
        rest = asdict(self)
        del rest["metrics"]
        rest["calibration"] = rest.pop("bins")
        return {**found, "n": self.n_positive + self.n_negative, **rest}


def score_output(
    population: Population,
    logits: Floats,
    point: OperatingPoint,
    seed: int,
    bootstraps: int = RESAMPLES,
    temperature: float = 1.0,
    cutoffs: Sequence[float] = (),
) -> Output:
    """Measure one output over its population; ``logits`` (n,) are those of the population."""
    positive, patients = population.positive, np.asarray(population.patient_ids, dtype=str)
    called, probabilities = point.calls(logits), probability(logits, temperature)
    both = bool(positive.any() and not positive.all())
    values = _values(positive, logits, called, probabilities) if both else {}
    intervals: dict[str, Interval] = {}
    resamples: Resamples | None = None
    if both and enough_patients(positive, population.patient_ids):
        resamples = draw(population.patient_ids, seed=seed, resamples=bootstraps)
        intervals = _intervals(positive, logits, called, probabilities, resamples)
        intervals |= _exact(values, positive, called, patients)
    bins = reliability(positive, probabilities, population.patient_ids) if both else ()
    return Output(
        metrics={name: _metric(values.get(name), intervals.get(name)) for name in METRICS},
        n_positive=int(positive.sum()),
        n_negative=int((~positive).sum()),
        n_patients=len(np.unique(patients)),
        n_patients_positive=len(np.unique(patients[positive])),
        n_patients_negative=len(np.unique(patients[~positive])),
        threshold=float(probability(np.array([point.logit]), temperature)[0]),
        threshold_logit=point.logit,
        threshold_rule=point.rule,
        confusion=Counts(*(int(cell.sum()) for cell in _cells(positive, called))),
        log_loss=log_loss(positive, logits, temperature) if both else None,
        calibration_error=calibration_error(bins) if both else None,
        bins=bins,
        cutoffs=at_cutoffs(positive, probabilities, cutoffs, resamples) if both else (),
        resamples=bootstraps if intervals else 0,
        resamples_dropped=intervals["auc"].dropped if intervals else 0,
    )


def merged(ranked: Output, called: Output, rule: str) -> Output:
    """One output measured on two scales: ``RANKING`` by the first, all that follows a threshold by the second."""
    metrics = {**called.metrics, **{name: ranked.metrics[name] for name in RANKING}}
    return replace(ranked, metrics=metrics, confusion=called.confusion, threshold_rule=rule)


def _cells(positive: Bools, called: Bools) -> tuple[Bools, Bools, Bools, Bools]:
    """True positive, false positive, false negative, true negative."""
    return positive & called, ~positive & called, positive & ~called, ~positive & ~called


def _values(positive: Bools, logits: Floats, called: Bools, probabilities: Floats) -> dict[str, float]:
    squared = (probabilities - positive) ** 2
    sums = np.stack([*_cells(positive, called), squared]).sum(axis=1, dtype=np.float64)[:, np.newaxis]
    counted = {name: float(found[0]) for name, found in _counted(sums).items()}
    auc = float(roc_auc_score(positive, logits))
    return {"auc": auc, "average_precision": float(average_precision_score(positive, logits)), **counted}


def _intervals(
    positive: Bools, logits: Floats, called: Bools, probabilities: Floats, resamples: Resamples
) -> dict[str, Interval]:
    squared = (probabilities - positive) ** 2
    sums = resamples.sums(np.stack([*_cells(positive, called), squared], axis=1).astype(np.float64))
    areas = resampled_auc(positive, logits, resamples)
    one_class = np.isnan(areas)
    found = {name: np.where(one_class, np.nan, values) for name, values in _counted(sums).items()}
    found |= {"auc": areas, "average_precision": resampled_average_precision(positive, logits, resamples)}
    return {name: interval(values) for name, values in found.items()}


def _exact(
    values: Mapping[str, float], positive: Bools, called: Bools, patients: NDArray[np.str_]
) -> dict[str, Interval]:
    """Intervals of proportions that are exactly 0 or 1, taking each patient as one trial."""
    among = {
        "sensitivity": positive,
        "specificity": ~positive,
        "precision": called,
        "accuracy": np.ones_like(positive),
    }
    found = {}
    for name, rows in among.items():
        if bounds := exact_bounds(values[name], len(np.unique(patients[rows]))):
            found[name] = bounds
    return found


def _counted(sums: Floats) -> dict[str, Floats]:
    """Metrics of (5, ...) sums: the four cells and squared errors; NaN where nothing is there to divide by."""
    hit, wrong, missed, passed, squared = sums
    total = hit + wrong + missed + passed
    return {
        "sensitivity": _ratio(hit, hit + missed),
        "specificity": _ratio(passed, passed + wrong),
        "precision": _ratio(hit, hit + wrong),
        "f1": _ratio(2 * hit, 2 * hit + wrong + missed),
        "accuracy": _ratio(hit + passed, total),
        "brier": _ratio(squared, total),
    }


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.full_like(whole, np.nan), where=whole > 0)


def _metric(value: float | None, between: Interval | None) -> Metric:
    if value is None or np.isnan(value):
        return Metric()
    return Metric(value, between.low, between.high) if between else Metric(value)
