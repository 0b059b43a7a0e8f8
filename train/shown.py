"""Images with the maps of one network or two laid over them, and what is known of lesions there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from train.explainer import Explained, Explainer, Unreadable
from train.image_forms import FloatArray
from train.lesion_marks import LesionBox, Marks
from train.lung_parts import BoolArray


@dataclass(frozen=True, eq=False)
class Shown:
    """One image.

    Attributes:
        picture: (height, width) in [0, 1].
        runs: names of the networks: the run, then the one it is compared with.
        found: what each of them gives.
        maps: of each of them (K, height, width), over the whole picture.
        masks: finding to where it lies; without those that are not known to be there.
        boxes: the boxes among them.
    """

    path: Path
    picture: FloatArray
    runs: tuple[str, ...]
    found: tuple[Explained, ...]
    maps: tuple[FloatArray, ...]
    masks: Mapping[str, BoolArray]
    boxes: tuple[LesionBox, ...]


def show(networks: Sequence[Explainer], images: Sequence[Path], marks: Marks) -> Iterator[Shown | Unreadable]:
    """Every image in order.

    Raises:
        ImageError: a mask cannot be read or does not fit.
        ContractError: a box does not lie in its image.
    """
    for path, each in zip(
        images, zip(*(network.explain(images) for network in networks), strict=True), strict=True
    ):
        made = [one for one in each if not isinstance(one, Unreadable)]
        if len(made) < len(networks):
            yield next(one for one in each if isinstance(one, Unreadable))
            continue
        picture, found = made[0][0], tuple(one for _, one in made)
        shape = found[0].shape
        yield Shown(
            path=path,
            picture=picture,
            runs=tuple(network.name for network in networks),
            found=found,
            maps=tuple(one.on_image() for one in found),
            masks=marks.of(path, shape),
            boxes=marks.boxes_of(path, shape),
        )
