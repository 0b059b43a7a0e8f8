"""A number for attention: does a map point into a lesion, how much of it lies inside, how well do they overlap?

The pointing game is Zhang et al. 2018 (doi:10.1007/s11263-017-1059-x), who count a point within 15 pixels of the object
as inside; the share of energy is that of Wang et al. 2020 (Score-CAM, doi:10.1109/CVPRW50498.2020.00020).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from train.bootstrap import Floats, Interval, draw, interval
from train.image_forms import FloatArray
from train.lung_parts import BoolArray

TOLERANCE = 15
"""Pixels of the image file that the strongest place may lie beside a mask."""
THRESHOLD = 0.5
"""Share of a map's maximum from which on a pixel counts as attended to."""


@dataclass(frozen=True)
class Pointing:
    """One map against one mask; an empty map points nowhere, and all is 0.

    Attributes:
        inside: whether the strongest pixel lies in the mask.
        near: the same within ``tolerance`` pixels.
        energy: share of the map's sum that lies in the mask, 0 to 1.
        iou: of the mask and the pixels from ``threshold`` times the maximum up, 0 to 1.
        share: of the picture that the mask fills: what energy would be of an even map, and pointing of a blind guess.
    """

    inside: bool
    near: bool
    energy: float
    iou: float
    share: float


def point(
    attention: FloatArray, mask: BoolArray, *, tolerance: float = TOLERANCE, threshold: float = THRESHOLD
) -> Pointing:
    """Measure a map against a mask, both (height, width); the mask is not empty, what is below 0 counts as 0."""
    positive = np.maximum(attention, 0)
    highest = float(positive.max())
    share = float(mask.mean())
    if highest == 0:
        return Pointing(False, False, 0.0, 0.0, share)
    row, column = peak(attention)
    rows, columns = np.nonzero(mask)
    distance = float(np.hypot(rows - row, columns - column).min())
    attended = positive >= threshold * highest
    return Pointing(
        inside=bool(mask[row, column]),
        near=distance <= tolerance,
        energy=float(positive[mask].sum(dtype=np.float64) / positive.sum(dtype=np.float64)),
        iou=float((attended & mask).sum() / (attended | mask).sum()),
        share=share,
    )


def peak(attention: FloatArray) -> tuple[int, int]:
    """Row and column of the strongest pixel, the first of several."""
    row, column = np.unravel_index(int(attention.argmax()), attention.shape)
    return int(row), int(column)


@dataclass(frozen=True)
class Mean:
    """A mean over n images with its 95 % interval by patient; None where there is none."""

    value: float | None
    interval: Interval
    images: int
    patients: int


def mean_by_patient(values: Sequence[float], patient_ids: Sequence[str], *, seed: int = 0) -> Mean:
    """The mean over images; the interval resamples patients, and differences of pairs are as good as values."""
    if not len(values):
        return Mean(None, Interval(None, None), 0, 0)
    resamples = draw(patient_ids, seed=seed)
    numbers: Floats = np.asarray(values, dtype=np.float64)
    sums, counts = resamples.sums(np.stack([numbers, np.ones_like(numbers)], axis=1))
    means: NDArray[np.float64] = sums / np.maximum(counts, 1)
    patients = len(set(patient_ids))
    between = interval(means) if patients > 1 else Interval(None, None)
    return Mean(float(numbers.mean()), between, len(numbers), patients)
