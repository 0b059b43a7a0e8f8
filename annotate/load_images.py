"""The image folder when a table is loaded: the file of every row, and images that no row names."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa

from nlp.ids import made_up_patients
from nlp.image_names import IMAGE_SUFFIXES, find_images
from nlp.schema import label_columns


def image_files(names: Sequence[str], folder: Path) -> dict[str, str]:
    """The file of every image name, as a path below the folder.

    Raises:
        ImageError: lists every name without a file or with several, and names that mean one file.
    """
    found = find_images(names, folder)
    return {name: path.relative_to(folder).as_posix() for name, path in zip(names, found, strict=True)}


def images_without_row(folder: Path, taken: Collection[str], findings: Sequence[str]) -> pd.DataFrame:
    """A row of the contract for each image file that no record has: no text, a made-up patient, no labels.

    Args:
        taken: files that belong to a record, as paths below the folder.
    """
    return rows_without_text(sorted(set(_images(folder)) - set(taken)), findings)


def rows_without_text(names: Sequence[str], findings: Sequence[str]) -> pd.DataFrame:
    """A row of the contract for each of these images."""
    blank = pa.array([""] * len(names), pa.string())
    patients = made_up_patients(pa.array(names, pa.string()), blank).to_pylist()
    table = pd.DataFrame(
        {column.name: "" for column in label_columns(findings)}, range(len(names)), dtype=object
    )
    return table.assign(image=names, patient_id=patients, review="auto", flags="no_text;patient_made_up")


def figures(images: Sequence[str]) -> list[str]:
    """What images of one figure share: the name without suffix and panel number."""
    blank = pa.array([""] * len(images), pa.string())
    found: list[str] = made_up_patients(pa.array(images, pa.string()), blank).to_pylist()
    return found


def _images(folder: Path) -> Iterator[str]:
    """Image files below the folder, hidden ones and links out of it left out."""
    inside = folder.resolve()
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(place) / name
            suffix = path.suffix.lower()
            if (
                suffix in IMAGE_SUFFIXES
                and not name.startswith(".")
                and path.resolve().is_relative_to(inside)
            ):
                yield path.relative_to(folder).as_posix()
