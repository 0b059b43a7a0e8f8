"""DICOM files: one picture on a grey scale that means something, and nothing of the person.

CT values become Hounsfield units and are seen through a window; the standard's other rules (PS3.3 C.7.6.3, C.11.2,
C.7.6.2) say which way is black, and which way is up. Of all that names a person, a series or a place only a keyed
hash is ever kept, and no error repeats what a file says.
"""

from __future__ import annotations

import hashlib
import io
import logging
import math
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from nlp.errors import ImageError
from train.archives import MOST_BYTES
from train.dicom_window import Window

FloatArray = NDArray[np.float32]

NOT_CT, NOT_AXIAL, SCOUT, COLOUR = (
    "its header names no CT",
    "not an axial slice by its header",
    "a scout view by its header, not a slice",
    "a colour picture",
)
OF_SLICES = (NOT_CT, NOT_AXIAL, SCOUT)
"""What is out of the ordinary where a CT slice is meant, not a radiograph."""
_MOST_FRAMES = 10_000
_PIECE = 2**20
_LEAST_BITS = 64  # the head of an item, which every compressed frame has
_HEADER = (
    *("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "InstanceNumber", "NumberOfFrames"),
    *("ImageOrientationPatient", "ImagePositionPatient"),
    *("Rows", "Columns", "BitsAllocated"),
)


@dataclass(frozen=True)
class Header:
    """What is kept of a header.

    Attributes:
        patient_id: keyed hash, blank if the file names neither patient nor study.
        series: keyed hash, or blank.
        frames: pictures in the file, 0 if it holds none.
        place: where along its series the slice lies: mm, or its number where no position is given.
    """

    patient_id: str
    series: str
    frames: int
    place: float


def is_dicom(head: bytes) -> bool:
    """Whether the first 132 bytes of a file are those of a DICOM file."""
    return head[128:132] == b"DICM"


def read_header(file: IO[bytes], key: bytes) -> Header:
    """What must be known before pictures are read; ``key`` makes the hashes, at most 64 bytes.

    Raises:
        ImageError: pydicom is missing, or the file is damaged; the reason only.
    """
    with _told_plainly():
        found = _dataset(file, stop_before_pixels=True, specific_tags=list(_HEADER))
        patient = [str(found.get(name) or "").strip() for name in ("PatientID", "StudyInstanceUID")]
        series = str(found.get("SeriesInstanceUID") or "").strip()
        return Header(
            patient_id=_hashed(next((each for each in (*patient, series) if each), ""), key),
            series=_hashed(series, key),
            frames=_frames(found, file),
            place=_place(found),
        )


@dataclass(frozen=True, eq=False)
class Parsed:
    """A file that was read: pydicom's ``dataset`` with so many ``frames``."""

    dataset: Any
    frames: int


def parsed(content: bytes) -> Parsed:
    """The bytes of a file taken apart.

    Raises:
        ImageError: pydicom is missing, or the file is damaged.
    """
    with _told_plainly():
        dataset = _dataset(io.BytesIO(content))
        return Parsed(dataset, _frames(dataset, io.BytesIO(content)))


def read_slice(file: Parsed, frame: int | None, window: Window) -> tuple[FloatArray, tuple[str, ...]]:
    """One picture, (height, width) in [0, 1], and what a reader must know of it.

    Args:
        frame: which of several, from 0; None: the only one.

    Raises:
        ImageError: the file is damaged, holds no picture, or several and none is named.
    """
    from train.dicom_pixels import grey_slice

    with _told_plainly():
        return grey_slice(file.dataset, frame, window, frames=file.frames)


@contextmanager
def _told_plainly() -> Iterator[None]:
    """What pydicom says may quote a tag: its name alone goes on."""
    try:
        yield
    except ImageError:
        raise
    except Exception as error:
        reason = f"is a damaged DICOM file, or of a form that cannot be read ({type(error).__name__})"
        raise ImageError(reason) from None


def _dataset(file: Any, **how: Any) -> Any:
    library = _pydicom()
    _check_inflated(file)
    return library.dcmread(file, force=True, **how)


def _check_inflated(file: BinaryIO) -> None:
    """A deflated file says nowhere how large it is inside, and pydicom inflates it whole; counted in pieces first."""
    from pydicom.filereader import _read_file_meta_info, read_preamble  # what dcmread itself asks
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    read_preamble(file, force=True)
    if _read_file_meta_info(file).get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
        inflater, packed, size = zlib.decompressobj(-zlib.MAX_WBITS), file.read(), 0
        while packed and size <= MOST_BYTES:
            size += len(inflater.decompress(packed, _PIECE))
            packed = inflater.unconsumed_tail
        if size > MOST_BYTES:
            most = MOST_BYTES // 2**20
            raise ImageError(f"would inflate to more than the {most} MB that are read of one file")
    file.seek(0)


def _frames(found: Any, file: IO[bytes]) -> int:
    """The pictures in a file: what it says, but no more than its bytes could hold; a few could call themselves many."""
    from pydicom.uid import DeflatedExplicitVRLittleEndian, UncompressedTransferSyntaxes

    said = min(int(found.get("NumberOfFrames") or 1), _MOST_FRAMES)
    if said < 2:
        return said
    syntax = found.file_meta.get("TransferSyntaxUID")
    size = MOST_BYTES if syntax == DeflatedExplicitVRLittleEndian else file.seek(0, io.SEEK_END)
    bits = _LEAST_BITS
    if syntax is None or syntax in UncompressedTransferSyntaxes:
        bits = math.prod(int(found.get(name) or 1) for name in ("Rows", "Columns", "BitsAllocated"))
    return max(1, min(said, 8 * size // bits))


def _place(found: Any) -> float:
    """Position along the normal of the slice, in mm; else the number of the instance."""
    try:
        row, column = np.asarray(found.ImageOrientationPatient, dtype=float).reshape(2, 3)
        return float(np.cross(row, column) @ np.asarray(found.ImagePositionPatient, dtype=float))
    except (AttributeError, TypeError, ValueError):
        return float(found.get("InstanceNumber") or 0)


def _hashed(value: str, key: bytes) -> str:
    return hashlib.blake2b(value.encode(), key=key, digest_size=8).hexdigest() if value else ""


def _pydicom() -> Any:
    """The library, told to be silent: its warnings quote values of tags."""
    try:
        import pydicom
    except ModuleNotFoundError:
        raise ImageError(
            'is a DICOM file; reading it needs pydicom: pip install "lesion-labels[dicom]"'
        ) from None
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)
    warnings.filterwarnings("ignore", module="pydicom")
    return pydicom
