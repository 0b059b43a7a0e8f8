"""Files of captions that tests extract, and what came out."""

from __future__ import annotations

import csv
import hashlib
import random
from collections.abc import Sequence
from pathlib import Path

CAPTIONS = (
    "Consolidation in the left lower lobe.",
    "No consolidation.",
    "The consolidation has completely resolved.",
    "Possible consolidation.",
    "The heart is of normal size.",
    "",
)


def write_captions(path: Path, rows: Sequence[Sequence[str]], header: Sequence[str] = ()) -> Path:
    with path.open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows([header or ("image", "patient_id", "caption"), *rows])
    return path


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle, strict=True))


def hashes(folder: Path, stem: str) -> list[str]:
    """Of labels, mentions and rejected rows."""
    names = (f"{stem}.labels.csv", f"{stem}.mentions.csv", f"{stem}.labels.rejected.csv")
    return [hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names]


def few_captions(folder: Path) -> Path:
    """``captions.csv`` with ``CAPTIONS``, an image and a patient for each."""
    rows = [(f"{number}.png", f"P{number}", text) for number, text in enumerate(CAPTIONS)]
    return write_captions(folder / "captions.csv", rows)


def many_captions(folder: Path) -> Path:
    """``many.csv`` with 4,000 different captions with faulty rows in between."""
    dice = random.Random(0)
    rows: list[tuple[str, ...]] = [
        (f"{number}.png", "", f"Patient {number}. {dice.choice(CAPTIONS)} {dice.choice(CAPTIONS)}")
        for number in range(4000)
    ]
    rows[100:100] = [("100.png", "P1", "again"), ("short",), ("", "P1", "no image")]
    return write_captions(folder / "many.csv", rows)
