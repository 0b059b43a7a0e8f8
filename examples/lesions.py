"""The five findings as a radiologist sees them on a lung window, each with its exact mask.

A ``Lesion`` names a finding, a side, a place in that lung and an extent; ``draw_lesion`` paints it and
returns the masks it adds. Crazy paving also adds ground glass and septal thickening, of which it is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from examples.anatomy import AIR, BLOOD, Slice
from examples.fields import Field, Mask, blur, cell_walls, ramp, smooth_noise
from examples.vessels import Segment, branch, render

GROUND_GLASS, CONSOLIDATION = "ground_glass_opacity", "consolidation"
CRAZY_PAVING, BRONCHOGRAM, SEPTAL = "crazy_paving", "air_bronchogram", "septal_thickening"
OTHERS = ("nodule", "cavity", "effusion", "emphysema")
"""Drawn, but no finding of the lexicon: what keeps 'something bright' from meaning a finding."""

PLACES: Mapping[str, tuple[float, float]] = {
    "posterior": (0.45, 0.95),
    "lateral": (0.97, 0.55),
    "anterior": (0.5, 0.08),
    "central": (0.33, 0.5),
    "diffuse": (0.55, 0.55),
}
"""Where in the lung, as shares of its box: from the midline outward, from front to back."""
EXTENTS: Mapping[str, float] = {"small": 17.0, "medium": 27.0, "large": 42.0, "whole": 90.0}
"""Radius in pixels before the outline is roughened."""


@dataclass(frozen=True)
class Lesion:
    """What to draw and where."""

    kind: str
    side: str
    place: str
    extent: str

    @classmethod
    def parse(cls, text: str) -> Lesion:
        """Read ``kind@side.place.extent``.

        >>> Lesion.parse("nodule@left.lateral.small").side
        'left'
        """
        kind, _, where = text.partition("@")
        side, place, extent = where.split(".")
        if place not in PLACES or extent not in EXTENTS or side not in ("left", "right"):
            raise ValueError(f"{text!r}: side is left or right, place {[*PLACES]}, extent {[*EXTENTS]}")
        return cls(kind, side, place, extent)


def draw_lesion(hu: Field, lesion: Lesion, healthy: Slice, rng: np.random.Generator) -> dict[str, Mask]:
    """Paint one lesion into ``hu``; returns finding → mask (empty for what is no finding)."""
    side = healthy.right if lesion.side == "right" else healthy.lung & ~healthy.right
    if lesion.kind in OTHERS:
        _OTHERS[lesion.kind](hu, side, lesion, healthy, rng)
        return {}
    weight = _region(side, lesion, healthy, rng)
    return _PAINTERS[lesion.kind](hu, weight, healthy, rng)


def _region(side: Mask, lesion: Lesion, healthy: Slice, rng: np.random.Generator) -> Field:
    """1 inside the lesion, 0 outside, with a hazy rough edge."""
    radius = EXTENTS[lesion.extent]
    rows, columns = np.indices(side.shape, dtype=np.float32)
    x, y = _centre(side, lesion.place, rng)
    distance = (
        np.hypot((columns - x) / rng.uniform(0.85, 1.15), (rows - y) / rng.uniform(0.85, 1.15)) / radius
    )
    rough = 0.22 * smooth_noise(rng, side.shape, 15) + 0.09 * smooth_noise(rng, side.shape, 6)
    return ramp((distance + rough).astype(np.float32), 1.25, 0.72) * side


def _centre(side: Mask, place: str, rng: np.random.Generator) -> tuple[float, float]:
    """The lung point nearest to the asked place, as (x, y)."""
    rows, columns = np.nonzero(side)
    outward, back = PLACES[place] + rng.uniform(-0.06, 0.06, 2)
    is_right = columns.mean() < side.shape[1] / 2
    share = 1 - outward if is_right else outward
    x = columns.min() + share * np.ptp(columns)
    y = rows.min() + back * np.ptp(rows)
    nearest = int(np.argmin((columns - x) ** 2 + (rows - y) ** 2))
    return float(columns[nearest]), float(rows[nearest])


def _ground_glass(hu: Field, weight: Field, healthy: Slice, rng: np.random.Generator) -> dict[str, Mask]:
    """Haze: lung rises to about -550 HU, vessels stay visible."""
    haze = weight * np.clip(
        0.44 + 0.05 * smooth_noise(rng, hu.shape, 14) + 0.03 * smooth_noise(rng, hu.shape, 3), 0.2, 0.6
    )
    hu += haze * np.clip(-60 - hu, 0, None)
    return {GROUND_GLASS: weight > 0.5}


def _consolidation(hu: Field, weight: Field, healthy: Slice, rng: np.random.Generator) -> dict[str, Mask]:
    """Dense as soft tissue: the vessels inside can no longer be seen; a narrow hazy margin."""
    hu += 0.3 * weight * np.clip(-60 - hu, 0, None)
    inner = ramp(weight + 0.1 * smooth_noise(rng, hu.shape, 4), 0.4, 0.75)
    hu += inner * (BLOOD - 30 + 12 * smooth_noise(rng, hu.shape, 4) - hu)
    return {CONSOLIDATION: inner > 0.5}


def _bronchogram(hu: Field, weight: Field, healthy: Slice, rng: np.random.Generator) -> dict[str, Mask]:
    """Air-filled, branching tubes inside consolidation."""
    masks = _consolidation(hu, weight, healthy, rng)
    dense = masks[CONSOLIDATION]
    tubes = max((_tubes(dense, healthy, rng) for _ in range(8)), key=len)
    air = render(tubes, dense.shape) * dense
    hu += air * (AIR + 60 - hu)
    return {CONSOLIDATION: dense, BRONCHOGRAM: air > 0.4}


def _tubes(dense: Mask, healthy: Slice, rng: np.random.Generator) -> list[Segment]:
    """Airways that enter the dense lung from its hilar side and fan out."""
    rows, columns = np.nonzero(dense)
    hilum = min(healthy.trees.hila, key=lambda each: abs(each[0] - columns.mean()))
    nearest = np.argsort(np.hypot(columns - hilum[0], rows - hilum[1]))
    entry = int(rng.choice(nearest[: len(nearest) // 3]))
    start = (float(columns[entry]), float(rows[entry]))
    away = float(np.arctan2(rows.mean() - start[1], columns.mean() - start[0]))
    return [
        segment
        for turn in (-0.6, 0.0, 0.6)
        for segment in branch(dense, healthy.depth, start, away + turn, rng.uniform(3.4, 4.2), rng, reach=1.7)
    ]


def _septal(hu: Field, weight: Field, healthy: Slice, rng: np.random.Generator) -> dict[str, Mask]:
    """Polygonal arcades and short lines at right angles to the pleura, in the outer lung."""
    outer = weight * ramp(healthy.depth + 5 * smooth_noise(rng, hu.shape, 12), 30, 16)
    patchy = ramp(smooth_noise(rng, hu.shape, 9), -1.1, 0.2)
    walls = cell_walls(rng, hu.shape, 14) + 0.25 * smooth_noise(rng, hu.shape, 6)
    lines = ramp(walls, 0.95, 0.2) * ramp(outer, 0.15, 0.5) * patchy * ramp(healthy.depth, 0, 2)
    _paint_lines(hu, lines, -230)
    return {SEPTAL: lines > 0.35}


def _crazy_paving(hu: Field, weight: Field, healthy: Slice, rng: np.random.Generator) -> dict[str, Mask]:
    """Fine polygonal lines on ground glass."""
    masks = _ground_glass(hu, weight, healthy, rng)
    walls = cell_walls(rng, hu.shape, 8.0) + 0.25 * smooth_noise(rng, hu.shape, 5)
    lines = (
        ramp(walls, 0.95, 0.2) * ramp(weight, 0.15, 0.6) * ramp(smooth_noise(rng, hu.shape, 9), -1.6, -0.6)
    )
    _paint_lines(hu, lines, -200)
    return {**masks, CRAZY_PAVING: weight > 0.5, SEPTAL: lines > 0.35}


def _paint_lines(hu: Field, lines: Field, value: float) -> None:
    hu += lines * np.clip(value - hu, 0, None)


def _nodule(hu: Field, side: Mask, lesion: Lesion, healthy: Slice, rng: np.random.Generator) -> None:
    """A solid nodule or mass with a sharp, slightly lobulated edge."""
    ball = _ball(side, lesion, rng)
    hu += ramp(ball, 1.08, 0.94) * side * (BLOOD + 5 - hu)


def _cavity(hu: Field, side: Mask, lesion: Lesion, healthy: Slice, rng: np.random.Generator) -> None:
    """A thick-walled ring around air."""
    ball = _ball(side, lesion, rng)
    hu += ramp(ball, 1.08, 0.94) * side * (BLOOD - hu)
    hu += ramp(ball, 0.68, 0.58) * side * (AIR + 30 - hu)


def _ball(side: Mask, lesion: Lesion, rng: np.random.Generator) -> Field:
    x, y = _centre(side, lesion.place, rng)
    rows, columns = np.indices(side.shape, dtype=np.float32)
    distance = np.hypot(columns - x, rows - y) / (EXTENTS[lesion.extent] * 0.55)
    return np.asarray(distance + 0.06 * smooth_noise(rng, side.shape, 9), dtype=np.float32)


def _effusion(hu: Field, side: Mask, lesion: Lesion, healthy: Slice, rng: np.random.Generator) -> None:
    """A crescent of fluid behind the lung."""
    rows, columns = np.nonzero(side)
    level = rows.max() - EXTENTS[lesion.extent] * 0.8
    meniscus = np.indices(side.shape)[0] + 0.004 * (np.indices(side.shape)[1] - columns.mean()) ** 2
    fluid = ramp(meniscus.astype(np.float32), level, level + 3) * ramp(
        blur(side.astype(np.float32), 1.5), 0.02, 0.25
    )
    hu += fluid * (8 - hu)


def _emphysema(hu: Field, side: Mask, lesion: Lesion, healthy: Slice, rng: np.random.Generator) -> None:
    """Holes darker than lung."""
    holes = ramp(smooth_noise(rng, side.shape, 8), 0.4, 1.0) * _region(side, lesion, healthy, rng)
    hu += holes * np.clip(AIR + 30 - hu, -130, 0)


_PAINTERS = {
    GROUND_GLASS: _ground_glass,
    CONSOLIDATION: _consolidation,
    CRAZY_PAVING: _crazy_paving,
    BRONCHOGRAM: _bronchogram,
    SEPTAL: _septal,
}
_OTHERS = {"nodule": _nodule, "cavity": _cavity, "effusion": _effusion, "emphysema": _emphysema}
