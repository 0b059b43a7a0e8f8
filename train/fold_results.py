"""The folds of a run: out-of-fold predictions, and what they score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from train.config import Config
from train.folds import Fold, score_folds
from train.loop import Fitted
from train.operating_point import Thresholds, choose_thresholds
from train.predictions import joined, predict_records, write_predictions
from train.records import FloatArray, Records
from train.run_folder import OUT_OF_FOLD
from train.shortcut import shortcut_of_folds, shortcuts_as_json


@dataclass(frozen=True, eq=False)
class FoldResult:
    """One fold: ``val_logits`` and ``logits`` (held-out) are in the order of the fold's rows."""

    fold: Fold
    fitted: Fitted
    val_logits: FloatArray
    logits: FloatArray


def write_folds(
    out: Path,
    config: Config,
    records: Records,
    folds: Sequence[FoldResult],
    *,
    warnings: Sequence[str],
    bootstraps: int,
) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """Write out-of-fold predictions; their scores, and those of what the files alone say, as metrics.json holds them.

    Each fold is read at the threshold of its own val.
    """
    least = config.least_sensitivity or None
    thresholds = [
        choose_thresholds(records.take(each.fold.val), each.val_logits, sensitivity=least) for each in folds
    ]
    _write_predictions(out, config, records, folds, thresholds, warnings)
    parts = [each.fold for each in folds]
    scores = score_folds(
        records,
        parts,
        [each.logits for each in folds],
        thresholds,
        seed=config.seed,
        bootstraps=bootstraps,
    )
    metrics = scores.as_json() | {
        "folds": [
            {"best_epoch": each.fitted.best_epoch, "n_held_out": len(each.fold.held_out)} for each in folds
        ],
        "thresholds": [point.as_json() for point in thresholds],
    }
    held_out = [part.held_out for part in parts]
    simple = shortcut_of_folds(records, held_out, seed=config.seed, bootstraps=bootstraps)
    return metrics, shortcuts_as_json(simple)


def _write_predictions(
    out: Path,
    config: Config,
    records: Records,
    folds: Sequence[FoldResult],
    thresholds: Sequence[Thresholds],
    warnings: Sequence[str],
) -> None:
    parts = [
        predict_records(
            records.take(each.fold.held_out),
            learnt(each.logits, config),
            point,
            fold=number,
            warnings=[warnings[row] for row in each.fold.held_out],
        )
        for number, (each, point) in enumerate(zip(folds, thresholds, strict=True))
    ]
    write_predictions(out / OUT_OF_FOLD, joined(parts))


def learnt(logits: FloatArray, config: Config) -> FloatArray:
    """NaN for findings whose heads never learnt: what they say is chance."""
    chance = (np.arange(logits.shape[1]) > 0) & (config.mode == "baseline")
    return np.where(chance, np.float32(np.nan), logits)
