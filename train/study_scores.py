"""Runs of one kind side by side: mean over seeds, and LA-DNN minus baseline, with intervals.

Every run is a training with its own luck, measured on the same patients. Each resample therefore draws patients and,
with them, seeds: the interval holds both chances. The difference is paired: the same patients, and run i against
run i of the same seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from train.bootstrap import RESAMPLES, Interval, Resamples, draw, enough_patients, interval, resampled_auc
from train.delong import Difference, auc_difference, delong
from train.paper_table import TABLE_METRICS

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Values = Mapping[str, Floats]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What one run said of the records measured, n of them, in the same order for all runs of a part.

    Attributes:
        ranked: (n,) logits of the flag; out of fold, over the temperature of their network.
        called: (n,) the flag at its threshold, which was chosen on val.
    """

    seed: int
    ranked: Floats
    called: Bools


@dataclass(frozen=True, eq=False)
class Truth:
    """The records measured: (n,) class and patients."""

    images: tuple[str, ...]
    positive: Bools
    patient_ids: tuple[str, ...]


@dataclass(frozen=True)
class Figure:
    """Mean over runs, from 0 to 1, or a difference of means.

    Attributes:
        sd: standard deviation over runs (n - 1); None with one run.
        low, high: 95 % interval; None where too few patients allow none.
    """

    mean: float
    sd: float | None
    low: float | None
    high: float | None
    runs: int

    @property
    def half_width(self) -> float | None:
        """Half of the interval's width."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2


@dataclass(frozen=True)
class Comparison:
    """Figures by metric; empty where a kind has no runs, the difference where no seed has both.

    Attributes:
        delong: the AUC's difference between the seeds' mean logits, without resampling; None where too few
            patients or no seed with both allow none.
    """

    baseline: Mapping[str, Figure]
    ladnn: Mapping[str, Figure]
    difference: Mapping[str, Figure]
    delong: Difference | None = None


def compare(
    truth: Truth,
    baseline: Sequence[Outcome],
    ladnn: Sequence[Outcome],
    *,
    seed: int = 0,
    bootstraps: int = RESAMPLES,
) -> Comparison:
    """Summarise the runs of one backbone on one part.

    Args:
        seed: of the resampling of patients and of runs.
    """
    resamples = None
    if enough_patients(truth.positive, truth.patient_ids):
        resamples = draw(truth.patient_ids, seed=seed, resamples=bootstraps)

    def summary(runs: Sequence[Outcome], others: Sequence[Outcome] = ()) -> Mapping[str, Figure]:
        if not runs:
            return {}
        measured = _measured(truth, runs, resamples)
        if others:
            measured = _minus(measured, _measured(truth, others, resamples))
        values, resampled = measured
        return {name: _figure(values[name], resampled.get(name), seed) for name in TABLE_METRICS}

    both = {run.seed for run in baseline} & {run.seed for run in ladnn}
    first, second = ([run for run in runs if run.seed in both] for runs in (ladnn, baseline))
    ensembles = _delong(truth, first, second) if both and resamples else None
    return Comparison(summary(baseline), summary(ladnn), summary(first, second), ensembles)


def _delong(truth: Truth, first: Sequence[Outcome], second: Sequence[Outcome]) -> Difference:
    means = np.stack([np.mean([run.ranked for run in runs], axis=0) for runs in (first, second)])
    return auc_difference(delong(truth.positive, means, truth.patient_ids))


def _measured(truth: Truth, runs: Sequence[Outcome], resamples: Resamples | None) -> tuple[Values, Values]:
    """Metric → (n_runs,) values, and (n_runs, n_resamples) values; no such without resamples."""
    runs = sorted(runs, key=lambda run: run.seed)
    once = Resamples(np.ones((1, 1), np.float32), np.zeros(len(truth.positive), dtype=np.intp))
    values = {name: found[:, 0] for name, found in _by_run(truth, runs, once).items()}
    return values, _by_run(truth, runs, resamples) if resamples else {}


def _by_run(truth: Truth, runs: Sequence[Outcome], resamples: Resamples) -> Values:
    found = [_metrics(truth.positive, run, resamples) for run in runs]
    return {name: np.stack([each[name] for each in found]) for name in TABLE_METRICS}


def _metrics(positive: Bools, run: Outcome, resamples: Resamples) -> Values:
    """The metrics of Table 2 in each resample; NaN where it lacks a class."""
    right, called = run.called == positive, run.called
    sums = resamples.sums(np.stack([positive & called, positive, called, right], axis=1).astype(np.float64))
    hits, positives, calls, rights = sums
    total = resamples.sums(np.ones((len(positive), 1)))[0]
    areas = resampled_auc(positive, run.ranked, resamples)
    counted = {
        "sensitivity": hits / np.maximum(positives, 1),
        "f1": 2 * hits / np.maximum(positives + calls, 1),
        "accuracy": rights / np.maximum(total, 1),
    }
    undefined = np.isnan(areas)
    return {"auc": areas} | {name: np.where(undefined, np.nan, found) for name, found in counted.items()}


def _minus(first: tuple[Values, Values], second: tuple[Values, Values]) -> tuple[Values, Values]:
    values, resampled = ({name: a[name] - b[name] for name in a} for a, b in zip(first, second, strict=True))
    return values, resampled


def _figure(values: Floats, by_run: Floats | None, seed: int) -> Figure:
    """The mean with its interval; run numbers are drawn for each resample, as often as there are runs."""
    runs = len(values)
    between = Interval(None, None)
    if by_run is not None:
        drawn = np.random.default_rng(seed).integers(0, runs, by_run.shape)
        between = interval(np.take_along_axis(by_run, drawn, axis=0).mean(axis=0))
    sd = float(values.std(ddof=1)) if runs > 1 else None
    return Figure(float(values.mean()), sd, between.low, between.high, runs)
