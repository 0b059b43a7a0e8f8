"""Images are decoded once; what is kept is what was decoded, or it is not used."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nlp.errors import ImageError, OutputError, TrainingError
from train.cache import Images, load_images
from train.prepare import CROPS, SEGMENTED, prepare_image

EXAMPLES = sorted((Path(__file__).resolve().parents[1] / "examples" / "images").iterdir())[:6]


def same(one: Images, other: Images) -> bool:
    return (
        torch.equal(one.pixels, other.pixels)
        and np.array_equal(one.boxes, other.boxes)
        and np.array_equal(one.whole, other.whole)
    )


@pytest.fixture
def refuse_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever has to be decoded fails."""

    def refuse(path: Path, **settings: object) -> None:
        raise AssertionError(f"{path} was decoded again")

    monkeypatch.setattr("train.cache.prepare_image", refuse)


def test_cache_gives_what_decoding_gives(tmp_path: Path) -> None:
    decoded = load_images(EXAMPLES, size=32)
    written = load_images(EXAMPLES, size=32, cache=tmp_path / "new" / "folder")
    assert same(decoded, written)
    assert decoded.pixels.shape == (6, 1, 32, 32)
    assert decoded.pixels.dtype == torch.uint8


@pytest.mark.usefixtures("refuse_decoding")
def test_cache_test_itself_would_notice() -> None:
    with pytest.raises(AssertionError, match="decoded again"):
        load_images(EXAMPLES, size=32)


def test_cache_is_read_the_second_time(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    first = load_images(EXAMPLES, size=32, cache=tmp_path)
    request.getfixturevalue("refuse_decoding")
    assert same(first, load_images(EXAMPLES, size=32, cache=tmp_path))


def test_cache_settings_and_order_have_files_of_their_own(tmp_path: Path) -> None:
    crops = [crop for crop in CROPS if crop != SEGMENTED]
    for crop in crops:
        load_images(EXAMPLES, size=32, crop=crop, cache=tmp_path)
    load_images(EXAMPLES, size=32, normalise="equalise", cache=tmp_path)
    load_images(EXAMPLES, size=16, cache=tmp_path)
    turned = load_images(EXAMPLES[::-1], size=32, cache=tmp_path)
    assert len(list(tmp_path.iterdir())) == len(crops) + 3
    assert torch.equal(turned.pixels.flip(0), load_images(EXAMPLES, size=32).pixels)


def test_cache_notices_a_changed_image(tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    Image.new("L", (20, 20), 10).save(picture)
    load_images([picture], size=8, normalise="none", cache=tmp_path / "cache")
    Image.new("L", (20, 20), 99).save(picture)
    os.utime(picture, ns=(1, 1))
    changed = load_images([picture], size=8, normalise="none", cache=tmp_path / "cache")
    assert (changed.pixels == 99).all()


@pytest.mark.parametrize("damage", ["flip", "cut", "longer", "empty", "head"])
def test_cache_damaged_is_told_and_made_anew(
    damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good = load_images(EXAMPLES, size=32, cache=tmp_path)
    [file] = tmp_path.iterdir()
    content = bytearray(file.read_bytes())
    if damage == "flip":
        content[2000] ^= 1
    elif damage == "head":
        content[3] ^= 1
    else:
        content = {"cut": content[:-1], "longer": content + b"0", "empty": bytearray()}[damage]
    file.unlink()  # the mapped file of ``good`` stays as it was
    file.write_bytes(content)
    assert same(good, load_images(EXAMPLES, size=32, cache=tmp_path))
    assert "is damaged and not used" in caplog.text
    caplog.clear()
    assert same(good, load_images(EXAMPLES, size=32, cache=tmp_path))
    assert not caplog.text


def test_cache_writing_to_pixels_leaves_the_file(tmp_path: Path) -> None:
    load_images(EXAMPLES, size=32, cache=tmp_path).pixels.zero_()
    assert load_images(EXAMPLES, size=32, cache=tmp_path).pixels.any()


def test_cache_names_every_unreadable_image_and_leaves_no_file(tmp_path: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"")
    with pytest.raises(ImageError) as caught:
        load_images([bad, *EXAMPLES, tmp_path / "none.png"], size=32, cache=tmp_path / "cache")
    assert "2 of 8 images" in str(caught.value)
    assert "bad.png" in str(caught.value) and "none.png" in str(caught.value)
    assert not list((tmp_path / "cache").iterdir())


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
def test_cache_that_cannot_be_written_is_one_message(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError):
        load_images(EXAMPLES, size=32, cache=tmp_path / "cache")


def test_cache_in_the_place_of_a_file_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        load_images(EXAMPLES, size=32, cache=tmp_path / "file")


def test_cache_settings_are_checked_before_reading() -> None:
    with pytest.raises(TrainingError, match="no crop is named 'lung'; choose none, lungs"):
        load_images([Path("none.png")], size=8, crop="lung")
    with pytest.raises(TrainingError, match="no normalisation is named"):
        load_images([Path("none.png")], size=8, normalise="both")


def test_cache_of_no_images(tmp_path: Path) -> None:
    for _ in range(2):
        assert load_images([], size=8, cache=tmp_path).pixels.shape == (0, 1, 8, 8)


def test_cache_progress_ends_with_all(tmp_path: Path) -> None:
    told: list[tuple[int, float]] = []
    load_images(EXAMPLES, size=8, progress=lambda done, share: told.append((done, share)))
    assert told[-1] == (6, 1.0)


def test_cache_crops_differ_where_they_should() -> None:
    whole, box, only = (
        prepare_image(EXAMPLES[0], size=64, crop=crop, how="none") for crop in ("none", "lungs", "lungs_only")
    )
    assert whole.box[:2] == (0, 0)
    assert box.box == only.box != whole.box
    assert (only.pixels[0, :4, :4] == 0).all()
    assert (box.pixels[0, :4, :4] > 0).all()
    middle = np.abs(only.pixels[0, 32, 3:-3].astype(int) - box.pixels[0, 32, 3:-3])
    assert middle.max() < 30  # lungs fill that row
