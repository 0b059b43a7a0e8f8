"""Images decoded, cropped and resized once, then kept as bytes: in memory or in one file.

The file is named after all that shapes its content: paths, sizes and times of the images, the settings and
``VERSION``. It carries a SHA-256 of itself; one that does not match is made anew.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from nlp.errors import ImageError
from nlp.write import replacing, writing
from train.channels import COUNTS
from train.image_forms import unreadable
from train.prepare import Prepared, check_settings, prepare_image
from train.sealed import seal_of
from train.segment_settings import SEGMENTER

if TYPE_CHECKING:
    from train.segmenter import Segmenter

VERSION = 4  # of the steps from file to pixels; a new one leaves the old files unused

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
Floats = NDArray[np.float64]
Shape = tuple[int, int, int]
Progress = Callable[[int, float], None]

_HEAD = 512  # bytes before the first image: the SHA-256 of what follows
_FACTS = 6  # numbers of each image behind its pixels: box, whole, confidence; exact in float64
_CHUNK = 64  # images in work at one time, which bounds the memory

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Images:
    """n images, ready for a network.

    Attributes:
        pixels: ``(n, C, size, size)`` uint8, one channel or three.
        boxes: ``(n, 4)`` top, left, bottom, right of the part taken, in pixels of the file.
        whole: ``(n,)`` true where no lungs were found, or not surely.
        confidence: ``(n,)`` of the segmenter in its lungs, 0 to 1; NaN without a segmenter.
    """

    pixels: torch.Tensor
    boxes: IntArray
    whole: BoolArray
    confidence: Floats


def load_images(
    paths: Sequence[Path],
    *,
    size: int,
    crop: str = "lungs",
    normalise: str = "percentile",
    channels: str = "grey",
    segmenter: Path | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> Images:
    """All images, decoded, or from an earlier run's file in the folder ``cache``.

    Args:
        size: pixels of each side; the part taken is stretched to a square, as in the paper.
        crop: see ``train.prepare``.
        normalise: see ``train.intensity``.
        channels: see ``train.channels``.
        segmenter: folder of ``train.segment``, for the crop ``segmented``.
        progress: called with how many are done, and their share.

    Raises:
        ImageError: names every image that cannot be read, each with its reason.
        TrainingError: no such ``crop``, ``normalise`` or ``channels``.
        CheckpointError: the segmenter is missing or damaged.
        OutputError: the file in ``cache`` cannot be written.
    """
    check_settings(crop=crop, how=normalise, channels=channels, segmented=segmenter is not None)
    model = _segmenter(segmenter) if segmenter else None
    shape = (COUNTS[channels], size, size)

    def prepare(path: Path) -> Prepared:
        return prepare_image(path, size=size, crop=crop, how=normalise, channels=channels, segmenter=model)

    if cache is None:
        return _in_memory(paths, shape, _prepared(paths, prepare, progress))
    file = cache / f"{_key(paths, size, crop, normalise, channels, _seal(segmenter))}.images"
    kept = _kept(file, len(paths), shape)
    if kept is None:
        _write(file, _prepared(paths, prepare, progress))
        kept = _kept(file, len(paths), shape)
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


def _segmenter(folder: Path) -> Segmenter:
    from train.segmenter import load_segmenter  # lazily: few runs need it

    return load_segmenter(folder)


def _seal(segmenter: Path | None) -> str:
    return seal_of(segmenter / SEGMENTER).read_text(encoding="ascii") if segmenter else ""


def _in_memory(paths: Sequence[Path], shape: Shape, prepared: Iterator[Prepared]) -> Images:
    pixels = torch.empty((len(paths), *shape), dtype=torch.uint8)
    facts = np.zeros((len(paths), _FACTS))
    for row, made in enumerate(prepared):
        pixels[row] = torch.from_numpy(made.pixels)
        facts[row] = _facts(made)
    return _images(pixels, facts)


def _facts(made: Prepared) -> tuple[float, ...]:
    return (*made.box, made.whole, made.confidence)


def _images(pixels: torch.Tensor, facts: Floats) -> Images:
    return Images(pixels, facts[:, :4].astype(np.int64), facts[:, 4] > 0, facts[:, 5])


def _key(paths: Sequence[Path], *settings: object) -> str:
    """A name that changes with every image, every setting and the code."""
    facts: list[Any] = [VERSION, *settings]
    for path in paths:
        try:
            about = path.stat()
            facts.append((str(path.resolve()), about.st_size, about.st_mtime_ns))
        except OSError:  # decoding will say so
            facts.append((str(path), None, None))
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:24]


def _write(file: Path, prepared: Iterator[Prepared]) -> None:
    """The file of all images: head, pixels, then the facts of each as float64."""
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
            facts.append(_facts(made))
        tail = np.array(facts, np.float64).tobytes()
        digest.update(tail)
        handle.write(tail)
        handle.seek(0)
        handle.write(digest.hexdigest().encode())
    own.replace(file)


def _kept(file: Path, count: int, shape: Shape) -> Images | None:
    """The images of a file, mapped into memory; None where there is none or it is damaged."""
    if not file.is_file():
        return None
    pixels = count * math.prod(shape)
    if file.stat().st_size != _HEAD + pixels + count * _FACTS * 8 or not _is_sound(file):
        _log.warning("%s is damaged and not used; the images are decoded again", file)
        return None
    facts = np.fromfile(file, np.float64, offset=_HEAD + pixels).reshape(-1, _FACTS)
    if not count:
        return _images(torch.empty((0, *shape), dtype=torch.uint8), facts)
    # "c": what is written to the tensor stays in memory and never reaches the file
    mapped = np.memmap(file, np.uint8, "c", offset=_HEAD, shape=(count, *shape))
    return _images(torch.from_numpy(mapped), facts)


def _is_sound(file: Path) -> bool:
    with file.open("rb") as handle:
        told = handle.read(_HEAD).rstrip(b"\0").decode("ascii", "replace")
        return hashlib.file_digest(handle, "sha256").hexdigest() == told
