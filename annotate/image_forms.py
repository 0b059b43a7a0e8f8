"""Images in a form that a browser shows: most as they are, the others as PNG of 8 bits, never clipped in silence."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from nlp.errors import ImageError

SHOWN_AS_IT_IS = {"PNG": "image/png", "JPEG": "image/jpeg", "GIF": "image/gif", "WEBP": "image/webp"}
"""Types that every browser shows, by the format found in the file, whatever its name says."""
THUMBNAIL = 128
"""Longest side of a thumbnail in pixels, sharp at twice the size of a 64 px tile."""
_PLAIN_MODES = {"PNG": ("1", "L", "LA", "RGB", "RGBA"), "JPEG": ("L", "RGB")}
_DEEP_MODES = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")


@dataclass(frozen=True)
class Shown:
    """Bytes for the browser and their type."""

    content: bytes
    media_type: str


def shown_image(path: Path, *, thumbnail: bool = False) -> Shown:
    """The image as a browser takes it; its pixels stay where they are, so that boxes fit.

    Deep images (16 or 32 bits) are stretched from their lowest to their highest value, as in training.

    Raises:
        ImageError: it is no image, of a kind that is not shown (SVG, DICOM), damaged, or far too large.
    """
    try:
        stat = path.stat()
        return _shown(path, stat.st_mtime_ns, stat.st_size, thumbnail)
    except UnidentifiedImageError:
        raise ImageError(f"{path.name} is no image that can be shown; PNG, JPEG and TIFF can") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ImageError(f"{path.name} has too many pixels to be opened safely") from None
    # a damaged file makes decoders raise whatever they like: OSError, SyntaxError, struct.error, warnings
    except Exception as error:
        raise ImageError(f"{path.name} cannot be read: {type(error).__name__}") from None


@lru_cache(maxsize=256)
def _thumbnail_of(path: Path, _changed: int, _size: int) -> Shown:
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(path) as image:
            image.draft("RGB", (2 * THUMBNAIL, 2 * THUMBNAIL))
            small = _eight_bits(image)
            small.thumbnail((THUMBNAIL, THUMBNAIL))
    return _as_png(small)


@lru_cache(maxsize=16)
def _converted(path: Path, _changed: int, _size: int) -> Shown | None:
    """The image as PNG; None where the file itself can be sent."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(path) as image:
            if _is_plain(image):
                return None
            return _as_png(_eight_bits(image))


def _shown(path: Path, changed: int, size: int, thumbnail: bool) -> Shown:
    if thumbnail:
        return _thumbnail_of(path, changed, size)
    converted = _converted(path, changed, size)
    if converted is not None:
        return converted
    with Image.open(path) as image:
        media_type = SHOWN_AS_IT_IS[str(image.format)]
    return Shown(path.read_bytes(), media_type)


def _is_plain(image: Image.Image) -> bool:
    """Whether every browser shows the file as it is; frames beyond the first and palettes are ours to decide."""
    if getattr(image, "n_frames", 1) > 1:
        return False
    return image.mode in _PLAIN_MODES.get(str(image.format), ())


def _eight_bits(image: Image.Image) -> Image.Image:
    """The first frame, upright, as grey or colour of 8 bits."""
    upright = ImageOps.exif_transpose(image)
    if upright.mode in _DEEP_MODES:
        return _stretched(upright)
    if upright.mode in ("P", "PA"):
        upright = upright.convert("RGBA")
    return upright.convert("L" if upright.mode in ("1", "L", "LA") else "RGB")


def _stretched(image: Image.Image) -> Image.Image:
    """Scanners use 12 of 16 bits or less: the full range would be near black."""
    values = image.convert("F")
    extremes = values.getextrema()
    low, high = (float(extremes[0]), float(extremes[1]))  # type: ignore[arg-type]
    scale = 255 / (high - low) if high > low else 0.0
    return values.point(lambda value: value * scale - low * scale).convert("L")


def _as_png(image: Image.Image) -> Shown:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return Shown(buffer.getvalue(), "image/png")
