"""Every figure of a run, with its title and the words below it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from train.figure_style import png
from train.figures_curves import calibration, confusion, flag_curves, loss_curves, score_histograms
from train.figures_data import composition
from train.figures_lesions import concordance, finding_curves, lesion_counts, pair_plot
from train.metrics import Counts
from train.population import finding_populations, flag_population, group_of
from train.run_files import OUT_OF_FOLD, Measured, Run

_SEED = 0  # of the bands


@dataclass(frozen=True)
class Picture:
    """One PNG; ``part`` is the part of the report that shows it."""

    name: str
    part: str
    title: str
    words: str
    png: bytes


def pictures(run: Run) -> tuple[Picture, ...]:
    """All figures that the run's data allow, in the order of the report."""
    made = (*_curves(run), *_findings(run), *_data(run))
    return tuple(Picture(name, part, title, words, png(figure)) for name, part, title, words, figure in made)


Made = tuple[str, str, str, str, Figure]


def _curves(run: Run) -> Iterator[Made]:
    part = "curves"
    if (figure := loss_curves(run.history, run.metrics.get("training", {}).get("best_epoch"))) is not None:
        words = "Train loss is the mean over the epoch, with augmentation; val without. The epoch kept is the best on val."
        yield "loss", part, "Training", words, figure
    populations = {name: flag_population(each.records) for name, each in run.sets.items() if _both(each)}
    if populations:
        curves = {name: (found, run.sets[name].ranked[found.rows]) for name, found in populations.items()}
        words = "Bands: 95 % of curves over resampled patients, at each point. Dotted: chance."
        yield "roc", part, "ROC, precision and recall of the flag", words, flag_curves(curves, _SEED)
    name = run.headline
    if name not in populations:
        return
    each, rows, positive = run.sets[name], populations[name].rows, populations[name].positive
    counts = Counts(**run.metrics[name]["covid19"]["confusion"])
    words = "At the threshold chosen on val. Rows add to 100 %."
    yield "confusion", part, "Right and wrong", words, confusion(counts, name)
    probability = each.probability[rows]
    diagnoses = [each.records.diagnoses[row] for row in rows]
    at = run.metrics[name]["covid19"]["threshold"]
    groups = [group_of(each, flag) for each, flag in zip(diagnoses, positive, strict=True)]
    at = None if name == OUT_OF_FOLD else at
    words = (
        "Images by the flag's probability, each row with its own scale. Controls are of other disease or normal where"
        " their diagnosis says so."
    )
    figure = score_histograms(probability, positive, groups, at)
    yield "groups", part, "Scores by group", words, figure
    if len(set(diagnoses)) > len(set(groups)):
        words = "The same for each diagnosis."
        figure = score_histograms(probability, positive, diagnoses, at)
        yield "scores", part, "Scores by diagnosis", words, figure
    words = (
        "Bins of equal number; bars are 95 % intervals, each patient one trial. On the dotted line, a probability is a"
        " frequency."
    )
    patients = [each.records.patient_ids[row] for row in rows]
    figure = calibration(positive, each.logits[rows, 0], probability, patients)
    yield "calibration", part, "Calibration", words, figure


def _findings(run: Run) -> Iterator[Made]:
    if not run.learns_findings:
        return
    part, each = "findings", run.sets[run.headline]
    populations = finding_populations(each.records)
    drawn = {key: (found, found.logits(each.logits)) for key, found in populations.items()}
    if (figure := finding_curves(drawn, _SEED)) is not None:
        words = (
            "Within captioned COVID-19 images only, so that repeating the flag earns nothing. Bands as above."
        )
        yield "findings", part, "ROC of each finding", words, figure
    known = ~np.isnan(each.records.covid19)
    positive = each.records.covid19[known] == 1
    if positive.any() and not positive.all():
        areas = {key: found["auc"] for key, found in run.metrics[run.headline]["flag_by_finding"].items()}
        words = (
            "Logits of the findings' outputs by class. The AUC above each distribution is for telling COVID-19 from"
            " control: a high one shows that the output follows the flag, not that it sees the finding."
        )
        figure = pair_plot(each.logits[known, 1:], positive, run.records.finding_keys, areas)
        yield "pairs", part, "What the findings' outputs say of the flag", words, figure


def _data(run: Run) -> Iterator[Made]:
    part, records = "data", run.records
    words = "Images of each diagnosis by set, and their patients."
    yield "composition", part, "Composition by diagnosis", words, composition(records)
    positive = (records.covid19 == 1) & records.captioned
    if not positive.any():
        return
    splits, present = np.array(records.splits), records.finding_cells == 1
    inside = {name: positive & (splits == name) for name in ("train", "val", "test")}
    counts = {name: present[rows].sum(axis=1) for name, rows in inside.items() if rows.any()}
    if counts:
        words = "Captioned COVID-19 images by how many findings their captions state."
        yield "counts", part, "Findings per image", words, lesion_counts(counts, len(records.finding_keys))
    tables = {"Stated in captions, all sets": present[positive]}
    each = run.sets[run.headline]
    rows = (each.records.covid19 == 1) & each.records.captioned
    title = f"Called by the network, {run.headline.replace('_', ' ')}"
    if run.learns_findings:
        tables[title] = each.calls[rows]
    words = "Images of captioned COVID-19 with both findings, and which part that is of those with the row's finding."
    yield (
        "concordance",
        part,
        "Which findings come together",
        words,
        concordance(tables, records.finding_keys),
    )


def _both(each: Measured) -> bool:
    return {0.0, 1.0} <= set(each.records.covid19.tolist())
