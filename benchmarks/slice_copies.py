"""Copies of a slice as articles make them: cut, scaled, windowed, compressed, with arrows and contours drawn on."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw

from train.image_forms import FloatArray

Generator = np.random.Generator


def altered(image: FloatArray, generator: Generator) -> Image.Image:
    """One copy of a slice, (height, width) in [0, 1], altered in every way at once."""
    picture = Image.fromarray((_windowed(image, generator) * 255).astype(np.uint8))
    return _compressed(_marked(_cut(picture, generator), generator), generator)


def _windowed(image: FloatArray, generator: Generator) -> FloatArray:
    """Contrast from 0.8 to 1.25, brightness to 0.1 either way, gamma from 0.8 to 1.25."""
    contrast, gamma = np.exp(generator.uniform(-0.22, 0.22, 2))
    shifted = 0.5 + (image - 0.5) * contrast + generator.uniform(-0.1, 0.1)
    return np.asarray(np.clip(shifted, 0, 1) ** gamma, np.float32)


def _cut(picture: Image.Image, generator: Generator) -> Image.Image:
    """Up to 12 % off each side, then 0.6 to 1.4 times as large, the sides apart by up to 8 %."""
    left, top, right, bottom = generator.uniform(0, 0.12, 4)
    width, height = picture.size
    box = (left * width, top * height, (1 - right) * width, (1 - bottom) * height)
    zoom, apart = generator.uniform(0.6, 1.4), generator.uniform(0.96, 1.04)
    size = (box[2] - box[0]) * zoom * apart, (box[3] - box[1]) * zoom / apart
    whole = tuple(max(16, round(side)) for side in size)
    return picture.resize((whole[0], whole[1]), Image.Resampling.BICUBIC, box=box)


def _marked(picture: Image.Image, generator: Generator) -> Image.Image:
    """Three arrows, a letter in the corner, and the contour of a lesion."""
    draw, (width, height) = ImageDraw.Draw(picture), picture.size
    for _ in range(3):
        x, y = generator.uniform(0.1, 0.9, 2) * picture.size
        step = 0.05 * width
        draw.line([(x, y), (x + step, y + step)], fill=255, width=max(2, width // 120))
        draw.polygon([(x, y), (x + step / 2, y + step / 5), (x + step / 5, y + step / 2)], fill=255)
    draw.text((0.03 * width, 0.03 * height), "B", fill=255, font_size=max(10, height // 12))
    x, y = generator.uniform(0.2, 0.7, 2) * picture.size
    draw.ellipse((x, y, x + 0.15 * width, y + 0.12 * height), outline=255, width=max(1, width // 200))
    return picture


def _compressed(picture: Image.Image, generator: Generator) -> Image.Image:
    """JPEG of quality 40 to 90."""
    target = io.BytesIO()
    picture.save(target, "JPEG", quality=int(generator.integers(40, 91)))
    return Image.open(target).convert("L")
