"""Files inside zip archives, named as if the archive were a folder: ``study.zip/day 3/slice.png``.

Nothing is ever unpacked to the disk, so that no member can leave a folder. Sizes are counted while reading, because
an archive may lie about them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import IO
from zipfile import BadZipFile, ZipFile, ZipInfo

from nlp.errors import ImageError

MOST_BYTES = 256 * 2**20
"""Of one file: a series of 400 slices in one file has less; more is no image that was meant."""
_MEGABYTE = 2**20
_MOST_TIMES, _ALWAYS_FINE = 200, 32 * _MEGABYTE
"""A bomb is more than so many times its size in the archive and more than what is fine anyway."""
ARCHIVE = ".zip"
_UNREADABLE = (BadZipFile, OSError, ValueError, NotImplementedError)
"""What zipfile raises of a file that is none, is damaged, or is of a version it does not know."""


def opened(path: Path) -> IO[bytes]:
    """A file to read from, or a member of an archive.

    Raises:
        ImageError: it is larger than ``MOST_BYTES``; the reason only, without the path.
        OSError: it is not there, or cannot be read.
    """
    if (archive := _archive_above(path)) is None:
        _check_size(path.stat().st_size)
        return path.open("rb")
    held = _zip(archive, archive.stat().st_mtime_ns)
    member = held.members[path.relative_to(archive)]
    _check_size(member.file_size)
    return held.file.open(member)


def there(path: Path) -> bool:
    """Whether a path is a file, or a member of an archive."""
    if (archive := _archive_above(path)) is None:
        return path.is_file()
    try:
        return path.relative_to(archive) in _zip(archive, archive.stat().st_mtime_ns).members
    except _UNREADABLE:
        return False


def changed(path: Path) -> int:
    """When a file, or the archive that it is in, was last written, in nanoseconds.

    Raises:
        OSError: it is not there.
    """
    return (_archive_above(path) or path).stat().st_mtime_ns


def content(path: Path) -> bytes:
    """All bytes of a file or member, at most ``MOST_BYTES``.

    Raises:
        ImageError, OSError: see ``opened``.
    """
    with opened(path) as file:
        read = file.read(MOST_BYTES + 1)
    _check_size(len(read))
    return read


def members(archive: Path) -> Iterator[tuple[Path, str]]:
    """The files of an archive in the order of their names, each with what forbids to read it or blank.

    A member whose name leads out of the archive is named by its number.

    Raises:
        ImageError: it is no archive, or far larger inside than any set of images; with its path.
    """
    try:
        found = _zip(archive, archive.stat().st_mtime_ns).file.infolist()
    except _UNREADABLE as error:
        raise ImageError(
            f"{archive}: is no zip archive, or a damaged one ({type(error).__name__})"
        ) from error
    _check_whole(archive, found)
    for number, member in sorted(enumerate(found, 1), key=lambda each: each[1].filename):
        name = PurePosixPath(member.filename)
        if member.is_dir():
            continue
        if name.is_absolute() or ".." in name.parts or "\\" in member.filename or ":" in member.filename:
            yield archive / f"member-{number}", "its name leads out of the archive"
        elif not any(part.startswith((".", "__MACOSX")) for part in name.parts):
            yield archive / name, _problem(member)


def forget_archives() -> None:
    """Let go of archives that were read: an open one holds its data even when the file is deleted."""
    _zip.cache_clear()  # each is closed as soon as no thread reads it any more


def _problem(member: ZipInfo) -> str:
    if member.filename.lower().endswith(ARCHIVE):
        return "is an archive inside an archive, which is not opened; unpack the outer one"
    if member.flag_bits & 1:
        return "is encrypted; unpack the archive with its password"
    if _is_bomb(member.file_size, member.compress_size):
        return f"would unpack to {member.file_size / _MEGABYTE:,.0f} MB: a zip bomb, not an image"
    return ""


def _check_whole(archive: Path, found: list[ZipInfo]) -> None:
    inside = sum(member.file_size for member in found)
    if _is_bomb(inside, archive.stat().st_size):
        raise ImageError(
            f"{archive}: would unpack to {inside / _MEGABYTE:,.0f} MB: a zip bomb, not a set of images"
        )


def _is_bomb(size: int, packed: int) -> bool:
    return size > max(_ALWAYS_FINE, _MOST_TIMES * packed)


def _check_size(size: int) -> None:
    if size > MOST_BYTES:
        most = MOST_BYTES // _MEGABYTE
        raise ImageError(f"has {size / _MEGABYTE:,.0f} MB, more than the {most} MB that are read of one file")


def _archive_above(path: Path) -> Path | None:
    """The file that the path goes on inside of."""
    if path.exists():
        return None
    return next(
        (parent for parent in path.parents if parent.suffix.lower() == ARCHIVE and parent.is_file()), None
    )


@dataclass(frozen=True)
class _Zip:
    """An archive and its files by the names they have here: ``./a//b.png`` is ``a/b.png``."""

    file: ZipFile
    members: Mapping[Path, ZipInfo]


@lru_cache(maxsize=4)
def _zip(archive: Path, _changed: int) -> _Zip:
    """The directory is read once, not once a member; members may be read by several threads."""
    file = ZipFile(archive)
    return _Zip(file, {Path(each.filename): each for each in file.infolist() if not each.is_dir()})
