"""Test slices that lie in another set too, ``python -m benchmarks.same_slice labels.csv --images DIR``.

Perceptual hashes miss slices that were cut, scaled or written on. Local features (SIFT) find them: a pair counts when
enough of its matches agree on one similarity transform. Prints the pairs, those of opposite flags first;
``--sheet`` draws them for the eye.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from nlp.command import run_command
from train.image_forms import FloatArray, read_grey
from train.records import Records, read_records

SIDE = 400  # pixels of the longer side while matching
FEATURES = 250  # per slice, the strongest
RATIO = 0.75  # of the best to the second best match, Lowe 2004
LEAST_INLIERS = 50  # below, pairs that an eye did not confirm came in
LEAST_SHARE = 0.5  # of the matches that agree on the transform
LIKELY = 0.05  # share of one slice's features that match, to look further


@dataclass(frozen=True)
class Pair:
    """Two records by their numbers, and how many matches agree on one transform."""

    first: int
    second: int
    inliers: int


def test_pairs(records: Records) -> list[Pair]:
    """Test records (first) with records of other sets (second) that show the same slice, the surest first."""
    described = [_described(read_grey(path)) for path in records.paths]
    tests = records.rows("test")
    others = np.setdiff1d(np.arange(len(records)), tests)
    found = [
        Pair(int(first), int(second), inliers)
        for first in tests
        for second in others
        if (inliers := _agreeing(described[first], described[second])) >= LEAST_INLIERS
    ]
    return sorted(found, key=lambda pair: -pair.inliers)


@dataclass(frozen=True)
class Described:
    """Places (k, 2) and descriptors (k, 128, of length 1) of a slice's features."""

    places: FloatArray
    descriptors: FloatArray


def _described(image: FloatArray) -> Described:
    factor = SIDE / max(image.shape)
    height, width = (max(8, round(side * factor)) for side in image.shape)
    small = cv2.resize((image * 255).astype(np.uint8), (width, height), interpolation=cv2.INTER_AREA)
    points, descriptors = cv2.SIFT_create(nfeatures=FEATURES).detectAndCompute(small, None)
    if descriptors is None:
        return Described(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32))
    root = np.sqrt(descriptors / np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-9))
    return Described(np.array([point.pt for point in points], np.float32), root.astype(np.float32))


def _agreeing(first: Described, second: Described) -> int:
    """How many matches agree on one similarity transform, 0 where too few do."""
    if min(len(first.places), len(second.places)) < LEAST_INLIERS:
        return 0
    likeness = first.descriptors @ second.descriptors.T
    top = np.partition(likeness, -2, axis=1)[:, -2:]
    distance = np.sqrt(np.maximum(2 - 2 * top, 0))
    matched = np.flatnonzero(distance[:, 1] < RATIO * distance[:, 0])
    if len(matched) < max(LEAST_INLIERS, LIKELY * len(first.places)):
        return 0
    others = likeness[matched].argmax(axis=1)
    _, inside = cv2.estimateAffinePartial2D(
        first.places[matched], second.places[others], method=cv2.RANSAC, ransacReprojThreshold=4
    )
    inliers = 0 if inside is None else int(inside.sum())
    return inliers if inliers >= LEAST_SHARE * len(matched) else 0


def _sheet(records: Records, pairs: Sequence[Pair], path: Path) -> None:
    tile = 220
    sheet = Image.new("L", (2 * tile * 3, tile * -(-len(pairs) // 3)), 255)
    for number, pair in enumerate(pairs):
        for side, row in enumerate((pair.first, pair.second)):
            image = Image.fromarray((read_grey(records.paths[row]) * 255).astype(np.uint8))
            image.thumbnail((tile - 4, tile - 4))
            sheet.paste(image, (((number % 3) * 2 + side) * tile, (number // 3) * tile))
    sheet.save(path)


def _run(options: Namespace) -> None:
    records = read_records(options.labels, options.images)
    pairs = test_pairs(records)
    opposite = [p for p in pairs if records.covid19[p.first] != records.covid19[p.second]]
    for pair in [*opposite, *(pair for pair in pairs if pair not in opposite)]:
        words = (
            f"{records.splits[row]} {records.covid19[row]:.0f} {records.images[row]}"
            for row in (pair.first, pair.second)
        )
        print(pair.inliers, *words, sep="\t")
    tests = {pair.first for pair in pairs}
    print(f"{len(pairs)} pairs, {len(opposite)} of opposite flags; {len(tests)} test records in them")
    if options.sheet:
        _sheet(records, pairs, options.sheet)


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m benchmarks.same_slice labels.csv --images DIR [--sheet pairs.png]``."""
    parser = ArgumentParser(prog="python -m benchmarks.same_slice", description=__doc__)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--sheet", type=Path, help="draw the pairs")
    return run_command(parser, _run, arguments)


if __name__ == "__main__":
    sys.exit(main())
