"""Pictures with the outlines of both masks, for the eye: the worst, the middle and the best of a set."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from train.figure_style import image_png
from train.lung_pairs import LungPairs
from train.lung_parts import BoolArray
from train.segment_scores import Agreement

EACH = 4
_DRAWN, _FOUND, _TEXT = (60, 220, 90), (255, 70, 70), 14


def sheet(pairs: LungPairs, scores: Agreement) -> bytes:
    """PNG with a row each of the worst, middle and best pictures: drawn masks green, the segmenter's red."""
    order = np.argsort(scores.dice, kind="stable")
    count = min(EACH, len(order))
    middle = (len(order) - count) // 2
    rows = [order[:count], order[middle : middle + count], order[-count:]]
    size = pairs.pixels.shape[-1]
    canvas = Image.new("RGB", (count * size, len(rows) * (size + _TEXT)), "#303040")
    draw = ImageDraw.Draw(canvas)
    for line, numbers in enumerate(rows):
        for column, number in enumerate(numbers):
            place = column * size, line * (size + _TEXT)
            canvas.paste(_tile(pairs, scores, int(number)), (place[0], place[1] + _TEXT))
            draw.text((place[0] + 2, place[1] + 1), f"Dice {scores.dice[number]:.3f}", fill="white")
    return image_png(canvas)


def _tile(pairs: LungPairs, scores: Agreement, number: int) -> Image.Image:
    colours = np.repeat(pairs.pixels[number, 0].numpy()[:, :, None], 3, axis=2)
    for mask, colour in ((pairs.masks[number, 0].numpy() > 127, _DRAWN), (scores.found[number], _FOUND)):
        colours[_outline(mask)] = colour
    return Image.fromarray(colours)


def _outline(mask: BoolArray) -> NDArray[np.bool_]:
    edge: NDArray[np.bool_] = mask & ~ndimage.binary_erosion(mask)
    return edge
