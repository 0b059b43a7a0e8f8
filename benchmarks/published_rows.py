"""What finished runs on published data came to, a row each: n, AUC with its 95 % interval over patients, and a note."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from train.bootstrap import Resamples, draw, interval, resampled_auc
from train.operating_point import Thresholds
from train.population import Population, finding_populations
from train.predictions import Predictions
from train.records import Records
from train.scores import score
from train.study_plan import BASELINE, LADNN
from train.study_results import Finished, read_outcome, read_truth
from train.study_scores import Figure, Outcome, Truth, compare

Row = dict[str, Any]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

NAMES = {LADNN: "LA-DNN", BASELINE: "baseline"}
DIFFERENCE = "LA-DNN − baseline"


def study_rows(what: str, finished: Sequence[Finished], kept: Mapping[str, bool] | None = None) -> list[Row]:
    """Runs of one backbone on one part: mean over seeds, the seeds' ensemble, and differences of modes.

    Args:
        kept: images that are measured; None: all.
    """
    whole = read_truth(finished[0].cell.part)
    rows = np.array([kept is None or kept[image] for image in whole.images])
    patients = tuple(np.array(whole.patient_ids)[rows])
    truth = Truth(tuple(np.array(whole.images)[rows]), whole.positive[rows], patients)
    runs: dict[str, list[Outcome]] = {LADNN: [], BASELINE: []}
    for each in finished:
        said = read_outcome(each, whole)
        runs[each.cell.config.mode].append(Outcome(said.seed, said.ranked[rows], said.called[rows]))
    return list(_compared(what, truth, runs))


def _compared(what: str, truth: Truth, runs: Mapping[str, Sequence[Outcome]]) -> Iterator[Row]:
    n = len(truth.images)
    found = compare(truth, runs[BASELINE], runs[LADNN])
    named = {NAMES[LADNN]: found.ladnn, NAMES[BASELINE]: found.baseline, DIFFERENCE: found.difference}
    for name, figures in named.items():
        if figures:
            yield _figure_row(f"{what}, {name}", n, figures["auc"])
    for mode, outcomes in runs.items():
        if len(outcomes) > 1:
            mean = compare(truth, [], [_ensemble(outcomes)]).ladnn["auc"]
            note = f"one answer, the mean logit of {len(outcomes)} seeds"
            yield _figure_row(f"{what}, {NAMES[mode]}, ensemble", n, mean) | {"note": note}
    if found.delong and min(map(len, runs.values())) > 1:
        yield {
            "what": f"{what}, {DIFFERENCE}, ensembles",
            "n": n,
            "auc": found.delong.value,
            "low": found.delong.low,
            "high": found.delong.high,
            "note": "DeLong, by patient",
        }


def _ensemble(runs: Sequence[Outcome]) -> Outcome:
    """The runs' mean logit, called by the majority, as if one run."""
    called = np.mean([each.called for each in runs], axis=0) > 0.5
    return Outcome(runs[0].seed, np.mean([each.ranked for each in runs], axis=0), called)


def file_row(what: str, finished: Finished) -> Row:
    """What the file alone says of the same records, without a network: the features that are best on val."""
    assert finished.metrics is not None
    groups = finished.metrics["shortcut"]
    best = max(groups, key=lambda name: groups[name]["val"]["auc"] or 0)
    found = groups[best][finished.cell.part.measured]
    return output_row(f"{what}, the file alone", found, f"no network; best on val: {best}")


def finding_rows(records: Records, predicted: Predictions, thresholds: Thresholds) -> list[Row]:
    """Findings within captioned positives, out of fold: all pairs, and pairs within a fold.

    Logits of different folds come from different networks, whose scales differ: pairs across folds lower the AUC.
    """
    order = {image: number for number, image in enumerate(predicted.images)}
    places = [order[image] for image in records.images]
    logits = predicted.logits[places]
    folds = np.array(predicted.folds)[places]
    pooled = score(records, logits, threshold=thresholds, seed=0).as_json()["findings"]
    rows = []
    for key, population in finding_populations(records).items():
        what = f"{key} within captioned positives, out of fold, read again"
        rows.append(output_row(what, pooled[key]))
        auc, low, high = within_folds(population, logits, folds)
        note = "pairs within a fold"
        rows.append(output_row(what, pooled[key], note) | {"auc": auc, "low": low, "high": high})
    return rows


def within_folds(
    population: Population, logits: NDArray[np.floating], folds: NDArray[np.str_]
) -> tuple[float, float | None, float | None]:
    """The part of pairs, a positive and a negative of one fold, that are in order, with its interval over patients.

    Args:
        logits: (n_records, 1 + F).
        folds: (n_records,), the fold that a record was held out of.
    """
    resamples = draw(population.patient_ids, seed=0)
    once = Resamples(np.ones_like(resamples.copies[:, :1]), resamples.patients)
    value, resampled = (_within_folds(population, logits, folds, each) for each in (once, resamples))
    between = interval(resampled)
    return float(value[0]), between.low, between.high


def _within_folds(
    population: Population,
    logits: NDArray[np.floating],
    folds: NDArray[np.str_],
    resamples: Resamples,
) -> Floats:
    scores, of = population.logits(logits), folds[population.rows]
    won = pairs = np.zeros(resamples.copies.shape[1])
    for fold in np.unique(of):
        rows = of == fold
        positive = population.positive[rows]
        some = Resamples(resamples.copies, resamples.patients[rows])
        present, absent = some.sums(np.stack([positive, ~positive], axis=1).astype(np.float64))
        area = resampled_auc(positive, scores[rows], some)
        won = won + np.where(present * absent > 0, area, 0) * present * absent
        pairs = pairs + present * absent
    return np.where(pairs > 0, won / np.maximum(pairs, 1), np.nan)


def output_row(what: str, found: Mapping[str, Any], note: str = "") -> Row:
    """A row of one output as metrics.json holds it."""
    positive, negative = found["n_positive"], found["n_negative"]
    counts = f"{positive} present, {negative} absent"
    return {
        "what": what,
        "n": positive + negative,
        "auc": found["auc"],
        "low": found["auc_low"],
        "high": found["auc_high"],
        "note": "; ".join(filter(None, [counts, note])),
    }


def _figure_row(what: str, n: int, figure: Figure) -> Row:
    seeds = f"{figure.runs} seed" if figure.runs == 1 else f"{figure.runs} seeds"
    note = seeds if figure.sd is None else f"{seeds}, sd {figure.sd:.3f}"
    return {"what": what, "n": n, "auc": figure.mean, "low": figure.low, "high": figure.high, "note": note}
