"""Images decoded, cropped and resized once, then kept as bytes: in memory or in one file.

The file is named after all that shapes its content: paths, sizes and times of the images, the settings and
``VERSION``. It carries a SHA-256 of itself; one that does not match is made anew.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nlp.errors import ImageError
from nlp.write import replacing, writing
from train.image_forms import unreadable
from train.prepare import Prepared, check_settings, prepare_image

VERSION = 3  # of the steps from file to pixels; a new one leaves the old files unused

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
Progress = Callable[[int, float], None]

_HEAD = 512  # bytes before the first image: the SHA-256 of what follows
_CHUNK = 64  # images in work at one time, which bounds the memory

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Images:
    """n images, ready for a network.

    Attributes:
        pixels: ``(n, 1, size, size)`` uint8.
        boxes: ``(n, 4)`` top, left, bottom, right of the part taken, in pixels of the file.
        whole: ``(n,)`` true where no lungs were found, and the slice was taken without its plain margins.
    """

    pixels: torch.Tensor
    boxes: IntArray
    whole: BoolArray


def load_images(
    paths: Sequence[Path],
    *,
    size: int,
    crop: str = "lungs",
    normalise: str = "percentile",
    cache: Path | None = None,
    progress: Progress | None = None,
) -> Images:
    """All images, decoded, or from an earlier run's file in the folder ``cache``.

    Args:
        size: pixels of each side; the part taken is stretched to a square, as in the paper.
        crop: see ``train.prepare``.
        normalise: see ``train.intensity``.
        progress: called with how many are done, and their share.

    Raises:
        ImageError: names every image that cannot be read, each with its reason.
        TrainingError: no such ``crop`` or ``normalise``.
        OutputError: the file in ``cache`` cannot be written.
    """
    check_settings(crop=crop, how=normalise)

    def prepare(path: Path) -> Prepared:
        return prepare_image(path, size=size, crop=crop, how=normalise)

    if cache is None:
        return _in_memory(paths, size, _prepared(paths, prepare, progress))
    file = cache / f"{_key(paths, size, crop, normalise)}.images"
    kept = _kept(file, len(paths), size)
    if kept is None:
        _write(file, size, _prepared(paths, prepare, progress))
        kept = _kept(file, len(paths), size)
    if kept is None:
        raise ImageError(f"{file} does not hold what was just written: the disk may be failing")
    return kept


def _prepared(
    paths: Sequence[Path], prepare: Callable[[Path], Prepared], progress: Progress | None
) -> Iterator[Prepared]:
    """Every image in order, by all cores; whatever cannot be read is told at the end, all at once."""
    problems: list[str] = []

    def attempt(path: Path) -> Prepared | str:
        try:
            return prepare(path)
        except ImageError as error:
            return str(error)

    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
        for start in range(0, len(paths), _CHUNK):
            for made in pool.map(attempt, paths[start : start + _CHUNK]):
                if isinstance(made, str):
                    problems.append(made)
                elif not problems:
                    yield made
            if progress:
                done = min(start + _CHUNK, len(paths))
                progress(done, done / len(paths))
    if problems:
        raise unreadable(problems, len(paths))


def _in_memory(paths: Sequence[Path], size: int, prepared: Iterator[Prepared]) -> Images:
    count = len(paths)
    images = Images(
        torch.empty((count, 1, size, size), dtype=torch.uint8),
        np.zeros((count, 4), np.int64),
        np.zeros(count, np.bool_),
    )
    for row, made in enumerate(prepared):
        images.pixels[row, 0] = torch.from_numpy(made.pixels)
        images.boxes[row] = made.box
        images.whole[row] = made.whole
    return images


def _key(paths: Sequence[Path], size: int, crop: str, how: str) -> str:
    """A name that changes with every image, every setting and the code."""
    facts: list[Any] = [VERSION, size, crop, how]
    for path in paths:
        try:
            about = path.stat()
            facts.append((str(path.resolve()), about.st_size, about.st_mtime_ns))
        except OSError:  # decoding will say so
            facts.append((str(path), None, None))
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:24]


def _write(file: Path, size: int, prepared: Iterator[Prepared]) -> None:
    """The file of all images: head, pixels, then boxes and ``whole`` of each as five int64."""
    with writing(file):
        file.parent.mkdir(parents=True, exist_ok=True)
    # Processes that start together, as under torchrun, each write their own; the last one stays
    own = file.with_name(f"{file.name}.{os.getpid()}")
    digest, facts = hashlib.sha256(), []
    with replacing([own]) as [handle]:
        handle.write(bytes(_HEAD))
        for made in prepared:
            digest.update(made.pixels.tobytes())
            handle.write(made.pixels.tobytes())
            facts.append((*made.box, made.whole))
        tail = np.array(facts, np.int64).reshape(-1, 5).tobytes()
        digest.update(tail)
        handle.write(tail)
        handle.seek(0)
        handle.write(digest.hexdigest().encode())
    own.replace(file)


def _kept(file: Path, count: int, size: int) -> Images | None:
    """The images of a file, mapped into memory; None where there is none or it is damaged."""
    if not file.is_file():
        return None
    pixels = count * size * size
    if file.stat().st_size != _HEAD + pixels + count * 5 * 8 or not _is_sound(file):
        _log.warning("%s is damaged and not used; the images are decoded again", file)
        return None
    facts = np.fromfile(file, np.int64, offset=_HEAD + pixels).reshape(-1, 5)
    if not count:
        return Images(torch.empty((0, 1, size, size), dtype=torch.uint8), facts[:, :4], facts[:, 4] > 0)
    # "c": what is written to the tensor stays in memory and never reaches the file
    mapped = np.memmap(file, np.uint8, "c", offset=_HEAD, shape=(count, 1, size, size))
    return Images(torch.from_numpy(mapped), facts[:, :4], facts[:, 4] > 0)


def _is_sound(file: Path) -> bool:
    with file.open("rb") as handle:
        told = handle.read(_HEAD).rstrip(b"\0").decode("ascii", "replace")
        return hashlib.file_digest(handle, "sha256").hexdigest() == told
