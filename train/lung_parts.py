"""Which pixels of a CT slice are lung: large dark parts inside the hull of bright tissue.

Three thresholds, because slices come in every window and lungs in every state: Otsu's between lung and
tissue, a higher one for lungs full of fluid, a lower one where fat is printed as dark as lung.
The shares below were set by looking at 746 slices of articles.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError

from train.image_forms import FloatArray

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

_SMALLEST_LUNGS = 0.04  # of the slice, both lungs together
_SMALLEST_PART = 0.008  # of the slice: less is trachea, bowel gas or a gap
_SMALLEST_REST = 0.001  # of the slice: air left in a lung full of fluid
_LARGEST_LUNGS = 0.45  # of the slice, at the higher threshold: more has run out of the chest
_DENSE = 0.7  # of the way from Otsu's threshold to tissue: fluid in lungs is darker, muscle and skin brighter
_INSIDE_HULL = 0.6  # of a dark part within the hull of tissue: less is air around the patient
_WALL = 0.05  # of the slice's longer side: thickness of the chest wall at least
_ONE_SIDED = 0.4  # of the farther reach from the body's middle: less and a lung is missing


def lung_parts(image: FloatArray) -> BoolArray | None:
    """Mask of the lungs, with fluid in them as far as air shows it; None where nothing is plausible."""
    smooth = ndimage.gaussian_filter(image, 1)
    middle = otsu(image)
    above, below = image[image > middle], image[image <= middle]
    if not above.size:
        return None
    high, low = middle + _DENSE * (float(np.median(above)) - middle), otsu(below)
    for threshold, least in ((middle, 1.0), (high, 1.0), (low, 1.0), (middle, 1 / 3)):
        lungs = _dark_parts(smooth, threshold)
        if lungs.mean() >= least * _SMALLEST_LUNGS:
            break
    else:
        return None
    if threshold == middle:
        lungs |= _dense_parts(smooth, high, lungs)
    return _both_sides(lungs, _tissue(smooth > middle))


def otsu(image: FloatArray) -> float:
    """The threshold with the largest variance between the two sides (Otsu, doi:10.1109/TSMC.1979.4310076)."""
    counts, edges = np.histogram(image, bins=128, range=(0, 1))
    below = np.cumsum(counts)
    above = below[-1] - below
    total = np.cumsum(counts * (edges[:-1] + edges[1:]) / 2)
    distance = total / np.maximum(below, 1) - (total[-1] - total) / np.maximum(above, 1)
    return float(edges[1 + np.argmax(below * above * distance**2)])


def hull_corners(mask: BoolArray) -> IntArray:
    """Corners ``(n_corners, 2)`` as x, y of the convex hull of a mask that is not empty."""
    rows = np.flatnonzero(mask.any(axis=1))
    first, last = mask[rows].argmax(axis=1), mask.shape[1] - 1 - mask[rows, ::-1].argmax(axis=1)
    points = np.stack([np.concatenate([first, last]), np.concatenate([rows, rows])], axis=1)
    try:
        corners: IntArray = points[ConvexHull(points).vertices]
    except QhullError:  # all on one line
        return points
    return corners


def filled(corners: NDArray[np.floating | np.integer], shape: tuple[int, int]) -> BoolArray:
    """Mask of a polygon."""
    canvas = Image.new("1", (shape[1], shape[0]))
    ImageDraw.Draw(canvas).polygon([(float(x), float(y)) for x, y in corners], fill=1, outline=1)
    return np.asarray(canvas)


def _dark_parts(image: FloatArray, threshold: float, smallest: float = _SMALLEST_PART) -> BoolArray:
    """Dark parts inside the hull of the tissue, but not the air between patient and edge."""
    bright = image > threshold
    tissue = _tissue(bright)
    if not tissue.any():
        return np.zeros_like(bright)
    hull = filled(hull_corners(tissue), tissue.shape)
    labels, _ = ndimage.label(ndimage.binary_opening(~bright))
    areas = np.bincount(labels.ravel())
    lung = (areas >= smallest * image.size) & (_areas_in(labels, hull) >= _INSIDE_HULL * areas)
    if smallest < _SMALLEST_PART:  # small ones near the skin are folds and the gaps of clothes and table
        wall = 2 * round(_WALL * max(image.shape)) + 1
        deep = _areas_in(labels, ndimage.minimum_filter(hull, wall, mode="constant", cval=0))
        lung &= (areas >= _SMALLEST_PART * image.size) | (deep == areas)
    lung[0] = False
    at_edge = np.zeros_like(lung)
    at_edge[_edge(labels)] = True
    closed = areas[lung & ~at_edge]
    if closed.sum() >= _SMALLEST_LUNGS * image.size:  # the chest wall is whole: small parts outside are air
        lung &= ~at_edge | (areas >= 0.4 * closed.max())
    mask: BoolArray = lung[labels] & hull
    return mask


def _dense_parts(image: FloatArray, high: float, lungs: BoolArray) -> BoolArray:
    """The lungs at the higher threshold: fluid gathers at the back, and the box must hold it."""
    more = _dark_parts(image, high, smallest=_SMALLEST_REST)
    if more.mean() > _LARGEST_LUNGS or more.sum() > 6 * lungs.sum():
        return np.zeros_like(lungs)
    more[: lungs.any(axis=1).argmax()] = False  # gas of the bowel lies in front
    return more


def _both_sides(lungs: BoolArray, tissue: BoolArray) -> BoolArray:
    """The lungs; where one is all but missing, white with fluid, the other one's mirror image too."""
    body, columns = np.flatnonzero(tissue.any(axis=0)), np.flatnonzero(lungs.any(axis=0))
    if not body.size:
        return lungs
    twice = body[0] + body[-1]
    reach = twice / 2 - columns[0], columns[-1] - twice / 2
    if min(reach) >= _ONE_SIDED * max(reach):
        return lungs
    rows, columns = np.nonzero(lungs)
    both = lungs.copy()
    both[rows, (twice - columns).clip(0, lungs.shape[1] - 1)] = True
    return both


def _tissue(bright: BoolArray) -> BoolArray:
    """The body: the largest bright part and those cut off by the edge, without table and letters."""
    labels, _ = ndimage.label(ndimage.binary_opening(bright, iterations=2))
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    kept = np.zeros(len(areas), np.bool_)
    kept[_edge(labels)] = True
    kept &= areas >= 0.003 * bright.size
    kept[areas.argmax()] = areas.any()
    body: BoolArray = kept[labels]
    return body


def _edge(labels: IntArray) -> IntArray:
    return np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])


def _areas_in(labels: IntArray, mask: BoolArray) -> IntArray:
    """Per label its pixels inside the mask."""
    return np.bincount(labels[mask], minlength=labels.max() + 1)
