"""What is measured of each map: how it lies to lungs and lesions; as a table, and in a few lines."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nlp.schema import COVID
from train.explainer import Explained
from train.image_forms import FloatArray
from train.lesion_marks import union
from train.lung_parts import BoolArray
from train.overlays import output_name
from train.pointing import Pointing, peak, point
from train.shown import Shown

COLUMNS = (
    *("image", "run", "output", "logit", "probability", "peak_x", "peak_y", "energy_in_lungs", "lungs_share"),
    *("lesion_share", "peak_inside", "peak_near", "energy_inside", "iou"),
)


@dataclass(frozen=True)
class OutputRow:
    """One map: where it is strongest, and how it lies to lungs and lesions.

    Attributes:
        peak: x and y in pixels of the image; None for an empty map.
        energy_in_lungs: share of the map within the hull of the lungs; None where none were found or the map is empty.
        lungs_share: of what the network saw that the lungs fill: what the energy of an even map would be.
        pointing: None where no lesion of this output is known.
    """

    run: str
    output: str
    logit: float
    probability: float
    peak: tuple[int, int] | None
    energy_in_lungs: float | None
    lungs_share: float | None
    pointing: Pointing | None


@dataclass(frozen=True)
class ImageRows:
    """One image: its path and a row for each map, those of the run before those of the one it is compared with."""

    path: Path
    rows: tuple[OutputRow, ...]


def measure(shown: Shown) -> ImageRows:
    """All maps of an image; the flag's is held against all lesions together."""
    lungs = shown.found[0].lungs
    rows = [
        _row(name, found, place, maps[place], lungs, shown.masks)
        for name, found, maps in zip(shown.runs, shown.found, shown.maps, strict=True)
        for place in range(len(found.outputs))
    ]
    return ImageRows(shown.path, tuple(rows))


def summary(measured: Sequence[ImageRows]) -> Iterator[str]:
    """A line for each run and output: means over images."""
    rows = [row for image in measured for row in image.rows]
    yield f"{'output':34}{'in lungs':>10}{'if even':>9}{'points in':>11}{'or near':>9}{'energy':>8}{'IoU':>7}{'lesions':>9}"
    for run, output in dict.fromkeys((row.run, row.output) for row in rows):
        some = [row for row in rows if (row.run, row.output) == (run, output)]
        points = [row.pointing for row in some if row.pointing]
        lungs = _mean([row.energy_in_lungs for row in some if row.energy_in_lungs is not None])
        shares = [
            _mean([getattr(each, name) for each in points]) for name in ("inside", "near", "energy", "iou")
        ]
        name = output_name(output) if run == rows[0].run else f"{output_name(output)}, {run}"
        even = _mean([row.lungs_share for row in some if row.lungs_share is not None])
        yield f"{name[:33]:34}{lungs:>10}{even:>9}{shares[0]:>11}{shares[1]:>9}{shares[2]:>8}{shares[3]:>7}{len(points):>9}"


def _row(
    run: str,
    found: Explained,
    place: int,
    attention: FloatArray,
    lungs: BoolArray | None,
    masks: Mapping[str, BoolArray],
) -> OutputRow:
    output, positive = found.outputs[place], np.maximum(attention, 0)
    total, (top, left, bottom, right) = float(positive.sum(dtype=np.float64)), found.box
    mask = (union(masks) if masks else None) if output == COVID else masks.get(output)
    row, column = peak(positive)
    inside = float(positive[lungs].sum(dtype=np.float64) / total) if total and lungs is not None else None
    return OutputRow(
        run=run,
        output=output,
        logit=float(found.logits[place]),
        probability=float(found.probabilities[place]),
        peak=(column, row) if total else None,
        energy_in_lungs=inside,
        lungs_share=None if lungs is None else float(lungs[top:bottom, left:right].mean()),
        pointing=None if mask is None else point(attention, mask),
    )


def table(measured: Sequence[ImageRows]) -> bytes:
    """attention.csv: a row for each map, blank where nothing is known."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_cells(image.path, row) for image in measured for row in image.rows)
    return text.getvalue().encode()


def _cells(path: Path, row: OutputRow) -> list[str]:
    known = row.pointing
    numbers = [] if known is None else [known.share, known.inside, known.near, known.energy, known.iou]
    return [
        *(path.as_posix(), row.run, row.output, f"{row.logit:.6g}", f"{row.probability:.6g}"),
        *(map(str, row.peak) if row.peak else ("", "")),
        *("" if share is None else f"{share:.4f}" for share in (row.energy_in_lungs, row.lungs_share)),
        *(f"{float(number):.4f}" if type(number) is float else str(int(number)) for number in numbers),
        *([] if numbers else [""] * 5),
    ]


def _mean(values: Sequence[float]) -> str:
    return f"{np.mean(values):.2f}" if len(values) else "-"
