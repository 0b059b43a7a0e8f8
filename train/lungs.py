"""Where the lungs are in a CT slice, without a network: threshold, components, hull, box.

Articles print slices in every window and frame: air black or grey, lungs cut off by the edge, white paper
around, letters on top. What always holds: lungs are large dark parts inside the hull of bright tissue
(``train.lung_parts``). Where nothing plausible is found the whole slice is taken, and ``LungCrop.whole``
says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from train.image_forms import FloatArray
from train.lung_parts import BoolArray, filled, hull_corners, lung_parts

WORK_SIZE = 256  # pixels of the longer side while searching
_MARGIN = 0.03  # of the box's longer side, added around the lungs
_SMALLEST_SIDE = 16  # pixels: nothing can be told from less

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class LungCrop:
    """The part of a slice that holds the lungs.

    Attributes:
        box: top, left, bottom, right in pixels of the slice, half-open.
        hull: corners ``(n_corners, 2)`` as x, y of the convex hull of the lungs; empty if ``whole``.
        whole: no lungs were found; the box is the slice without plain margins.
    """

    box: Box
    hull: FloatArray
    whole: bool


def find_lungs(image: FloatArray) -> LungCrop:
    """The lungs of a slice ``(height, width)`` in [0, 1]."""
    small = _reduced(image)
    pixel = np.array(image.shape) / small.shape  # height and width of a reduced pixel
    top, left, bottom, right = content_box(small)
    part = small[top:bottom, left:right]
    lungs = lung_parts(part) if min(part.shape) >= _SMALLEST_SIDE else None
    if lungs is None:
        return LungCrop(
            _in_slice((top, left, bottom, right), pixel, image), np.zeros((0, 2), np.float32), True
        )
    corners = hull_corners(lungs) + np.array([left, top])
    left, top = corners.min(axis=0)
    right, bottom = corners.max(axis=0) + 1
    margin = _MARGIN * max(bottom - top, right - left)
    box = (top - margin, left - margin, bottom + margin, right + margin)
    hull = (corners + 0.5) * pixel[::-1]
    return LungCrop(_in_slice(box, pixel, image), hull.astype(np.float32), whole=False)


def hull_mask(crop: LungCrop) -> BoolArray:
    """True within the convex hull of the lungs, in the shape of the box; all true if ``whole``."""
    top, left, bottom, right = crop.box
    shape = (bottom - top, right - left)
    if crop.whole:
        return np.ones(shape, np.bool_)
    return filled(crop.hull - np.array([left, top], np.float32), shape)


def lungs_of(image: FloatArray) -> BoolArray | None:
    """(height, width) true within the convex hull of the lungs; None where none are found."""
    crop = find_lungs(image)
    if crop.whole:
        return None
    top, left, bottom, right = crop.box
    mask = np.zeros(image.shape, np.bool_)
    mask[top:bottom, left:right] = hull_mask(crop)
    return mask


def content_box(image: FloatArray) -> Box:
    """Top, left, bottom, right of a slice without its plain margins, which screenshots have."""
    top, left, bottom, right = 0, 0, *image.shape
    for _ in range(2):  # margins of the sides end where those above and below are gone, and the reverse
        view = image[top:bottom, left:right]
        rows, columns = np.flatnonzero(_busy(view)), np.flatnonzero(_busy(view.T))
        if not (rows.size and columns.size):
            return 0, 0, *image.shape
        top, bottom = top + int(rows[0]), top + int(rows[-1]) + 1
        left, right = left + int(columns[0]), left + int(columns[-1]) + 1
    return top, left, bottom, right


def _busy(lines: FloatArray) -> BoolArray:
    """Per line whether it shows more than one shade, some noise apart."""
    middle = np.median(lines[:, ::3], axis=1, keepdims=True)  # a third tells as much, much sooner
    busy: BoolArray = (np.abs(lines - middle) > 0.04).mean(axis=1) > 0.04
    return busy


def _reduced(image: FloatArray) -> FloatArray:
    """The slice with a longer side of ``WORK_SIZE`` at most."""
    height, width = image.shape
    factor = min(1.0, WORK_SIZE / max(height, width))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX), dtype=np.float32)


def _in_slice(box: tuple[float, ...], pixel: NDArray[np.float64], image: FloatArray) -> Box:
    """A box of the reduced slice in pixels of the slice itself."""
    height, width = image.shape
    top, left = max(0, int(box[0] * pixel[0])), max(0, int(box[1] * pixel[1]))
    bottom, right = np.ceil(box[2] * pixel[0] - 1e-6), np.ceil(box[3] * pixel[1] - 1e-6)
    return top, left, min(height, int(bottom)), min(width, int(right))
