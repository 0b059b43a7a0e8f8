"""From the folders of finished runs to figures: what was measured, on what, and what was not."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nlp.errors import InputError, TrainingError
from nlp.lexicon import load_lexicon
from nlp.schema import COVID, label_columns
from train.label_rows import read_label_rows
from train.predictions import read_predictions
from train.run_folder import METRICS, OUT_OF_FOLD, PREDICTIONS
from train.study_plan import BASELINE, LADNN, Cell, Part
from train.study_scores import Comparison, Outcome, Truth, compare
from train.weights import IMAGENET, NONE

NOT_MEASURED = "pretrained result not measured here"
FROM_SCRATCH = "from scratch"
OUT = Path(OUT_OF_FOLD).stem
"""The set that is measured with folds."""


@dataclass(frozen=True, eq=False)
class Row:
    """One backbone on one part.

    Attributes:
        truth: the records measured; None where nothing was.
        comparison: None where nothing was measured.
        start: what the networks started from.
        problems: runs that failed, a line each.
    """

    part: Part
    backbone: str
    truth: Truth | None
    comparison: Comparison | None
    start: str
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Finished:
    """A cell and what became of it: what metrics.json holds, or None and why."""

    cell: Cell
    metrics: Mapping[str, Any] | None
    why_not: str = ""


def study_rows(finished: Sequence[Finished], *, bootstraps: int) -> list[Row]:
    """Rows in the order of the cells.

    Raises:
        TrainingError: a run predicted other records than its table holds.
    """
    groups: dict[tuple[Path, str], list[Finished]] = {}
    for each in finished:
        groups.setdefault((each.cell.part.folder, each.cell.config.backbone), []).append(each)
    return [_row(group, bootstraps) for group in groups.values()]


def _row(group: Sequence[Finished], bootstraps: int) -> Row:
    first = group[0].cell
    part, backbone = first.part, first.config.backbone
    start = starts_from(first.config.weights)
    measured = [each for each in group if each.metrics is not None]
    problems = tuple(
        f"{each.cell.name}: {each.why_not}"
        for each in group
        if each.metrics is None and each.why_not != NOT_MEASURED
    )
    if not measured:
        why = NOT_MEASURED if not problems else "every run failed"
        return Row(part, backbone, None, None, why, problems)
    truth = read_truth(part)
    outcomes = {
        mode: [read_outcome(each, truth) for each in measured if each.cell.config.mode == mode]
        for mode in (BASELINE, LADNN)
    }
    found = compare(truth, outcomes[BASELINE], outcomes[LADNN], bootstraps=bootstraps)
    return Row(part, backbone, truth, found, start, problems)


def starts_from(weights: str) -> str:
    """What a reader is told of the weights."""
    if weights == NONE:
        return FROM_SCRATCH
    return "ImageNet weights" if weights == IMAGENET else f"weights of {Path(weights).name}"


def read_truth(part: Part) -> Truth:
    """The records of known class that the part is measured on, in the order of their names."""
    table = next(iter(part.tables.values()))
    rows = read_label_rows(table, label_columns(load_lexicon().finding_keys))
    wanted = [
        row
        for row in sorted(rows, key=lambda row: row["image"])
        if row[COVID] in ("0", "1") and (part.measured == OUT or row["split"] == part.measured)
    ]
    return Truth(
        images=tuple(row["image"] for row in wanted),
        positive=np.array([row[COVID] == "1" for row in wanted]),
        patient_ids=tuple(row["patient_id"] for row in wanted),
    )


def read_outcome(finished: Finished, truth: Truth) -> Outcome:
    """What a run said of the records measured.

    Raises:
        TrainingError: it has no prediction for some of them.
    """
    cell, metrics = finished.cell, finished.metrics
    assert metrics is not None
    folds = cell.part.measured == OUT
    path = cell.folder / (OUT_OF_FOLD if folds else PREDICTIONS)
    found = read_predictions(path)
    places = {image: place for place, image in enumerate(found.images)}
    if missing := [image for image in truth.images if image not in places]:
        raise TrainingError(
            f"{path} has no prediction for {len(missing)} of {len(truth.images)} records, the first is"
            f" {missing[0]!r}: it was made of other labels; choose another --out"
        )
    rows = np.array([places[image] for image in truth.images], dtype=np.intp)
    logits = found.logits[:, 0].astype(np.float64)
    if folds:
        heat = [each["calibration"]["temperature"] for each in metrics[OUT]["thresholds"]]
        logits = logits / np.array(heat)[np.array([int(fold) for fold in found.folds])]
    return Outcome(cell.config.seed, logits[rows], found.called[rows] == 1)


def read_metrics(folder: Path) -> Mapping[str, Any]:
    """What metrics.json of a finished run holds.

    Raises:
        InputError: it is damaged.
    """
    try:
        found: dict[str, Any] = json.loads((folder / METRICS).read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(
            f"{folder / METRICS} is damaged: delete {folder}, and it is trained again"
        ) from error
    return found
