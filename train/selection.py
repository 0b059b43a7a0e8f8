"""How good each epoch was on val, and which one is kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from nlp.write import replacing
from train.classes import class_targets
from train.config import Config
from train.devices import choose_precision
from train.inference import predict_logits
from train.records import Records
from train.step import batch_loss

SMOOTHED_OVER = 3


@dataclass(frozen=True)
class EpochRow:
    """One row of history.csv; what was not measured is NaN, blank in the file.

    Attributes:
        seconds: of training alone.
        train_loss: mean over the epoch's images, with augmentation and dropout.
        val_loss: over all val records at once; ``val_auc`` is the flag's.
        averaged_val_loss, averaged_val_auc: the same of the averaged weights.
        learning_rate: of the heads, at the last step.
    """

    epoch: int
    seconds: float
    train_loss: float
    val_loss: float
    val_auc: float
    learning_rate: float
    images_per_second: float
    averaged_val_loss: float = math.nan
    averaged_val_auc: float = math.nan


class Judge:
    """Measures networks on the val records.

    Args:
        inputs: (n, C, S, S) uint8 of the val records, or their pooled features (n, P).
        positive_weight: (F,) as in training, or None.
    """

    def __init__(
        self,
        config: Config,
        inputs: Tensor,
        val: Records,
        device: torch.device,
        positive_weight: Tensor | None,
        *,
        class_names: Sequence[str] = (),
    ) -> None:
        self._config, self._inputs, self._device = config, inputs, device
        self._precision = choose_precision(config.precision, device)
        self._covid19, self._findings = torch.from_numpy(val.covid19), torch.from_numpy(val.findings)
        self._positive_weight = None if positive_weight is None else positive_weight.cpu()
        self._classes = torch.from_numpy(class_targets(val, class_names)) if class_names else None

    def __call__(self, model: nn.Module) -> tuple[float, float]:
        """Loss and AUC of the flag; the AUC is NaN where val has one class."""
        config = self._config
        found = predict_logits(
            model, self._inputs, device=self._device, size=config.image_size, precision=self._precision
        )
        logits = torch.from_numpy(found)
        loss = batch_loss(config, logits, self._covid19, self._findings, self._positive_weight, self._classes)
        return float(loss), _auc(self._covid19.numpy(), found[:, 0])


def rank_of(config: Config, history: Sequence[EpochRow], *, averaged: bool) -> tuple[float, ...]:
    """How good the last epoch is, by ``config.select``: the greater the better."""
    losses = [row.averaged_val_loss if averaged else row.val_loss for row in history]
    auc = history[-1].averaged_val_auc if averaged else history[-1].val_auc
    loss = math.inf if math.isnan(losses[-1]) else losses[-1]
    auc = -math.inf if math.isnan(auc) else auc
    match config.select:
        case "auc":
            return auc, -loss
        case "smooth":
            return -float(np.mean(losses[-SMOOTHED_OVER:])), auc
        case "last":
            return float(len(history)), -loss
    return -loss, auc


def best_epoch(config: Config, history: Sequence[EpochRow]) -> tuple[int, bool]:
    """The epoch (from 1) to keep, and whether its averaged weights; of equals, the first."""
    candidates = [
        (rank_of(config, history[: number + 1], averaged=averaged), number + 1, averaged)
        for number, row in enumerate(history)
        for averaged in ((False, True) if not math.isnan(row.averaged_val_loss) else (False,))
    ]
    _, epoch, averaged = max(candidates, key=lambda each: each[0])
    return epoch, averaged


def exhausted(config: Config, history: Sequence[EpochRow]) -> bool:
    """Whether the best epoch lies longer back than ``config.patience`` allows."""
    if not config.patience or not history:
        return False
    return len(history) - best_epoch(config, history)[0] >= config.patience


def write_history(history: Sequence[EpochRow], path: Path) -> None:
    """Write history.csv, complete or not at all."""
    names = [each.name for each in fields(EpochRow)]
    rows = [[getattr(row, name) for name in names] for row in history]
    lines = [",".join("" if value != value else str(value) for value in row) for row in rows]
    with replacing([path]) as [file]:
        file.write("\n".join([",".join(names), *lines, ""]).encode())


def _auc(
    covid19: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
    logits: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
) -> float:
    known = ~np.isnan(covid19)
    if len(np.unique(covid19[known])) < 2 or not np.isfinite(logits).all():
        return math.nan
    return float(roc_auc_score(covid19[known], logits[known]))
