"""The optimizer: how it is made, how its rates follow the schedule, and how its memory is saved."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from train.config import Config


def make_optimizer(
    config: Config, groups: list[dict[str, object]], device: torch.device
) -> torch.optim.Optimizer:
    """AdamW, or Adam with L2 in the gradient; fused, with rates on the GPU that a graph can follow.

    Args:
        groups: each with ``params``, ``weight_decay`` and ``lr``.
    """
    kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    graphed = device.type == "cuda"
    for group in groups:
        group["rate"] = group["lr"]
        if graphed:
            group["lr"] = torch.tensor(group["rate"], device=device)
    return kind(groups, lr=config.learning_rate, fused=True, capturable=graphed)


def set_rates(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Every group's learning rate becomes this share of its highest."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(group["rate"] * factor)
        else:
            group["lr"] = group["rate"] * factor


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimizer's memory by name, ``PARAMETER.NAME``."""
    state = optimizer.state_dict()["state"]
    return {f"{number}.{name}": tensor for number, each in state.items() for name, tensor in each.items()}


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put the memory back that ``optimizer_tensors`` took.

    Each tensor gets the layout of its parameter: fused kernels walk both in the order they lie in memory, so
    a contiguous memory beside a channels-last parameter would belong to other weights.
    """
    parameters = [each for group in optimizer.param_groups for each in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        number, _, kind = name.partition(".")
        like = parameters[int(number)]
        laid_out = torch.empty_like(like).copy_(tensor) if tensor.shape == like.shape else tensor
        state.setdefault(int(number), {})[kind] = laid_out
    optimizer.load_state_dict(optimizer.state_dict() | {"state": state})
