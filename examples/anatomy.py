"""An axial slice of a chest in Hounsfield units: body, bones, mediastinum, two lungs with vessels.

Everything is made up. The patient's right is on the left of the picture, as on a real slice. Lengths are
in units of half the body's width; ``v`` points to the back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from examples.fields import Field, Mask, Numbers, Shape, blur, depth, ramp, smooth_noise
from examples.vessels import Trees, grow

AIR, FAT, LUNG, MUSCLE, BLOOD, BONE = -1000.0, -95.0, -865.0, 50.0, 45.0, 420.0
LEVELS = ("upper", "middle", "lower", "base")


@dataclass(frozen=True)
class Build:
    """How one patient is built; the same for all slices of that patient."""

    size: Shape
    flatness: float
    fat: float
    heart: float
    tilt: float

    @classmethod
    def sample(cls, rng: np.random.Generator) -> Build:
        """Draw a patient."""
        width = int(rng.integers(272, 313))
        return cls(
            size=(int(width * rng.uniform(0.76, 0.9)), width),
            flatness=rng.uniform(0.68, 0.76),
            fat=rng.uniform(0.03, 0.11),
            heart=rng.uniform(0.92, 1.12),
            tilt=rng.uniform(-0.04, 0.04),
        )


@dataclass(frozen=True)
class Slice:
    """The healthy slice: ``hu`` holds Hounsfield units, the masks and trees say where things lie."""

    hu: Field
    lung: Mask
    right: Mask
    depth: Field
    trees: Trees
    u: Field
    v: Field


@dataclass(frozen=True)
class _Canvas:
    """Coordinates and the drawing surface."""

    u: Field
    v: Field
    hu: Field

    def ellipse(self, at: tuple[float, float], radius: tuple[float, float], angle: float = 0.0) -> Field:
        """1 at the edge, below 1 inside, above 1 outside."""
        du, dv = self.u - at[0], self.v - at[1]
        cos, sin = np.cos(angle), np.sin(angle)
        ratio = np.hypot((du * cos + dv * sin) / radius[0], (dv * cos - du * sin) / radius[1])
        return np.asarray(ratio, dtype=np.float32)

    def paint(self, inside: Numbers, value: float, soft: float = 0.04) -> None:
        """Paint ``value`` where ``inside`` < 1, with an edge ``soft`` wide."""
        weight = 1 - ramp(inside, 1 - soft, 1 + soft)
        self.hu[:] = self.hu * (1 - weight) + value * weight


def draw_slice(build: Build, level: str, rng: np.random.Generator) -> Slice:
    """Draw one healthy slice at ``level``, one of ``LEVELS``."""
    canvas = _canvas(build, rng)
    cage = _paint_wall(canvas, build, rng)
    lung = _lung(canvas, build, level, cage, rng)
    _paint_mediastinum(canvas, build, level, rng)
    _paint_bones(canvas, cage, level, rng)
    lung_depth = depth(lung)
    right = lung & (canvas.u < 0)
    trees = grow(lung, lung_depth, canvas.u, canvas.v, rng, trunks=0 if level == "base" else 8)
    hu = _fill_lungs(canvas, lung, lung_depth, trees, rng)
    return Slice(hu, lung, right, lung_depth, trees, canvas.u, canvas.v)


def _canvas(build: Build, rng: np.random.Generator) -> _Canvas:
    height, width = build.size
    scale = width / 2.16
    rows, columns = np.indices(build.size, dtype=np.float32)
    x = (columns - width / 2 + rng.uniform(-4, 4)) / scale
    y = (rows - height * 0.49) / scale
    cos, sin = np.cos(build.tilt), np.sin(build.tilt)
    u, v = x * cos + y * sin, y * cos - x * sin
    canvas = _Canvas(u.astype(np.float32), v.astype(np.float32), np.full(build.size, AIR, dtype=np.float32))
    table = np.abs(np.hypot(u / 2.4, v + 1.6 - build.flatness) - 1.68)
    canvas.paint((table / 0.012).astype(np.float32), -420.0, 0.5)
    return canvas


def _wobble(canvas: _Canvas, rng: np.random.Generator, size: float) -> Field:
    """A factor around 1 that makes an outline irregular."""
    angle = np.arctan2(canvas.v, canvas.u)
    total = np.zeros_like(angle)
    for order in range(2, 7):
        total += rng.normal(0, size / order) * np.cos(order * angle + rng.uniform(0, 2 * np.pi))
    return np.asarray(1 + total, dtype=np.float32)


def _paint_wall(canvas: _Canvas, build: Build, rng: np.random.Generator) -> Field:
    """Skin, fat and muscle; returns the rib cage as a field that is 1 at its inner side."""
    power = 2.35
    outline = (np.abs(canvas.u) ** power + np.abs(canvas.v / build.flatness) ** power) ** (1 / power)
    outline = np.asarray(outline * _wobble(canvas, rng, 0.02), dtype=np.float32)
    canvas.paint(outline, 20.0, 0.012)
    canvas.paint(outline / 0.982, FAT, 0.012)
    canvas.paint(outline / (0.98 - build.fat), MUSCLE, 0.02)
    streaks = smooth_noise(rng, build.size, 7)
    canvas.hu[(outline < 0.95 - build.fat) & (streaks > 1.1)] -= 90
    cage_u, cage_v = 0.885 - build.fat, (build.flatness - 0.075 - build.fat * 0.6)
    cage = (np.abs(canvas.u / cage_u) ** 2.2 + np.abs((canvas.v + 0.01) / cage_v) ** 2.2) ** (1 / 2.2)
    cage = np.asarray(cage * _wobble(canvas, rng, 0.012), dtype=np.float32)
    canvas.paint(cage / 1.05, MUSCLE, 0.02)
    return cage


def _lung(canvas: _Canvas, build: Build, level: str, cage: Field, rng: np.random.Generator) -> Mask:
    """Inside the cage, outside mediastinum and spine, with rounded corners."""
    room = cage < {"upper": 0.9, "middle": 0.97, "lower": 0.98, "base": 0.97}[level]
    for at, radius in _solid(build, level):
        room &= canvas.ellipse(at, radius) > 1
    rounded = blur(room.astype(np.float32), 3.2) + 0.02 * smooth_noise(rng, build.size, 16)
    return rounded > 0.52


def _solid(build: Build, level: str) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """Ellipses that no lung fills: (centre, radii)."""
    spine = ((0.0, build.flatness * 0.62), (0.2, 0.27))
    front = ((0.0, -build.flatness * 0.72), (0.10, 0.34))
    heart = build.heart
    return [
        spine,
        front,
        *{
            "upper": [((0.0, -0.12), (0.17, 0.34)), ((0.08, 0.02), (0.16, 0.2))],
            "middle": [((-0.01, -0.1), (0.22, 0.36)), ((0.15, 0.16), (0.1, 0.12))],
            "lower": [((0.1, -0.13), (0.33 * heart, 0.33 * heart)), ((0.13, 0.25), (0.1, 0.11))],
            "base": [
                ((0.15, -0.16), (0.38 * heart, 0.31 * heart)),
                ((0.11, 0.3), (0.1, 0.1)),
                ((-0.44, -0.02), (0.27, 0.34)),
            ],
        }[level],
    ]


def _paint_mediastinum(canvas: _Canvas, build: Build, level: str, rng: np.random.Generator) -> None:
    """Great vessels and heart in mediastinal fat, with the airways that belong to the level."""
    for at, radius in _solid(build, level)[2:]:
        canvas.paint(canvas.ellipse(at, radius), MUSCLE - 10, 0.08)
    aorta = ((0.11, 0.27), 0.075)
    if level == "upper":
        canvas.paint(canvas.ellipse((0.0, -0.14), (0.12, 0.27)), FAT, 0.1)
        canvas.paint(canvas.ellipse((0.07, -0.02), (0.085, 0.2), 0.5), BLOOD + 40)
        canvas.paint(canvas.ellipse((-0.1, -0.17), (0.055, 0.07)), BLOOD + 30)
        airways = [((-0.02, 0.1), (0.062, 0.066))]
    elif level == "middle":
        canvas.paint(canvas.ellipse((0.0, -0.2), (0.15, 0.2)), FAT, 0.1)
        canvas.paint(canvas.ellipse((-0.06, -0.16), (0.095, 0.1)), BLOOD + 50)
        canvas.paint(canvas.ellipse((0.1, -0.1), (0.17, 0.075), 0.25), BLOOD + 40)
        canvas.paint(canvas.ellipse((0.14, 0.18), (0.075, 0.08)), BLOOD + 50)
        airways = [((-0.11, 0.08), (0.062, 0.048)), ((0.09, 0.07), (0.06, 0.042))]
    else:
        canvas.paint(canvas.ellipse((0.12, -0.12), (0.27, 0.26), 0.5), BLOOD + rng.uniform(10, 70))
        canvas.paint(canvas.ellipse(aorta[0], (aorta[1], aorta[1])), BLOOD + 40)
        canvas.paint(canvas.ellipse((-0.03, 0.2), (0.035, 0.03)), FAT)
        airways = []
    for at, radius in airways:
        canvas.paint(canvas.ellipse(at, (radius[0] + 0.018, radius[1] + 0.018)), MUSCLE)
        canvas.paint(canvas.ellipse(at, radius), AIR + 20, 0.1)


def _paint_bones(canvas: _Canvas, cage: Field, level: str, rng: np.random.Generator) -> None:
    back = float(canvas.v[cage < 1].max())
    _paint_vertebra(canvas, back)
    front = float(canvas.v[cage < 1].min())
    canvas.paint(canvas.ellipse((0.0, front - 0.015), (0.13, 0.04)), BONE)
    canvas.paint(canvas.ellipse((0.0, front - 0.015), (0.10, 0.022)), 160.0, 0.2)
    angle = np.arctan2(canvas.v, canvas.u)
    for middle in np.arange(-2.9, 3.1, 0.52) + rng.uniform(-0.12, 0.12):
        if abs(abs(middle) - np.pi / 2) > 0.42:
            _paint_rib(canvas, cage, np.angle(np.exp(1j * (angle - middle))).astype(np.float32), rng)
    if level in ("upper", "middle"):
        for side in (-1, 1):
            blade = canvas.ellipse((side * 0.67, back * 0.72), (0.2, 0.028), side * -0.75)
            canvas.paint(blade, BONE, 0.12)
            canvas.paint(blade / 0.6, 190.0, 0.2)


def _paint_vertebra(canvas: _Canvas, back: float) -> None:
    body = (0.0, back * 0.66)
    canvas.paint(canvas.ellipse(body, (0.145, 0.115)), BONE - 60)
    canvas.paint(canvas.ellipse(body, (0.125, 0.095)), 180.0, 0.12)
    for side in (-1, 1):
        canvas.paint(canvas.ellipse((side * 0.1, back * 0.9), (0.03, 0.085), side * 0.35), BONE)
        canvas.paint(canvas.ellipse((side * 0.19, back * 0.93), (0.10, 0.035), side * 0.35), BONE - 120)
    canvas.paint(canvas.ellipse((0.0, back * 0.89), (0.07, 0.06)), 25.0)
    canvas.paint(canvas.ellipse((0.0, back * 1.04), (0.022, 0.075)), BONE - 40)


def _paint_rib(canvas: _Canvas, cage: Field, offset: Field, rng: np.random.Generator) -> None:
    """A rib crosses the slice obliquely: a curved lens along the cage, denser at its rim."""
    length, thick, at = rng.uniform(0.1, 0.19), rng.uniform(0.03, 0.04), rng.uniform(1.045, 1.06)
    lens = np.hypot(offset / length, (cage - at - 0.08 * offset) / thick).astype(np.float32)
    canvas.paint(lens, BONE + rng.uniform(0, 150), 0.15)
    canvas.paint(lens / 0.6, 200.0, 0.25)


def _fill_lungs(
    canvas: _Canvas, lung: Mask, lung_depth: Field, trees: Trees, rng: np.random.Generator
) -> Field:
    """Air-filled lung, a little denser at the back, with its vessels and airways."""
    shape = lung.shape
    air = LUNG + 45 * (canvas.v + 0.1) + 14 * smooth_noise(rng, shape, 22) + 12 * smooth_noise(rng, shape, 3)
    filled = air * (1 - trees.vessels) + (BLOOD - 20) * trees.vessels
    filled = filled * (1 - trees.walls) + -80 * trees.walls
    filled = filled * (1 - trees.airways) + (AIR + 15) * trees.airways
    edge = ramp(blur(lung.astype(np.float32), 0.8), 0.25, 0.75)
    return np.asarray(canvas.hu * (1 - edge) + filled * edge, dtype=np.float32)
