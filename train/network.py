"""The network: one backbone and a head each for the COVID-19 flag, the findings, and named classes where asked for.

Liu et al. 2020 (LA-DNN, doi:10.1101/2020.05.11.20097907): the findings are learnt beside the flag, from the same
features, so that the features attend to lesions. All heads are linear on pooled feature maps, whatever the backbone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn

from train.backbone import Backbone


@dataclass(frozen=True)
class ImageSettings:
    """How images were prepared for a network, which is how it must see them ever after."""

    size: int = 224
    crop: str = "lungs"
    normalise: str = "percentile"
    channels: str = "grey"


_LEAST_VARIANCE = 1e-5


class LesionAttentionNetwork(nn.Module):
    """Images in, logits out; normalisation is part of the network.

    Attributes:
        finding_keys: the findings in the order of the logits 1 to F.
        image_settings: what the images it was trained on went through.
        pooling: ``mean`` over each feature map, or ``mean_std``, its standard deviation beside it: a texture such as
            crazy paving shows in how much a map varies.
        class_names: of the logits behind the findings', of which every image has one; none by default.
        frozen_norm: whether batch normalisation of the backbone keeps its statistics while training.
    """

    mean: Tensor
    std: Tensor
    pooled_mean: Tensor
    pooled_std: Tensor

    def __init__(
        self,
        backbone: Backbone,
        *,
        finding_keys: Sequence[str],
        dropout: float = 0.0,
        image_settings: ImageSettings | None = None,
        pooling: str = "mean",
        frozen_norm: bool = False,
        class_names: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.pooling, self.frozen_norm = pooling, frozen_norm
        pooled = backbone.channels * (2 if pooling == "mean_std" else 1)
        # what pooled features are standardised by; ``train.head_start`` sets it
        self.register_buffer("pooled_mean", torch.zeros(pooled))
        self.register_buffer("pooled_std", torch.ones(pooled))
        self.finding_keys = tuple(finding_keys)
        self.image_settings = image_settings or ImageSettings()
        self.register_buffer("mean", torch.tensor(backbone.mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(backbone.std).view(1, 3, 1, 1))
        self.backbone = backbone
        self.dropout = nn.Dropout(dropout)
        self.primary = nn.Linear(pooled, 1)
        self.lesions = nn.Linear(pooled, len(self.finding_keys))
        self.class_names = tuple(class_names)
        self.classes = nn.Linear(pooled, len(self.class_names)) if class_names else None

    @property
    def flags(self) -> int:
        """1 + F: logits that are each a question of their own; those of the classes come behind them."""
        return 1 + len(self.finding_keys)

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(B, 1 + F + K)`` of images ``(B, 1 or 3, H, W)`` from 0 to 1: the flag, findings, classes in order.

        Pooled features ``(B, P)`` that were kept of images may stand for them.
        """
        if images.ndim == 2:
            return self.forward_pooled(images)
        return self.forward_head(self.forward_features(images))

    def forward_features(self, images: Tensor) -> Tensor:
        """Feature maps ``(B, C, h, w)``; one grey channel stands for all three colours."""
        maps: Tensor = self.backbone((images - self.mean) / self.std)  # the mean makes (B, 3, …) of (B, 1, …)
        return maps

    def forward_head(self, features: Tensor) -> Tensor:
        """Logits ``(B, 1 + F + K)`` of feature maps."""
        return self.forward_pooled(self.pool(features))

    def forward_pooled(self, pooled: Tensor) -> Tensor:
        """Logits ``(B, 1 + F + K)`` of pooled features ``(B, P)``, in the precision of the weights even under autocast.

        A logit in bfloat16 has two or three digits, too few for a loss or a ranking.
        """
        with torch.autocast(pooled.device.type, enabled=False):
            standard = self.dropout((pooled - self.pooled_mean) / self.pooled_std)
            heads = (self.primary, self.lesions, self.classes)
            return torch.cat([head(standard) for head in heads if head is not None], dim=1)

    def pool(self, features: Tensor) -> Tensor:
        """Pooled features ``(B, P)`` of feature maps ``(B, C, h, w)``, not yet standardised."""
        maps = features.to(self.primary.weight.dtype)
        mean = maps.mean(dim=(2, 3))
        if self.pooling == "mean":
            return mean
        variance = maps.var(dim=(2, 3), correction=0)
        return torch.cat([mean, (variance + _LEAST_VARIANCE).sqrt()], dim=1)

    def pooled_maps(self, features: Tensor) -> Tensor:
        """Maps ``(B, P, h, w)`` whose means are the pooled features: where each of them comes from.

        A standard deviation is the mean of the squared distances from the map's mean, each over the standard deviation.
        """
        if self.pooling == "mean":
            return features
        mean, std = (part[:, :, None, None] for part in self.pool(features).chunk(2, dim=1))
        return torch.cat([features, (features - mean) ** 2 / std], dim=1)

    def train(self, mode: bool = True) -> Self:
        """As usual, but for batch normalisation under ``frozen_norm``."""
        super().train(mode)
        if self.frozen_norm:
            for module in self.backbone.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()
        return self
