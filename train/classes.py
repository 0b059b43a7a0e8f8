"""Named classes to tell apart, of which every record has one at most: the values of the contract's ``diagnosis``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from nlp.errors import TrainingError
from train.label_rows import listed
from train.records import IntArray, Records

NO_CLASSES, DIAGNOSIS = "none", "diagnosis"
UNKNOWN = -1
"""Target of a record whose diagnosis is blank: it teaches the classes nothing."""


def class_names(records: Records) -> tuple[str, ...]:
    """Every diagnosis that the records have, sorted; blank is none."""
    return tuple(sorted(set(records.diagnoses) - {""}))


def class_targets(records: Records, names: Sequence[str]) -> IntArray:
    """(n,) the place of each record's diagnosis in ``names``, or ``UNKNOWN``."""
    places = {name: place for place, name in enumerate(names)}
    return np.array([places.get(each, UNKNOWN) for each in records.diagnoses], dtype=np.int64)


def check_classes(records: Records) -> None:
    """Stop before training where classes cannot be learnt.

    Raises:
        TrainingError: fewer than two, or some that train, val or test lacks; all at once.
    """
    if problems := list(_problems(records)):
        raise TrainingError(listed("the column diagnosis cannot be learnt:", problems))


def _problems(records: Records) -> Iterator[str]:
    names = class_names(records)
    if len(names) < 2:
        yield f"two classes are the least; the records have {', '.join(map(repr, names)) or 'none'}"
    diagnoses = np.array(records.diagnoses, dtype=object)
    for split in ("train", "val", "test"):
        there = set(diagnoses[records.rows(split)])
        yield from (f"no record of the set {split} is {name!r}" for name in names if name not in there)
