"""The training of a segmenter: Dice and cross-entropy on changed pictures; the epoch best on val is kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from segmentation_models_pytorch.losses import DiceLoss
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from train.augment import Augmentation, augment
from train.devices import choose_device
from train.epoch import seed_of
from train.lung_pairs import IntArray, LungPairs
from train.progress import SILENT, Log
from train.segment_scores import agreement
from train.segment_settings import SegmentSettings
from train.segmenter import Segmenter, build_segmenter

RANGES = Augmentation(scale=(0.8, 1.2), rotation_degrees=10, shift=0.05, flip=0.5, noise=0.02)
_PLACES = ("scale", "rotation_degrees", "shift", "flip")
MOVES = replace(Augmentation.off(), **{name: getattr(RANGES, name) for name in _PLACES})
"""What of ``RANGES`` a mask goes through: where things lie, not how bright they are."""


@dataclass(frozen=True)
class SegmentEpoch:
    """One epoch: its mean loss, and the mean Dice on val."""

    epoch: int
    loss: float
    val_dice: float


def fit_segmenter(
    settings: SegmentSettings,
    pairs: LungPairs,
    *,
    train_rows: IntArray,
    val_rows: IntArray,
    device: str = "auto",
    log: Log = SILENT,
) -> tuple[Segmenter, list[SegmentEpoch]]:
    """The segmenter of the best epoch by val, on the CPU, and all epochs. On a CPU a seed gives the same bits."""
    chosen = choose_device(device)
    model = build_segmenter(settings, log=log).to(chosen)
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate)
    per_epoch = len(list(_batches(train_rows, settings, 0)))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, settings.learning_rate, total_steps=per_epoch * settings.epochs
    )
    history: list[SegmentEpoch] = []
    best: dict[str, Tensor] = {}
    for epoch in range(settings.epochs):
        model.train()
        losses = []
        for step, rows in enumerate(_batches(train_rows, settings, epoch), 1):
            images, masks = _changed(pairs, rows, chosen, seed=seed_of(settings.seed, epoch, step))
            loss = segment_loss(model(images), masks)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            losses.append(loss.detach())
            log.live(f"epoch {epoch + 1}/{settings.epochs}, step {step}/{per_epoch}")
        dice = float(agreement(model, pairs.pixels[val_rows], pairs.masks[val_rows]).dice.mean())
        if dice > max((each.val_dice for each in history), default=-1):
            best = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
        history.append(SegmentEpoch(epoch + 1, float(torch.stack(losses).mean()), dice))
        log(f"epoch {epoch + 1}/{settings.epochs}  loss {history[-1].loss:.4f}  val Dice {dice:.4f}")
    model.load_state_dict(best)
    return model.cpu().eval(), history


def segment_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Dice loss over the batch and binary cross-entropy, added (as in Isensee et al. 2021, doi:10.1038/s41592-020-01008-z)."""
    dice: Tensor = DiceLoss("binary", from_logits=True)(logits, masks)
    return dice + binary_cross_entropy_with_logits(logits, masks)


def _changed(pairs: LungPairs, rows: Tensor, device: torch.device, *, seed: int) -> tuple[Tensor, Tensor]:
    """Pictures and masks (B, 1, S, S) in [0, 1], moved alike: the same seed gives both the same draw."""
    size = pairs.pixels.shape[-1]
    generator = torch.Generator(device)
    images = augment(
        pairs.pixels[rows].to(device), ranges=RANGES, size=size, generator=generator.manual_seed(seed)
    )
    masks = augment(
        pairs.masks[rows].to(device), ranges=MOVES, size=size, generator=generator.manual_seed(seed)
    )
    return images, (masks >= 0.5).float()


def _batches(rows: IntArray, settings: SegmentSettings, epoch: int) -> Iterator[Tensor]:
    """The rows of an epoch in a random order; a last single one, too few for batch normalisation, waits."""
    order = np.random.default_rng([settings.seed, epoch]).permutation(rows)
    parts = (
        order[start : start + settings.batch_size] for start in range(0, len(order), settings.batch_size)
    )
    return (torch.from_numpy(part) for part in parts if len(part) > 1)
