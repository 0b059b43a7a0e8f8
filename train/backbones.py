"""Backbones by their names: those of the papers are torchvision's, every other name is timm's."""

from __future__ import annotations

from difflib import get_close_matches

from nlp.errors import TrainingError
from train.backbone import Backbone
from train.backbones_torchvision import TORCHVISION, from_torchvision


def create_backbone(name: str, *, levels: int = 1) -> Backbone:
    """The backbone of that name with random weights from torch's CPU generator.

    Args:
        levels: resolutions of the feature maps, 1 or 2 (``Backbone.levels``).

    Raises:
        TrainingError: no such network (the nearest names are listed), or one without feature maps.
    """
    if name in TORCHVISION:
        return from_torchvision(name, levels=levels)
    import timm  # half a second, which the networks above do without

    from train.backbones_timm import from_timm

    if timm.is_model(name):
        return from_timm(name, levels=levels)
    known = sorted({*TORCHVISION, *timm.list_models()})
    near = ", ".join(get_close_matches(name, known, n=5, cutoff=0.5)) or ", ".join(TORCHVISION)
    raise TrainingError(f"there is no backbone {name!r}; near it: {near}; else any name that timm knows")
