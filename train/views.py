"""Views of an image (itself, its mirror image, augmented ones) as a backbone sees them, computed once.

Where only the heads learn, features do not change: kept ones replace the images, and an epoch of training costs as much
as one of logistic regression. What is given up is that every epoch sees new random changes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nlp.command import duration
from train.augment import augment, plain
from train.config import Config
from train.devices import autocast, choose_precision, place
from train.network import LesionAttentionNetwork
from train.progress import Log
from train.records import IntArray, Records

_BATCH = 64


@dataclass(frozen=True, eq=False)
class Inputs:
    """What a training reads: images, or features with ``config.views``.

    Attributes:
        train: (n, C, S, S) uint8 of all records, or (views x rows, P).
        records: one for each of ``train``.
        rows: numbers in ``train`` and ``records`` that are learnt from.
        val: the same as ``train`` for the val records, unchanged images alone.
    """

    train: Tensor
    records: Records
    rows: IntArray
    val: Tensor


def training_inputs(
    config: Config,
    model: LesionAttentionNetwork,
    pixels: Tensor,
    records: Records,
    train_rows: IntArray,
    val_rows: IntArray,
    log: Log,
) -> Inputs:
    """Images as they are, or with ``config.views`` their features: every view is a record of its own.

    Args:
        model: with the weights whose features are kept.
        pixels: (n, C, S, S) uint8, one per record.
    """
    if not config.views:
        return Inputs(pixels, records, train_rows, pixels[torch.from_numpy(val_rows)])
    started = time.monotonic()
    repeated = np.tile(train_rows, config.views)
    inputs = Inputs(
        pooled_views(config, model, pixels, train_rows, views=config.views),
        records.take(repeated),
        np.arange(len(repeated)),
        pooled_views(config, model, pixels, val_rows, views=1),
    )
    seconds = duration(time.monotonic() - started)
    log(f"features of {len(repeated)} views of {len(train_rows)} training images, kept, in {seconds}")
    return inputs


@torch.no_grad()
def pooled_views(
    config: Config, model: LesionAttentionNetwork, pixels: Tensor, rows: IntArray, *, views: int
) -> Tensor:
    """Pooled features (views x rows, P) of every view, one view of all rows after another.

    The first view is the image, the second its mirror image if ``config.augmentation`` allows flips, others are drawn
    from it by ``config.seed``. The network is in evaluation mode: its statistics and dropout stay out of it.
    """
    device = model.pooled_mean.device
    precision = choose_precision(config.precision, device)
    generator = torch.Generator(device).manual_seed(config.seed)
    model.eval()
    found: list[Tensor] = []
    for view in range(views):
        for some in torch.split(torch.from_numpy(rows), _BATCH):
            images = _view(config, place(pixels[some.to(pixels.device)], device), view, generator)
            with autocast(device, precision):
                maps = model.forward_features(images.contiguous(memory_format=torch.channels_last))
            found.append(model.pool(maps))
    return torch.cat(found)


def _view(config: Config, pixels: Tensor, number: int, generator: torch.Generator) -> Tensor:
    if number == 0:
        return plain(pixels, size=config.image_size)
    if number == 1 and config.augmentation.flip > 0:
        return plain(pixels, size=config.image_size).flip(3)
    return augment(pixels, ranges=config.augmentation, size=config.image_size, generator=generator)
