"""Whether an image is like those a network was trained on, and which of them it is most like.

Pooled features of the training images lie near a few main axes. An image whose features leave these axes farther than
nearly all of val did is out of the ordinary: the residual of Wang et al. 2022 (ViM, arXiv:2203.10807). Val alone
decides how far that is. Along the axes, the nearest training images are the most similar ones.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from safetensors.numpy import load, save

from nlp.errors import CheckpointError
from train.records import FloatArray
from train.sealed import metadata, read_sealed, write_sealed

NEIGHBOURS = "neighbours.safetensors"
FAR = "unlike the training images"
VAL_WITHIN = 0.97
"""Part of val that is called ordinary."""
_AXES, _IMAGES_PER_AXIS = 64, 4
_LEAST = 1e-6


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The training images of a run in the space of its features, P of them along A axes.

    Attributes:
        images: their names in labels.csv, n.
        mean: (P,), of the training images.
        scale: (P,), their standard deviation.
        axes: (A, P), orthonormal.
        points: (n, A), the training images along the axes, each of unit length.
        limit: the distance above which an image is far.
    """

    images: tuple[str, ...]
    mean: FloatArray
    scale: FloatArray
    axes: FloatArray
    points: FloatArray
    limit: float

    def distances(self, features: FloatArray) -> FloatArray:
        """(m,) how far pooled features (m, P) lie off the axes, in standard deviations of one feature."""
        standard = (features - self.mean) / self.scale
        off = standard - standard @ self.axes.T @ self.axes
        found: FloatArray = np.sqrt((off**2).mean(axis=1))
        return found

    def warnings(self, features: FloatArray) -> list[str]:
        """A sentence for each image that is far, blank for others."""
        return [FAR if far else "" for far in self.distances(features) > self.limit]

    def nearest(self, features: FloatArray, count: int) -> list[list[str]]:
        """For each row of features (m, P) the names of the most similar training images, nearest first."""
        likeness = self.placed(features) @ self.points.T
        order = np.argsort(-likeness, axis=1, kind="stable")[:, :count]
        return [[self.images[place] for place in row] for row in order]

    def placed(self, features: FloatArray) -> FloatArray:
        """(m, A): where features (m, P) lie along the axes, of unit length."""
        along = (features - self.mean) / self.scale @ self.axes.T
        made: FloatArray = along / (np.linalg.norm(along, axis=1, keepdims=True) + _LEAST)
        return made


def fit_neighbours(images: Sequence[str], train: FloatArray, val: FloatArray) -> Neighbours:
    """Neighbours from pooled features: (n, P) of the training images with these names, and (v, P) of val."""
    mean, scale = train.mean(axis=0), train.std(axis=0) + _LEAST
    _, _, axes = np.linalg.svd((train - mean) / scale, full_matrices=False)
    axes = axes[: max(1, min(_AXES, len(train) // _IMAGES_PER_AXIS))]
    none = np.zeros((0, len(axes)), np.float32)
    made = Neighbours(tuple(images), mean, scale, axes, none, float("inf"))
    limit = float(np.quantile(made.distances(val), VAL_WITHIN)) if len(val) else float("inf")
    return replace(made, points=made.placed(train), limit=limit)


def write_neighbours(made: Neighbours, run: Path) -> None:
    """Keep them in the folder of a run.

    Raises:
        OutputError: disk full, folder read-only or the like.
    """
    arrays = {name: getattr(made, name) for name in ("mean", "scale", "axes", "points")}
    tensors = {name: np.ascontiguousarray(value, dtype=np.float32) for name, value in arrays.items()}
    facts = {"images": json.dumps(made.images), "limit": json.dumps(made.limit)}
    write_sealed(run / NEIGHBOURS, save(tensors, metadata=facts))


def read_neighbours(run: Path) -> Neighbours | None:
    """Those of a run; None for a run made before there were any (``python -m train.neighbours`` adds them).

    Raises:
        CheckpointError: the file is damaged.
    """
    if not (run / NEIGHBOURS).exists():
        return None
    content = read_sealed(run / NEIGHBOURS)
    try:
        facts = metadata(content)
        return Neighbours(
            tuple(json.loads(facts["images"])), limit=json.loads(facts["limit"]), **load(content)
        )
    except (LookupError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{run / NEIGHBOURS} holds no neighbours of a run: {type(error).__name__}"
        ) from error
