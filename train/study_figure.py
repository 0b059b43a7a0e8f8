"""AUC against how many records people confirmed."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from train.figure_style import CONTROL, COVID, new_figure, style
from train.study_plan import BASELINE, LADNN
from train.study_results import Row
from train.study_scores import Figure as Figures

_KINDS = {BASELINE: ("baseline", CONTROL), LADNN: ("LA-DNN", COVID)}


@style()
def budget_curve(rows: Sequence[Row]) -> Figure:
    """A panel per data set and backbone: mean AUC with its 95 % interval by the size of train."""
    panels: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row.comparison is not None and row.part.kind in ("budget", "whole"):
            panels.setdefault((row.part.data, row.backbone), []).append(row)
    figure, axes = new_figure(2.9 * max(1, len(panels)), max(1, len(panels)), 1, sharex=True)
    for place, ((data, backbone), found) in zip(axes, panels.items(), strict=False):
        _panel(place, sorted(found, key=lambda row: row.part.records))
        place.set_title(f"{data}, {backbone}: AUC of the flag on test")
    axes[-1].set_xlabel("records of train with labels")
    return figure


def _panel(axes: Axes, rows: Sequence[Row]) -> None:
    apart = 0.006 * rows[-1].part.records  # side by side, so that no interval hides another
    for side, (mode, (label, colour)) in zip((-apart, apart), _KINDS.items(), strict=True):
        points = [
            (row.part.records + side, getattr(row.comparison, mode)["auc"])
            for row in rows
            if getattr(row.comparison, mode)
        ]
        if points:
            _line(axes, points, label, colour)
    axes.grid(visible=True)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel("AUC [95 % interval]")
    axes.legend(loc="lower right")


def _line(axes: Axes, points: Sequence[tuple[float, Figures]], label: str, colour: str) -> None:
    sizes, means = [size for size, _ in points], [found.mean for _, found in points]
    axes.plot(sizes, means, color=colour, marker="o", markersize=4, label=label)
    known = [(size, found.low, found.high) for size, found in points if found.low is not None]
    if known:
        places, lows, highs = zip(*known, strict=True)
        axes.vlines(places, lows, highs, color=colour, linewidth=1.2, alpha=0.7)
