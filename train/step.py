"""One training step: change the images (or take kept features), predict, compare, move the weights a little.

Nothing in it waits for the device, so a GPU can replay it as a CUDA graph; a CPU runs the same lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from nlp.errors import TrainingError
from train.augment import augment
from train.classes import class_targets
from train.config import Config
from train.devices import autocast, choose_precision, place
from train.loss import baseline_loss, class_loss, joint_loss, paper_loss, positive_weights
from train.records import IntArray, Records


@dataclass(frozen=True)
class Data:
    """What a step reads.

    Attributes:
        inputs: (n, C, S, S) uint8 images, or (n, P) pooled features with ``views``; on the device, or in host memory
            where they would fill it.
        covid19: (n,) targets on the device, NaN is masked.
        findings: (n, F) targets on the device, NaN is masked.
        classes: (n,) place of each class on the device, -1 is masked; None where none are learnt.
        positive_weight: (F,) or None.
        generator: of the device, for the augmentation.
    """

    inputs: Tensor
    covid19: Tensor
    findings: Tensor
    classes: Tensor | None
    positive_weight: Tensor | None
    generator: torch.Generator

    @property
    def device(self) -> torch.device:
        """Where the arithmetic happens."""
        return self.covid19.device

    @property
    def on_host(self) -> bool:
        """Whether every step brings its inputs to the device."""
        return self.inputs.device != self.device


def place_data(
    config: Config,
    inputs: Tensor,
    records: Records,
    train_rows: IntArray,
    device: torch.device,
    *,
    class_names: Sequence[str] = (),
) -> Data:
    """Inputs and targets on the device; weights for rare findings from the training rows."""
    weight = positive_weights(records.findings[train_rows]).to(device) if config.positive_weights else None
    classes = torch.from_numpy(class_targets(records, class_names)).to(device) if class_names else None
    return Data(
        inputs=place(inputs, device),
        covid19=torch.from_numpy(records.covid19).to(device),
        findings=torch.from_numpy(records.findings).to(device),
        classes=classes,
        positive_weight=weight,
        generator=torch.Generator(device),
    )


class Step:
    """A step over given rows of the training data; sums what it saw on the device.

    A gradient that is not finite is never applied: from that step on the weights stay as they were, and
    ``check`` raises. A CPU checks at every step, a GPU when an epoch ends, because asking would make it wait.

    Args:
        model: called with images (B, C, S, S) in [0, 1] or pooled features (B, P), gives logits (B, 1 + F + K).
        loss_sum: scalar on the device that the loss of every image is added to.

    Attributes:
        place: what an error says of where it happened.
    """

    def __init__(
        self,
        config: Config,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        data: Data,
        loss_sum: Tensor,
    ) -> None:
        self._config, self._model, self._optimizer, self._data = config, model, optimizer, data
        self.place = "training"
        self._loss_sum, self._device = loss_sum, data.device
        self._parameters = [p for group in optimizer.param_groups for p in group["params"]]
        self._precision = choose_precision(config.precision, data.device)
        self._bad = torch.zeros((), device=data.device)
        self._steps = torch.zeros((), device=data.device)
        self._first_bad = torch.full((), -1.0, device=data.device)
        # fused optimizers skip the update where this is 1, without asking the host
        optimizer.found_inf = self._bad  # type: ignore[attr-defined]

    def __call__(self, rows: Tensor) -> None:
        """Learn from these rows, (B,) on the device of ``inputs``."""
        config, data = self._config, self._data
        seen = data.inputs[rows].to(self._device, non_blocking=True)
        rows = rows.to(self._device, non_blocking=True)
        if not config.views:
            seen = augment(seen, ranges=config.augmentation, size=config.image_size, generator=data.generator)
            seen = seen.contiguous(memory_format=torch.channels_last)
        with autocast(self._device, self._precision):
            logits = self._model(seen).float()
        classes = None if data.classes is None else data.classes[rows]
        loss = batch_loss(
            config, logits, data.covid19[rows], data.findings[rows], data.positive_weight, classes
        )
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = clip_grad_norm_(self._parameters, config.clip_norm or torch.inf, foreach=True)
        self._note(norm, loss.detach() * len(rows))
        self._optimizer.step()

    def check(self) -> None:
        """Wait for the device, and stop if a gradient was not finite.

        Raises:
            TrainingError: with the step, counted from the start of this process.
        """
        if self._bad.item():
            raise TrainingError(
                f"{self.place}: the gradient is not finite at step {int(self._first_bad.item()) + 1}. The weights were"
                " not touched by it. Lower --learning-rate, or use --precision float32"
            )

    def _note(self, norm: Tensor, loss: Tensor) -> None:
        bad = ~torch.isfinite(norm)
        first = bad & (self._bad == 0)
        self._first_bad.copy_(torch.where(first, self._steps, self._first_bad))
        self._bad.copy_(torch.maximum(self._bad, bad.float()))
        self._steps.add_(1)
        self._loss_sum.add_(loss.double())
        if self._device.type == "cpu" and bad:
            self.check()


def batch_loss(
    config: Config,
    logits: Tensor,
    covid19: Tensor,
    findings: Tensor,
    positive_weight: Tensor | None,
    classes: Tensor | None = None,
) -> Tensor:
    """The loss that the settings ask for, and the classes' beside it where there are any."""
    flags = 1 + findings.shape[1]
    loss = _flags_loss(config, logits[:, :flags], covid19, findings, positive_weight)
    if classes is None:
        return loss
    found = class_loss(logits[:, flags:], classes, label_smoothing=config.label_smoothing)
    return loss + config.class_weight * found


def _flags_loss(
    config: Config, logits: Tensor, covid19: Tensor, findings: Tensor, positive_weight: Tensor | None
) -> Tensor:
    """Of the flag and the findings; ``mode = baseline`` is the flag's part of it alone."""
    if config.loss == "paper":
        return paper_loss(logits, covid19, findings if config.mode == "ladnn" else torch.zeros_like(findings))
    if config.mode == "baseline":
        return baseline_loss(logits, covid19, label_smoothing=config.label_smoothing)
    return joint_loss(
        logits,
        covid19,
        findings,
        primary_weight=config.primary_weight,
        lesion_weight=config.lesion_weight,
        positive_weight=positive_weight,
        label_smoothing=config.label_smoothing,
    )


def batches(order: Tensor, size: int, *, rank: int = 0, world: int = 1) -> Iterator[Tensor]:
    """This process's rows of every step: each ``world``-th of the step's ``size`` records.

    The last step may be smaller. It is left out where a process would get fewer than the two records that
    batch normalisation needs; another epoch's order brings those records in.
    """
    for start in range(0, len(order), size):
        batch = order[start : start + size]
        if len(batch) >= 2 * world:
            yield batch[rank::world]
