"""From an image file to what a network takes: grey, cut to the lungs, one scale of grey, square, bytes.

Crops: ``none`` takes the whole slice; ``lungs`` the box of the lungs; ``lungs_only`` the same with all
outside the convex hull of the lungs black; ``segmented`` the box that a segmenter sees in a radiograph.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nlp.errors import TrainingError
from train.channels import CHANNELS, as_channels
from train.config import CROPS
from train.dicom import OF_SLICES
from train.dicom_window import LUNG, Window
from train.image_forms import FloatArray, Picture, read_picture
from train.intensity import NORMALISATIONS, normalise
from train.lungs import Box, find_lungs, hull_mask

if TYPE_CHECKING:
    from train.segmenter import Segmenter

SEGMENTED = "segmented"
ByteArray = NDArray[np.uint8]
SMALLEST_SIDE = 96
"""Pixels: below, a septum or a faint opacity cannot be seen."""


@dataclass(frozen=True)
class Prepared:
    """One image.

    Attributes:
        pixels: ``(C, size, size)`` uint8, one channel or three.
        box: top, left, bottom, right of the part taken, in pixels of the file.
        whole: no lungs were found, or not surely; a slice is then taken without its plain margins.
        confidence: of the segmenter in its lungs, 0 to 1 (``train.lung_boxes``); NaN without a segmenter.
        notes: what makes the file out of the ordinary.
    """

    pixels: ByteArray
    box: Box
    whole: bool
    confidence: float = np.nan
    notes: tuple[str, ...] = ()


def prepare_image(
    path: Path,
    *,
    size: int,
    crop: str,
    how: str,
    channels: str = "grey",
    segmenter: Segmenter | None = None,
    window: Window = LUNG,
) -> Prepared:
    """One image as a network takes it.

    Args:
        channels: see ``train.channels``.
        segmenter: finds the lungs for the crop ``segmented``, which needs one.
        window: of CT slices in DICOM.

    Raises:
        ImageError: the image cannot be read.
        TrainingError: no such ``crop``, normalisation ``how`` or ``channels``, or the segmenter is missing.
    """
    check_settings(crop=crop, how=how, channels=channels, segmented=segmenter is not None)
    picture = read_picture(path, window=window)
    image = picture.grey
    box, whole, confidence = (0, 0, *image.shape), False, np.nan
    if segmenter is not None:
        from train.lung_boxes import find_lung_box

        surely = find_lung_box(image, segmenter)
        box, whole, confidence = surely.box, not surely.used, surely.confidence
    elif crop != "none":
        found = find_lungs(image)
        box, whole = found.box, found.whole
    part = normalise(image[box[0] : box[2], box[1] : box[3]], how)
    if crop == "lungs_only":
        part = np.where(hull_mask(found), part, np.float32(0))
    notes = tuple(_notes(picture, of_slices=segmenter is None))
    return Prepared(as_channels(_bytes(part, size), channels), box, whole, confidence, notes)


def check_settings(*, crop: str, how: str, channels: str = "grey", segmented: bool = False) -> None:
    """Refuse names that do not exist, before any file is read.

    Args:
        segmented: whether there is a segmenter.

    Raises:
        TrainingError: no such ``crop``, normalisation ``how`` or ``channels``; a segmenter that is missing or unused.
    """
    if channels not in CHANNELS:
        raise TrainingError(f"no channels are named {channels!r}; choose {', '.join(CHANNELS)}")
    if crop not in CROPS:
        raise TrainingError(f"no crop is named {crop!r}; choose {', '.join(CROPS)}")
    if how not in NORMALISATIONS:
        raise TrainingError(f"no normalisation is named {how!r}; choose {', '.join(NORMALISATIONS)}")
    if (crop == SEGMENTED) != segmented:
        raise TrainingError(f"crop {SEGMENTED!r} and a segmenter go together: give both, or neither")


def _notes(picture: Picture, *, of_slices: bool) -> Iterator[str]:
    yield from (note for note in picture.notes if of_slices or note not in OF_SLICES)
    height, width = picture.grey.shape
    if min(height, width) < SMALLEST_SIDE:
        yield f"only {width} × {height} pixels"


def _bytes(image: FloatArray, size: int) -> ByteArray:
    """Stretched to a square; the filter widens when shrinking, so that nothing aliases."""
    resized = Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR)
    return (np.asarray(resized) * 255).round().clip(0, 255).astype(np.uint8)
