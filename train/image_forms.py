"""Image files of every form, read into one: a grey picture with values in [0, 1].

| in the file | becomes |
|---|---|
| 1, 8 or 16 bits a channel; grey, palette, RGB, CMYK | luma (ITU-R 601), 0 black and 1 white |
| transparency | the picture on white paper, as a reader of the article sees it |
| one deep channel (16 or 32 bits, floating point) | stretched from its own lowest to its own highest value |
| orientation in EXIF | turned upright |
| several pictures (animation, TIFF pages) | refused: which one is meant is not for us to guess |
| DICOM | Hounsfield units through a window, upright (``train.dicom``); one of several by ``FILE/frame-3`` |

A path may go on inside a zip archive (``train.archives``).

What a file is shows in its content; the ending of its name is never asked.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from nlp.errors import ImageError
from train.archives import content
from train.dicom import COLOUR, is_dicom, parsed, read_slice
from train.dicom_frames import DICOM_SUFFIXES, read_frame, without_frame
from train.dicom_window import LUNG, Window

FloatArray = NDArray[np.float32]

_DEEP_MODES = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")
_TINT, _MUCH = 24, 0.15  # of 255 between the channels of a pixel; of all pixels
_FIRST_OF_SEVERAL = ("MPO",)  # a phone's photograph, with its own preview behind it


@dataclass(frozen=True, eq=False)
class Picture:
    """One picture.

    Attributes:
        grey: ``(height, width)`` in [0, 1].
        notes: what makes it out of the ordinary, such as colour.
    """

    grey: FloatArray
    notes: tuple[str, ...] = ()


def read_grey(path: Path, *, window: Window = LUNG) -> FloatArray:
    """The picture of a file, ``(height, width)`` in [0, 1]; ``window`` is for DICOM.

    Raises:
        ImageError: no such file, not a picture, truncated, too large, or several pictures in one file.
    """
    return read_picture(path, window=window).grey


def read_picture(path: Path, *, window: Window = LUNG) -> Picture:
    """The picture of a file and what is out of the ordinary about it.

    Raises:
        ImageError: see ``read_grey``.
    """
    file, frame = without_frame(path)
    data = b""
    try:
        if frame is not None:
            return Picture(*read_frame(file, frame, window))
        data = content(file)
        if is_dicom(data) or file.suffix.lower() in DICOM_SUFFIXES:
            return Picture(*read_slice(parsed(data), None, window))
        with Image.open(io.BytesIO(data)) as image:
            _check(image)
            return Picture(_grey(ImageOps.exif_transpose(image)), (COLOUR,) if is_coloured(image) else ())
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from None
    # A damaged file makes decoders raise whatever they like: OSError, SyntaxError, ValueError, struct.error
    except Exception as error:
        raise ImageError(f"{path}: {_reason(file, data, error)}") from error


def is_coloured(image: Image.Image) -> bool:
    """Whether much of a picture has colour; arrows and letters in colour are not much."""
    if image.mode in ("1", "L", "LA", *_DEEP_MODES):
        return False
    small = np.asarray(image.convert("RGB").resize((64, 64), Image.Resampling.BOX), dtype=np.int16)
    return bool((np.ptp(small, axis=2) > _TINT).mean() > _MUCH)


def read_all(paths: Sequence[Path]) -> list[FloatArray]:
    """The pictures of all files.

    Raises:
        ImageError: names every file that cannot be read, each with its reason.
    """
    pictures, problems = [], []
    for path in paths:
        try:
            pictures.append(read_grey(path))
        except ImageError as error:
            problems.append(str(error))
    if problems:
        raise unreadable(problems, len(paths))
    return pictures


def unreadable(problems: Sequence[str], count: int) -> ImageError:
    """One error for all ``problems`` among ``count`` files."""
    heading = f"{len(problems)} of {count} images cannot be read; replace them or take their rows out:"
    return ImageError("\n".join([heading, *problems]))


def _check(image: Image.Image) -> None:
    """Refuse what must not be decoded; only the head of the file has been read so far."""
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format not in _FIRST_OF_SEVERAL:
        raise ImageError(f"holds {frames} pictures; save the one that is meant as a PNG")
    limit = Image.MAX_IMAGE_PIXELS
    if limit and image.width * image.height > limit:
        size = f"{image.width} × {image.height}"
        raise ImageError(f"{size} pixels are more than the {limit:,} that are read")


def _grey(image: Image.Image) -> FloatArray:
    if image.mode in _DEEP_MODES:
        return _stretched(np.asarray(image, dtype=np.float64))
    if image.mode not in ("1", "L", "RGB") and image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    if image.mode not in ("1", "L", "RGB"):
        image = image.convert("RGB")
    return np.asarray(image.convert("L"), dtype=np.float32) / np.float32(255)


def _stretched(values: NDArray[np.float64]) -> FloatArray:
    """Deep values on [0, 1]: scanners use 12 of 16 bits or less, so that the full range would be near black."""
    if not np.isfinite(values).all():
        raise ValueError("some of its values are not finite numbers")
    low, high = values.min(), values.max()
    stretched: FloatArray = ((values - low) / (high - low or 1)).astype(np.float32)
    return stretched


def _reason(path: Path, data: bytes, error: Exception) -> str:
    if isinstance(error, FileNotFoundError | NotADirectoryError | KeyError):  # KeyError: no such member
        return "no such file"
    if path.is_dir():
        return "is a folder, not an image"
    if isinstance(error, UnidentifiedImageError):
        return _guess(data[:512])
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return f"more pixels than the {Image.MAX_IMAGE_PIXELS:,} that are read"
    return f"is damaged or cut short ({error})"


def _guess(head: bytes) -> str:
    """Why no decoder knows a file that begins so."""
    if not head:
        return "is empty (0 bytes)"
    if b"<svg" in head.lower() or head.lstrip().startswith(b"<?xml"):
        return "is a drawing or text in XML, not a picture made of pixels"
    return "is not an image of a known form"
