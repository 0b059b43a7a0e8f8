"""The box of the lungs that a segmenter finds, if it is sure of them.

COVID-19_CXR_AI's rule: the box with 5 % padding is used where the mean probability of the mask is above 0.875; of a
less sure mask the whole picture is used instead. The mean is over the places of the mask, which are those where lung
is more likely than not.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nlp.write import replacing
from train.image_forms import FloatArray
from train.lung_parts import BoolArray
from train.lungs import Box
from train.segmenter import Segmenter

PADDING = 0.05
"""Of the box's height above and below, of its width on the sides."""
SURE = 0.875
_SMALLEST = 0.1  # of the largest part; smaller ones are specks, which would stretch the box
COLUMNS = ("image", "left", "top", "right", "bottom", "confidence", "used")


@dataclass(frozen=True)
class LungBox:
    """Where the lungs are in a picture.

    Attributes:
        box: top, left, bottom, right in pixels, half-open, with padding; the whole picture where ``used`` is false.
        confidence: the mean probability of the mask, 0 to 1; 0 where there is none.
        used: whether the mask is sure enough to cut by.
    """

    box: Box
    confidence: float
    used: bool


def find_lung_box(picture: FloatArray, segmenter: Segmenter) -> LungBox:
    """The lungs of a radiograph (height, width) in [0, 1]."""
    return box_of(segmenter.probability(picture), (picture.shape[0], picture.shape[1]))


def box_of(probability: FloatArray, shape: tuple[int, int]) -> LungBox:
    """The box of a map of probabilities (h, w) that covers a picture of ``shape`` (height, width)."""
    mask = _large_parts(probability > 0.5)
    confidence = float(probability[mask].mean(dtype=np.float64)) if mask.any() else 0.0
    if confidence <= SURE:
        return LungBox((0, 0, *shape), confidence, used=False)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, bottom = _side(rows, shape[0] / len(mask), shape[0])
    left, right = _side(columns, shape[1] / mask.shape[1], shape[1])
    return LungBox((top, left, bottom, right), confidence, used=True)


def write_boxes(path: Path, images: Sequence[str], boxes: Sequence[LungBox]) -> None:
    """Write a row per image: its box in pixels, half-open, how sure the mask is, and whether the box was used.

    Raises:
        OutputError: it cannot be written; an old file is intact.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for image, found in zip(images, boxes, strict=True):
        top, left, bottom, right = found.box
        writer.writerow([image, left, top, right, bottom, f"{found.confidence:.4f}", int(found.used)])
    with replacing([path]) as [file]:
        file.write(text.getvalue().encode())


def _large_parts(mask: BoolArray) -> BoolArray:
    labels, _ = ndimage.label(mask)
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    kept: BoolArray = (areas >= max(1, _SMALLEST * areas.max()))[labels]
    return kept


def _side(places: NDArray[np.intp], pixel: float, length: int) -> tuple[int, int]:
    """First and last pixel, half-open and padded, of a side of ``length``, where one place has ``pixel`` of them."""
    first, last = places[0] * pixel, (places[-1] + 1) * pixel
    padding = PADDING * (last - first)
    return max(0, int(first - padding)), min(length, int(np.ceil(last + padding)))
