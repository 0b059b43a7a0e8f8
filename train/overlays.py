"""Maps laid over whole pictures, pixel upon pixel, with a colour bar; known lesions are outlined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from nlp.schema import COVID
from train.figure_style import COVID as FLAG_COLOUR
from train.figure_style import DOTS, INK, SOFT, style
from train.finding_facts import finding_colour, finding_names
from train.image_forms import FloatArray
from train.lesion_marks import LesionBox
from train.lung_parts import BoolArray
from train.map_places import scaled

COLOURS = "inferno"
OPAQUE = 0.62  # of the colour where the map is strongest; the slice must be seen through it
_LEAST_SIDE = 320  # pixels of a panel's width, so that its title can be read; smaller pictures are enlarged
_TITLE, _GAP, _BAR, _FOOT = 26, 8, 78, 24  # pixels around panels


@dataclass(frozen=True, eq=False)
class Panel:
    """One map over the picture, or the picture alone.

    Attributes:
        attention: (height, width), or None.
        masks: finding to where it lies, outlined in the finding's colour.
        boxes: drawn as they are, in the finding's colour.
    """

    title: str
    attention: FloatArray | None
    masks: Mapping[str, BoolArray]
    boxes: Sequence[LesionBox] = ()


def output_name(output: str) -> str:
    """The flag's or a finding's name as people read it."""
    return "COVID-19" if output == COVID else finding_names([output])[0]


@style()
def overlay(
    picture: FloatArray, panels: Sequence[Panel], *, columns: int = 3, widest: int | None = None
) -> Figure:
    """All panels of one picture, row by row.

    A panel has the picture's own pixels; small pictures are enlarged by a whole number, and ``widest`` bounds the
    width of large ones. Every map has its own scale, from 0 to its maximum; below 0 nothing is drawn.

    Args:
        picture: (height, width) in [0, 1].
        panels: one at least.
    """
    width, height = _size(picture, widest)
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    whole = (columns * (width + _GAP) + _GAP + _BAR, rows * (height + _TITLE + _GAP) + _GAP + _FOOT)
    figure = Figure(figsize=(whole[0] / DOTS, whole[1] / DOTS))
    FigureCanvasAgg(figure)
    for number, panel in enumerate(panels):
        row, column = divmod(number, columns)
        left = _GAP + column * (width + _GAP)
        bottom = whole[1] - (row + 1) * (height + _TITLE + _GAP)
        axes = figure.add_axes((left / whole[0], bottom / whole[1], width / whole[0], height / whole[1]))
        _draw(axes, picture, panel, max(1.0, width / 400))
    _colour_bar(figure, whole, bottom=_FOOT + _GAP)
    return figure


def coloured(picture: FloatArray, attention: FloatArray | None, *, opaque: float = OPAQUE) -> FloatArray:
    """(height, width, 3) in [0, 1]: the stronger the map, the less is seen of the picture.

    Args:
        attention: (height, width), or None.
        opaque: part of the colour where the map is strongest, 0 to 1.
    """
    grey = np.repeat(picture[:, :, np.newaxis], 3, axis=2)
    if attention is None:
        return grey
    share = scaled(attention).clip(0, 1)
    colours = mpl.colormaps[COLOURS](share)[:, :, :3]
    weight = opaque * share[:, :, np.newaxis]
    blended: FloatArray = (grey * (1 - weight) + colours * weight).astype(np.float32)
    return blended


def _size(picture: FloatArray, widest: int | None) -> tuple[int, int]:
    """Width and height of a panel in pixels."""
    height, width = picture.shape
    zoom: float = -(-_LEAST_SIDE // width) if width < _LEAST_SIDE else 1
    if widest and width * zoom > widest:
        zoom = widest / width
    return round(width * zoom), max(1, round(height * zoom))


def _draw(axes: Axes, picture: FloatArray, panel: Panel, line: float) -> None:
    height, width = picture.shape
    place = (0, width, height, 0)  # so that coordinates are pixels from the left upper corner
    axes.imshow(coloured(picture, panel.attention), extent=place, interpolation="antialiased")
    for finding, mask in panel.masks.items():
        middles = np.arange(width) + 0.5, np.arange(height) + 0.5
        colour = finding_colour(finding, SOFT)
        axes.contour(*middles, mask.astype(np.float32), levels=[0.5], colors=[colour], linewidths=line)
    for box in panel.boxes:
        corner, size = (box.left, box.top), (box.right - box.left, box.bottom - box.top)
        colour = finding_colour(box.finding, SOFT)
        axes.add_patch(Rectangle(corner, *size, fill=False, edgecolor=colour, linewidth=1.5 * line))
    axes.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[])
    axes.set_axis_off()
    axes.set_title(panel.title, fontsize=7.5, pad=3, color=FLAG_COLOUR if "COVID-19" in panel.title else INK)


def _colour_bar(figure: Figure, whole: tuple[int, int], bottom: int) -> None:
    high = whole[1] - bottom - _TITLE - _GAP
    left = whole[0] - _BAR + _GAP
    axes = figure.add_axes((left / whole[0], bottom / whole[1], 14 / whole[0], high / whole[1]))
    bar = figure.colorbar(ScalarMappable(Normalize(0, 1), COLOURS), cax=axes, ticks=[0, 0.5, 1])
    bar.ax.tick_params(labelsize=6.5)
    bar.set_label("share of the map's own maximum", fontsize=6.5)
    figure.text(
        _GAP / whole[0], 0.35 * _FOOT / whole[1], "For research, not for diagnosis.", fontsize=6.5, color=SOFT
    )
