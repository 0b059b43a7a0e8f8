"""Pairs of near duplicates side by side, for the report."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from train.figure_style import image_png
from train.image_forms import read_grey
from train.near_duplicates import Pair, across_sets, opposite_flags
from train.pictures import Picture
from train.records import Records

SHOWN = {True: 24, False: 6}
"""Certain and possible pairs that are listed and drawn; the tables have all."""
_TILE = 340  # pixels
_GAP = 8
_FLAGS = {1.0: "COVID-19", 0.0: "control"}


def most_telling(records: Records, pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs by what they spoil: certain ones of opposite flags, then across sets, then the others by score.

    Possible pairs of one patient are left out: the next slice of an examination is no news.
    """
    shown = [
        pair
        for pair in pairs
        if pair.certain or records.patient_ids[pair.first] != records.patient_ids[pair.second]
    ]
    return sorted(
        shown,
        key=lambda pair: (
            not pair.certain,
            not opposite_flags(records, pair),
            not across_sets(records, pair),
            -pair.score,
        ),
    )


def shown_pairs(records: Records, pairs: Sequence[Pair]) -> list[Pair]:
    """The ``SHOWN`` most telling pairs, the certain ones first."""
    ranked = most_telling(records, pairs)
    certain, possible = (
        [pair for pair in ranked if pair.certain is sure][:most] for sure, most in SHOWN.items()
    )
    return [*certain, *possible]


def pair_pictures(records: Records, pairs: Sequence[Pair]) -> list[Picture]:
    """The pairs that are shown, each as one picture.

    Raises:
        ImageError: an image can no longer be read.
    """
    return [
        Picture(f"pair-{number}", "pairs", _title(pair), _words(records, pair), _png(records, pair))
        for number, pair in enumerate(shown_pairs(records, pairs), 1)
    ]


def level(pair: Pair) -> str:
    """``certain`` or ``possible``."""
    return "certain" if pair.certain else "possible"


def told(records: Records, row: int) -> str:
    """An image with its set and flag, in words."""
    flag = _FLAGS.get(float(records.covid19[row]), "flag unknown")
    return f"{records.images[row]} ({records.splits[row] or 'no set'}, {flag})"


def _title(pair: Pair) -> str:
    return f"{level(pair).capitalize()}, score {pair.score:.3f}"


def _words(records: Records, pair: Pair) -> str:
    return f"Left {told(records, pair.first)}; right {told(records, pair.second)}."


def _png(records: Records, pair: Pair) -> bytes:
    tiles = [_tile(records, row) for row in (pair.first, pair.second)]
    height = max(tile.height for tile in tiles)
    sheet = Image.new("L", (2 * _TILE + _GAP, height), 255)
    for place, tile in enumerate(tiles):
        sheet.paste(tile, (place * (_TILE + _GAP), 0))
    return image_png(sheet)


def _tile(records: Records, row: int) -> Image.Image:
    picture = Image.fromarray((read_grey(records.paths[row]) * 255).astype(np.uint8))
    zoom = _TILE / max(picture.size)
    return picture.resize((max(1, round(picture.width * zoom)), max(1, round(picture.height * zoom))))
