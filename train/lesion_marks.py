"""Where lesions are known to be: masks drawn with phantoms, and boxes that people drew."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from nlp.errors import ContractError, ImageError, InputError
from train.label_rows import listed
from train.lung_parts import BoolArray

COLUMNS = ("image", "finding", "left", "top", "right", "bottom")
"""Of a table of boxes: half-open, in pixels of the upright image from its left upper corner."""


@dataclass(frozen=True)
class LesionBox:
    """A box around a finding, half-open, in pixels of the image."""

    finding: str
    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True)
class Marks:
    """What is known of any images.

    Attributes:
        masks: folder with ``<image stem>.<finding>.png``, not black where the finding lies; None: there is none.
        boxes: image, as the table names it, to its boxes.
    """

    finding_keys: tuple[str, ...]
    masks: Path | None = None
    boxes: Mapping[str, Sequence[LesionBox]] = field(default_factory=dict)

    def boxes_of(self, path: Path, shape: tuple[int, int]) -> tuple[LesionBox, ...]:
        """The boxes of an image whose path ends with the name in the table.

        Raises:
            ContractError: a box does not lie in the image of that ``shape`` (height, width).
        """
        full = path.resolve().as_posix()
        found = [
            box for name, boxes in self.boxes.items() if f"/{full}".endswith(f"/{name}") for box in boxes
        ]
        height, width = shape
        for box in found:
            if box.right > width or box.bottom > height:
                raise ContractError(
                    f"{path}: box {box.left}, {box.top} to {box.right}, {box.bottom} of {box.finding} does not lie in"
                    f" the image, which is {width} wide and {height} high"
                )
        return tuple(found)

    def of(self, path: Path, shape: tuple[int, int]) -> dict[str, BoolArray]:
        """Finding to where it lies, (height, width); findings without a mark are left out.

        Raises:
            ImageError: a mask cannot be read or has another size than its image.
            ContractError: a box does not lie in the image.
        """
        found: dict[str, BoolArray] = {}
        for box in self.boxes_of(path, shape):
            area = found.setdefault(box.finding, np.zeros(shape, np.bool_))
            area[box.top : box.bottom, box.left : box.right] = True
        for key in self.finding_keys if self.masks else ():
            file = Path(str(self.masks)) / f"{path.stem}.{key}.png"
            if file.is_file() and (mask := _mask(file, shape)).any():
                found[key] = found.get(key, False) | mask
        return found


def read_boxes(table: Path, finding_keys: Sequence[str]) -> dict[str, list[LesionBox]]:
    """Image to boxes, from a UTF-8 CSV file with the columns of ``COLUMNS``; others are ignored.

    Raises:
        InputError: the file cannot be read.
        ContractError: columns are missing, or rows are no boxes of known findings; every one is listed.
    """
    try:
        with table.open(encoding="utf-8-sig", newline="") as handle:
            reader = csv.DictReader(handle)
            missing = [
                f"column {name} is missing" for name in COLUMNS if name not in (reader.fieldnames or ())
            ]
            rows = [] if missing else list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{table} cannot be read as a UTF-8 CSV file of boxes: {error}") from error
    problems = [
        *missing,
        *(f"row {n}: {p}" for n, row in enumerate(rows, 2) for p in _problems(row, finding_keys)),
    ]
    if problems:
        raise ContractError(listed(f"{table} is no table of boxes ({', '.join(COLUMNS)}):", problems))
    boxes: dict[str, list[LesionBox]] = {}
    for row in rows:
        sides = [int(row[name]) for name in COLUMNS[2:]]
        boxes.setdefault(row["image"].strip("/"), []).append(LesionBox(row["finding"], *sides))
    return boxes


def union(marks: Mapping[str, BoolArray]) -> BoolArray:
    """Where any finding lies; there is one at least."""
    together: BoolArray = np.any(np.stack(list(marks.values())), axis=0)
    return together


def _problems(row: Mapping[str, str | None], finding_keys: Sequence[str]) -> Iterator[str]:
    if not (row["image"] or "").strip("/"):
        yield "image is blank"
    if row["finding"] not in finding_keys:
        yield f"finding must be one of {', '.join(finding_keys)}; found {(row['finding'] or '')[:40]!r}"
    sides = [row[name] or "" for name in COLUMNS[2:]]
    if not all(side.isascii() and side.isdecimal() for side in sides):
        yield f"left, top, right and bottom must be whole numbers of pixels; found {', '.join(s[:12] for s in sides)}"
        return
    left, top, right, bottom = map(int, sides)
    if left >= right or top >= bottom:
        yield f"left must be below right and top below bottom; found {left}, {top}, {right}, {bottom}"


def _mask(file: Path, shape: tuple[int, int]) -> BoolArray:
    try:
        with Image.open(file) as image:
            mask: BoolArray = np.asarray(image.convert("L")) > 0
    except Exception as error:  # decoders raise whatever they like
        raise ImageError(f"{file}: the mask cannot be read ({type(error).__name__})") from error
    if mask.shape != shape:
        size, wanted = (f"{s[1]} × {s[0]}" for s in (mask.shape, shape))
        raise ImageError(f"{file}: the mask has {size} pixels, its image {wanted}")
    return mask
