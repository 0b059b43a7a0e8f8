"""Find images by the names that tables give them: ``find_images(names, folder)``.

Published tables leave out suffixes and folders, so a name is tried as an exact path below the folder, then
as a file name, then as a stem; each time literally, then in Unicode form NFC. It is never URL-decoded, since
``%1`` is a part of real names. A name that fits several files is not guessed. Standard library only.
"""

from __future__ import annotations

import os
import unicodedata
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path, PurePosixPath

from nlp.errors import ImageError

IMAGE_SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif", ".tif", ".tiff", ".bmp", ".webp", ".jp2"),
    *(".pgm", ".ppm", ".dcm", ".dicom"),
)
"""What a stem loses. ``2020.03.22.20040782-p25-1542`` keeps its dots: those begin no suffix."""

_SHOWN = 5
_SUGGESTED = 20
_NEIGHBOURS = 500


class ImageFolder:
    """The files below a folder, listed once, when the first name comes that is not an exact path.

    A link counts only where it stays inside the folder. Hidden files are found by exact path alone.

    Raises:
        ImageError: there is no such folder.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise ImageError(f"there is no image folder {folder}")
        self.folder = folder
        self._inside = folder.resolve()

    def find(self, name: str) -> Path:
        """The one file that ``name`` means, as a path that begins with the folder.

        Raises:
            ImageError: no file or several fit (they are listed), or the name leads out of the folder.
        """
        found, problem = self.look_up(name)
        if found is None:
            raise ImageError(f"image {name!r}: {problem}")
        return found

    def look_up(self, name: str, *, suggest: bool = True) -> tuple[Path | None, str]:
        """The file of a name, or None and the reason why there is none."""
        pure = PurePosixPath(name)
        if pure.is_absolute() or ".." in pure.parts:
            return None, "must be a path below the image folder, without '..'"
        if _is_file(self.folder / name):
            return self._checked(self.folder / name)
        for index, key in zip(self._indexes, (name, pure.name, pure.name, stem(pure.name)), strict=True):
            if found := index.get(key) or index.get(_NFC + _composed(key)):
                return self._only(found, pure)
        return None, f"no such file below {self.folder}{self._suggestion(pure.name) if suggest else ''}"

    def _only(self, found: Sequence[str], pure: PurePosixPath) -> tuple[Path | None, str]:
        if len(found) > 1:  # the folders of the name may tell them apart
            fitting = [path for path in found if _one_ends_other(PurePosixPath(path).parts, pure.parts)]
            if len(fitting) != 1:
                return None, f"{len(found)} files fit, name one with its folder: {_some(found)}"
            found = fitting
        return self._checked(self.folder / found[0])

    def _checked(self, path: Path) -> tuple[Path | None, str]:
        if path.resolve().is_relative_to(self._inside):
            return path, ""
        return None, f"is a link that leads out of {self.folder}"

    def _suggestion(self, name: str) -> str:
        """Names that are nearly the same; in a large folder only neighbours in the alphabet are compared."""
        place = bisect_left(self._sorted_names, name)
        near = self._sorted_names[max(0, place - _NEIGHBOURS) : place + _NEIGHBOURS]
        close = get_close_matches(name, near, n=3)
        return f"; near it: {_some(close)}" if close else ""

    @cached_property
    def _indexes(self) -> tuple[Mapping[str, Sequence[str]], ...]:
        """Files by path, by name and by stem; a stem is asked for twice, as it stands and without suffix."""
        files = sorted(_walk(self.folder))
        stems = _index(files, lambda path: stem(PurePosixPath(path).name))
        return _index(files, str), _index(files, lambda path: PurePosixPath(path).name), stems, stems

    @cached_property
    def _sorted_names(self) -> Sequence[str]:
        return sorted(key for key in self._indexes[1] if not key.startswith(_NFC))


def find_images(names: Sequence[str], folder: Path) -> list[Path]:
    """The file of every name, in order.

    Raises:
        ImageError: lists every name without a file or with several, and different names of one file.
    """
    images = ImageFolder(folder)
    found: dict[str, Path] = {}
    owners: dict[Path, str] = {}
    problems: list[str] = []
    for name in dict.fromkeys(names):
        path, problem = images.look_up(name, suggest=len(problems) < _SUGGESTED)
        if path is None:
            problems.append(f"  {name!r}: {problem}")
        elif (owner := owners.setdefault(path, name)) != name:
            problems.append(f"  {name!r}: means the same file as {owner!r}, {path.relative_to(folder)}")
        else:
            found[name] = path
    if problems:
        count = f"{len(problems)} of {len(set(names))} image names"
        raise ImageError("\n".join([f"{count} cannot be used with the image folder {folder}:", *problems]))
    return [found[name] for name in names]


def stem(name: str) -> str:
    """A file name without the suffix of an image format.

    >>> stem("2020.03.22.20040782-p25-1542"), stem("1%0.JPG")
    ('2020.03.22.20040782-p25-1542', '1%0')
    """
    base, suffix = os.path.splitext(name)  # noqa: PTH122  also takes names that are no paths
    return base if suffix.lower() in IMAGE_SUFFIXES else name


_NFC = "\0"
"""Marks the keys in Unicode form NFC: no file name holds it, so literal names keep their precedence."""


def _index(files: Sequence[str], key: Callable[[str], str]) -> Mapping[str, Sequence[str]]:
    index: dict[str, list[str]] = defaultdict(list)
    for path in files:
        index[key(path)].append(path)
        index[_NFC + _composed(key(path))].append(path)
    return index


def _walk(folder: Path) -> Iterator[str]:
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if not name.startswith("."):
                yield (Path(place) / name).relative_to(folder).as_posix()


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long for a name, or a NUL in it
        return False


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _one_ends_other(left: Sequence[str], right: Sequence[str]) -> bool:
    length = min(len(left), len(right))
    return tuple(left[-length:]) == tuple(right[-length:])


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(map(repr, names[:_SHOWN])) + more
