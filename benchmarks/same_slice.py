"""Test slices that lie in another set too, ``python -m benchmarks.same_slice labels.csv --images DIR``.

The pairs are those that ``train.audit`` calls certain. Prints them, those of opposite flags first; ``--sheet`` draws
them for the eye.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from nlp.command import run_command
from train.audit_pictures import most_telling, told
from train.image_forms import read_grey
from train.near_duplicates import Pair, across_sets, near_duplicates, opposite_flags
from train.records import Records, read_records

_TILE = 220  # pixels
_COLUMNS = 3  # pairs side by side


def test_pairs(records: Records) -> list[Pair]:
    """Pairs of a test record and one of another set that certainly show the same slice, the most telling first."""
    found = near_duplicates(records.paths)
    return most_telling(records, [pair for pair in found if pair.certain and test_records(records, pair)])


def test_records(records: Records, pair: Pair) -> list[int]:
    """The test record of a pair that lies in two sets, by number; nothing of another pair."""
    both = (pair.first, pair.second) if across_sets(records, pair) else ()
    return [row for row in both if records.splits[row] == "test"]


def draw_pairs(records: Records, pairs: Sequence[Pair], path: Path) -> None:
    """Pairs side by side, row by row."""
    rows = max(1, -(-len(pairs) // _COLUMNS))
    sheet = Image.new("L", (2 * _TILE * _COLUMNS, _TILE * rows), 255)
    for number, pair in enumerate(pairs):
        for side, row in enumerate((pair.first, pair.second)):
            image = Image.fromarray((read_grey(records.paths[row]) * 255).astype(np.uint8))
            image.thumbnail((_TILE - 4, _TILE - 4))
            sheet.paste(image, ((number % _COLUMNS * 2 + side) * _TILE, number // _COLUMNS * _TILE))
    sheet.save(path)


def _run(options: Namespace) -> None:
    records = read_records(options.labels, options.images)
    pairs = test_pairs(records)
    for pair in pairs:
        print(f"{pair.score:.3f}", told(records, pair.first), told(records, pair.second), sep="\t")
    opposite = sum(opposite_flags(records, pair) for pair in pairs)
    tests = {row for pair in pairs for row in test_records(records, pair)}
    print(f"{len(pairs)} pairs, {opposite} of opposite flags; {len(tests)} test records in them")
    if options.sheet:
        draw_pairs(records, pairs, options.sheet)


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m benchmarks.same_slice labels.csv --images DIR [--sheet pairs.png]``."""
    parser = ArgumentParser(prog="python -m benchmarks.same_slice", description=__doc__)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--sheet", type=Path, help="draw the pairs")
    return run_command(parser, _run, arguments)


if __name__ == "__main__":
    sys.exit(main())
