"""From an image file to what a network takes: grey, cut to the lungs, one scale of grey, square, bytes.

Crops: ``none`` takes the whole slice; ``lungs`` the box of the lungs; ``lungs_only`` the same with all
outside the convex hull of the lungs black.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nlp.errors import TrainingError
from train.dicom_window import LUNG, Window
from train.image_forms import read_picture
from train.intensity import NORMALISATIONS, normalise
from train.lungs import find_lungs, hull_mask

Crop = Literal["none", "lungs", "lungs_only"]
CROPS: tuple[str, ...] = get_args(Crop)
ByteArray = NDArray[np.uint8]
FloatArray = NDArray[np.float32]
SMALLEST_SIDE = 96
"""Pixels: below, a septum or a faint opacity cannot be seen."""


@dataclass(frozen=True)
class Prepared:
    """One image.

    Attributes:
        pixels: ``(size, size)`` uint8.
        box: top, left, bottom, right of the part taken, in pixels of the file.
        whole: no lungs were found, and the slice was taken without its plain margins.
        notes: what makes the file out of the ordinary.
    """

    pixels: ByteArray
    box: tuple[int, int, int, int]
    whole: bool
    notes: tuple[str, ...] = ()


def prepare_image(path: Path, *, size: int, crop: str, how: str, window: Window = LUNG) -> Prepared:
    """One image as a network takes it; ``window`` is for DICOM.

    Raises:
        ImageError: the image cannot be read.
        TrainingError: no such ``crop`` or normalisation ``how``.
    """
    check_settings(crop=crop, how=how)
    picture = read_picture(path, window=window)
    image, notes = picture.grey, picture.notes
    if min(image.shape) < SMALLEST_SIDE:
        notes = (*notes, f"only {image.shape[1]} × {image.shape[0]} pixels")
    if crop == "none":
        height, width = image.shape
        return Prepared(_bytes(normalise(image, how), size), (0, 0, height, width), False, notes)
    found = find_lungs(image)
    top, left, bottom, right = found.box
    part = normalise(image[top:bottom, left:right], how)
    if crop == "lungs_only":
        part = np.where(hull_mask(found), part, np.float32(0))
    return Prepared(_bytes(part, size), found.box, found.whole, notes)


def check_settings(*, crop: str, how: str) -> None:
    """Refuse names that do not exist, before any file is read.

    Raises:
        TrainingError: no such ``crop`` or normalisation ``how``.
    """
    if crop not in CROPS:
        raise TrainingError(f"no crop is named {crop!r}; choose {', '.join(CROPS)}")
    if how not in NORMALISATIONS:
        raise TrainingError(f"no normalisation is named {how!r}; choose {', '.join(NORMALISATIONS)}")


def _bytes(image: FloatArray, size: int) -> ByteArray:
    """Stretched to a square; the filter widens when shrinking, so that nothing aliases."""
    resized = Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR)
    return (np.asarray(resized) * 255).round().clip(0, 255).astype(np.uint8)
