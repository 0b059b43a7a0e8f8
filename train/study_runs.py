"""The runs of a study, one after another: read, gone on with, or made."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import train.run
import train.weights
from nlp.command import duration
from nlp.errors import TrainingError, WeightsError
from train.backbones import create_backbone
from train.progress import Log
from train.run_folder import finished
from train.study_plan import Cell
from train.study_results import NOT_MEASURED, Finished, read_metrics
from train.weights import IMAGENET


def made(wanted: Sequence[Cell], images: Path, cache: Path, bootstraps: int, log: Log) -> Iterator[Finished]:
    """Every cell in order, read where its run is finished, otherwise trained or gone on with.

    Raises:
        WeightsError: of weights that were named; ImageNet weights that are not at hand only leave cells empty.
    """
    missing = _without_weights(wanted, log)
    to_train = sum(not finished(cell.folder) and cell.config.backbone not in missing for cell in wanted)
    seconds: list[float] = []
    for cell in wanted:
        if finished(cell.folder):
            yield Finished(cell, read_metrics(cell.folder))
        elif cell.config.backbone in missing:
            yield Finished(cell, None, NOT_MEASURED)
        else:
            start = time.monotonic()
            left = to_train - len(seconds)
            about = f", about {duration(left * sum(seconds) / len(seconds))} left" if seconds else ""
            log(f"run {len(seconds) + 1} of {to_train}: {cell.name}{about}")
            yield _trained(cell, images, cache, bootstraps, log)
            seconds.append(time.monotonic() - start)


def _trained(cell: Cell, images: Path, cache: Path, bootstraps: int, log: Log) -> Finished:
    """One run; one that cannot be trained leaves the others their turn."""
    try:
        result = train.run.run(
            cell.table,
            images,
            cell.config,
            out=cell.folder,
            resume=True,
            cache=cache,
            bootstraps=bootstraps,
            log=log.within("  "),
        )
    except TrainingError as error:
        log(f"  failed: {error}")
        return Finished(cell, None, str(error))
    return Finished(cell, result.metrics)


def _without_weights(wanted: Sequence[Cell], log: Log) -> set[str]:
    """Backbones whose ImageNet weights are not at hand; whatever else is wrong with weights stops the study.

    Asked before the first run: a mistake in the last backbone's name or file shows now, not tomorrow.
    """
    asked = {cell.config.backbone: cell.config.weights for cell in wanted if not finished(cell.folder)}
    missing = set()
    for backbone, weights in asked.items():
        body = create_backbone(backbone)
        try:
            train.weights.load_weights(body, weights)
        except WeightsError as error:
            if weights != IMAGENET:
                raise
            log(f"{backbone} is not measured: {error}")
            missing.add(backbone)
    return missing
