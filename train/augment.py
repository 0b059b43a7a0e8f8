"""Augmentation of a batch on its device: every image its own draw, nothing waits for the host.

One draw of fixed shape feeds all steps, so that switching one off leaves the others as they were, and
so that the whole can be captured in a CUDA graph (register the generator with the graph).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from nlp.errors import TrainingError


def _setting(default: Any, text: str) -> Any:
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class Augmentation:
    """How far images are changed at random; every range is drawn from uniformly, for each image alone.

    Raises:
        TrainingError: names every range that is impossible.
    """

    scale: tuple[float, float] = _setting((0.8, 1.2), "size of the slice, 1 1 for off")
    rotation_degrees: float = _setting(10.0, "largest turn either way, 0 for off")
    shift: float = _setting(0.05, "largest shift of either axis as a share of the side, 0 for off")
    flip: float = _setting(0.5, "probability of mirroring left and right, 0 for off")
    brightness: float = _setting(0.1, "largest change of all values either way, 0 for off")
    contrast: tuple[float, float] = _setting((0.8, 1.25), "factor on the distance from the mean, 1 1 for off")
    gamma: tuple[float, float] = _setting((0.7, 1.4), "exponent on the values, 1 1 for off")
    noise: float = _setting(0.03, "largest standard deviation of the noise, 0 for off")
    blur: float = _setting(0.0, "largest standard deviation of the blur in pixels, 0 for off")
    degrade: float = _setting(1.0, "coarsest resolution to fall to, as a factor; 1 for off")
    erase: float = _setting(0.0, "largest side of a grey patch as a share of the side, 0 for off")

    @classmethod
    def off(cls) -> Augmentation:
        """Nothing is changed: ``augment`` gives what ``plain`` gives."""
        one = (1.0, 1.0)
        return cls(one, 0, 0, flip=0, brightness=0, contrast=one, gamma=one, noise=0)

    def __post_init__(self) -> None:
        for name in ("scale", "contrast", "gamma"):  # lists when they come from a file of settings
            object.__setattr__(self, name, tuple(getattr(self, name)))
        problems = list(_impossible(self))
        if problems:
            raise TrainingError("\n".join(["impossible augmentation:", *problems]))


def augment(pixels: Tensor, *, ranges: Augmentation, size: int, generator: torch.Generator) -> Tensor:
    """Changed copies of images, each by its own draw.

    Args:
        pixels: ``(n, C, s, s)`` uint8; channels of an image are moved alike, each about its own mean.
        generator: of the device of ``pixels``.

    Returns:
        ``(n, C, size, size)`` float32 in [0, 1].
    """
    draws = torch.rand((len(_DRAWS), len(pixels), 1, 1, 1), generator=generator, device=pixels.device)
    draw = dict(zip(_DRAWS, draws.unbind(), strict=True))
    if ranges.flip:
        pixels = torch.where(draw["flip"] < ranges.flip, pixels.flip(-1), pixels)
    images = plain(pixels, size=size)
    images = _moved(images, ranges, draw)
    images = _coarser(images, ranges, draw)
    images = _shaded(images, ranges, draw)
    if ranges.noise:
        noise = torch.randn(images.shape, generator=generator, device=images.device)
        images = images.addcmul(noise, draw["noise"] * ranges.noise)
    return _erased(images, ranges, draw).clamp_(0, 1)


def plain(pixels: Tensor, *, size: int) -> Tensor:
    """Images unchanged, ``(n, C, s, s)`` uint8 to ``(n, C, size, size)`` float32 in [0, 1]."""
    images = pixels.float() / 255
    if images.shape[-2:] == (size, size):
        return images
    return functional.interpolate(images, (size, size), mode="bilinear", antialias=True)


_DRAWS = (
    *("flip", "scale", "rotation", "shift_x", "shift_y", "degrade", "blur", "gamma", "contrast"),
    *("brightness", "noise", "erase_x", "erase_y", "erase_width", "erase_height", "erase_value"),
)
Draw = dict[str, Tensor]


def _within(draw: Tensor, low: float, high: float) -> Tensor:
    return low + (high - low) * draw


def _moved(images: Tensor, ranges: Augmentation, draw: Draw) -> Tensor:
    """Scaled, turned and shifted in one sampling; what comes in at the edge repeats the edge."""
    if ranges.scale == (1, 1) and not ranges.rotation_degrees and not ranges.shift:
        return images
    zoom = 1 / _within(draw["scale"], *ranges.scale)
    angle = math.radians(ranges.rotation_degrees)
    turn = _within(draw["rotation"], -angle, angle)
    along, across = zoom * turn.cos(), zoom * turn.sin()
    shift_x, shift_y = (_within(draw[name], -2, 2) * ranges.shift for name in ("shift_x", "shift_y"))
    # functional.affine_grid, in a fraction of its time: what x and what y add to both coordinates
    side = images.shape[-1]
    places = (torch.arange(side, device=images.device) * 2 + 1) / side - 1  # pixel centres from -1 to 1
    by_x = torch.stack([along * places, across * places], dim=-1)
    by_y = torch.stack([shift_x - across * places, shift_y + along * places], dim=-1)
    grid = by_x.view(-1, 1, side, 2) + by_y.view(-1, side, 1, 2)
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)


def _coarser(images: Tensor, ranges: Augmentation, draw: Draw) -> Tensor:
    """Less resolution, as sources differ in it: part of the way to a smaller copy, then blurred."""
    if ranges.degrade > 1:
        side = images.shape[-1]
        small = functional.interpolate(
            images, (max(1, round(side / ranges.degrade)),) * 2, mode="bilinear", antialias=True
        )
        coarse = functional.interpolate(small, (side, side), mode="bilinear")
        images = torch.lerp(images, coarse, draw["degrade"])
    if ranges.blur:
        images = _blurred(images, draw["blur"] * ranges.blur, reach=math.ceil(2 * ranges.blur))
    return images


def _blurred(images: Tensor, deviations: Tensor, *, reach: int) -> Tensor:
    """Every image under its own Gaussian: one convolution with an image as a channel, along each axis."""
    steps = torch.arange(-reach, reach + 1, device=images.device)
    kernels = torch.exp(-(steps**2) / (2 * deviations.clamp(min=1e-3) ** 2))
    kernels = kernels / kernels.sum(dim=-1, keepdim=True)
    batch = functional.pad(images.transpose(0, 1), (reach,) * 4, mode="replicate")
    batch = functional.conv2d(batch, kernels, groups=len(images))
    return functional.conv2d(batch, kernels.transpose(2, 3), groups=len(images)).transpose(0, 1)


def _shaded(images: Tensor, ranges: Augmentation, draw: Draw) -> Tensor:
    if ranges.gamma != (1, 1):
        images = images.pow(_within(draw["gamma"], *ranges.gamma))
    if ranges.contrast == (1, 1) and not ranges.brightness:
        return images
    contrast = _within(draw["contrast"], *ranges.contrast)
    added = _within(draw["brightness"], -ranges.brightness, ranges.brightness)
    added = added + (1 - contrast) * images.mean(dim=(2, 3), keepdim=True)
    return torch.addcmul(added, images, contrast)


def _erased(images: Tensor, ranges: Augmentation, draw: Draw) -> Tensor:
    """A rectangle of one shade, somewhere."""
    if not ranges.erase:
        return images
    places = torch.linspace(0, 1, images.shape[-1], device=images.device)
    half = ranges.erase / 2
    across = (places - draw["erase_x"]).abs() < draw["erase_width"] * half
    down = (places[:, None] - draw["erase_y"]).abs() < draw["erase_height"] * half
    return torch.where(across & down, draw["erase_value"], images)


def _impossible(ranges: Augmentation) -> list[str]:
    """A line for each range with which no image could be made."""
    problems = []
    for name in (item.name for item in fields(ranges)):
        value = getattr(ranges, name)
        if isinstance(value, tuple):
            allowed = len(value) == 2 and 0 < value[0] <= value[1]
            wanted = "two numbers, 0 < low <= high"
        elif name == "degrade":
            allowed, wanted = value >= 1, "1 or more"
        else:
            highest = {"rotation_degrees": 180, "blur": 20}.get(name, 1)
            allowed, wanted = 0 <= value <= highest, f"from 0 to {highest}"
        if not allowed:
            problems.append(f"{name} = {value}: must be {wanted}")
    return problems
