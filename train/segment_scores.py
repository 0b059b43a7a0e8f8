"""How well masks agree: Dice and IoU of each picture, their means with intervals over patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from train.bootstrap import RESAMPLES, draw, interval
from train.metrics import Metric
from train.segmenter import Segmenter

Floats = NDArray[np.float64]
_BATCH = 16


@dataclass(frozen=True, eq=False)
class Agreement:
    """n pictures.

    Attributes:
        dice: (n,), twice the common area over both areas, 0 to 1.
        iou: (n,), the common area over the area of either, 0 to 1.
        found: (n, S, S), where the segmenter sees lung.
    """

    dice: Floats
    iou: Floats
    found: NDArray[np.bool_]


def agreement(model: Segmenter, pixels: Tensor, masks: Tensor) -> Agreement:
    """Of the segmenter's masks, probability one half and more, with the drawn ones, (n, 1, S, S) uint8 both."""
    found = predicted(model, pixels)
    drawn = masks[:, 0].numpy() > 127
    common = (found & drawn).sum(axis=(1, 2))
    both = found.sum(axis=(1, 2)) + drawn.sum(axis=(1, 2))
    return Agreement(2 * common / np.maximum(both, 1), common / np.maximum(both - common, 1), found)


@torch.inference_mode()
def predicted(model: Segmenter, pixels: Tensor) -> NDArray[np.bool_]:
    """(n, S, S), true where lung is more likely than not; the segmenter stays in the mode it was in."""
    training = model.training
    model.eval()
    device = model.mean.device
    parts = [model(part.to(device).float() / 255)[:, 0] >= 0 for part in torch.split(pixels, _BATCH)]
    model.train(training)
    found: NDArray[np.bool_] = torch.cat(parts).cpu().numpy()
    return found


def mean_over(values: Floats, patients: Sequence[str], *, seed: int, bootstraps: int = RESAMPLES) -> Metric:
    """The mean of pictures' values with its 95 % interval from resampled patients; none for a single patient."""
    if len(set(patients)) < 2:
        return Metric(float(values.mean()))
    resamples = draw(patients, seed=seed, resamples=bootstraps)
    sums = resamples.sums(np.stack([values, np.ones_like(values)], axis=1))
    between = interval(sums[0] / sums[1])
    return Metric(float(values.mean()), between.low, between.high)
