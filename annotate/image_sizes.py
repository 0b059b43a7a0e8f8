"""Width and height of an image of the image folder, without decoding it."""

from __future__ import annotations

from pathlib import Path

from nlp.errors import ImageError


def image_size(folder: Path, name: str) -> tuple[int, int]:
    """Width and height in pixels.

    Args:
        name: path below the folder.

    Raises:
        ImageError: it leads out of the folder, or cannot be read.
    """
    from PIL import Image

    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ImageError(f"image {name!r} leads out of the image folder")
    try:
        with Image.open(path) as opened:
            return opened.size
    except (OSError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"image {name!r} cannot be read: {type(error).__name__}") from None
