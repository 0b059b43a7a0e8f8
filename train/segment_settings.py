"""How a lung segmenter is built and trained; light, so that ``--help`` waits for no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

from nlp.errors import TrainingError

SEGMENTER = "segmenter.safetensors"


@dataclass(frozen=True, kw_only=True)
class SegmentSettings:
    """All that decides a segmenter, apart from the data.

    Attributes:
        encoder: a name of segmentation-models-pytorch.
        weights: imagenet, none, or a file, as ``train.weights`` takes them.
        width: channels of the decoder's first stage; each of the next has half, 16 at least.
        size: side of the square input, pixels; five stages halve it.
        holdout: share of the pictures, by whole patients, that is never learnt from; the same share of the rest chooses
            the epoch.
    """

    encoder: str = "resnet34"
    weights: str = "imagenet"
    width: int = 256
    size: int = 256
    epochs: int = 20
    batch_size: int = 8
    learning_rate: float = 1e-3
    holdout: float = 0.2
    seed: int = 0

    def __post_init__(self) -> None:
        if problems := list(_problems(self)):
            raise TrainingError("\n".join(["the settings cannot be used:", *problems]))


def _problems(settings: SegmentSettings) -> Iterator[str]:
    if settings.size % 32 or settings.size < 64:
        yield f"size must be a multiple of 32 from 64; found {settings.size}"
    if not 0 < settings.holdout <= 0.5:
        yield f"holdout must be above 0 and at most 0.5; found {settings.holdout:g}"
    if not 0 < settings.learning_rate <= 1:
        yield f"learning_rate must be above 0 and at most 1; found {settings.learning_rate:g}"
    least = {"width": 16, "epochs": 1, "batch_size": 2, "seed": 0}
    for name in (each.name for each in fields(settings)):
        if name in least and getattr(settings, name) < least[name]:
            yield f"{name} must be at least {least[name]}; found {getattr(settings, name)}"
