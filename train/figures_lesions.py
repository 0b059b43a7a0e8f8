"""Figures of the findings: their outputs by class (the paper's Fig. 6), how many an image has, which come together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from train.curves import roc
from train.figure_style import (
    CLASSES,
    INK,
    SETS,
    SOFT,
    new_figure,
    shares,
    style,
)
from train.finding_facts import finding_codes, finding_colour, finding_names
from train.population import Population

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@style()
def finding_curves(findings: Mapping[str, tuple[Population, Floats]], seed: int) -> Figure | None:
    """ROC of each finding over captioned positives, one panel each, with bands; None where none has both classes."""
    drawn = {
        key: pair for key, pair in findings.items() if 0 < pair[0].positive.sum() < len(pair[0].positive)
    }
    if not drawn:
        return None
    columns = 2 if len(drawn) in (2, 4) else min(3, len(drawn))
    rows = -(-len(drawn) // columns)
    figure, panels = new_figure(0.3 + 7.65 / columns * rows, rows, columns, sharex=True, sharey=True)
    names = dict(zip(findings, finding_names(list(findings)), strict=True))
    for axes, (key, (population, logits)) in zip(panels, drawn.items(), strict=False):
        curve = roc(population.positive, logits, population.patient_ids, seed=seed)
        colour = finding_colour(key, INK)
        if curve.low is not None and curve.high is not None:
            axes.fill_between(curve.grid, curve.low, curve.high, color=colour, alpha=0.15, linewidth=0)
        axes.plot(curve.x, curve.y, color=colour)
        axes.plot([0, 1], [0, 1], color=SOFT, linewidth=0.9, linestyle=":")
        axes.set_title(names[key], fontsize=9)
        counts = f"{population.positive.sum()} present\n{(~population.positive).sum()} absent"
        axes.text(0.97, 0.05, counts, ha="right", va="bottom", fontsize=8.5, color=SOFT)
        shares(axes)
        axes.set_aspect("equal")
    for place, axes in enumerate(panels):
        axes.set_visible(place < len(drawn))
        axes.tick_params(labelbottom=place + columns >= len(drawn))
    figure.supxlabel("1 − specificity", fontsize=9.5)
    figure.supylabel("sensitivity", fontsize=9.5)
    return figure


@style()
def pair_plot(
    logits: Floats, positive: Bools, keys: Sequence[str], areas: Mapping[str, float | None]
) -> Figure:
    """Every finding's logit against every other, by class; on the diagonal its distribution and AUC for the FLAG.

    Args:
        logits: (n, F).
        positive: (n,), the flag.
        keys: (F,).
        areas: key → AUC of its output for the flag, None where a class is missing.
    """
    size, codes = len(keys), finding_codes(keys)
    figure, panels = new_figure(1.42 * size + 0.2, size, size, sharex="col")
    for row, column in np.ndindex(size, size):
        axes = panels[row * size + column]
        axes.tick_params(labelsize=8)
        axes.locator_params(nbins=3)
        if column > row:
            axes.set_visible(False)
            continue
        if column == row:
            _distribution(axes, logits[:, row], positive, areas.get(keys[row]))
        else:
            _scatter(axes, logits[:, column], logits[:, row], positive)
        if row == size - 1:
            axes.set_xlabel(codes[column], fontweight="bold")
        if column == 0:
            axes.set_ylabel(codes[row], fontweight="bold")
    marks = [Line2D([], [], marker="o", linestyle="", color=colour) for _, colour in CLASSES.values()]
    names = [f"{name} (n = {(positive == flag).sum()})" for flag, (name, _) in CLASSES.items()]
    figure.legend(marks, names, loc="upper right", bbox_to_anchor=(0.98, 0.98), fontsize=10)
    return figure


@style()
def lesion_counts(counts: Mapping[str, NDArray[np.int64]], n_findings: int) -> Figure:
    """How many findings captioned positives have: set → (n_images,) numbers."""
    figure, [axes] = new_figure(2.8)
    width = 0.8 / max(1, len(counts))
    for place, (name, numbers) in enumerate(counts.items()):
        heights = np.bincount(numbers, minlength=n_findings + 1)
        left = np.arange(len(heights)) + (place - (len(counts) - 1) / 2) * width
        bars = axes.bar(
            left, heights, width * 0.92, color=SETS.get(name, SOFT), label=f"{name} (n = {len(numbers)})"
        )
        axes.bar_label(
            bars, labels=[str(height) if height else "" for height in heights], fontsize=8, color=SOFT
        )
    axes.set(xlabel="findings stated as present", ylabel="images")
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axes.legend()
    return figure


@style()
def concordance(tables: Mapping[str, Bools], keys: Sequence[str]) -> Figure:
    """Which findings come together: title → (n, F) whether present; one panel each.

    A row's colour and percentage say how many images with the row's finding also have the column's.
    """
    figure, panels = new_figure(0.6 + 3.3 * 2 / max(2, len(tables)), 1, max(2, len(tables)))
    codes = finding_codes(keys)
    for axes, (title, present) in zip(panels, tables.items(), strict=False):
        together = present.astype(np.int64).T @ present
        own = np.maximum(np.diag(together), 1)[:, np.newaxis]
        axes.imshow(
            np.where(np.eye(len(keys), dtype=bool), 0, together / own), cmap="Blues", vmin=0, vmax=1.25
        )
        for row, column in np.ndindex(len(keys), len(keys)):
            _cell(axes, row, column, int(together[row, column]), int(together[row, row]))
        axes.set_xticks(range(len(keys)), codes, fontsize=8, rotation=35, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(len(keys)), codes, fontsize=8)
        axes.set_title(title, fontsize=9.5)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
    for axes in panels[len(tables) :]:
        axes.set_visible(False)
    return figure


def _distribution(axes: Axes, logits: Floats, positive: Bools, area: float | None) -> None:
    bins = np.linspace(logits.min(), logits.max() + 1e-6, 19).tolist()
    for flag, (_, colour) in CLASSES.items():
        if (positive == flag).any():
            axes.hist(logits[positive == flag], bins, color=colour, alpha=0.55, density=True)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_title("AUC –" if area is None else f"AUC {area:.2f}", fontsize=9, loc="center")


def _scatter(axes: Axes, x: Floats, y: Floats, positive: Bools) -> None:
    colours = np.where(positive, CLASSES[True][1], CLASSES[False][1])
    axes.scatter(x, y, c=colours, s=5, alpha=0.5, linewidths=0)


def _cell(axes: Axes, row: int, column: int, both: int, own: int) -> None:
    part = both / own if own else 0.0
    if row == column:
        axes.text(
            column, row, f"n = {own}", ha="center", va="center", fontsize=8, fontweight="bold", color=INK
        )
    elif own:
        colour = "white" if part > 0.7 else INK
        axes.text(column, row, f"{both}\n{part:.0%}", ha="center", va="center", fontsize=8, color=colour)
