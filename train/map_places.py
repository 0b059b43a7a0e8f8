"""From a map at the size of feature maps back to the pixels of the image file."""

from __future__ import annotations

import torch
from torch.nn.functional import interpolate

from train.image_forms import FloatArray
from train.lungs import Box


def on_image(maps: FloatArray, box: Box, shape: tuple[int, int]) -> FloatArray:
    """Maps over the whole picture: what the network saw lies in ``box``, all outside is 0.

    A cell of the map is taken for the part of the box that it covers, and values between cell centres are bilinear.

    Args:
        maps: (K, h, w), at feature size or at that of the network's input.
        box: top, left, bottom, right of the part that the network saw, in pixels of the picture, half-open.
        shape: height and width of the picture.

    Returns:
        (K, height, width) float32.
    """
    top, left, bottom, right = box
    whole = torch.zeros(len(maps), *shape)
    stretched = interpolate(
        torch.from_numpy(maps)[None], size=(bottom - top, right - left), mode="bilinear", antialias=True
    )
    whole[:, top:bottom, left:right] = stretched[0]
    placed: FloatArray = whole.numpy()
    return placed


def box_in(box: Box, shape: tuple[int, int], reduced: tuple[int, int]) -> Box:
    """A box of a picture of that ``shape``, (height, width), in the pixels of the same picture reduced; no part is lost."""
    (height, width), (less_high, less_wide) = shape, reduced
    low = box[0] * less_high // height, box[1] * less_wide // width
    return *low, -(-box[2] * less_high // height), -(-box[3] * less_wide // width)


def scaled(maps: FloatArray) -> FloatArray:
    """Each map (…, h, w) divided by its own maximum, for the eye: 1 is where it is strongest; an empty map stays 0.

    Values below 0, which occlusion has, stay below.
    """
    highest = maps.max(axis=(-2, -1), keepdims=True)
    shares: FloatArray = maps / (highest * (highest > 0) + (highest <= 0))
    return shares
