"""Vessels and airways of a lung: branching trees that grow from the hilum and taper to the pleura."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from examples.fields import Field, Mask

_FINE = 4  # lines are drawn this many times larger and averaged, so that thin branches stay thin


@dataclass(frozen=True)
class Segment:
    """A straight piece of a branch, in pixels."""

    start: tuple[float, float]
    end: tuple[float, float]
    width: float


@dataclass(frozen=True)
class Trees:
    """How much of each pixel is vessel, airway wall and airway, 0 to 1; and where the hila are (x, y)."""

    vessels: Field
    walls: Field
    airways: Field
    hila: tuple[tuple[float, float], ...]


def grow(
    lung: Mask, lung_depth: Field, u: Field, v: Field, rng: np.random.Generator, *, trunks: int = 8
) -> Trees:
    """Grow vessels and airways in both lungs; far from the hilum there are no trunks, only their cuts."""
    hila = tuple(_hilum(lung & (u * side > 0), u, v) for side in (-1, 1))
    vessels: list[Segment] = []
    airways: list[Segment] = []
    for side, hilum in zip((-1, 1), hila, strict=True):
        inside = lung & (u * side > 0)
        for heading in _headings(inside & (lung_depth > 6), hilum, trunks, rng):
            vessels += branch(inside, lung_depth, hilum, heading, rng.uniform(2.4, 3.9), rng)
            if rng.random() < 0.3:
                airways += branch(
                    inside, lung_depth, hilum, heading + 0.15, rng.uniform(3.0, 3.8), rng, reach=2.2
                )
        vessels += _dots(inside, lung_depth, hilum, rng, count=60 if trunks else 110)
    walls = render(airways, lung.shape, wider=2.0)
    return Trees(render(vessels, lung.shape), walls, render(airways, lung.shape), hila)


def _hilum(inside: Mask, u: Field, v: Field) -> tuple[float, float]:
    """The innermost point of the lung at the height of its middle."""
    rows, columns = np.nonzero(inside & (np.abs(v - 0.12) < 0.1))
    if not len(rows):
        return float(np.mean(np.nonzero(inside)[1])), float(np.mean(np.nonzero(inside)[0]))
    closest = int(np.argmin(np.abs(u[rows, columns])))
    return float(columns[closest]), float(rows[closest])


def _headings(inside: Mask, hilum: tuple[float, float], count: int, rng: np.random.Generator) -> list[float]:
    """Directions from the hilum, one for each equal share of the lung."""
    if not count:
        return []
    rows, columns = np.nonzero(inside)
    dx, dy = columns - hilum[0], rows - hilum[1]
    order = np.argsort(np.arctan2(dy, dx * np.sign(dx.mean())))
    chosen = [int(rng.choice(share)) for share in np.array_split(order, count)]
    return [float(np.arctan2(dy[index], dx[index])) for index in chosen]


def branch(
    inside: Mask,
    lung_depth: Field,
    start: tuple[float, float],
    heading: float,
    width: float,
    rng: np.random.Generator,
    *,
    reach: float = 0.75,
) -> Iterator[Segment]:
    """Walk from ``start``, bending and splitting, until the branch is thinner than ``reach`` pixels."""
    x, y = start
    while width > reach:
        step = rng.uniform(4, 8)
        heading += rng.normal(0, 0.13)
        end = (x + step * np.cos(heading), y + step * np.sin(heading))
        if not _within(inside, lung_depth, end):
            return
        yield Segment((x, y), end, width)
        x, y = end
        width *= rng.uniform(0.86, 0.95)
        if rng.random() < 0.3:
            turn = float(rng.choice((-1, 1)) * rng.uniform(0.45, 0.95))
            yield from branch(inside, lung_depth, end, heading + turn, width * 0.66, rng, reach=reach)
            heading -= turn * 0.25


def _within(inside: Mask, lung_depth: Field, point: tuple[float, float]) -> bool:
    column, row = int(point[0]), int(point[1])
    if not (0 <= row < inside.shape[0] and 0 <= column < inside.shape[1]):
        return False
    return bool(inside[row, column] and lung_depth[row, column] > 3)


def _dots(
    inside: Mask, lung_depth: Field, hilum: tuple[float, float], rng: np.random.Generator, *, count: int
) -> Iterator[Segment]:
    """Vessels that cross the slice: round spots, larger towards the hilum."""
    rows, columns = np.nonzero(inside & (lung_depth > 4))
    for index in rng.integers(0, len(rows), count):
        x, y = float(columns[index]), float(rows[index])
        far = np.hypot(x - hilum[0], y - hilum[1]) / 100
        length, turn = rng.exponential(2.2), rng.uniform(0, 2 * np.pi)
        end = (x + length * np.cos(turn), y + length * np.sin(turn))
        yield Segment((x, y), end, float(np.clip(3.4 - 2.6 * far, 0.9, 3.0) * rng.uniform(0.5, 1.0)))


def render(segments: list[Segment], shape: tuple[int, int], *, wider: float = 0.0) -> Field:
    """Draw segments as the share of each pixel they cover, 0 to 1."""
    height, width = shape
    sheet = Image.new("L", (width * _FINE, height * _FINE))
    pen = ImageDraw.Draw(sheet)
    for segment in segments:
        ends = [tuple(value * _FINE for value in end) for end in (segment.start, segment.end)]
        shade = int(np.clip(110 + 60 * segment.width + 60 * wider, 0, 255))
        thick = (segment.width + wider) * _FINE
        pen.line([*ends[0], *ends[1]], fill=shade, width=max(1, round(thick)))
        for x, y in ends:
            pen.ellipse([x - thick / 2, y - thick / 2, x + thick / 2, y + thick / 2], fill=shade)
    return np.asarray(sheet.reduce(_FINE), dtype=np.float32) / np.float32(255)
