"""The stages of a run before anything is measured: records, images, trained networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from train.cache import Images, load_images
from train.classes import NO_CLASSES, check_classes
from train.config import Config
from train.distributed import Ranks
from train.fold_results import FoldResult
from train.folds import patient_folds
from train.loop import Fitted, fit, predict_logits
from train.prepare import SEGMENTED
from train.progress import Log
from train.records import FloatArray, IntArray, Records, check_trainable, read_records
from train.run_folder import CHECKPOINT

MAIN = "main"
Trained = tuple[Fitted, FloatArray, list[FoldResult]]
"""The network of the run, its logits of all records, and the folds."""


def read_data(
    table: Path, images: Path, config: Config, cache: Path | None, log: Log, ranks: Ranks
) -> tuple[Records, Images]:
    """Records and images; all that is wrong with them is said before training."""
    records = read_records(
        table,
        images,
        uncertain=config.uncertain,  # type: ignore[arg-type]
        not_mentioned=config.not_mentioned,  # type: ignore[arg-type]
        controls_without_text=config.controls_without_text,  # type: ignore[arg-type]
    )
    check_trainable(records)
    if config.classes != NO_CLASSES:
        check_classes(records)
    if not ranks.first:
        ranks.wait()  # the first process fills the cache, the others read it
    loaded = load_images(
        records.paths,
        size=config.image_size,
        crop=config.crop,
        normalise=config.normalise,
        channels=config.channels,
        segmenter=Path(config.segmenter) if config.crop == SEGMENTED else None,
        cache=cache,
        progress=log.images,
    )
    if ranks.first:
        ranks.wait()
    patients = len(set(records.patient_ids))
    sets = ", ".join(f"{len(records.rows(split))} {split}" for split in ("train", "val", "test"))
    whole = f"taken whole, as no lungs were surely found: {int(loaded.whole.sum())}"
    log(f"{len(records)} images of {patients} patients: {sets}; {whole}")
    return records, loaded


def train_all(
    config: Config, pixels: Tensor, records: Records, out: Path, *, resume: bool, log: Log, ranks: Ranks
) -> Trained:
    """The network of the run with its logits of all records, then those of the folds."""

    def trained(name: str, train: IntArray, val: IntArray) -> Fitted:
        return fit(
            config,
            pixels,
            records,
            train_rows=train,
            val_rows=val,
            folder=out / CHECKPOINT / name,
            resume=resume,
            log=log.within("" if name == MAIN else f"{name}: "),
            ranks=ranks,
        )

    folds = patient_folds(records, config.folds, seed=config.seed) if config.folds else ()
    fitted = trained(MAIN, records.rows("train"), records.rows("val"))
    results = []
    for number, fold in enumerate(folds):
        of_fold = trained(f"fold-{number}", fold.train, fold.val)
        val, held_out = (_logits(config, of_fold, pixels, rows) for rows in (fold.val, fold.held_out))
        results.append(FoldResult(fold, of_fold, val, held_out))
    return fitted, _logits(config, fitted, pixels, np.arange(len(records))), results


def _logits(config: Config, fitted: Fitted, pixels: Tensor, rows: IntArray) -> FloatArray:
    device = next(fitted.model.parameters()).device
    return predict_logits(
        fitted.model,
        pixels[torch.from_numpy(rows)],
        device=device,
        flips=config.test_flips,
        size=config.image_size,
    )
