"""Image files of every form, read into one: a grey picture with values in [0, 1].

| in the file | becomes |
|---|---|
| 1, 8 or 16 bits a channel; grey, palette, RGB, CMYK | luma (ITU-R 601), 0 black and 1 white |
| transparency | the picture on white paper, as a reader of the article sees it |
| one deep channel (16 or 32 bits, floating point) | stretched from its own lowest to its own highest value |
| orientation in EXIF | turned upright |
| several pictures (animation, TIFF pages) | refused: which one is meant is not for us to guess |

What a file is shows in its content; the ending of its name is never asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from nlp.errors import ImageError

FloatArray = NDArray[np.float32]

_DEEP_MODES = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")
_FIRST_OF_SEVERAL = ("MPO",)  # a phone's photograph, with its own preview behind it


def read_grey(path: Path) -> FloatArray:
    """The picture of a file, ``(height, width)`` in [0, 1].

    Raises:
        ImageError: no such file, not a picture, truncated, too large, or several pictures in one file.
    """
    try:
        with Image.open(path) as image:
            _check(image, path)
            return _grey(ImageOps.exif_transpose(image))
    except ImageError:
        raise
    # A damaged file makes decoders raise whatever they like: OSError, SyntaxError, ValueError, struct.error
    except Exception as error:
        raise ImageError(f"{path}: {_reason(path, error)}") from error


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


def _check(image: Image.Image, path: Path) -> None:
    """Refuse what must not be decoded; only the head of the file has been read so far."""
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format not in _FIRST_OF_SEVERAL:
        raise ImageError(f"{path}: holds {frames} pictures; save the one that is meant as a PNG")
    limit = Image.MAX_IMAGE_PIXELS
    if limit and image.width * image.height > limit:
        size = f"{image.width} × {image.height}"
        raise ImageError(f"{path}: {size} pixels are more than the {limit:,} that are read")


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


def _reason(path: Path, error: Exception) -> str:
    if not path.exists():
        return "no such file"
    if path.is_dir():
        return "is a folder, not an image"
    if isinstance(error, UnidentifiedImageError):
        return _guess(path)
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return f"more pixels than the {Image.MAX_IMAGE_PIXELS:,} that are read"
    return f"is damaged or cut short ({error})"


def _guess(path: Path) -> str:
    """Why no decoder knows the file."""
    with path.open("rb") as file:
        head = file.read(512)
    if not head:
        return "is empty (0 bytes)"
    if head[128:132] == b"DICM":  # the place where reading DICOM will start
        return "is a DICOM file, which is not read yet; save the slice as a PNG"
    if b"<svg" in head.lower() or head.lstrip().startswith(b"<?xml"):
        return "is a drawing or text in XML, not a picture made of pixels"
    return "is not an image of a known form"
