"""Backbones: any network that turns an image into feature maps, by its name.

The names of ``TORCHVISION`` are those of the papers and mean torchvision's networks; every other name is timm's.
All end at feature maps ``(B, C, h, w)``, one set or two: those of the last resolution, and, with ``levels=2``, those of
the resolution before, side by side at the finer one. What comes after them (a classifier, VGG's and SqueezeNet's last
layers) is left out, and pooling takes its place for all (``train.network``), so that heat maps mean the same for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import timm
import torch
import torchvision
from torch import Tensor, nn
from torch.nn.functional import interpolate, relu

from nlp.errors import TrainingError

Levels = tuple[Tensor, Tensor]
"""Feature maps of a network's last two resolutions, the finer first."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
SMALLEST_IMAGE = 64
"""Pixels on a side that every backbone of ``TORCHVISION`` takes."""


@dataclass(frozen=True)
class Family:
    """How torchvision builds a kind of network: the name of its classifier, and the way to the feature maps."""

    classifier: str
    maps: Callable[[nn.Module, Tensor], Levels]


class Backbone(nn.Module):
    """A network without its classifier.

    Attributes:
        network: torchvision's or timm's own module, so that weights published for it fit by their keys.
        channels: C of the feature maps.
        levels: 1, the maps of the last resolution; 2, also those of the one before, which lie first.
        classifiers: names of the parts left out; a weights file may hold them.
        only_size: the one image size the network takes, or None for any from ``SMALLEST_IMAGE``.
        mean: of the red, green and blue that the published weights expect, for values from 0 to 1.
        std: the same for the standard deviation.
    """

    def __init__(
        self,
        name: str,
        network: nn.Module,
        maps: Callable[[nn.Module, Tensor], Levels],
        *,
        levels: int = 1,
        classifiers: tuple[str, ...],
        only_size: int | None = None,
        mean: tuple[float, ...] = IMAGENET_MEAN,
        std: tuple[float, ...] = IMAGENET_STD,
    ) -> None:
        super().__init__()
        self.name = name
        self.network = network
        self.classifiers = classifiers
        self.only_size = only_size
        self.mean, self.std = mean, std
        self.levels = levels
        self._maps = maps
        self.channels = self._count_channels()

    def forward(self, images: Tensor) -> Tensor:
        """Feature maps ``(B, C, h, w)`` of normalised images ``(B, 3, H, W)``."""
        if self.only_size and tuple(images.shape[2:]) != (self.only_size, self.only_size):
            found, size = "x".join(map(str, images.shape[2:])), self.only_size
            raise TrainingError(f"backbone {self.name} takes images of {size}x{size} only, not {found}")
        finer, last = self._maps(self.network, images)
        if self.levels == 1:
            return last
        return torch.cat([finer, interpolate(last, size=finer.shape[2:], mode="nearest")], dim=1)

    @torch.enable_grad()
    def freeze(self, trained: str) -> None:
        """Leave the gradients to a part of the layers.

        Args:
            trained: ``all``; ``last``, the layers after the resolution before the last; ``heads``, none.
        """
        if trained == "all":
            return
        size = self.only_size or SMALLEST_IMAGE
        parameters = list(self.parameters())
        finer, _ = self.eval()._maps(self.network, torch.zeros(1, 3, size, size))
        gradients = torch.autograd.grad(finer.sum(), parameters, allow_unused=True)
        for parameter, early in zip(parameters, gradients, strict=True):
            if trained == "heads" or early is not None:
                parameter.requires_grad_(False)
        self.train()

    @torch.no_grad()
    def _count_channels(self) -> int:
        size = self.only_size or SMALLEST_IMAGE
        self.eval()  # the statistics of batch normalisation stay as they are
        maps = self(torch.zeros(1, 3, size, size))
        self.train()
        return int(maps.shape[1])


def create_backbone(name: str, *, levels: int = 1) -> Backbone:
    """The backbone of that name with random weights from torch's CPU generator.

    Args:
        levels: resolutions of the feature maps, 1 or 2 (``Backbone.levels``).

    Raises:
        TrainingError: no such network (the nearest names are listed), or one without feature maps.
    """
    if name in TORCHVISION:
        return _from_torchvision(name, TORCHVISION[name], levels)
    if timm.is_model(name):
        return _from_timm(name, levels)
    known = sorted({*TORCHVISION, *timm.list_models()})
    near = ", ".join(get_close_matches(name, known, n=5, cutoff=0.5)) or ", ".join(TORCHVISION)
    raise TrainingError(f"there is no backbone {name!r}; near it: {near}; else any name that timm knows")


# ---- torchvision


def _last_two(stages: Iterable[nn.Module], images: Tensor) -> Levels:
    """What stages in a row give at their last resolution, and at the one before."""
    finer = images
    for stage in stages:
        before, images = images, stage(images)
        if images.shape[-1] < before.shape[-1]:
            finer = before
    return finer, images


def _features(network: nn.Module, images: Tensor) -> Levels:
    return _last_two(network.get_submodule("features").children(), images)


def _densenet_maps(network: nn.Module, images: Tensor) -> Levels:
    """Out of place, unlike torchvision: gradients of a heat map need the maps before the ReLU, too."""
    finer, last = _features(network, images)
    return finer, relu(last)


_RESNET_PARTS = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")


def _resnet_maps(network: nn.Module, images: Tensor) -> Levels:
    return _last_two(map(network.get_submodule, _RESNET_PARTS), images)


_VGG = _EFFICIENTNET = _SQUEEZENET = Family("classifier", _features)
_RESNET = Family("fc", _resnet_maps)
_DENSENET = Family("classifier", _densenet_maps)

TORCHVISION: Mapping[str, Family] = {
    "vgg16": _VGG,
    "vgg16_bn": _VGG,
    "resnet18": _RESNET,
    "resnet50": _RESNET,
    "densenet121": _DENSENET,
    "densenet161": _DENSENET,
    "densenet169": _DENSENET,
    "efficientnet_b0": _EFFICIENTNET,
    "efficientnet_b1": _EFFICIENTNET,
    "squeezenet1_0": _SQUEEZENET,
    "squeezenet1_1": _SQUEEZENET,
}


def _from_torchvision(name: str, family: Family, levels: int) -> Backbone:
    network = torchvision.models.get_model(name, weights=None)
    setattr(network, family.classifier, nn.Identity())
    return Backbone(name, network, family.maps, levels=levels, classifiers=(family.classifier,))


# ---- timm


def _from_timm(name: str, levels: int) -> Backbone:
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
