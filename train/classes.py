"""Named classes to tell apart, of which every record has one at most: the values of the contract's ``diagnosis``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, logsumexp

from nlp.errors import TrainingError
from train.label_rows import listed
from train.records import IntArray, Records

Floats = NDArray[np.float64]

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


def class_output(name: str) -> str:
    """The name of a class's logit among the outputs of a network."""
    return f"{DIAGNOSIS}: {name}"


def class_probabilities(logits: NDArray[np.floating]) -> Floats:
    """Softmax of logits (n, K), in float64; NaN stays NaN."""
    wide: Floats = np.exp(log_softmax(np.asarray(logits, dtype=np.float64), axis=1))
    return wide


def joint_class_logits(logits: Sequence[NDArray[np.floating]]) -> Floats:
    """Logits (n, K) whose softmax is the mean of the softmax of each network's, (n, K)."""
    joint: Floats = logsumexp(log_softmax(np.asarray(logits, dtype=np.float64), axis=2), axis=0)
    return joint


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
