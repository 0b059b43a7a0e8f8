"""One scale of grey for slices printed in any window."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from train.image_forms import FloatArray

_TAILS = (1, 99)  # per cent; letters, arrows and metal are brighter than anything of the body


def normalise(image: FloatArray, how: str) -> FloatArray:
    """A slice or a part of it on one scale, [0, 1].

    Args:
        how: ``none`` leaves it; ``percentile`` stretches its 1st to 99th percentile over [0, 1];
            ``equalise`` makes every shade equally frequent, which also undoes the window's bend.
    """
    return _WAYS[how](image)


def _stretched(image: FloatArray) -> FloatArray:
    low, high = np.percentile(image, _TAILS)
    if high <= low:  # nearly all of one shade
        return image
    stretched: FloatArray = np.clip((image - low) / (high - low), 0, 1).astype(np.float32)
    return stretched


def _equalised(image: FloatArray) -> FloatArray:
    """Every shade becomes the share of pixels below it, half of its own included."""
    shades = (image * 255).round().astype(np.uint8)
    counts = np.bincount(shades.ravel(), minlength=256)
    shares = (np.cumsum(counts) - counts / 2) / image.size
    return shares.astype(np.float32)[shades]


_WAYS: dict[str, Callable[[FloatArray], FloatArray]] = {
    "none": lambda image: image,
    "percentile": _stretched,
    "equalise": _equalised,
}
NORMALISATIONS: tuple[str, ...] = tuple(_WAYS)
