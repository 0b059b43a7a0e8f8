"""The named classes of a run: measured beside the flag, and written as diagnosis.csv."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nlp.write import replacing
from train.class_predictions import ClassPredictions, class_table
from train.class_scores import score_classes
from train.classes import DIAGNOSIS
from train.folds import Fold
from train.records import FloatArray, Records
from train.run_folder import CLASSES, CLASSES_OUT_OF_FOLD


def add_classes(
    metrics: dict[str, Any],
    out: Path,
    records: Records,
    names: tuple[str, ...],
    logits: FloatArray,
    folds: Sequence[tuple[Fold, FloatArray]],
    *,
    quality: np.ndarray[tuple[int], np.dtype[np.float64]],
    warnings: Sequence[str],
    seed: int,
    bootstraps: int,
) -> None:
    """Put the classes' figures of every set into ``metrics`` and write their tables.

    Args:
        names: the classes in the order of the logits.
        logits: (n_records, K) of the kept network.
        folds: each with the logits of its held-out records.
        quality: (n_records,) of ``train.class_predictions``.

    Raises:
        OutputError: a table cannot be written.
    """

    def measured(some: Records, found: FloatArray) -> dict[str, Any]:
        return score_classes(some, found, names, seed=seed, bootstraps=bootstraps)

    def part(rows: Sequence[int] | np.ndarray[Any, Any], found: FloatArray, fold: str) -> ClassPredictions:
        chosen = np.asarray(rows, dtype=np.int64)
        said = [warnings[row] for row in chosen]
        return ClassPredictions(
            records.take(chosen), names, found, quality[chosen], said, (fold,) * len(chosen)
        )

    for split in ("val", "test"):
        rows = records.rows(split)
        metrics[split][DIAGNOSIS] = measured(records.take(rows), logits[rows])
    tables = {CLASSES: [part(range(len(records)), logits, "")]}
    if folds:
        everyone = np.concatenate([fold.held_out for fold, _ in folds])
        together = np.concatenate([found for _, found in folds])
        metrics["out_of_fold"][DIAGNOSIS] = measured(records.take(everyone), together)
        tables[CLASSES_OUT_OF_FOLD] = [
            part(fold.held_out, found, str(number)) for number, (fold, found) in enumerate(folds)
        ]
    with replacing([out / name for name in tables]) as files:
        for file, parts in zip(files, tables.values(), strict=True):
            file.write(class_table(parts))
