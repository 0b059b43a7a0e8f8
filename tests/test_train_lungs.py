"""The lung box on drawn chests: closed, cut off, framed, one-sided, and where there is no chest at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from train.image_forms import FloatArray, read_grey
from train.lungs import LungCrop, content_box, find_lungs, hull_mask

ROOT = Path(__file__).resolve().parents[1]
LUNGS = (45, 45, 112, 175)  # top, left, bottom, right of both lungs as drawn
AIR, LUNG, TISSUE = 0.05, 0.2, 0.9


def chest(*, air: float = AIR, white_lung: bool = False, wet: bool = False) -> FloatArray:
    """An axial chest, 160 × 220: body, two lungs, a table below."""
    image = Image.new("F", (220, 160), air)
    draw = ImageDraw.Draw(image)
    draw.ellipse((15, 20, 205, 138), fill=TISSUE)
    draw.ellipse((45, 45, 100, 111), fill=LUNG)
    draw.ellipse((120, 45, 174, 111), fill=TISSUE if white_lung else LUNG)
    draw.line((0, 148, 219, 148), fill=TISSUE, width=2)
    if wet:  # the lower half of both is full of fluid, with some air left
        for left in (45, 120):
            draw.pieslice((left, 45, left + 55, 111), 0, 180, fill=0.68)
    return np.asarray(image, dtype=np.float32)


def assert_box(crop: LungCrop, expected: tuple[int, int, int, int], slack: int = 7) -> None:
    """The box holds the lungs with a margin of a few pixels."""
    assert not crop.whole
    top, left, bottom, right = crop.box
    assert expected[0] - slack <= top <= expected[0] + 1
    assert expected[1] - slack <= left <= expected[1] + 1
    assert expected[2] - 1 <= bottom <= expected[2] + slack
    assert expected[3] - 1 <= right <= expected[3] + slack


@pytest.mark.parametrize("air", [0.0, 0.2, 0.4])
def test_lungs_box_whatever_the_air_around(air: float) -> None:
    assert_box(find_lungs(chest(air=air)), LUNGS)


@pytest.mark.parametrize("paper", [0.0, 0.5, 1.0])
def test_lungs_box_within_margins_of_paper(paper: float) -> None:
    framed = np.pad(chest(), ((20, 30), (25, 10)), constant_values=paper)
    assert content_box(framed) != (0, 0, *framed.shape)
    top, left, bottom, right = LUNGS
    assert_box(find_lungs(framed), (top + 20, left + 25, bottom + 20, right + 25))


def test_lungs_box_of_lungs_cut_off_by_the_edge() -> None:
    part = chest()[50:105, 52:168]
    top, left, bottom, right = find_lungs(part).box
    assert not find_lungs(part).whole
    assert top <= 2 and left <= 2
    assert bottom >= part.shape[0] - 2 and right >= part.shape[1] - 2


def test_lungs_box_holds_a_lung_that_is_white() -> None:
    assert_box(find_lungs(chest(white_lung=True)), LUNGS, slack=9)


def test_lungs_box_holds_fluid_at_the_back() -> None:
    assert_box(find_lungs(chest(wet=True)), LUNGS)


def test_lungs_box_ignores_letters() -> None:
    image = Image.fromarray(chest())
    ImageDraw.Draw(image).text((3, 3), "A  R", fill=1.0)
    assert_box(find_lungs(np.asarray(image)), LUNGS)


@pytest.mark.parametrize("factor", [1, 3])
def test_lungs_box_is_in_pixels_of_the_slice(factor: int) -> None:
    large = np.kron(chest(), np.ones((factor, factor), np.float32))
    top, left, bottom, right = LUNGS
    expected = (top * factor, left * factor, bottom * factor, right * factor)
    assert_box(find_lungs(large), expected, slack=7 * factor)


def test_lungs_hull_holds_the_lungs_and_no_skin() -> None:
    crop = find_lungs(chest())
    top, left, bottom, right = crop.box
    inside = hull_mask(crop)
    part = chest()[top:bottom, left:right]
    assert inside.shape == part.shape
    assert inside[part == np.float32(LUNG)].mean() > 0.95
    assert not inside[0, 0]
    assert not inside[-1, -1]


@pytest.mark.parametrize("shade", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (5, 5), (64, 64)])
def test_lungs_flat_images_are_taken_whole(shape: tuple[int, int], shade: float) -> None:
    crop = find_lungs(np.full(shape, shade, np.float32))
    assert crop.whole
    assert crop.box == (0, 0, *shape)
    assert crop.hull.shape == (0, 2)
    assert hull_mask(crop).all()


@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, 10_000))
def test_lungs_box_lies_in_any_image(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = np.kron(rng.random((-(-height // 9), -(-width // 9))), np.ones((9, 9)))[:height, :width]
    crop = find_lungs(image.astype(np.float32))
    top, left, bottom, right = crop.box
    assert 0 <= top < bottom <= height
    assert 0 <= left < right <= width
    assert hull_mask(crop).shape == (bottom - top, right - left)


def test_lungs_found_on_every_example() -> None:
    pictures = sorted((ROOT / "examples" / "images").iterdir())[::5]
    for picture in pictures:
        image = read_grey(picture)
        crop = find_lungs(image)
        top, left, bottom, right = crop.box
        assert not crop.whole, picture.name
        assert 0.25 < (bottom - top) * (right - left) / image.size < 0.8, picture.name


def test_lungs_found_on_real_slices(shared: Path) -> None:
    folder = shared / "data" / "covid-ct" / "images"
    pictures = sorted(path for path in folder.rglob("*") if path.is_file())[::25]
    crops = [find_lungs(read_grey(picture)) for picture in pictures]
    assert sum(crop.whole for crop in crops) <= 1
