"""Width and height of an image of the image folder as it is shown, without decoding it."""

from __future__ import annotations

from pathlib import Path

from nlp.errors import ImageError

_LYING = (5, 6, 7, 8)
"""Orientations of EXIF in which rows are shown as columns."""


def image_size(folder: Path, name: str) -> tuple[int, int]:
    """Width and height in pixels of the upright image: browsers and training turn it as EXIF asks.

    Args:
        name: path below the folder.

    Raises:
        ImageError: it leads out of the folder, or cannot be read.
    """
    from PIL import ExifTags, Image

    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ImageError(f"image {name!r} leads out of the image folder")
    try:
        with Image.open(path) as opened:
            lying = opened.getexif().get(ExifTags.Base.Orientation) in _LYING
            return opened.size[::-1] if lying else opened.size
    except (OSError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"image {name!r} cannot be read: {type(error).__name__}") from None
