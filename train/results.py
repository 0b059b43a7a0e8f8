"""From trained networks to the files of a run: predictions, scores, thresholds, the network itself."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp.write import replacing
from train.class_results import add_classes
from train.config import Config
from train.fold_results import FoldResult, learnt, write_folds
from train.loop import Fitted
from train.model import save_model
from train.operating_point import Thresholds, choose_thresholds
from train.predictions import predict_records, write_predictions
from train.records import FloatArray, IntArray, Records
from train.run_folder import HISTORY, METRICS, MODEL_FILE, PREDICTIONS
from train.scores import score
from train.selection import write_history
from train.shortcut import shortcut_baseline, shortcuts_as_json
from train.summary import SETS

Floats = NDArray[np.float64]
PACKAGES = ("torch", "torchvision", "timm", "scikit-learn", "numpy")


def write_results(
    out: Path,
    config: Config,
    records: Records,
    fitted: Fitted,
    logits: FloatArray,
    folds: Sequence[FoldResult],
    *,
    warnings: Sequence[str],
    bootstraps: int,
    quality: Floats | None = None,
) -> dict[str, Any]:
    """Measure and write everything but figures and report; gives what metrics.json holds.

    Thresholds come from val alone; test is looked at once they stand. Findings of a baseline are null.

    Args:
        logits: (n_records, 1 + F + K) of the kept network.
        warnings: one per record, blank for none.
        quality: (n_records,) of the images, for the table of classes (``train.class_predictions``).

    Raises:
        OutputError: a file cannot be written.
    """
    every, flags = logits, fitted.model.flags
    logits, class_folds = every[:, :flags], [(each.fold, each.logits[:, flags:]) for each in folds]
    folds = [
        replace(each, val_logits=each.val_logits[:, :flags], logits=each.logits[:, :flags]) for each in folds
    ]
    val = records.rows("val")
    thresholds = choose_thresholds(
        records.take(val), logits[val], sensitivity=config.least_sensitivity or None
    )
    metrics = {
        **_split_metrics(records, logits, thresholds, config, bootstraps),
        "shortcut": shortcuts_as_json(shortcut_baseline(records, seed=config.seed, bootstraps=bootstraps)),
        "thresholds": thresholds.as_json(),
        "training": _training(config, fitted, records),
    }
    save_model(fitted.model, out / MODEL_FILE, details={"best_epoch": str(fitted.best_epoch)})
    write_history(fitted.history, out / HISTORY)
    rows = predict_records(records, learnt(logits, config), thresholds, warnings=warnings)
    write_predictions(out / PREDICTIONS, rows)
    if folds:
        metrics["out_of_fold"], simple = write_folds(
            out, config, records, folds, warnings=warnings, bootstraps=bootstraps
        )
        for group, found in simple.items():
            metrics["shortcut"][group]["out_of_fold"] = found["out_of_fold"]
    if names := fitted.model.class_names:
        add_classes(
            metrics,
            out,
            records,
            names,
            every[:, flags:],
            class_folds,
            quality=np.full(len(records), np.nan) if quality is None else quality,
            warnings=warnings,
            seed=config.seed,
            bootstraps=bootstraps,
        )
    if config.mode == "baseline":
        metrics |= {name: _of_flag_alone(metrics[name]) for name in SETS if name in metrics}
    write_json(out / METRICS, metrics)
    return metrics


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write strict JSON, complete or not at all."""
    with replacing([path]) as [file]:
        file.write((json.dumps(content, indent=2, allow_nan=False) + "\n").encode())


def _split_metrics(
    records: Records, logits: FloatArray, thresholds: Thresholds, config: Config, bootstraps: int
) -> dict[str, Any]:
    def measured(rows: IntArray) -> dict[str, Any]:
        scores = score(
            records.take(rows), logits[rows], threshold=thresholds, seed=config.seed, bootstraps=bootstraps
        )
        return scores.as_json()

    return {split: measured(records.rows(split)) for split in ("val", "test")}


def _of_flag_alone(scores: Mapping[str, Any]) -> dict[str, Any]:
    """Null, with their n, for findings whose heads never learnt: what is measured of them is chance."""
    names = ("findings", "findings_all_labelled", "flag_by_finding")
    blank = {name: {key: _counts(each) for key, each in scores[name].items()} for name in names}
    return {**scores, **blank, "findings_mean": {"auc": None, "n_findings": 0}}


def _counts(output: Mapping[str, Any]) -> dict[str, Any]:
    """An output's n, all else null or empty."""
    return {
        name: value if name == "n" or name.startswith("n_") else [] if isinstance(value, list) else None
        for name, value in output.items()
    }


def _training(config: Config, fitted: Fitted, records: Records) -> dict[str, Any]:
    best = fitted.history[fitted.best_epoch - 1]
    return {
        "best_epoch": fitted.best_epoch,
        "epochs": len(fitted.history),
        "averaged": fitted.averaged,
        "val_auc": _plain(best.averaged_val_auc if fitted.averaged else best.val_auc),
        "val_loss": _plain(best.averaged_val_loss if fitted.averaged else best.val_loss),
        "seconds": sum(row.seconds for row in fitted.history),
        "n_train": len(records.rows("train")),
        "parameters": sum(each.numel() for each in fitted.model.parameters()),
        "recipe": config.recipe,
        "mode": config.mode,
        "versions": {name: _version(name) for name in PACKAGES},
    }


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:  # built from source, or vendored
        return None
