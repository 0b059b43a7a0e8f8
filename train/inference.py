"""Images in, logits out: the same for val while training, for the test set, and for anybody's images."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from train.augment import plain
from train.devices import autocast
from train.network import LesionAttentionNetwork
from train.records import FloatArray, IntArray

BATCH = 64


def predict_logits(
    model: nn.Module,
    pixels: Tensor,
    *,
    device: torch.device,
    batch_size: int = BATCH,
    flips: bool = False,
    size: int | None = None,
    precision: torch.dtype = torch.float32,
) -> FloatArray:
    """Logits in float32, which is what results are written from; val while training may take less.

    Args:
        pixels: (n, C, S, S) uint8; or their pooled features (n, P), which have no mirror image.
        flips: the mean of each image's logits and its mirror image's.
        size: side of the network's input, pixels; None: as the pixels are.
        precision: of the backbone; the heads are float32 always, as bfloat16 would tie scores.

    Returns:
        (n, 1 + F + K), the flag first, then findings and classes in order.
    """
    training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            with autocast(device, precision):
                parts = [
                    _logits(model, part.to(device, non_blocking=True), size or pixels.shape[-1], flips=flips)
                    for part in torch.split(pixels, batch_size)
                ]
            found: FloatArray = torch.cat(parts).cpu().numpy()
    finally:
        model.train(training)
    return found


def predict_with_features(
    model: LesionAttentionNetwork, pixels: Tensor, *, device: torch.device, flips: bool, size: int
) -> tuple[FloatArray, FloatArray]:
    """Logits as ``predict_logits`` gives them, and the pooled features (n, P) of the images themselves, in one pass.

    Args:
        model: in evaluation mode, on ``device``.
        pixels: (n, C, S, S) uint8, one batch.
    """
    with torch.inference_mode():
        images = plain(pixels.to(device), size=size).contiguous(memory_format=torch.channels_last)
        pooled = model.pool(model.forward_features(images))
        logits = model.forward_pooled(pooled)
        if flips:
            logits = (logits + model(images.flip(-1))) / 2
        return logits.float().cpu().numpy(), pooled.float().cpu().numpy()


def pooled_features(
    model: LesionAttentionNetwork, pixels: Tensor, rows: IntArray, *, size: int
) -> FloatArray:
    """Pooled features (m, P) of some rows of ``pixels``, (n, C, S, S) uint8, on the model's own device."""
    device = next(model.parameters()).device
    training = model.training
    model.eval()
    try:
        parts = [
            predict_with_features(model, part, device=device, flips=False, size=size)[1]
            for part in torch.split(pixels[torch.from_numpy(rows)], BATCH)
        ]
    finally:
        model.train(training)
    return np.concatenate(parts) if parts else np.zeros((0, model.primary.in_features), np.float32)


def _logits(model: nn.Module, pixels: Tensor, size: int, *, flips: bool) -> Tensor:
    if pixels.ndim == 2:
        found: Tensor = model(pixels).float()
        return found
    images = plain(pixels, size=size).contiguous(memory_format=torch.channels_last)
    logits: Tensor = model(images).float()
    return (logits + model(images.flip(-1)).float()) / 2 if flips else logits
