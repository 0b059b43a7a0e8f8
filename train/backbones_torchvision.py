"""The backbones of the papers, by torchvision's names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torchvision
from torch import Tensor, nn
from torch.nn.functional import relu

from train.backbone import Backbone, Levels


@dataclass(frozen=True)
class Family:
    """How torchvision builds a kind of network: the name of its classifier, and the way to the feature maps."""

    classifier: str
    maps: Callable[[nn.Module, Tensor], Levels]


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


def from_torchvision(name: str, *, levels: int) -> Backbone:
    """The backbone of a name in ``TORCHVISION``."""
    family = TORCHVISION[name]
    network = torchvision.models.get_model(name, weights=None)
    setattr(network, family.classifier, nn.Identity())
    return Backbone(name, network, family.maps, levels=levels, classifiers=(family.classifier,))
