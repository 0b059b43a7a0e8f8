"""Figures of the flag: how training went, ROC and precision-recall, confusion, scores, calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from train.calibration import frequency_interval, probability, reliability
from train.curves import Curve, precision_recall, roc
from train.figure_style import CLASSES, COVID, INK, SETS, SOFT, new_figure, shares, style
from train.metrics import Counts
from train.population import Population

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_LARGEST_GROUPS = 6
OTHER = "other"


@style()
def loss_curves(history: Mapping[str, Floats], best_epoch: int | None = None) -> Figure | None:
    """Loss and the flag's AUC by epoch, from the columns of history.csv; None without any epoch."""
    epochs = history.get("epoch", np.empty(0))
    if not len(epochs):
        return None
    figure, (losses, areas) = new_figure(2.9, 1, 2)
    _by_epoch(losses, history, {"train_loss": ("train", "-"), "val_loss": ("val", "-")})
    _by_epoch(areas, history, {"val_auc": ("val", "-"), "averaged_val_auc": ("val, averaged weights", "--")})
    losses.set_title("Loss")
    areas.set_title("AUC of the flag on val")
    for axes in (losses, areas):
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(visible=True)
        if best_epoch is not None:
            axes.axvline(best_epoch, color=SOFT, linewidth=1, linestyle=":", label="kept")
        axes.legend()
    return figure


@style()
def flag_curves(sets: Mapping[str, tuple[Population, Floats]], seed: int) -> Figure:
    """ROC and precision-recall of each set, with bands over patients.

    Args:
        sets: name → population and its logits; each with both classes.
        seed: of the bands.
    """
    figure, (left, right) = new_figure(3.7, 1, 2)
    for name, (population, logits) in sets.items():
        colour = SETS.get(name, SETS["test"])
        given = (population.positive, logits, population.patient_ids)
        _draw_curve(left, roc(*given, seed=seed), colour, name)
        _draw_curve(right, precision_recall(*given, seed=seed), colour, name, steps=True)
        share = float(population.positive.mean())
        right.axhline(share, color=colour, linewidth=0.9, linestyle=":")
    left.plot([0, 1], [0, 1], color=SOFT, linewidth=0.9, linestyle=":")
    left.set(title="ROC", xlabel="1 − specificity", ylabel="sensitivity")
    right.set(title="Precision and recall", xlabel="sensitivity (recall)", ylabel="precision")
    for axes in (left, right):
        shares(axes)
        axes.set_aspect("equal")
        axes.legend(loc="lower right" if axes is left else "lower left")
    return figure


@style()
def confusion(counts: Counts, set_name: str) -> Figure:
    """Actual against called, at the operating point."""
    figure, [axes] = new_figure(2.7)
    table = np.array(
        [[counts.true_positive, counts.false_negative], [counts.false_positive, counts.true_negative]]
    )
    rows = table.sum(axis=1, keepdims=True)
    part = table / np.maximum(rows, 1)
    axes.imshow(part, cmap="Blues", vmin=0, vmax=1.25, aspect="auto")
    for row, column in np.ndindex(2, 2):
        colour = "white" if part[row, column] > 0.7 else INK
        text = f"{table[row, column]}\n{part[row, column]:.0%} of {rows[row, 0]}"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=11)
    names = [CLASSES[True][0], CLASSES[False][0]]
    axes.set_xticks([0, 1], [f"called {name}" for name in names])
    axes.set_yticks([0, 1], [f"is {name}" for name in names])
    axes.set_title(f"Confusion on {set_name.replace('_', ' ')}")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return figure


@style()
def score_histograms(
    probabilities: Floats, positive: Bools, diagnoses: Sequence[str], threshold: float | None
) -> Figure:
    """One row per diagnosis, the largest first, of the flag's probability; the operating point, if one, is marked."""
    groups = _groups(diagnoses, positive)
    figure, panels = new_figure(0.9 + 0.75 * len(groups), len(groups), 1, sharex=True)
    for axes, (name, rows) in zip(panels, groups.items(), strict=True):
        for is_positive, (_, colour) in CLASSES.items():
            chosen = probabilities[rows & (positive == is_positive)]
            axes.hist(chosen, bins=np.linspace(0, 1, 26).tolist(), color=colour, alpha=0.85)
        if threshold is not None:
            axes.axvline(threshold, color=INK, linewidth=1, linestyle="--")
        axes.set_ylabel(f"{_short(name)}\nn = {rows.sum()}", rotation=0, ha="right", va="center")
        axes.yaxis.set_major_locator(MaxNLocator(nbins=2, integer=True))
        axes.set_xlim(0, 1)
    dashed = "" if threshold is None else f" (dashed: operating point, {threshold:.2f})"
    panels[-1].set_xlabel(f"probability of COVID-19{dashed}")
    handles = [Patch(color=colour) for _, colour in CLASSES.values()]
    figure.legend(handles, [name for name, _ in CLASSES.values()], loc="outside upper right", ncols=2)
    return figure


