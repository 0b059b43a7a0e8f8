"""Pictures with masks of their lungs, read and divided by patient."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from nlp.errors import ContractError, ImageError, InputError, TrainingError
from train.image_forms import read_grey
from train.image_paths import chosen_images
from train.intensity import normalise
from train.label_rows import listed
from train.patient_names import patient_of
from train.segmenter import SCALE, square

IntArray = NDArray[np.int64]
_LUNG = 0.5
"""A mask is lung where it is brighter: 0 and 255 in the files."""


@dataclass(frozen=True, eq=False)
class LungPairs:
    """n pictures with their masks.

    Attributes:
        pixels: (n, 1, S, S) uint8.
        masks: (n, 1, S, S) uint8, 0 or 255.
        patients: (n,), whose they are.
    """

    paths: tuple[Path, ...]
    pixels: Tensor
    masks: Tensor
    patients: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def take(self, rows: IntArray) -> LungPairs:
        """These pictures, in this order."""
        chosen = torch.from_numpy(rows)
        paths, patients = (tuple(part[row] for row in rows) for part in (self.paths, self.patients))
        return LungPairs(paths, self.pixels[chosen], self.masks[chosen], patients)


def read_pairs(images: Path, masks: Path, *, size: int, patients: Path | None = None) -> LungPairs:
    """Every picture below a folder with the mask of the same stem.

    Args:
        patients: CSV with image (a name or a stem) and patient_id; None: by the files' names (``train.patient_names``).

    Raises:
        ImageError: pictures without a mask, masks of another shape, two pictures or masks of one stem, or files that
            cannot be read; all at once.
        InputError, ContractError: the table of patients cannot be read, or lacks a picture.
    """
    chosen, drawn = chosen_images([images]), chosen_images([masks])
    paths, mask_paths = ([each.path for each in part if not each.problem] for part in (chosen, drawn))
    of_stem = {path.stem: path for path in mask_paths}
    known = _read_patients(patients) if patients else None
    problems = [each.problem for each in (*chosen, *drawn) if each.problem]
    problems += [line for part in (paths, mask_paths) for line in _of_one_stem(part)]
    problems += [f"{path}: no mask {path.stem}.png in {masks}" for path in paths if path.stem not in of_stem]
    pairs = []
    for path in paths:
        try:
            if path.stem in of_stem:
                pairs.append(_pair(path, of_stem[path.stem], size))
        except ImageError as error:
            problems.append(str(error))
    if problems:
        raise ImageError(listed(f"{len(problems)} of {len(chosen)} pictures cannot be used:", problems))
    pixels, lungs = (torch.from_numpy(np.stack(part))[:, None] for part in zip(*pairs, strict=True))
    return LungPairs(tuple(paths), pixels, lungs, _patients(paths, known, patients))


def divide(patients: Sequence[str], share: float, *, seed: int) -> tuple[IntArray, IntArray, IntArray]:
    """Rows of train, val and test, ascending: patients are drawn until a set has its share of the pictures.

    Raises:
        TrainingError: there are fewer than three patients, or none is left to learn from.
    """
    names = sorted(set(patients))
    if len(names) < 3:
        raise TrainingError(f"train, val and test need three patients at least; there are {len(names)}")
    np.random.default_rng(seed).shuffle(names)
    rows = {name: np.flatnonzero(np.array(patients) == name) for name in names}
    sets: list[list[IntArray]] = [[], []]
    for chosen, wanted in zip(sets, (share, share * (1 - share)), strict=True):
        while names and (
            not chosen or sum(map(len, chosen)) + len(rows[names[-1]]) / 2 <= wanted * len(patients)
        ):
            chosen.append(rows[names.pop()])
    if not names:
        raise TrainingError("no patient is left to learn from: choose a smaller --holdout")
    test, val = (np.sort(np.concatenate(chosen)) for chosen in sets)
    return np.setdiff1d(np.arange(len(patients)), np.concatenate([test, val])), val, test


def _pair(path: Path, mask: Path, size: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    picture, drawn = read_grey(path), read_grey(mask)
    if picture.shape != drawn.shape:
        raise ImageError(
            f"{mask} is {drawn.shape[1]} x {drawn.shape[0]} pixels, its picture"
            f" {picture.shape[1]} x {picture.shape[0]}: a mask has the size of its picture"
        )
    if not (drawn > _LUNG).any():
        raise ImageError(f"{mask} is empty: it shows no lung")
    pixels = (square(normalise(picture, SCALE), size) * 255).round().clip(0, 255).astype(np.uint8)
    lungs = Image.fromarray((drawn > _LUNG).astype(np.uint8) * 255)
    return pixels, np.array(lungs.resize((size, size), Image.Resampling.NEAREST))


def _of_one_stem(paths: Sequence[Path]) -> Iterator[str]:
    """A line for each that has the stem of another before: which mask is whose would be a guess."""
    first: dict[str, Path] = {}
    for path in paths:
        if (before := first.setdefault(path.stem, path)) != path:
            yield f"{before} and {path} have the same stem, by which pictures and masks are paired: rename one"


def _patients(paths: Sequence[Path], known: Mapping[str, str] | None, table: Path | None) -> tuple[str, ...]:
    if known is None:
        return tuple(patient_of(path.stem) for path in paths)
    found = [known.get(path.name) or known.get(path.stem) for path in paths]
    missing = [path.name for path, patient in zip(paths, found, strict=True) if not patient]
    if missing:
        raise ContractError(listed(f"{table} says nothing of the patient of:", missing))
    return tuple(patient for patient in found if patient)


def _read_patients(table: Path) -> dict[str, str]:
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            if not {"image", "patient_id"} <= set(rows.fieldnames or ()):
                raise ContractError(f"{table} must have the columns image and patient_id")
            return {Path(row["image"]).name: row["patient_id"] for row in rows}
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{table} cannot be read as UTF-8 text: {error}") from error
