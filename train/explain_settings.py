"""How maps are made; light, so that ``--help`` waits for no torch."""

from __future__ import annotations

from dataclasses import dataclass

OCCLUSION = "occlusion"
METHODS = ("gradcam++", "gradcam", OCCLUSION)


@dataclass(frozen=True)
class Settings:
    """A way to look into a network.

    Attributes:
        method: of ``METHODS``; the first ones are those of ``train.attention``.
        window: side of the square that occlusion covers, pixels of the network's input.
        stride: pixels from one square to the next.
    """

    method: str = "gradcam"
    window: int = 32
    stride: int = 16
