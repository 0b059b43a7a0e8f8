"""All that changes while a network is trained, how it starts, and how it is saved and comes back."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from train.checkpoint import State, load_newest, refuse_differences, save_state
from train.classes import NO_CLASSES, class_names
from train.config import Config
from train.config_check import unused
from train.head_start import start_heads
from train.model import build_model, parameter_groups
from train.network import ImageSettings, LesionAttentionNetwork
from train.optimizer import make_optimizer, optimizer_tensors, restore_optimizer
from train.progress import Log
from train.records import IntArray, Records
from train.selection import EpochRow, best_epoch


@dataclass
class Training:
    """A training between two steps.

    Attributes:
        averaged: the running mean of the weights and of batch normalisation's statistics, or None.
        loss_sum: of the images of the running epoch, on the device.
        step: steps done since the first epoch.
        best: the weights of the best epoch so far, by name; empty before the first.
    """

    config: Config
    model: LesionAttentionNetwork
    averaged: LesionAttentionNetwork | None
    optimizer: torch.optim.Optimizer
    loss_sum: Tensor
    identity: dict[str, Any]
    step: int = 0
    history: list[EpochRow] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)

    def update_average(self) -> None:
        """Move the averaged weights towards the weights; early steps, with little to average, move further."""
        if self.averaged is None:
            return
        decay = min(self.config.average_decay, self.step / (self.step + 9))
        get_ema_multi_avg_fn(decay)(_floats(self.averaged), _floats(self.model), None)  # type: ignore[no-untyped-call]

    def add_epoch(self, row: EpochRow) -> None:
        """Note an epoch, and keep its weights if it is the best."""
        self.history.append(row)
        epoch, averaged = best_epoch(self.config, self.history)
        if epoch == len(self.history):
            chosen = self.averaged if averaged and self.averaged is not None else self.model
            self.best = {name: tensor.detach().clone() for name, tensor in chosen.state_dict().items()}


def begin(
    config: Config,
    records: Records,
    train_rows: IntArray,
    pixels: Tensor,
    device: torch.device,
    *,
    processes: int = 1,
    resumed: bool = False,
    log: Log,
) -> Training:
    """A training before its first step; the weights of one that is resumed come from its state instead."""
    settings = ImageSettings(config.image_size, config.crop, config.normalise, config.channels)
    model = build_model(
        config.backbone,
        finding_keys=records.finding_keys,
        weights=config.weights,
        filled=not resumed,
        class_names=class_names(records) if config.classes != NO_CLASSES else (),
        dropout=config.dropout,
        levels=config.levels,
        pooling=config.pooling,
        frozen_norm=config.frozen_norm,
        trained=config.trained,
        seed=config.seed,
        image_settings=settings,
        log=None if resumed else log,
    )
    model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    if config.head_start and config.weights != "none" and not resumed:
        start_heads(config, model, pixels, records, train_rows)
    return Training(
        config=config,
        model=model,
        averaged=copy.deepcopy(model) if config.average else None,
        optimizer=make_optimizer(config, _groups(config, model), device),
        loss_sum=torch.zeros((), dtype=torch.float64, device=device),
        identity=_identity(config, records, train_rows, pixels, processes),
    )


def save(training: Training, folder: Path) -> None:
    """Write the state of a training.

    Raises:
        OutputError: it cannot be written; the states before are intact.
    """
    tensors = {
        **_named("model", training.model.state_dict()),
        **(_named("averaged", training.averaged.state_dict()) if training.averaged else {}),
        **_named("optimizer", optimizer_tensors(training.optimizer)),
        **_named("best", training.best),
        "loss_sum": training.loss_sum,
    }
    facts = {"history": [asdict(row) for row in training.history], "identity": training.identity}
    save_state(folder, State(training.step, tensors, facts))


def restore(training: Training, folder: Path, log: Log) -> bool:
    """Put the newest state into a training that has just begun; False where there is none.

    Raises:
        CheckpointError: all states are damaged, or they belong to other settings or data.
    """
    state = load_newest(folder, log)
    if state is None:
        return False
    then, now = state.facts["identity"], training.identity
    changed = {name: (then.get(name), now[name]) for name in now if then.get(name) != now[name]}
    refuse_differences(changed, folder)
    training.model.load_state_dict(_part("model", state.tensors))
    if training.averaged:
        training.averaged.load_state_dict(_part("averaged", state.tensors))
    restore_optimizer(training.optimizer, _part("optimizer", state.tensors))
    device = training.loss_sum.device
    training.best = {name: tensor.to(device) for name, tensor in _part("best", state.tensors).items()}
    training.loss_sum.copy_(state.tensors["loss_sum"])
    training.step = state.step
    training.history = [EpochRow(**row) for row in state.facts["history"]]
    return True


def _groups(config: Config, model: LesionAttentionNetwork) -> list[dict[str, Any]]:
    """AdamW spares biases and norms from decay; Adam as published decays everything."""
    groups = parameter_groups(
        model,
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        backbone_rate=config.backbone_rate,
    )
    if config.optimizer == "adam":
        groups = [group | {"weight_decay": config.weight_decay} for group in groups]
    return [group for group in groups if group["params"]]


def _identity(
    config: Config, records: Records, train_rows: IntArray, pixels: Tensor, processes: int
) -> dict[str, Any]:
    """What must not change between a stop and its resumption: settings with an effect, data, number of processes."""
    no_matter = unused(config)
    settings = {name: value for name, value in asdict(config).items() if name not in no_matter}
    augmentation = {f"augmentation.{name}": value for name, value in settings.pop("augmentation").items()}
    digest = hashlib.sha256("\n".join(records.images).encode())
    for array in (records.covid19, records.findings, np.ascontiguousarray(train_rows)):
        digest.update(array.tobytes())
    if config.classes != NO_CLASSES:
        digest.update("\n".join(records.diagnoses).encode())
    digest.update(str((tuple(pixels.shape), int(pixels.sum(dtype=torch.int64)))).encode())
    plain = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in {**settings, **augmentation}.items()
    }
    return {**plain, "labels and images": digest.hexdigest()[:16], "processes": processes}


def _floats(model: torch.nn.Module) -> list[Tensor]:
    """Weights that learn and statistics of batch normalisation, without its counters."""
    tensors = (*filter(lambda each: each.requires_grad, model.parameters()), *model.buffers())
    return [tensor.detach() for tensor in tensors if tensor.is_floating_point()]


def _named(kind: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{kind}/{name}": tensor for name, tensor in tensors.items()}


def _part(kind: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    start = f"{kind}/"
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}
