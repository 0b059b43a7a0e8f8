"""Images that stand in no table: found below folders, read as far as they can be."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nlp.errors import ImageError
from nlp.image_names import IMAGE_SUFFIXES
from train.lungs import Box
from train.network import ImageSettings
from train.prepare import SEGMENTED, ByteArray, prepare_image
from train.progress import SILENT, Log
from train.records import Records

if TYPE_CHECKING:
    from train.segmenter import Segmenter

WHOLE_SLICE = "no lungs found, whole slice used"
NOT_SURE = "the lung mask is not sure enough, whole image used"


@dataclass(frozen=True, eq=False)
class Ready:
    """One image: ``(C, size, size)`` uint8 of the part ``box`` of the file, or None and in ``warning`` why it cannot be read.

    ``confidence`` is the segmenter's in its lungs; NaN without a segmenter.
    """

    pixels: ByteArray | None
    warning: str
    box: Box = (0, 0, 0, 0)
    confidence: float = np.nan


def whole_warning(crop: str) -> str:
    """What is said of an image that a crop took whole."""
    return NOT_SURE if crop == SEGMENTED else WHOLE_SLICE


def chosen_images(paths: Sequence[Path], log: Log = SILENT) -> list[Path]:
    """Every image once, files as they were named, those of a folder in the order of their names.

    Below folders, hidden files and files without the suffix of an image are passed over; ``log`` is told how many.

    Raises:
        ImageError: there is not a single one.
    """
    found: dict[Path, Path] = {}
    passed = 0
    for path in paths:
        for each in _below(path) if path.is_dir() else [path]:
            if each == path or each.suffix.lower() in IMAGE_SUFFIXES:
                found.setdefault(each.resolve(), each)
            else:
                passed += 1
    if passed:
        log(f"{passed} files without the suffix of an image are passed over")
    if not found:
        raise ImageError(f"there is no image in {', '.join(map(str, paths))}")
    return list(found.values())


def prepared(
    paths: Sequence[Path], settings: ImageSettings, segmenter: Segmenter | None = None
) -> list[Ready]:
    """All images as the network takes them, by all cores."""

    def attempt(path: Path) -> Ready:
        try:
            made = prepare_image(
                path,
                size=settings.size,
                crop=settings.crop,
                how=settings.normalise,
                channels=settings.channels,
                segmenter=segmenter,
            )
        except ImageError as error:
            return Ready(None, str(error))
        warning = whole_warning(settings.crop) if made.whole else ""
        return Ready(made.pixels, warning, made.box, made.confidence)

    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
        return list(pool.map(attempt, paths))


def unlabelled(paths: Sequence[Path], finding_keys: Sequence[str]) -> Records:
    """Records of which nothing is known but the image."""
    count = len(paths)
    blank, unknown = ("",) * count, np.full((count, len(finding_keys)), np.nan, dtype=np.float32)
    return Records(
        images=tuple(path.as_posix() for path in paths),
        paths=tuple(paths),
        patient_ids=blank,
        sources=blank,
        diagnoses=blank,
        splits=blank,
        covid19=np.full(count, np.nan, dtype=np.float32),
        findings=unknown,
        finding_cells=unknown,
        captioned=np.zeros(count, dtype=bool),
        finding_keys=tuple(finding_keys),
    )


def _below(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(place) / name for name in sorted(names) if not name.startswith("."))
