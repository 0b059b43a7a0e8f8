"""Whether two pictures show the same slice: one is laid over the other, and their details are compared.

1. Features of both are matched, each with its only good partner, and an affine map is found that most agree with.
2. The map is refined until the pictures fit best (enhanced correlation, Evangelidis and Psarakis 2008,
   doi:10.1109/TPAMI.2008.113).
3. In every small window of the overlap that shows anything, the grey levels' correlation is taken; the median over
   the windows is the score. Arrows, letters and contours spoil some windows and not the median; another window level
   or contrast spoils no correlation.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from train.image_forms import FloatArray
from train.local_features import Bytes, Described

Matrix = NDArray[np.float64]

LEAST_INLIERS = 8
"""Matches that must agree on one map before the pictures are laid over each other."""
_RATIO = 0.8  # of the distances to the best and the second best match, Lowe 2004
_REACH = 4  # pixels that a match may lie off the map
_STRETCH = 1.5  # the most that one direction may be scaled more than the other
_SCALES = (0.25, 4.0)
_WINDOW = 15  # pixels
_BLUR = 1.2  # standard deviation in pixels: against the noise of compression
_TEXTURE = 25.0  # variance of grey levels, 0 to 255 squared, from which a window shows anything
_LEAST_TEXTURE = 0.02  # share of the picture that must show anything in both
_STEPS = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-4)


def likeness(first: Described, second: Described) -> float:
    """Median correlation of details, -1 to 1, where one is laid over the other; 0 where no map is found.

    Copies of one slice come near 1, neighbouring slices of one patient below (``train.near_duplicates`` says where).
    """
    matrix = _found(first, second)
    if matrix is None:
        return 0.0
    return max(_correlation(first, second, each) for each in (matrix, _refined(first, second, matrix)))


def _found(first: Described, second: Described) -> Matrix | None:
    """The map of the second onto the first, (2, 3), or None."""
    here, there = _matches(first, second)
    if len(here) < LEAST_INLIERS:
        return None
    stiff, agree = cv2.estimateAffinePartial2D(there, here, method=cv2.RANSAC, ransacReprojThreshold=_REACH)
    if stiff is None or int(agree.sum()) < LEAST_INLIERS:
        return None
    loose, agree_too = cv2.estimateAffine2D(there, here, method=cv2.RANSAC, ransacReprojThreshold=_REACH)
    candidates = [np.asarray(stiff, np.float64)]
    if loose is not None and agree_too.sum() >= agree.sum():
        candidates.insert(0, np.asarray(loose, np.float64))
    return next(filter(_sound, candidates), None)


def _matches(first: Described, second: Described) -> tuple[FloatArray, FloatArray]:
    """Places (m, 2) in the first and in the second of features that are each other's only good partner."""
    if min(len(first.places), len(second.places)) < LEAST_INLIERS:
        return first.places[:0], second.places[:0]
    cosines = first.descriptors @ second.descriptors.T
    partner = cosines.argmax(axis=1)
    distances = 2 - 2 * np.partition(cosines, -2, axis=1)[:, -2:]
    good = distances[:, 1] < _RATIO**2 * distances[:, 0]
    good &= cosines.argmax(axis=0)[partner] == np.arange(len(partner))
    return first.places[good], second.places[partner[good]]


def _sound(matrix: Matrix) -> bool:
    """No mirror, no collapse, no shear that scanning and printing do not make."""
    largest, smallest = np.linalg.svd(matrix[:, :2], compute_uv=False)
    if np.linalg.det(matrix[:, :2]) <= 0 or smallest < _SCALES[0] or largest > _SCALES[1]:
        return False
    return bool(largest <= _STRETCH * smallest)


def _refined(first: Described, second: Described, matrix: Matrix) -> Matrix:
    start = np.asarray(cv2.invertAffineTransform(matrix), np.float32)
    everywhere = np.full_like(second.grey, 255)
    try:
        _, found = cv2.findTransformECC(
            first.grey, second.grey, start, cv2.MOTION_AFFINE, _STEPS, everywhere, 5
        )
    except cv2.error:  # it does not converge: the map of the matches stays
        return matrix
    refined = np.asarray(cv2.invertAffineTransform(found), np.float64)
    return refined if _sound(refined) else matrix


def _correlation(first: Described, second: Described, matrix: Matrix) -> float:
    height, width = first.grey.shape
    laid = cv2.warpAffine(second.grey, matrix, (width, height))
    whole = cv2.warpAffine(np.full_like(second.grey, 255), matrix, (width, height)) > 250
    inside = cv2.erode(whole.astype(np.uint8), np.ones((_WINDOW, _WINDOW), np.uint8)) > 0
    one, other = _smooth(first.grey), _smooth(np.asarray(laid, np.uint8))
    spread_one, spread_other = _local_product(one, one), _local_product(other, other)
    shown = inside & ((spread_one > _TEXTURE) | (spread_other > _TEXTURE))
    if shown.mean() < _LEAST_TEXTURE:
        return 0.0
    scale = np.sqrt(np.maximum(spread_one, _TEXTURE) * np.maximum(spread_other, _TEXTURE))
    return float(np.median((_local_product(one, other) / scale)[shown]))


def _smooth(grey: Bytes) -> FloatArray:
    return np.asarray(cv2.GaussianBlur(grey.astype(np.float32), (0, 0), _BLUR), np.float32)


def _local_product(one: FloatArray, other: FloatArray) -> FloatArray:
    """Covariance of the two in a window around each pixel."""
    product = _mean(one * other) - _mean(one) * _mean(other)
    return np.asarray(product, np.float32)


def _mean(values: FloatArray) -> FloatArray:
    return np.asarray(cv2.boxFilter(values, -1, (_WINDOW, _WINDOW)), np.float32)
