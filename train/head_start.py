"""Heads that start from a fit: logistic regression on what the pretrained backbone already sees.

Heads that start from nothing send large, senseless gradients through the backbone and bend its features before they
have learnt to use them; heads fitted first do not (Kumar et al. 2022, arXiv:2202.10054). A few augmented views of each
training image give the features; scikit-learn finds the heads' optimum, with a ridge.
"""

from __future__ import annotations

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from train.classes import UNKNOWN, class_targets
from train.config import Config
from train.network import LesionAttentionNetwork
from train.records import FloatArray, IntArray, Records
from train.views import pooled_views

_ITERATIONS = 1000
_LEAST_SPREAD = 1e-3  # of a pooled feature; one that never changes must not be blown up


def start_heads(
    config: Config, model: LesionAttentionNetwork, pixels: Tensor, records: Records, rows: IntArray
) -> None:
    """Set the standardisation of pooled features and both heads from the training records.

    A finding that the records do not show both present and absent keeps its random head, as does every finding in
    mode ``baseline``.

    Args:
        pixels: (n, C, S, S) uint8, one per record.
        rows: numbers of the training records.
    """
    features = pooled_views(config, model, pixels, rows, views=config.head_start)
    mean, std = features.mean(dim=0), features.std(dim=0).clamp_min(_LEAST_SPREAD)
    model.pooled_mean.copy_(mean)
    model.pooled_std.copy_(std)
    standard = ((features - mean) / std).cpu().numpy()
    heads = [(model.primary, 0, records.covid19[rows])]
    if config.mode == "ladnn":
        heads += [(model.lesions, column, cells) for column, cells in enumerate(records.findings[rows].T)]
    if model.classes is not None:
        known = class_targets(records.take(rows), model.class_names)
        _fit_classes(config, model, model.classes, standard, known)
    for head, row, targets in heads:
        _fit(head, row, standard, np.tile(targets, config.head_start), config.head_ridge * config.head_start)


@torch.no_grad()
def _fit(head: nn.Linear, row: int, features: FloatArray, targets: FloatArray, ridge: float) -> None:
    """Put the optimum for known targets (1, 0; NaN is masked) into one row of a head."""
    known = ~np.isnan(targets)
    if len(np.unique(targets[known])) < 2:
        return
    regression = LogisticRegression(C=1 / ridge, max_iter=_ITERATIONS)
    regression.fit(features[known], targets[known].astype(int))
    head.weight[row] = torch.from_numpy(regression.coef_[0]).to(head.weight)
    head.bias[row] = float(regression.intercept_[0])


@torch.no_grad()
def _fit_classes(
    config: Config, model: LesionAttentionNetwork, head: nn.Linear, features: FloatArray, targets: IntArray
) -> None:
    """Put the optimum of the classes' softmax into its head; as it is where the records lack a class."""
    targets = np.tile(targets, config.head_start)
    known = targets != UNKNOWN
    if len(np.unique(targets[known])) < len(model.class_names):
        return
    # two classes as two logits, half each way: scikit-learn fits one for the second
    regression = LogisticRegression(C=1 / (config.head_ridge * config.head_start), max_iter=_ITERATIONS)
    regression.fit(features[known], targets[known])
    weights, bias = regression.coef_, regression.intercept_
    if len(weights) == 1:
        weights, bias = np.concatenate([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    head.weight.copy_(torch.from_numpy(weights))
    head.bias.copy_(torch.from_numpy(bias))
