"""What a file tells without looking at the lungs: format, size, aspect, grey levels, border.

These say where an image came from. A network that does no better than they do may have learnt the source.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float64]

GROUPS: Mapping[str, str] = {
    "format": "PNG or JPEG by content, name ending, colour mode",
    "size": "width, height, bytes, bytes per pixel",
    "aspect": "width over height",
    "histogram": "32 grey levels",
    "border": "mean, spread, black and white part of the four edges",
    "pixels": "histogram and border: what a network sees too",
    "all": "all of these",
}
_FORMATS = ("PNG", "JPEG")
_JPEG_NAMES = (".jpg", ".jpeg")
_MODES = ("L", "RGB", "RGBA", "P")
_SIDE = 128  # pixels an image is shrunk to for its grey levels
_EDGE = 6  # of them, on each side
_BINS = 32


def file_features(paths: Sequence[Path]) -> Mapping[str, Floats]:
    """Numbers of each group of ``GROUPS``, (n_images, n_features).

    What cannot be read counts as zeros: the loader of the network reports such files.
    """
    rows = [_of_file(path) for path in paths]
    found = (
        {group: np.array([row[group] for row in rows], dtype=np.float64) for group in rows[0]} if rows else {}
    )
    if not found:
        return {}
    pixels = np.concatenate([found["histogram"], found["border"]], axis=1)
    return {**found, "pixels": pixels, "all": np.concatenate(list(found.values()), axis=1)}


def _of_file(path: Path) -> dict[str, list[float]]:
    try:
        with warnings.catch_warnings(), Image.open(path) as image:
            warnings.simplefilter("ignore")  # of odd metadata; a huge image is an error all the same
            width, height = image.size
            mode, kind = image.mode, image.format
            image.draft("L", (_SIDE, _SIDE))  # a JPEG is decoded small
            grey = _grey(image)
        size = path.stat().st_size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        width = height = size = 1
        mode, kind, grey = "", None, np.zeros((_SIDE, _SIDE))
    named_jpeg = path.suffix.lower() in _JPEG_NAMES
    levels = np.histogram(grey, bins=_BINS, range=(0, 1))[0] / grey.size
    return {
        "format": [float(kind == name) for name in _FORMATS]
        + [named_jpeg, *(mode == name for name in _MODES)],
        "size": [width, height, np.log(width * height), np.log(size), size / (width * height)],
        "aspect": [width / height, np.log(width / height)],
        "histogram": levels.tolist(),
        "border": _border(grey),
    }


def _grey(image: Image.Image) -> Floats:
    """(side, side) from 0 to 1; more than 8 bits are scaled by their largest value."""
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image, dtype=np.float32)
        values = values / max(float(values.max()), 1.0)
        small = Image.fromarray(values).resize((_SIDE, _SIDE), Image.Resampling.BOX)
        return np.clip(np.asarray(small, dtype=np.float64), 0, 1)
    small = image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float64) / 255


def _border(grey: Floats) -> list[float]:
    edges = (grey[:_EDGE], grey[-_EDGE:], grey[:, :_EDGE], grey[:, -_EDGE:])
    around = np.concatenate([edge.ravel() for edge in edges])
    parts = [float((around < 0.03).mean()), float((around > 0.97).mean())]
    return [*parts, *(float(edge.mean()) for edge in edges), *(float(edge.std()) for edge in edges)]
