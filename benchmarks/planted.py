"""The example with faults planted in it, for the audit's tests and pictures: copies, a patient in two sets, a wrong label."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.slice_copies import altered
from nlp.errors import InputError
from nlp.lexicon import load_lexicon
from train.image_forms import read_grey

EXAMPLES = Path(__file__).resolve().parent.parent / "examples" / "images"
SETS = ("train", "test", "val")

Row = dict[str, str]


@dataclass(frozen=True)
class Planted:
    """A labelled table with faults, and its images.

    Attributes:
        copied: original → copy, which lies in another set and has the opposite flag; the last is exact, the other altered.
        contradicted: image and finding whose label lacks what the text states.
        torn: the patient in two sets.
    """

    table: Path
    images: Path
    copied: Mapping[str, str]
    contradicted: tuple[str, str]
    torn: str


def plant(labels: Path, folder: Path) -> Planted:
    """Divide the labelled example among the sets by patient, spoil it, and write it into a folder."""
    rows = read_rows(labels)
    patients = list(dict.fromkeys(row["patient_id"] for row in rows))
    for row in rows:
        row["split"] = SETS[patients.index(row["patient_id"]) % 3]
    contradicted = _wrong_label(rows)
    torn = next(row["patient_id"] for row in rows if row["split"] != rows[-1]["split"])
    images = folder / "images"
    shutil.copytree(EXAMPLES, images)
    copied = _plant_copies(rows, images)
    rows[-3]["patient_id"] = torn
    table = folder / "labelled.csv"
    write_rows(table, rows)
    return Planted(table, images, copied, contradicted, torn)


def read_rows(path: Path) -> list[Row]:
    """The rows of a CSV file as text."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Write rows under the names of the first."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def _wrong_label(rows: Sequence[Row]) -> tuple[str, str]:
    """The first finding that a text states loses its mark."""
    keys = load_lexicon().finding_keys
    for row in rows:
        for key in keys:
            if row[key] == "1":
                row[key] = ""
                return row["image"], key
    raise InputError("no text of the example states a finding")


def _plant_copies(rows: list[Row], images: Path) -> dict[str, str]:
    known = [row for row in rows if row["covid19"] in ("0", "1")]
    copied = {}
    for row, name in ((known[0], "planted-altered.jpg"), (known[-1], "planted-exact.png")):
        source = images / row["image"]
        if name.endswith(".jpg"):
            altered(read_grey(source), np.random.default_rng(1)).save(images / name, quality=90)
        else:
            shutil.copy(source, images / name)
        copied[row["image"]] = name
        opposite = "0" if row["covid19"] == "1" else "1"
        other = SETS[(SETS.index(row["split"]) + 1) % 3]
        own = {"image": name, "patient_id": name, "split": other, "covid19": opposite, "caption": ""}
        rows.append({**row, **own, **dict.fromkeys(load_lexicon().finding_keys, "")})
    return copied
