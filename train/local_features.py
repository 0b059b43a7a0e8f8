"""Local features of slices, and which slices share enough of them to be looked at closely.

SIFT (Lowe 2004, doi:10.1023/B:VISI.0000029664.99615.94) finds corners of vessels and bones again after cutting,
scaling, another window and marks drawn on; its descriptors are compared as RootSIFT (Arandjelović and Zisserman 2012,
doi:10.1109/CVPR.2012.6248018).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from train.image_forms import FloatArray

Bytes = NDArray[np.uint8]

SIDE = 400
"""Pixels of the longer side while features are found."""
FEATURES = 250
"""Per slice, the strongest."""
_ASKED = 100  # of them are looked for in other slices: what two slices share is seldom among the weakest
_DIMENSIONS = 32  # of 128: seven eighths of the variance, a quarter of the work
_ALIKE = 0.9  # cosine of shortened descriptors; half of all pairs of slices share at most two such features
_TOGETHER = 16  # slices compared at a time: the table of cosines stays in the processor's cache


@dataclass(frozen=True, eq=False)
class Described:
    """A slice as it is compared.

    Attributes:
        grey: (height, width) in 0 to 255, the longer side ``SIDE`` pixels.
        places: (k, 2) x and y of its features in ``grey``, the strongest first; k is at most ``FEATURES``.
        descriptors: (k, 128), each of length 1.
    """

    grey: Bytes
    places: FloatArray
    descriptors: FloatArray


def describe(image: FloatArray) -> Described:
    """Features of a slice, (height, width) in [0, 1]."""
    factor = SIDE / max(image.shape)
    height, width = (max(8, round(side * factor)) for side in image.shape)
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    grey = np.asarray(
        cv2.resize((image * 255).astype(np.uint8), (width, height), interpolation=way), np.uint8
    )
    points, descriptors = cv2.SIFT.create(nfeatures=FEATURES).detectAndCompute(grey, None)
    order = np.argsort([-point.response for point in points], kind="stable")[:FEATURES]
    places = np.array([points[place].pt for place in order], np.float32).reshape(-1, 2)
    if descriptors is None:
        return Described(grey, places, np.zeros((0, 128), np.float32))
    chosen = descriptors[order]
    root = np.sqrt(chosen / np.maximum(chosen.sum(axis=1, keepdims=True), 1e-9))
    return Described(grey, places, root.astype(np.float32))


def likely_pairs(described: Sequence[Described], most: int) -> list[tuple[int, int]]:
    """Pairs of numbers, ascending: each slice with the ``most`` others that share the most features with it.

    Every pair is compared, so that none is missed by an index; the work grows with the square of the slices, what is
    given back only with their number.
    """
    shared = _shared_features(described)
    pairs = set()
    for one, row in enumerate(shared):
        for other in np.argsort(-row, kind="stable")[:most].tolist():
            if row[other]:
                pairs.add((min(one, other), max(one, other)))
    return sorted(pairs)


def _shared_features(described: Sequence[Described]) -> NDArray[np.int16]:
    """(n, n): how many features of one slice have their like in the other."""
    table = _shortened(described)
    count = len(table)
    shared = np.zeros((count, count), np.int16)
    for one in range(count - 1):
        for start, others in _portions(table, one + 1):
            cosines = table[one, :_ASKED] @ others.reshape(-1, others.shape[2]).T
            best = cosines.reshape(len(cosines), len(others), -1).max(axis=2)
            shared[one, start : start + len(others)] = (best > _ALIKE).sum(axis=0)
    return shared + shared.T


def _portions(table: FloatArray, start: int) -> Iterator[tuple[int, FloatArray]]:
    return ((place, table[place : place + _TOGETHER]) for place in range(start, len(table), _TOGETHER))


def _shortened(described: Sequence[Described]) -> FloatArray:
    """(n, FEATURES, d) descriptors on their main axes, of length 1; zeros where a slice has fewer features."""
    everything = np.concatenate([each.descriptors for each in described])
    table = np.zeros((len(described), FEATURES, _DIMENSIONS), np.float32)
    if not len(everything):
        return table
    centre = everything.mean(axis=0)
    spread = (everything - centre).T @ (everything - centre)
    axes = np.linalg.eigh(spread)[1][:, -_DIMENSIONS:]
    for place, each in enumerate(described):
        short = (each.descriptors - centre) @ axes
        table[place, : len(short)] = short / (np.linalg.norm(short, axis=1, keepdims=True) + 1e-9)
    return table
