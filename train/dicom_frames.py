"""The pictures of a DICOM file that holds several: the file is read once for all of them."""

from __future__ import annotations

import re
import threading
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from train.archives import changed, content, there
from train.dicom import FloatArray, Parsed, is_dicom, parsed, read_slice
from train.dicom_window import Window

DICOM_SUFFIXES = (".dcm", ".dicom")
_FRAME = re.compile(r"frame-(\d+)")
_READING = threading.Lock()
"""Several threads ask for frames of one file at once; one of them reads it."""


def frame_path(path: Path, frame: int) -> Path:
    """The name of one picture among several in a file, from 0."""
    return path / f"frame-{frame + 1}"


def without_frame(path: Path) -> tuple[Path, int | None]:
    """The file of a path, and which of its pictures is meant, from 0.

    >>> without_frame(Path("a.dcm/frame-3")), without_frame(Path("a.dcm"))
    ((PosixPath('a.dcm'), 2), (PosixPath('a.dcm'), None))
    """
    found = _FRAME.fullmatch(path.name)
    if found and not there(path) and not path.parent.is_dir():
        return path.parent, int(found[1]) - 1
    return path, None


def read_frame(path: Path, frame: int, window: Window) -> tuple[FloatArray, tuple[str, ...]]:
    """One of several pictures, from 0, as ``train.dicom.read_slice`` gives it.

    Frames are asked for one after another, so that the last file alone is kept: at most ``archives.MOST_BYTES``.

    Raises:
        ImageError: see ``train.dicom.read_slice``.
        OSError: there is no such file, or it is no DICOM file.
    """
    with _READING:
        file = _parsed(path, changed(path))
    return read_slice(file, frame, window)


def forget_frames() -> None:
    """Let go of the file that was read last."""
    _parsed.cache_clear()


@lru_cache(maxsize=1)
def _parsed(path: Path, _changed: int) -> Parsed:
    data = content(path)
    if not (is_dicom(data) or path.suffix.lower() in DICOM_SUFFIXES):
        raise FileNotFoundError(path)
    file = parsed(data)
    # pydicom takes values apart when they are asked for, which threads must not do at once; what is wrong with
    # one of them is told to whoever needs it
    with suppress(Exception):
        for _ in file.dataset.iterall():
            pass
    return file
