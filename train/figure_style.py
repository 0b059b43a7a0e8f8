"""What all figures share: size, fonts, colours, and how they become PNG.

Figures are made by matplotlib's objects alone: no global state, no window, nothing kept open. They are drawn on white
and shown at 720 pixels, two thirds of their size. Blue and red differ for every kind of colour vision.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

WIDTH = 7.2  # inches: 1080 pixels
DOTS = 150

COVID, CONTROL, INK, SOFT, LINE = "#c62828", "#2f6db3", "#1b1f24", "#59636e", "#d5dbe1"
SETS: Mapping[str, str] = {
    "train": "#4d6175",
    "val": "#d99a2b",
    "test": "#2a8c82",
    "out_of_fold": "#7b5aa6",
}
"""Train, val and test also differ in lightness, so that they can be told apart in grey."""
CLASSES: Mapping[bool, tuple[str, str]] = {True: ("COVID-19", COVID), False: ("control", CONTROL)}

_RC: Any = {
    "font.size": 9.5,
    "font.family": "DejaVu Sans",
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": True,
    "legend.framealpha": 0.85,
    "legend.edgecolor": "none",
    "legend.fontsize": 8.5,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "lines.linewidth": 1.8,
    "figure.facecolor": "white",
}


@contextmanager
def style() -> Iterator[None]:
    """Figures made and drawn inside look alike."""
    with mpl.rc_context(_RC):
        yield


def new_figure(height: float, rows: int = 1, columns: int = 1, **options: Any) -> tuple[Figure, list[Axes]]:
    """A figure ``height`` inches high and its axes, row by row; options go to ``Figure.subplots``."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    return figure, list(axes.ravel())


def png(figure: Figure) -> bytes:
    """The figure as a PNG file; the same data give the same bytes."""
    target = io.BytesIO()
    with style():
        figure.savefig(target, format="png", dpi=DOTS, metadata={"Software": None})
    return target.getvalue()


def image_png(image: Image.Image) -> bytes:
    """The picture as a PNG file."""
    target = io.BytesIO()
    image.save(target, "PNG")
    return target.getvalue()


def shares(axes: Axes, which: str = "both") -> None:
    """Axes from 0 to 1 with a grid."""
    axes.grid(visible=True)
    ticks = [0, 0.25, 0.5, 0.75, 1]
    if which in ("both", "x"):
        axes.set_xlim(-0.01, 1.01)
        axes.set_xticks(ticks)
    if which in ("both", "y"):
        axes.set_ylim(-0.01, 1.01)
        axes.set_yticks(ticks)
