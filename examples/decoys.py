"""What is drawn over published slices and says nothing about disease: letters, markers, arrows, borders.

A network that looks at a corner instead of the lung must not win, so decoys are dealt like cards: within
each class of records every kind of decoy comes up equally often, in an order the seed decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from examples.fields import Field

_Card = TypeVar("_Card")
_CORNERS = ((0.04, 0.05), (0.88, 0.05), (0.04, 0.84), (0.88, 0.84))


@dataclass(frozen=True)
class Decoys:
    """One hand of decoys; a blank or zero means none."""

    letter: str
    letter_corner: int
    marker_corner: int
    arrows: int
    scale_bar: bool
    border: int
    border_shade: int
    round_view: bool
    colour: bool
    window: tuple[float, float]


def deal(count: int, rng: np.random.Generator) -> list[Decoys]:
    """Deal ``count`` hands in which each choice comes up equally often."""
    decks = (
        _deck(["", "", "A", "B", "C", "D"], count, rng),
        _deck([0, 1, 2, 3], count, rng),
        _deck([-1, 0, 1, 2, 3], count, rng),
        _deck([0, 0, 1, 2], count, rng),
        _deck([True, False], count, rng),
        _deck([0, 0, 4, 8], count, rng),
        _deck([0, 128, 255], count, rng),
        _deck([True, False], count, rng),
        _deck([True, False, False], count, rng),
        _deck([(-600.0, 1500.0), (-650.0, 1300.0), (-550.0, 1700.0), (-500.0, 1400.0)], count, rng),
    )
    return [Decoys(*hand) for hand in zip(*decks, strict=True)]


def _deck(cards: Sequence[_Card], count: int, rng: np.random.Generator) -> list[_Card]:
    rounds = -(-count // len(cards))
    deck = [card for _ in range(rounds) for card in rng.permutation(np.arange(len(cards))).tolist()]
    return [cards[index] for index in rng.permutation(deck[:count]).tolist()]


def decorate(hu: Field, decoys: Decoys, rng: np.random.Generator) -> Image.Image:
    """Window the slice to grey, then draw the decoys; the border makes the picture larger."""
    middle, width = decoys.window
    grey = np.clip((hu - (middle - width / 2)) / width * 255, 0, 255)
    if decoys.round_view:
        grey = _cut_round(grey)
    grey = np.round(grey / 4) * 4  # fewer grey levels: a third of the file size, no visible difference
    picture = Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    _write(pen, picture.size, decoys, rng)
    for _ in range(decoys.arrows):
        _arrow(pen, picture.size, rng)
    if decoys.scale_bar:
        _scale_bar(pen, picture.size, rng)
    framed = ImageOps.expand(picture, decoys.border, decoys.border_shade)
    return framed.convert("RGB") if decoys.colour else framed


def _cut_round(grey: Field) -> Field:
    """Black outside the scanner's round field of view."""
    rows, columns = np.indices(grey.shape)
    height, width = grey.shape
    outside = np.hypot(columns - width / 2, rows - height / 2) > 0.53 * width
    return np.where(outside, 0, grey)


def _write(pen: ImageDraw.ImageDraw, size: tuple[int, int], decoys: Decoys, rng: np.random.Generator) -> None:
    """A panel letter and a side marker; the letter says nothing of the record's panel."""
    if decoys.letter:
        x, y = _CORNERS[decoys.letter_corner]
        font = ImageFont.load_default(int(rng.integers(14, 22)))
        pen.text((x * size[0], y * size[1]), decoys.letter, fill=255, font=font)
    if decoys.marker_corner >= 0 and decoys.marker_corner != decoys.letter_corner:
        x, y = _CORNERS[decoys.marker_corner]
        side = "R" if x < 0.5 else "L"
        pen.text((x * size[0], y * size[1]), side, fill=230, font=ImageFont.load_default(11))


def _arrow(pen: ImageDraw.ImageDraw, size: tuple[int, int], rng: np.random.Generator) -> None:
    """An arrow that points anywhere."""
    tip = rng.uniform(0.2, 0.8, 2) * size
    turn = rng.uniform(0, 2 * np.pi)
    back = np.array([np.cos(turn), np.sin(turn)])
    across = np.array([-back[1], back[0]])
    shade = int(rng.choice([255, 0]))
    pen.line([*(tip + 7 * back), *(tip + 20 * back)], fill=shade, width=3)
    head = [tip, tip + 9 * back + 5 * across, tip + 9 * back - 5 * across]
    pen.polygon([(float(x), float(y)) for x, y in head], fill=shade)


def _scale_bar(pen: ImageDraw.ImageDraw, size: tuple[int, int], rng: np.random.Generator) -> None:
    """A ruler at one side, with ticks."""
    x = float(rng.choice([0.025, 0.965])) * size[0]
    top, step = 0.3 * size[1], 0.045 * size[1]
    pen.line([x, top, x, top + 9 * step], fill=210)
    for tick in range(10):
        length = 6 if tick % 5 == 0 else 3
        pen.line([x, top + tick * step, x + length, top + tick * step], fill=210)
