"""Every form of image file becomes the same grey, or one message."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nlp.errors import ImageError
from train.image_forms import read_all, read_grey

GREY = np.linspace(0, 255, 12 * 8).round().astype(np.uint8).reshape(12, 8)

FORMS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "L": lambda image: image,
    "RGB": lambda image: image.convert("RGB"),
    "RGBA": lambda image: image.convert("RGBA"),
    "LA": lambda image: image.convert("LA"),
    "P": lambda image: image.convert("P"),
}


@pytest.mark.parametrize("form", FORMS)
def test_image_forms_give_one_grey(form: str, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    FORMS[form](Image.fromarray(GREY)).save(path)
    read = read_grey(path)
    assert read.dtype == np.float32
    np.testing.assert_allclose(read, GREY / 255, atol=1e-6)


@pytest.mark.parametrize(("mode", "name"), [("CMYK", "a.jpg"), ("1", "a.png"), ("RGB", "a.png")])
def test_image_forms_that_cannot_hold_the_grey_come_close(mode: str, name: str, tmp_path: Path) -> None:
    flat = Image.new("L", (8, 8), 255)
    flat.paste(0, (0, 0, 8, 4))
    flat.convert(mode).save(tmp_path / name)
    read = read_grey(tmp_path / name)
    assert read[0, 0] < 0.05
    assert read[-1, -1] > 0.95


def test_image_forms_content_counts_not_the_ending(tmp_path: Path) -> None:
    Image.new("L", (8, 8), 128).save(tmp_path / "a.png", "JPEG")
    np.testing.assert_allclose(read_grey(tmp_path / "a.png"), 128 / 255, atol=0.01)


def test_image_forms_transparent_is_paper_white(tmp_path: Path) -> None:
    Image.new("RGBA", (2, 2), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    Image.new("RGBA", (2, 2), (0, 0, 0, 51)).save(tmp_path / "light.png")
    assert (read_grey(tmp_path / "clear.png") == 1).all()
    np.testing.assert_allclose(read_grey(tmp_path / "light.png"), 0.8, atol=0.01)


def test_image_forms_transparent_palette_entry_is_white(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([0, 0, 0, 0, 0, 0])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "a.png", transparency=0)
    assert read_grey(tmp_path / "a.png").tolist() == [[1, 0]]


@pytest.mark.parametrize(("dtype", "name"), [("uint16", "a.png"), ("int32", "a.tif"), ("float32", "a.tif")])
def test_image_forms_deep_values_are_stretched_and_never_clipped(
    dtype: str, name: str, tmp_path: Path
) -> None:
    values = np.array([[100, 400], [2100, 4100]], dtype=dtype)
    Image.fromarray(values).save(tmp_path / name)
    np.testing.assert_allclose(read_grey(tmp_path / name), [[0, 0.075], [0.5, 1]], atol=1e-6)


def test_image_forms_deep_and_flat_is_black(tmp_path: Path) -> None:
    Image.fromarray(np.full((2, 2), 700, np.uint16)).save(tmp_path / "a.png")
    assert (read_grey(tmp_path / "a.png") == 0).all()


def test_image_forms_deep_without_number_is_refused(tmp_path: Path) -> None:
    Image.fromarray(np.array([[1, np.nan]], np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(ImageError, match=r"a\.tif: .*not finite"):
        read_grey(tmp_path / "a.tif")


def test_image_forms_turns_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: 90° clockwise shows it upright
    Image.fromarray(GREY).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_allclose(read_grey(tmp_path / "a.png"), np.rot90(GREY, -1) / 255, atol=1e-6)


def test_image_forms_smallest_and_longest(tmp_path: Path) -> None:
    for number, size in enumerate([(1, 1), (1, 3000), (3000, 1)]):
        Image.new("L", size, 255).save(tmp_path / f"{number}.png")
        assert read_grey(tmp_path / f"{number}.png").shape == size[::-1]


def test_image_forms_refuse_several_pictures(tmp_path: Path) -> None:
    frames = [Image.new("L", (4, 4), shade) for shade in (0, 128, 255)]
    for name in ("a.gif", "a.tif", "a.png"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
        with pytest.raises(ImageError, match="holds 3 pictures; save the one"):
            read_grey(tmp_path / name)


def broken_files(folder: Path) -> dict[str, str]:
    """Names of files that are no images, each with what its message must say."""
    whole = BytesIO()
    Image.effect_noise((64, 64), 50).save(whole, "PNG")
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.png").write_bytes(b"hello")
    (folder / "drawing.png").write_bytes(b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>')
    (folder / "cut.png").write_bytes(whole.getvalue()[:2000])
    (folder / "scan.png").write_bytes(bytes(128) + b"DICM" + bytes(50))
    (folder / "folder.png").mkdir()
    return {
        "empty.png": "0 bytes",
        "text.png": "not an image",
        "drawing.png": "XML",
        "cut.png": "cut short",
        "scan.png": "DICOM",
        "folder.png": "folder",
        "none.png": "no such file",
    }


def test_image_forms_name_every_broken_file_at_once(tmp_path: Path) -> None:
    broken = broken_files(tmp_path)
    Image.new("L", (4, 4)).save(tmp_path / "good.png")
    with pytest.raises(ImageError) as caught:
        read_all([tmp_path / name for name in ("good.png", *broken)])
    heading, *lines = str(caught.value).splitlines()
    assert heading.startswith("7 of 8 images")
    for line, (name, reason) in zip(lines, broken.items(), strict=True):
        assert name in line
        assert reason in line


@pytest.mark.parametrize("limit", [12 * 8 - 1, 12 * 8 // 2 - 1])
def test_image_forms_refuse_decompression_bombs(
    limit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(GREY).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with pytest.raises(ImageError, match=f"more pixels than the {limit}|more than the {limit}"):
        read_grey(tmp_path / "a.png")


@given(data=st.data())
def test_image_forms_damage_gives_one_message_or_a_picture(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole = BytesIO()
    form = data.draw(st.sampled_from(["PNG", "JPEG", "GIF", "TIFF", "BMP"]))
    Image.fromarray(GREY).save(whole, form)
    content = bytearray(whole.getvalue())
    for _ in range(3):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damage") / "a.png"
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    read = np.zeros(1)
    with suppress(ImageError):
        read = read_grey(path)
    assert np.isfinite(read).all()
    assert 0 <= read.min() <= read.max() <= 1
