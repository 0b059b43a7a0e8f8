"""Number fields the drawings are made of: smooth noise, blur, depth below a surface, cell walls."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Field = NDArray[np.float32]
Numbers = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]
Shape = tuple[int, int]


def smooth_noise(rng: np.random.Generator, shape: Shape, cell: float) -> Field:
    """Noise of unit variance whose bumps are about ``cell`` pixels wide."""
    height, width = shape
    coarse = rng.standard_normal((int(height / cell) + 4, int(width / cell) + 4)).astype(np.float32)
    fine = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    field = np.asarray(fine, dtype=np.float32)
    return np.asarray(field / (field.std() + 1e-6), dtype=np.float32)


def blur(field: Field, sigma: float) -> Field:
    """Gaussian blur with mirrored edges."""
    if sigma <= 0:
        return field
    radius = int(3 * sigma + 0.5)
    offsets = np.arange(-radius, radius + 1)
    kernel = np.exp(-0.5 * (offsets / sigma) ** 2)
    for axis in (0, 1):
        field = _convolve(field, kernel / kernel.sum(), axis)
    return field


def _convolve(field: Field, kernel: NDArray[np.float64], axis: int) -> Field:
    radius = len(kernel) // 2
    padding = [(radius, radius) if axis == each else (0, 0) for each in (0, 1)]
    padded = np.pad(field, padding, mode="symmetric")
    result = np.zeros_like(field)
    for index, weight in enumerate(kernel):
        result += np.float32(weight) * np.take(padded, range(index, index + field.shape[axis]), axis=axis)
    return result


def depth(mask: Mask) -> Field:
    """Distance in pixels from inside ``mask`` to its nearest edge; 0 outside."""
    left = mask.copy()
    result = np.zeros(mask.shape, dtype=np.float32)
    step = 0
    while left.any():
        result += left
        left = _eroded(left, corners=step % 2 == 1)  # alternating neighbourhoods: nearly round
        step += 1
    return result


def _eroded(mask: Mask, *, corners: bool) -> Mask:
    padded = np.pad(mask, 1)
    height, width = mask.shape
    shifts = [(0, 1), (2, 1), (1, 0), (1, 2)] + ([(0, 0), (0, 2), (2, 0), (2, 2)] if corners else [])
    result = mask.copy()
    for row, column in shifts:
        result &= padded[row : row + height, column : column + width]
    return result


def cell_walls(rng: np.random.Generator, shape: Shape, size: float) -> Field:
    """Distance in pixels to the nearest wall of irregular polygons about ``size`` pixels wide."""
    rows, columns = int(shape[0] / size) + 3, int(shape[1] / size) + 3
    jitter = rng.uniform(-0.45, 0.45, (rows, columns, 2))
    y, x = np.indices(shape, dtype=np.float32) / np.float32(size) + 1
    nearest = np.full(shape, np.inf)
    second = np.full(shape, np.inf)
    for down in range(-2, 3):
        for right in range(-2, 3):
            row = np.clip(y.astype(int) + down, 0, rows - 1)
            column = np.clip(x.astype(int) + right, 0, columns - 1)
            point = jitter[row, column]
            distance = np.hypot(row + 0.5 + point[..., 0] - y, column + 0.5 + point[..., 1] - x)
            clamped = (row != y.astype(int) + down) | (column != x.astype(int) + right)
            distance = np.where(clamped, np.inf, distance)
            second = np.minimum(second, np.maximum(nearest, distance))
            nearest = np.minimum(nearest, distance)
    return np.asarray((second - nearest) * (size / 2), dtype=np.float32)


def ramp(field: Numbers, low: float, high: float) -> Field:
    """0 below ``low``, 1 above ``high``, smooth between (either order)."""
    part = np.clip((field - low) / (high - low), 0, 1)
    return np.asarray(part * part * (3 - 2 * part), dtype=np.float32)
