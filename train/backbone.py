"""A backbone: a network without its classifier, which turns an image into feature maps.

All end at feature maps ``(B, C, h, w)``, one set or two: those of the last resolution, and, with ``levels=2``, those of
the resolution before, side by side at the finer one. What comes after them (a classifier, VGG's and SqueezeNet's last
layers) is left out, and pooling takes its place for all (``train.network``), so that heat maps mean the same for each.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from nlp.errors import TrainingError

Levels = tuple[Tensor, Tensor]
"""Feature maps of a network's last two resolutions, the finer first."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
SMALLEST_IMAGE = 64
"""Pixels on a side that every backbone of torchvision takes."""


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
