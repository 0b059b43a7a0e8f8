"""From an image file to what a network takes: grey, cut to the lungs, one scale of grey, square, bytes.

Crops: ``none`` takes the whole slice; ``lungs`` the box of the lungs; ``lungs_only`` the same with all
outside the convex hull of the lungs black; ``segmented`` the box that a segmenter sees in a radiograph.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nlp.errors import TrainingError
from train.channels import CHANNELS, as_channels
from train.image_forms import FloatArray, read_grey
from train.intensity import NORMALISATIONS, normalise
from train.lungs import Box, find_lungs, hull_mask

if TYPE_CHECKING:
    from train.segmenter import Segmenter

Crop = Literal["none", "lungs", "lungs_only", "segmented"]
CROPS: tuple[str, ...] = get_args(Crop)
SEGMENTED = "segmented"
ByteArray = NDArray[np.uint8]


@dataclass(frozen=True)
class Prepared:
    """One image.

    Attributes:
        pixels: ``(C, size, size)`` uint8, one channel or three.
        box: top, left, bottom, right of the part taken, in pixels of the file.
        whole: no lungs were found, or not surely; a slice is then taken without its plain margins.
        confidence: of the segmenter in its lungs, 0 to 1 (``train.lung_boxes``); NaN without a segmenter.
    """

    pixels: ByteArray
    box: Box
    whole: bool
    confidence: float = np.nan


def prepare_image(
    path: Path,
    *,
    size: int,
    crop: str,
    how: str,
    channels: str = "grey",
    segmenter: Segmenter | None = None,
) -> Prepared:
    """One image as a network takes it.

    Args:
        channels: see ``train.channels``.
        segmenter: finds the lungs for the crop ``segmented``, which needs one.

    Raises:
        ImageError: the image cannot be read.
        TrainingError: no such ``crop``, normalisation ``how`` or ``channels``, or the segmenter is missing.
    """
    check_settings(crop=crop, how=how, channels=channels, segmented=segmenter is not None)
    image = read_grey(path)
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
    return Prepared(as_channels(_bytes(part, size), channels), box, whole, confidence)


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


def _bytes(image: FloatArray, size: int) -> ByteArray:
    """Stretched to a square; the filter widens when shrinking, so that nothing aliases."""
    resized = Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR)
    return (np.asarray(resized) * 255).round().clip(0, 255).astype(np.uint8)
