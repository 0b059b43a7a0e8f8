"""Images made ready for a network by threads, while the network works on those before."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nlp.errors import ImageError
from train.dicom_window import LUNG, Window
from train.image_paths import Chosen
from train.lungs import Box
from train.network import ImageSettings
from train.prepare import SEGMENTED, ByteArray, prepare_image

if TYPE_CHECKING:
    from train.segmenter import Segmenter

WHOLE_SLICE = "no lungs found, whole slice used"
NOT_SURE = "the lung mask is not sure enough, whole image used"
_AHEAD = 4
"""Images of which each thread may be ahead of the network, which bounds the memory."""


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


def prepared(
    chosen: Sequence[Chosen],
    settings: ImageSettings,
    *,
    segmenter: Segmenter | None = None,
    window: Window = LUNG,
) -> Iterator[Ready]:
    """Every image in order; some more are in work by all cores while the caller has one."""

    def attempt(each: Chosen) -> Ready:
        return _ready(each, settings, segmenter, window)

    threads = min(16, os.cpu_count() or 1)
    waiting: deque[Future[Ready]] = deque()
    pool = ThreadPoolExecutor(threads)
    try:
        for each in chosen:
            waiting.append(pool.submit(attempt, each))
            if len(waiting) > threads * _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _ready(each: Chosen, settings: ImageSettings, segmenter: Segmenter | None, window: Window) -> Ready:
    if each.problem:
        return Ready(None, each.problem)
    try:
        made = prepare_image(
            each.path,
            size=settings.size,
            crop=settings.crop,
            how=settings.normalise,
            channels=settings.channels,
            segmenter=segmenter,
            window=window,
        )
    except ImageError as error:
        return Ready(None, str(error))
    notes = (*made.notes, *([whole_warning(settings.crop)] if made.whole else []))
    return Ready(made.pixels, "; ".join(notes), made.box, made.confidence)
