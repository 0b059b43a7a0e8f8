"""Where Label Studio says that something lies, as we say it: characters of a caption, pixels of an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def span_place(value: Mapping[str, Any], caption: str) -> tuple[int, int] | None:
    """Start and end in characters, or None where the words are not there; early versions of Label Studio counted UTF-16 units."""
    start, end, text = value.get("start"), value.get("end"), value.get("text")
    if not (isinstance(start, int) and isinstance(end, int) and 0 <= start < end):
        return None
    if end <= len(caption) and (not text or _same(caption[start:end], text)):
        return start, end
    units = caption.encode("utf-16-le")
    before, within = units[: 2 * start], units[2 * start : 2 * end]
    try:
        first, words = len(before.decode("utf-16-le")), within.decode("utf-16-le")
    except UnicodeDecodeError:  # in the middle of a character
        return None
    return (first, first + len(words)) if text and _same(words, text) else None


def _same(words: str, text: object) -> bool:
    """Whether two spellings differ in nothing but spaces, which browsers join and line breaks escape."""
    return words.split() == str(text).replace("\\n", "\n").split()


def box_corners(percent: Sequence[Any], width: int, height: int) -> tuple[float, ...]:
    """Left, top, right and bottom in pixels, inside the image, of x, y, width and height in percent."""
    x, y, wide, high = percent
    across = [min(max(each, 0), 100) * width / 100 for each in (x, x + wide)]
    down = [min(max(each, 0), 100) * height / 100 for each in (y, y + high)]
    return tuple(round(each, 2) for each in (across[0], down[0], across[1], down[1]))
