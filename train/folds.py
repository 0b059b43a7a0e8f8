"""Patients in K folds, so that every record is predicted by a network that never saw its patient.

The published split is set aside: train, val and test records are divided anew. Each fold's val, which chooses
the epoch and the threshold, comes out of the fold's training patients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from nlp.errors import TrainingError
from train.metrics import merged
from train.operating_point import Thresholds
from train.records import IntArray, Records
from train.scores import Scores, score

VAL_PARTS = 5
"""One fifth of the training patients is val; the published split has 118 of 543 records."""
RULE = "each fold's own, chosen on its val"

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Fold:
    """Record numbers, ascending; no patient is in two of the three."""

    train: IntArray
    val: IntArray
    held_out: IntArray


def patient_folds(records: Records, folds: int, *, seed: int) -> tuple[Fold, ...]:
    """Folds with about as many records and as even classes as whole patients allow.

    Records with an unknown flag are divided like controls.

    Raises:
        TrainingError: too few patients of a class for so many folds.
    """
    classes = np.nan_to_num(records.covid19, nan=0).astype(int)
    patients = np.array(records.patient_ids)
    _check_patients(classes, patients, folds)
    everyone = np.arange(len(records), dtype=np.int64)
    found = []
    for number, (rest, held_out) in enumerate(_divide(everyone, classes, patients, folds, seed)):
        train, val = _divide(rest, classes, patients, VAL_PARTS, seed + number)[0]
        found.append(Fold(train, val, held_out))
    _check_classes(found, records)
    return tuple(found)


def score_folds(
    records: Records,
    folds: Sequence[Fold],
    logits: Sequence[Floats],
    thresholds: Sequence[Thresholds],
    *,
    seed: int,
    bootstraps: int,
) -> Scores:
    """Measure all held-out records together.

    Ranking metrics take the logits over each fold's temperature, which is what ``covid19_probability`` says;
    sensitivity and the like take each fold's own threshold, which is what ``covid19_prediction`` says.

    Args:
        logits: of each fold's held-out records, (n, 1 + F).
        thresholds: chosen on each fold's val.
    """
    everyone = records.take(np.concatenate([fold.held_out for fold in folds]))
    scaled = [_scaled(found, point) for found, point in zip(logits, thresholds, strict=True)]
    keys = records.finding_keys
    centred = [found - _points(point, keys) for found, point in zip(scaled, thresholds, strict=True)]
    ranked = score(everyone, np.concatenate(scaled), threshold=Thresholds(), seed=seed, bootstraps=bootstraps)
    called = score(
        everyone, np.concatenate(centred), threshold=Thresholds(), seed=seed, bootstraps=bootstraps
    )
    return replace(
        ranked,
        covid19=merged(ranked.covid19, called.covid19, RULE),
        findings={key: merged(ranked.findings[key], called.findings[key], RULE) for key in ranked.findings},
        findings_all_labelled={
            key: merged(each, called.findings_all_labelled[key], RULE)
            for key, each in ranked.findings_all_labelled.items()
        },
    )


def _divide(
    rows: IntArray, classes: NDArray[np.int_], patients: NDArray[np.str_], parts: int, seed: int
) -> list[tuple[IntArray, IntArray]]:
    """Each part's rest and the part itself; fewer parts where a class has fewer patients."""
    parts = min([parts, *(len(set(patients[rows][classes[rows] == each])) for each in (0, 1))])
    if parts < 2:
        raise TrainingError("too few patients are left for a val set in every fold: use fewer folds")
    splitter = StratifiedGroupKFold(parts, shuffle=True, random_state=seed)
    found = splitter.split(rows, classes[rows], patients[rows])
    return [(np.sort(rows[rest]), np.sort(rows[part])) for rest, part in found]


def _check_patients(classes: NDArray[np.int_], patients: NDArray[np.str_], folds: int) -> None:
    for value, name in ((1, "confirmed"), (0, "control")):
        count = len(set(patients[classes == value]))
        if count < folds:
            raise TrainingError(f"{folds} folds need {folds} {name} patients at least; there are {count}")


def _check_classes(folds: Sequence[Fold], records: Records) -> None:
    for number, fold in enumerate(folds):
        for name, rows in (("train", fold.train), ("val", fold.val), ("held-out", fold.held_out)):
            if len(set(records.covid19[rows].tolist()) & {0.0, 1.0}) < 2:
                raise TrainingError(
                    f"fold {number}: its {name} records lack a class. Use fewer folds or another --seed"
                )


def _scaled(logits: Floats, thresholds: Thresholds) -> Floats:
    temperature = np.ones(logits.shape[1])
    temperature[0] = thresholds.calibration.temperature
    scaled: Floats = logits / temperature
    return scaled


def _points(thresholds: Thresholds, keys: Sequence[str]) -> Floats:
    """(1 + F,) thresholds on the scale of ``_scaled``."""
    flag = thresholds.covid19.logit / thresholds.calibration.temperature
    return np.array([flag, *(thresholds.findings[key].logit for key in keys)])