@style()
def calibration(positive: Bools, logits: Floats, probabilities: Floats, patient_ids: Sequence[str]) -> Figure:
    """Observed frequency over probability in bins of equal number, of logits alone and after temperature scaling.

    The bars are 95 % intervals over patients (``train.calibration.frequency_interval``).
    """
    figure, (axes, counts) = new_figure(3.9, 2, 1, sharex=True, height_ratios=[4, 1])
    axes.plot([0, 1], [0, 1], color=SOFT, linewidth=0.9, linestyle=":")
    kinds = {"as the network gives it": (probability(logits), SOFT)}
    if not np.allclose(probability(logits), probabilities, atol=1e-4):
        kinds["after temperature scaling, as in predictions.csv"] = probabilities, COVID
    for name, (values, colour) in kinds.items():
        bins = reliability(positive, values, patient_ids)
        x, y = np.array([each.probability for each in bins]), np.array([each.observed for each in bins])
        low, high = np.transpose([frequency_interval(each.observed, each.n_patients) for each in bins])
        error = [y - low, high - y]
        axes.errorbar(
            x, y, np.maximum(error, 0), marker="o", color=colour, capsize=2, elinewidth=1, label=name
        )
        counts.hist(values, np.linspace(0, 1, 41).tolist(), color=colour, alpha=0.7)
    axes.set(title="Calibration", ylabel="part that is COVID-19")
    shares(axes)
    axes.legend(loc="upper left")
    counts.set(xlabel="probability of COVID-19", ylabel="images")
    return figure


def _by_epoch(axes: Axes, history: Mapping[str, Floats], columns: Mapping[str, tuple[str, str]]) -> None:
    folds = history.get("fold", np.zeros(len(history["epoch"])))
    numbers = np.unique(folds)
    for column, (name, line) in columns.items():
        values = history.get(column)
        if values is None or np.isnan(values).all():
            continue
        colour = SETS["train" if name == "train" else "val"]
        for number in numbers:
            rows = folds == number
            axes.plot(
                history["epoch"][rows],
                values[rows],
                line,
                color=colour,
                marker="o" if rows.sum() < 3 else None,
                alpha=1 if len(numbers) == 1 else 0.6,
                linewidth=1.8 if len(numbers) == 1 else 1,
                label=name if number == numbers[0] else None,
            )


def _draw_curve(axes: Axes, curve: Curve, colour: str, name: str, *, steps: bool = False) -> None:
    if curve.low is not None and curve.high is not None:
        axes.fill_between(curve.grid, curve.low, curve.high, color=colour, alpha=0.15, linewidth=0)
    axes.plot(
        curve.x,
        curve.y,
        color=colour,
        label=name.replace("_", " "),
        drawstyle="steps-pre" if steps else "default",
    )


def _groups(diagnoses: Sequence[str], positive: Bools) -> dict[str, Bools]:
    """Diagnoses by class, then by number; small ones together; blank ones go by their class."""
    named = np.array([name or CLASSES[bool(flag)][0] for name, flag in zip(diagnoses, positive, strict=True)])
    names, numbers = np.unique(named, return_counts=True)
    largest = names[np.argsort(-numbers, kind="stable")][:_LARGEST_GROUPS]
    found = {str(name): named == name for name in largest}
    rest = ~np.isin(named, largest)
    ordered = sorted(found, key=lambda name: (-positive[found[name]].mean(), -found[name].sum()))
    return {name: found[name] for name in ordered} | ({OTHER: rest} if rest.any() else {})


def _short(name: str, longest: int = 22) -> str:
    return name if len(name) <= longest else name[: longest - 1] + "…"
