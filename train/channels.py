"""What a network gets of a picture: its grey levels, or three pictures made of them.

``cxr3`` is COVID-19_CXR_AI's image: Otsu's two shades, contrast stretched within tiles (CLAHE), and an inverted adaptive
threshold, which draws edges and ribs. They are made at the size of the network's input, so that tiles and windows cover
the same part of every picture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

ByteArray = NDArray[np.uint8]

_CLIP, _TILES = 3.0, (8, 8)  # as published
# the paper gives neither; these are the values of OpenCV's own examples
_MEDIAN, _WINDOW, _BELOW_MEAN = 5, 11, 2


def as_channels(pixels: ByteArray, how: str) -> ByteArray:
    """(C, size, size) of a grey picture (size, size), by a name of ``CHANNELS``."""
    return CHANNELS[how](pixels)


def _grey(pixels: ByteArray) -> ByteArray:
    return pixels[np.newaxis]


def _three(pixels: ByteArray) -> ByteArray:
    """Otsu (doi:10.1109/TSMC.1979.4310076), CLAHE (Zuiderveld 1994), adaptive threshold after a median blur."""
    import cv2  # lazily: few runs need it

    _, otsu = cv2.threshold(pixels, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    stretched = cv2.createCLAHE(_CLIP, _TILES).apply(pixels)
    smooth = cv2.medianBlur(pixels, _MEDIAN)
    edges = cv2.adaptiveThreshold(
        smooth, 255, cv2.ADAPTIVE_THRESH_GAUSSIAN_C, cv2.THRESH_BINARY_INV, _WINDOW, _BELOW_MEAN
    )
    return np.stack([otsu, stretched, edges]).astype(np.uint8)


CHANNELS: Mapping[str, Callable[[ByteArray], ByteArray]] = {"grey": _grey, "cxr3": _three}
COUNTS: Mapping[str, int] = {"grey": 1, "cxr3": 3}
