"""diagnosis.csv: what the head of named classes says of each image, how sure it is, and how good the image is.

| column | holds |
|---|---|
| ``diagnosis`` | what the labels say, or blank |
| ``prediction``, ``confidence`` | the most probable class and its probability |
| ``quality`` | how sure the segmenter is of the lungs, its mask's mean probability; blank without a segmenter |
| ``probability_<class>`` | of every class; they add up to 1 |
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from train.classes import class_probabilities
from train.predictions import csv_lines
from train.records import Records

_FIRST = ("image", "patient_id", "split", "fold", "diagnosis", "prediction", "confidence", "quality")


@dataclass(frozen=True, eq=False)
class ClassPredictions:
    """n rows and K classes.

    Attributes:
        logits: (n, K); NaN where an image was not predicted.
        quality: (n,) from 0 to 1, NaN where it is not known.
        folds: the number of the held-out part, or blank.
    """

    records: Records
    names: tuple[str, ...]
    logits: NDArray[np.floating]
    quality: NDArray[np.float64]
    warnings: Sequence[str]
    folds: Sequence[str]


def class_columns(names: Sequence[str]) -> tuple[str, ...]:
    """The columns of diagnosis.csv in order."""
    return (*_FIRST, *(f"probability_{name}" for name in names), "warning")


def class_rows(found: ClassPredictions) -> Iterator[list[str]]:
    """The rows of diagnosis.csv as text."""
    probabilities = class_probabilities(found.logits)
    records = found.records
    for row, values in enumerate(probabilities):
        unknown = bool(np.isnan(values).any())
        said = ["", ""] if unknown else [found.names[int(values.argmax())], _number(values.max())]
        yield [
            *(records.images[row], records.patient_ids[row], records.splits[row], found.folds[row]),
            *(records.diagnoses[row], *said, _number(found.quality[row])),
            *("" if unknown else _number(value) for value in values),
            found.warnings[row],
        ]


def class_table(parts: Sequence[ClassPredictions]) -> bytes:
    """diagnosis.csv of several sets of rows with the same classes."""
    return b"".join(class_lines(part, place == 0) for place, part in enumerate(parts))


def class_lines(found: ClassPredictions, first: bool) -> bytes:
    """Lines of diagnosis.csv, below its header if they are the first."""
    header = [class_columns(found.names)] if first else []
    return csv_lines([*header, *class_rows(found)])


def _number(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.6g}"
