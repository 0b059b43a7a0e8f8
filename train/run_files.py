"""What a run left in its folder, read back and put beside its records: all that a report is made from."""

from __future__ import annotations

import csv
import json
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp.errors import ContractError, InputError
from train.predictions import Predictions, read_predictions
from train.records import Records

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

OUT_OF_FOLD = "out_of_fold"


@dataclass(frozen=True, eq=False)
class Measured:
    """One set as it was predicted, n records.

    Attributes:
        logits: (n, 1 + F) as the network gives them.
        ranked: (n,) the flag's logits over the temperature of their network, which folds are ranked by together.
        probability: (n,) the flag's, as in predictions.csv.
        calls: (n, F) findings at or above their thresholds.
    """

    records: Records
    logits: Floats
    ranked: Floats
    probability: Floats
    calls: Bools

    def take(self, rows: NDArray[np.intp]) -> Measured:
        """These rows."""
        return Measured(
            self.records.take(rows.astype(np.int64)),
            self.logits[rows],
            self.ranked[rows],
            self.probability[rows],
            self.calls[rows],
        )


@dataclass(frozen=True, eq=False)
class Run:
    """A run's files.

    Attributes:
        settings: config.toml, tables inside joined by a dot.
        metrics: metrics.json.
        history: the columns of history.csv; NaN where a cell is blank.
        sets: what was predicted: ``val``, ``test`` and, with folds, ``out_of_fold``.
        records: all of them.
        warnings: warning of predictions.csv → how many images have it.
        digest: SHA-256 of the weights, or blank.
    """

    name: str
    settings: Mapping[str, object]
    metrics: Mapping[str, Any]
    history: Mapping[str, Floats]
    sets: Mapping[str, Measured]
    records: Records
    warnings: Mapping[str, int]
    digest: str

    @property
    def learns_findings(self) -> bool:
        """Whether the findings' outputs were trained."""
        return self.settings.get("mode") != "baseline"

    @property
    def headline(self) -> str:
        """The set of the main figures: all patients out of fold where there are folds, otherwise test."""
        return next(
            name for name in (OUT_OF_FOLD, "test", "val") if name in self.sets and name in self.metrics
        )


def read_run(folder: Path, records: Records) -> Run:
    """Read a run's folder.

    Args:
        folder: with config.toml, metrics.json, predictions.csv and history.csv; out_of_fold.csv if there are folds.
        records: those the run was made of.

    Raises:
        InputError: a file is missing or cannot be read.
        ContractError: the predictions are of other records or findings.
    """
    metrics = json.loads(_text(folder / "metrics.json"))
    predicted = _measured(folder / "predictions.csv", records, [metrics.get("thresholds", {})])
    splits = np.array(predicted.records.splits)
    sets = {
        split: predicted.take(np.flatnonzero(splits == split)) for split in ("val", "test") if split in splits
    }
    if OUT_OF_FOLD in metrics:
        points = metrics[OUT_OF_FOLD].get("thresholds", [])
        sets[OUT_OF_FOLD] = _measured(folder / f"{OUT_OF_FOLD}.csv", records, points)
    digest = folder / "model.safetensors.sha256"
    return Run(
        name=folder.resolve().name,
        settings=_flat(tomllib.loads(_text(folder / "config.toml"))),
        metrics=metrics,
        history=_history(_text(folder / "history.csv")),
        sets=sets,
        records=records,
        warnings=Counter(filter(None, read_predictions(folder / "predictions.csv").warnings)),
        digest=_text(digest).split()[0] if digest.exists() else "",
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read, so there is no report: {error}") from error


def _measured(path: Path, records: Records, thresholds: Sequence[Mapping[str, Any]]) -> Measured:
    """Predictions beside their records; rows that were not predicted are left out.

    ``thresholds`` has one entry, or one per fold.
    """
    found = read_predictions(path, records.finding_keys)
    places = record_places(path, found, records)
    folds = np.array([int(fold or 0) for fold in found.folds])
    logits = found.logits.astype(np.float64)
    heat = np.array([each.get("calibration", {}).get("temperature", 1.0) for each in thresholds] or [1.0])
    points = [[_logit(each, key) for key in records.finding_keys] for each in thresholds or [{}]]
    measured = Measured(
        records.take(places),
        logits,
        logits[:, 0] / heat[folds],
        found.probabilities[:, 0].astype(np.float64),
        logits[:, 1:] >= np.array(points)[folds],
    )
    return measured.take(np.flatnonzero(~np.isnan(logits[:, 0])))


def _logit(thresholds: Mapping[str, Any], key: str) -> float:
    return float(thresholds.get("findings", {}).get(key, {}).get("logit", 0.0))


def record_places(path: Path, found: Predictions, records: Records) -> NDArray[np.int64]:
    """The number of the record of each prediction, (n,).

    Raises:
        ContractError: images that the records do not have, or one that comes twice.
    """
    places = {image: place for place, image in enumerate(records.images)}
    strange = [image for image in found.images if image not in places]
    if strange:
        raise ContractError(
            f"{path} holds {len(strange)} images that the labels do not, the first is {strange[0]!r}:"
            " these are the predictions of another table"
        )
    if len(set(found.images)) < len(found.images):
        raise ContractError(f"{path} holds the same image more than once")
    return np.array([places[image] for image in found.images], dtype=np.int64)


def _history(text: str) -> dict[str, Floats]:
    rows = list(csv.DictReader(text.splitlines()))
    names = rows[0].keys() if rows else ()
    return {name: np.array([float(row[name] or "nan") for row in rows]) for name in names}


def _flat(settings: Mapping[str, Any], start: str = "") -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in settings.items():
        found |= _flat(value, f"{start}{name}.") if isinstance(value, dict) else {f"{start}{name}": value}
    return found
