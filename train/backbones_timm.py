"""Any network of timm as a backbone, as far as it gives feature maps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import timm
import torch
from torch import Tensor, nn

from nlp.errors import TrainingError
from train.backbone import IMAGENET_MEAN, IMAGENET_STD, SMALLEST_IMAGE, Backbone, Levels


def from_timm(name: str, *, levels: int) -> Backbone:
    """The backbone of one of timm's names.

    Raises:
        TrainingError: the network gives no feature maps of an RGB image.
    """
    network = _timm_network(name)
    config: Mapping[str, Any] = network.pretrained_cfg
    fixed = config.get("fixed_input_size") and not getattr(network, "dynamic_img_size", False)
    classifiers = config.get("classifier") or ()
    try:
        backbone = Backbone(
            name,
            network,
            _timm_maps,
            levels=levels,
            classifiers=(classifiers,) if isinstance(classifiers, str) else tuple(classifiers),
            only_size=int(config["input_size"][1]) if fixed else None,
            mean=tuple(config.get("mean", IMAGENET_MEAN)),
            std=tuple(config.get("std", IMAGENET_STD)),
        )
        _freeze_what_follows(backbone)
    # timm's networks have no common error for this: each fails in its own way at the first picture
    except (AssertionError, AttributeError, NotImplementedError, RuntimeError, TypeError) as error:
        raise TrainingError(
            f"backbone {name} gives no feature maps of an RGB image; choose another, such as densenet169"
        ) from error
    return backbone


@torch.enable_grad()
def _freeze_what_follows(backbone: Backbone) -> None:
    """Layers after the last feature map have no part in the result; DDP waits for their gradients in vain."""
    size = backbone.only_size or SMALLEST_IMAGE
    parameters = list(backbone.parameters())
    maps = backbone.eval()(torch.zeros(1, 3, size, size))
    gradients = torch.autograd.grad(maps.sum(), parameters, allow_unused=True)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.requires_grad_(gradient is not None)
    backbone.train()


def _timm_network(name: str) -> Any:
    try:  # transformers that can take any image size
        return timm.create_model(name, num_classes=0, global_pool="", dynamic_img_size=True)
    except TypeError:
        return timm.create_model(name, num_classes=0, global_pool="")


def _timm_maps(network: nn.Module, images: Tensor) -> Levels:
    """The maps of the last two stages; of transformers, which keep one resolution, of the last two blocks."""
    finer, last = network.forward_intermediates(  # type: ignore[operator]
        images, indices=2, norm=True, output_fmt="NCHW", intermediates_only=True
    )
    return finer, last
