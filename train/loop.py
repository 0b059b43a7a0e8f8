"""The training loop, read top to bottom: model, optimizer, schedule; epochs, steps, val; the best is kept.

Every random draw follows from the seed and the number of the step, so that a training which was stopped goes
on as if it had not been: bit for bit on a CPU.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
import torch
from torch import Tensor

from nlp.command import duration
from train.checkpoint import has_state
from train.config import Config
from train.devices import arithmetic, choose_device
from train.distributed import Ranks
from train.epoch import Epoch
from train.inference import predict_logits as predict_logits
from train.network import LesionAttentionNetwork
from train.progress import SILENT, Log
from train.records import IntArray, Records
from train.selection import EpochRow, Judge, best_epoch, exhausted
from train.signals import Stopped, stop_asked
from train.step import place_data
from train.training import Training, begin, restore, save
from train.views import training_inputs

SAVE_SECONDS = 60.0
ALONE = Ranks()


@dataclass(frozen=True)
class Fitted:
    """A trained network.

    Attributes:
        model: with the weights of the best epoch, in eval mode, on the device it was trained on.
        best_epoch: from 1.
        averaged: whether those are averaged weights.
    """

    model: LesionAttentionNetwork
    history: tuple[EpochRow, ...]
    best_epoch: int
    averaged: bool


def fit(
    config: Config,
    pixels: Tensor,
    records: Records,
    *,
    train_rows: IntArray,
    val_rows: IntArray,
    folder: Path | None = None,
    resume: bool = False,
    log: Log = SILENT,
    ranks: Ranks = ALONE,
    save_seconds: float = SAVE_SECONDS,
    after_step: Callable[[int], None] | None = None,
) -> Fitted:
    """Train a network and give back the best one by val.

    Args:
        pixels: (n, C, S, S) uint8, one per record.
        train_rows: numbers of the records learnt from.
        val_rows: numbers of the records that choose the epoch.
        folder: of the states of an unfinished training; None saves none.
        resume: go on from the newest state in ``folder``, if there is one.
        save_seconds: at least so long between two states, which are saved when an epoch ends.
        after_step: called with the number of steps done.

    Raises:
        TrainingError: too few records, or numbers that are not finite.
        CheckpointError: the state is damaged, or of other settings or data.
        Stopped: on SIGTERM or SIGINT, after the state was saved.
    """
    device = choose_device(config.device)
    with (
        arithmetic(deterministic=config.deterministic),
        _own_randomness(device),
        stop_asked(folder is not None) as asked,
    ):
        saved = folder if resume and folder is not None and has_state(folder) else None
        training, epoch, judge = _set_up(
            config, pixels, records, train_rows, val_rows, device, saved=saved, log=log, ranks=ranks
        )
        keeper = _Keeper(training, folder if ranks.first else None, save_seconds)
        while len(training.history) < config.epochs and not exhausted(config, training.history):
            for _ in epoch.steps():
                if after_step:
                    after_step(training.step)
                if ranks.any(asked()):
                    keeper.save()
                    _stop(training, folder, ranks, log)
            epoch.step.check()
            row = ranks.from_first(epoch.epoch_row(judge) if ranks.first else None)
            assert row is not None
            training.add_epoch(row)
            log(_line(config, row))
            keeper.save_if_due()
        keeper.save()
        return _best(training)


def _set_up(
    config: Config,
    pixels: Tensor,
    records: Records,
    train_rows: IntArray,
    val_rows: IntArray,
    device: torch.device,
    *,
    saved: Path | None,
    log: Log,
    ranks: Ranks,
) -> tuple[Training, Epoch, Judge]:
    """A training that begins, or goes on from the folder where it was saved; what takes its steps, and what judges."""
    training = begin(
        config,
        records,
        train_rows,
        pixels,
        device,
        processes=ranks.world,
        resumed=saved is not None,
        log=log,
    )
    if saved:
        restore(training, saved, log)
    inputs = training_inputs(config, training.model, pixels, records, train_rows, val_rows, log)
    names = training.model.class_names
    data = place_data(config, inputs.train, inputs.records, inputs.rows, device, class_names=names)
    epoch = Epoch(config, training, data, inputs.records, inputs.rows, ranks, log)
    judge = Judge(config, inputs.val, records.take(val_rows), device, data.positive_weight, class_names=names)
    return training, epoch, judge


class _Keeper:
    """Saves a training when an epoch ends, unless it was saved a moment ago; None as folder saves nothing."""

    def __init__(self, training: Training, folder: Path | None, seconds: float) -> None:
        self._training, self._folder, self._seconds = training, folder, seconds
        self._time, self._place = time.monotonic(), (training.step, len(training.history))

    def save_if_due(self) -> None:
        if time.monotonic() - self._time >= self._seconds:
            self.save()

    def save(self) -> None:
        place = (self._training.step, len(self._training.history))
        if self._folder and place != self._place:
            save(self._training, self._folder)
            self._time, self._place = time.monotonic(), place


@contextmanager
def _own_randomness(device: torch.device) -> Iterator[None]:
    """Dropout draws from the global generators: their states come back when the training ends."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        yield


def _stop(training: Training, folder: Path | None, ranks: Ranks, log: Log) -> NoReturn:
    ranks.wait()  # no process may end before the state is on the disk
    place = f"stopped after step {training.step} in epoch {len(training.history) + 1}"
    log(f"{place}; the state is in {folder}: the same command with --resume goes on")
    raise Stopped


def _best(training: Training) -> Fitted:
    epoch, averaged = best_epoch(training.config, training.history)
    training.model.load_state_dict(training.best)
    training.model.eval()
    return Fitted(training.model, tuple(training.history), epoch, averaged)


def _line(config: Config, row: EpochRow) -> str:
    averaged = "" if np.isnan(row.averaged_val_auc) else f" (averaged {row.averaged_val_auc:.3f})"
    left = duration(row.seconds * (config.epochs - row.epoch))
    return (
        f"epoch {row.epoch}/{config.epochs}  loss {row.train_loss:.4f}  val loss {row.val_loss:.4f}"
        f"  val AUC {row.val_auc:.3f}{averaged}  {row.images_per_second:.0f} images/s  {left} left"
    )
