"""What the network is trained to make small: errors of the flag and of the findings, known cells only.

Targets are 1, 0 or NaN. NaN is masked: such a cell adds nothing to the loss and its logit gets a gradient of exactly 0.
Nothing here waits for the device, so every function can be recorded in a CUDA graph.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from train.records import FloatArray

PAPER_PRIMARY_WEIGHT = 5.0
PAPER_DIVISOR = 6.0
LARGEST_POSITIVE_WEIGHT = 10.0


def joint_loss(
    logits: Tensor,
    covid19: Tensor,
    findings: Tensor,
    *,
    primary_weight: float,
    lesion_weight: float,
    positive_weight: Tensor | None = None,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Error of the flag and error of the findings, each a mean over its known cells, then their weighted mean.

    A term without any known cell in the batch is 0, and so is its gradient.

    Args:
        logits: (B, 1 + F); column 0 is the flag, then the findings in order.
        covid19: (B,) targets; NaN is masked.
        findings: (B, F) targets; NaN is masked.
        primary_weight: share of the flag, at least 0; 0 leaves the flag out.
        lesion_weight: share of the findings, at least 0; 0 is the network without lesions (``baseline_loss``). Not both
            are 0, which ``train.config_check`` refuses: there would be nothing to learn.
        positive_weight: (F,) factors on the error where a finding is present; None is 1 for all.
        label_smoothing: from 0 to below 1: a target of 1 becomes 1 - s / 2, a target of 0 becomes s / 2.

    Returns:
        a scalar, at least 0.
    """
    primary = _masked_mean(*_errors(logits[:, 0], covid19, label_smoothing=label_smoothing))
    if lesion_weight == 0:
        return primary
    lesion = _masked_mean(
        *_errors(logits[:, 1:], findings, label_smoothing=label_smoothing, positive_weight=positive_weight)
    )
    return (primary_weight * primary + lesion_weight * lesion) / (primary_weight + lesion_weight)


def baseline_loss(logits: Tensor, covid19: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
    """The flag alone, a mean over the images whose flag is known; the findings' logits are not looked at."""
    return _masked_mean(*_errors(logits[:, 0], covid19, label_smoothing=label_smoothing))


def paper_loss(logits: Tensor, covid19: Tensor, findings: Tensor) -> Tensor:
    """The arithmetic of the code published with LA-DNN (arXiv:2003.13865 is its data, Liu et al. 2020 its method).

    The mean over all images of ``[5 · bce(covid19) + m · Σ bce(finding)] / 6``, where m is 1 for images with some
    finding present and 0 for all others: a control teaches the lesion head nothing. The divisor stays 6 however many
    findings there are. Published labels know no NaN; a masked cell adds 0 here, and its image still counts.
    The published code takes the logarithm of a sigmoid, cut off at -100; this form is equal below that and keeps its
    gradient beyond.
    """
    primary, _ = _errors(logits[:, 0], covid19)
    lesion, _ = _errors(logits[:, 1:], findings)
    some_present = (findings == 1).any(dim=1).to(logits.dtype)  # NaN equals nothing
    return ((PAPER_PRIMARY_WEIGHT * primary + some_present * lesion.sum(dim=1)) / PAPER_DIVISOR).mean()


def class_loss(logits: Tensor, classes: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
    """Cross-entropy of the one true class, a mean over the images whose class is known; 0 where none is.

    Args:
        logits: (B, K).
        classes: (B,) the place of the true class, or -1: unknown.
    """
    total = cross_entropy(logits, classes, ignore_index=-1, reduction="sum", label_smoothing=label_smoothing)
    return total / (classes >= 0).sum().clamp(min=1)


def positive_weights(findings: FloatArray, *, largest: float = LARGEST_POSITIVE_WEIGHT) -> Tensor:
    """Absent over present cells of each finding, between 1 and ``largest``: how much more a rare one counts.

    Args:
        findings: (n, F) targets of the training set; NaN cells are not counted.

    Returns:
        (F,) float32; 1 for a finding that is never present, which no weight can teach.
    """
    present = np.sum(findings == 1, axis=0)
    absent = np.sum(findings == 0, axis=0)
    ratio = np.where(present > 0, absent / np.maximum(present, 1), 1.0)
    return torch.from_numpy(np.clip(ratio, 1.0, largest).astype(np.float32))


def _errors(
    logits: Tensor, targets: Tensor, *, label_smoothing: float = 0.0, positive_weight: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Cross-entropy of every cell, 0 where masked, and which cells are known."""
    known = ~torch.isnan(targets)
    filled = torch.where(known, targets, 0.0).to(logits.dtype)
    smooth = filled * (1.0 - label_smoothing) + 0.5 * label_smoothing
    errors = binary_cross_entropy_with_logits(logits, smooth, pos_weight=positive_weight, reduction="none")
    return torch.where(known, errors, 0.0), known


def _masked_mean(errors: Tensor, known: Tensor) -> Tensor:
    """The sum over how many are known; 0 where none is, rather than 0 / 0."""
    return errors.sum() / known.sum().clamp(min=1)
