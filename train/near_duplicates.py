"""Pictures of one slice among many, whatever was done to them: ``near_duplicates.csv``, ``possible_duplicates.csv``.

Every slice is compared with every other by a part of its features; the ``CANDIDATES`` most alike are laid over it
(``train.same_slice``). A pair is certain from ``CERTAIN`` on: the same slice, cut, scaled, windowed, compressed or
written on. From ``POSSIBLE`` on it may be; mostly it is the next slice of one examination, a leak of the patient where
it crosses two sets. Mirrored copies are not looked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path

from nlp.errors import ImageError
from train.image_forms import read_grey, unreadable
from train.local_features import Described, describe, likely_pairs
from train.progress import SILENT, Log
from train.records import Records
from train.same_slice import likeness

CERTAIN = 0.97
POSSIBLE = 0.6
CANDIDATES = 20
_BELOW_SAME = 0.9999  # a score of 1 is for identical pixels
COLUMNS = ("image_a", "image_b", "score", "split_a", "split_b", "covid19_a", "covid19_b")


@dataclass(frozen=True)
class Pair:
    """Two records by their numbers, the smaller first; ``score`` 1 is identical pixels."""

    first: int
    second: int
    score: float

    @property
    def certain(self) -> bool:
        """Whether both show the same slice; otherwise it is possible."""
        return self.score >= CERTAIN


def near_duplicates(
    paths: Sequence[Path], *, candidates: int = CANDIDATES, least: float = POSSIBLE, log: Log = SILENT
) -> tuple[Pair, ...]:
    """Pairs that are certain or possible, the surest first.

    Identical pictures are all paired with the first of them, and with one another where they are candidates.

    Args:
        candidates: how many of the most alike each image is laid over.
        least: the lowest score that is given back.

    Raises:
        ImageError: names every image that cannot be read.
    """
    described, digests = _read(paths, log)
    order = sorted(range(len(paths)), key=digests.__getitem__)  # the order of the rows changes nothing
    log(f"images compared: {len(paths) * (len(paths) - 1) // 2:,} pairs")
    scores = {
        (order[one], order[other]): likeness(described[order[one]], described[order[other]])
        for one, other in likely_pairs([described[row] for row in order], candidates)
    }
    found = {pair: min(round(score, 4), _BELOW_SAME) for pair, score in scores.items() if score >= least}
    same = (pair for pair in scores if digests[pair[0]] == digests[pair[1]])
    found |= dict.fromkeys(chain(same, _identical(digests, order)), 1.0)
    pairs = [Pair(min(pair), max(pair), score) for pair, score in found.items()]
    return tuple(sorted(pairs, key=lambda pair: (-pair.score, pair.first, pair.second)))


def pair_rows(records: Records, pairs: Sequence[Pair]) -> Iterator[tuple[str, ...]]:
    """The rows of both tables, in the order of ``COLUMNS``; an unknown flag is blank."""
    for pair in pairs:
        both = pair.first, pair.second
        flags = (records.covid19[row] for row in both)
        yield (
            *(records.images[row] for row in both),
            f"{pair.score:.4f}",
            *(records.splits[row] for row in both),
            *("" if flag != flag else f"{flag:.0f}" for flag in flags),
        )


def across_sets(records: Records, pair: Pair) -> bool:
    """Whether the pair lies in two sets."""
    one, other = records.splits[pair.first], records.splits[pair.second]
    return bool(one and other) and one != other


def opposite_flags(records: Records, pair: Pair) -> bool:
    """Whether one is confirmed COVID-19 and the other a control."""
    return {float(records.covid19[pair.first]), float(records.covid19[pair.second])} == {0.0, 1.0}


def _read(paths: Sequence[Path], log: Log) -> tuple[list[Described], list[bytes]]:
    """Features of every image, and a digest of its pixels."""
    described, digests, problems = [], [], []
    for number, path in enumerate(paths):
        log.live(f"images read: {number:,} of {len(paths):,}")
        try:
            image = read_grey(path)
        except ImageError as error:
            problems.append(str(error))
            continue
        described.append(describe(image))
        digests.append(hashlib.sha256(repr(image.shape).encode() + image.tobytes()).digest())
    if problems:
        raise unreadable(problems, len(paths))
    return described, digests


def _identical(digests: Sequence[bytes], order: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Of each digest the first in this order with every other: all are tied, and n copies make no n² pairs."""
    for _, group in groupby(order, key=digests.__getitem__):
        first, *others = group
        yield from ((first, other) for other in others)
