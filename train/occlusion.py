"""How much a logit loses when a part of the image is covered: slower than gradients, but it asks the network itself.

Zeiler and Fergus 2014, doi:10.1007/978-3-319-10590-1_53; Deep-COVID (Minaee et al. 2020) shows such maps.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import torch
from torch import Tensor

from nlp.errors import TrainingError
from train.attention import Attention, evaluating
from train.network import LesionAttentionNetwork


@torch.no_grad()
def occlude(
    model: LesionAttentionNetwork,
    images: Tensor,
    *,
    window: int,
    stride: int,
    fill: float = 0.0,
    outputs: Sequence[int] | None = None,
    batch_size: int = 64,
) -> Attention:
    """Cover a square in every place of a grid and see what each logit loses.

    The last square of a row or column ends at the edge, so that every pixel is covered and all squares are alike.

    Args:
        images: (B, 1 or 3, H, W) from 0 to 1.
        window: side of the square, pixels of the network's input.
        stride: pixels from one square to the next, ``window`` at most.
        fill: grey of the square, 0 black to 1 white.
        outputs: columns of the logits that maps are made of; None: all.
        batch_size: covered images per step.

    Returns:
        Maps (B, K, H, W): at a pixel the mean loss of the logit over all squares that cover it. Unlike maps of
        gradients they have a unit, the logit's, and may be negative: without that part the logit would be higher.

    Raises:
        TrainingError: the square does not fit into the image, or the squares leave pixels out.
    """
    _check(window, stride, images)
    height, width = images.shape[2:]
    with evaluating(model):
        pooled = model.pool(model.forward_features(images)).float()
        logits = model.forward_pooled(pooled).float()
        columns = list(range(logits.shape[1]) if outputs is None else outputs)
        places = list(product(_starts(height, window, stride), _starts(width, window, stride)))
        lost = torch.zeros(len(images), len(columns), height, width, device=images.device)
        covered = torch.zeros(height, width, device=images.device)
        for some in torch.split(torch.arange(len(places)), max(1, batch_size // len(images))):
            chosen = [places[number] for number in some.tolist()]
            for (top, left), loss in zip(
                chosen, _losses(model, images, logits, chosen, window, fill), strict=True
            ):
                area = slice(top, top + window), slice(left, left + window)
                lost[:, :, *area] += loss[:, columns, None, None]
                covered[area] += 1
    return Attention(logits, lost / covered, pooled)


def _losses(
    model: LesionAttentionNetwork,
    images: Tensor,
    logits: Tensor,
    places: Sequence[tuple[int, int]],
    window: int,
    fill: float,
) -> Tensor:
    """(places, B, 1 + F): each logit less the logit with the square at that place."""
    covered = images.repeat(len(places), 1, 1, 1)
    for number, (top, left) in enumerate(places):
        rows = slice(number * len(images), (number + 1) * len(images))
        covered[rows, :, top : top + window, left : left + window] = fill
    found = model(covered.contiguous(memory_format=torch.channels_last)).float()
    lost: Tensor = logits - found.view(len(places), *logits.shape)
    return lost


def _starts(side: int, window: int, stride: int) -> list[int]:
    """Where the squares begin.

    >>> _starts(10, 4, 4)
    [0, 4, 6]
    """
    return sorted({*range(0, side - window + 1, stride), side - window})


def _check(window: int, stride: int, images: Tensor) -> None:
    side = min(images.shape[2:])
    if not 1 <= window <= side:
        raise TrainingError(
            f"the window of occlusion must be from 1 to {side} pixels, the image's side; found {window}"
        )
    if not 1 <= stride <= window:
        raise TrainingError(
            f"the stride of occlusion must be from 1 to its window's {window} pixels, or some would never be covered;"
            f" found {stride}"
        )
