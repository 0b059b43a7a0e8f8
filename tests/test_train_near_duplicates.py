"""Pictures of one slice are found again whatever was done to them, and other pictures are not taken for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.planted import EXAMPLES
from benchmarks.slice_copies import altered
from nlp.errors import ImageError
from tests.made_records import NAN, make_records
from train.image_forms import read_grey
from train.local_features import SIDE, describe, likely_pairs
from train.near_duplicates import CERTAIN, Pair, across_sets, near_duplicates, opposite_flags, pair_rows
from train.same_slice import likeness

NAMES = sorted(path.name for path in EXAMPLES.iterdir())[:6]


def test_near_duplicates_scores_identical_pixels_one_and_ignores_order(tmp_path: Path) -> None:
    first = tmp_path / "again.png"
    Image.fromarray((read_grey(EXAMPLES / NAMES[0]) * 255).astype(np.uint8)).save(first)
    second = tmp_path / "same.bmp"
    Image.open(first).save(second)
    paths = [first, EXAMPLES / NAMES[4], second, EXAMPLES / NAMES[5]]
    told = []
    for order in (paths, paths[::-1]):
        found = near_duplicates(order, least=0.1)
        certain = [pair for pair in found if pair.certain]
        assert [{order[pair.first], order[pair.second]} for pair in certain] == [{first, second}]
        assert certain[0].score == 1
        told.append({frozenset((order[pair.first], order[pair.second])): pair.score for pair in found})
    assert told[0] == told[1]


def test_near_duplicates_of_many_equal_pictures_grow_with_their_number(tmp_path: Path) -> None:
    blank, drawn = [tmp_path / f"blank-{place}.png" for place in range(30)], tmp_path / "drawn.png"
    for path in blank:
        Image.new("L", (40, 40), 90).save(path)
    Image.open(EXAMPLES / NAMES[0]).save(drawn)
    found = near_duplicates([*blank, drawn])
    assert [(pair.first, pair.score) for pair in found] == [(0, 1.0)] * 29
    assert {pair.second for pair in found} == set(range(1, 30))


def test_near_duplicates_of_three_equal_slices_are_three_pairs(tmp_path: Path) -> None:
    copies = [tmp_path / f"{place}.png" for place in range(3)]
    for path in copies:
        Image.open(EXAMPLES / NAMES[0]).save(path)
    assert {(each.first, each.second) for each in near_duplicates(copies) if each.score == 1} == {
        (0, 1),
        (0, 2),
        (1, 2),
    }


@pytest.mark.parametrize("name", NAMES[::2])
def test_same_slice_knows_an_altered_copy(name: str) -> None:
    image = read_grey(EXAMPLES / name)
    copy = np.asarray(np.asarray(altered(image, np.random.default_rng(3))) / 255, np.float32)
    one, other = describe(image), describe(copy)
    assert likeness(one, other) >= CERTAIN
    assert likeness(other, one) >= CERTAIN


def test_same_slice_tells_a_mirror_image_and_an_empty_picture_apart() -> None:
    image = read_grey(EXAMPLES / NAMES[0])
    slice_ = describe(image)
    assert likeness(slice_, describe(image[:, ::-1].copy())) < CERTAIN
    empty = describe(np.zeros((40, 60), np.float32))
    assert likeness(slice_, empty) == likeness(empty, empty) == 0
    assert likely_pairs([empty, empty], 5) == []


def test_local_features_are_bounded_and_of_length_one() -> None:
    found = describe(read_grey(EXAMPLES / NAMES[1]))
    assert max(found.grey.shape) == SIDE
    assert np.allclose(np.linalg.norm(found.descriptors, axis=1), 1, atol=1e-4)
    assert (found.places >= 0).all() and (found.places <= SIDE).all()


def test_near_duplicates_names_every_unreadable_image(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"no picture")
    with pytest.raises(ImageError, match=r"(?s)2 of 3 .*a\.png.*b\.png"):
        near_duplicates([tmp_path / "a.png", EXAMPLES / NAMES[0], tmp_path / "b.png"])


def test_pair_rows_say_set_and_flag() -> None:
    records = make_records([1, 0, NAN], splits=["train", "test", ""])
    rows = list(pair_rows(records, [Pair(0, 1, 0.98765), Pair(1, 2, 1.0)]))
    assert rows[0] == ("image-000.png", "image-001.png", "0.9877", "train", "test", "1", "0")
    assert rows[1][2:] == ("1.0000", "test", "", "0", "")
    assert across_sets(records, Pair(0, 1, 1.0)) and not across_sets(records, Pair(1, 2, 1.0))
    assert opposite_flags(records, Pair(0, 1, 1.0)) and not opposite_flags(records, Pair(1, 2, 1.0))
