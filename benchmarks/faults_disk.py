"""A disk that is full at each write of each command.

A small file system in memory (tmpfs, which needs root) holds the results and is filled up to so many free pages:
with none the first write fails, with one more the next, until all fit. Where it cannot be mounted, a limit on
the size of every file (RLIMIT_FSIZE) stands in for it, and the result says so.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.faults_common import Fault

PAGE = 4096
_ROOMY = "64m"
_OLD = b"old"
_UNPREPARED = 77
"""Exit code of a child that did not come to its command."""


@dataclass(frozen=True)
class Command:
    """A command that writes below a folder.

    Attributes:
        main: its ``main``, which gives the exit code.
        arguments: what it is called with, the folder's path filled in for ``{out}``.
        results: names below the folder that it writes; they exist before and must survive.
    """

    name: str
    main: Callable[[list[str]], int]
    arguments: tuple[str, ...]
    results: tuple[str, ...]


@dataclass(frozen=True)
class Tried:
    """One command on a disk of one size: exit code, what it said, and whether the old results are there."""

    code: int
    said: str
    intact: bool
    tidy: bool
    """No draft is left behind."""


def full_disks(what: str, folder: Path, commands: Sequence[Command], *, most: int) -> Fault:
    """Run each command with ever more room, in so many sizes from nothing to enough."""
    tried: dict[str, list[Tried]] = {}
    with small_disk(folder) as (place, how, limit):
        for command in commands:
            tried[command.name] = list(_sizes(place, command, limit, most))
    failed = [each for attempts in tried.values() for each in attempts if each.code != 0]
    good = [
        each for each in failed if each.code == 1 and each.intact and each.tidy and str(place) in each.said
    ]
    return Fault(
        what=f"disk full at each write of each command that {what}",
        how=how,
        tried=sum(map(len, tried.values())),
        target="non-zero exit, old file intact, message names the path",
        held=len(good) == len(failed) and all(any(each.code for each in attempts) for attempts in tried.values()),
        found={
            "failed": len(failed),
            "as_wanted": len(good),
            "commands": {name: sum(each.code != 0 for each in attempts) for name, attempts in tried.items()},
            "otherwise": sorted({f"{name}: {each}" for name, all_ in tried.items() for each in all_
                                 if each.code != 0 and each not in good})[:5],
        },
    )  # fmt: skip


def in_child(command: Command, place: Path, limit: int | None) -> tuple[int, str]:
    """Exit code and messages of the command in a fork of this process, which has all libraries already."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        code = _UNPREPARED
        try:
            sys.stdout = sys.stderr = os.fdopen(write, "w", buffering=1, errors="replace")
            if limit is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            code = command.main([each.format(out=place) for each in command.arguments])
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(write)
    with os.fdopen(read, errors="replace") as pipe:
        said = pipe.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), said


def _sizes(place: Path, command: Command, limit: str, most: int) -> Iterator[Tried]:
    """Sizes at even steps from nothing to enough."""
    needed, finished = _measured(place, command)
    for step in range(most):
        yield _try(place, command, limit, needed * step // max(1, most - 1), finished)


def _measured(place: Path, command: Command) -> tuple[int, dict[str, bytes]]:
    """Pages that the results take while they are written, and what stands in them in the end."""
    empty(place)
    in_child(command, place, None)
    pages = sum(-(-path.stat().st_size // PAGE) + 1 for path in place.rglob("*") if path.is_file())
    return 2 * pages, {name: (place / name).read_bytes() for name in command.results}


def _try(place: Path, command: Command, limit: str, pages: int, finished: dict[str, bytes]) -> Tried:
    """An old result must be there still, or a new one be there whole."""
    empty(place)
    for name in command.results:
        (place / name).write_bytes(_OLD)
    if limit == "disk":
        fill(place, pages)
    code, said = in_child(command, place, pages * PAGE if limit == "file" else None)
    (place / "filler").unlink(missing_ok=True)
    contents = {name: (place / name).read_bytes() for name in command.results}
    intact = all(content in (_OLD, finished[name]) for name, content in contents.items())
    drafts = any(place.rglob(".*.tmp"))  # .cache, decoded images, is no draft
    return Tried(code, said, code == 0 or intact, not drafts)


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[tuple[Path, str, str]]:
    """A small disk, how it was made, and what limits it: ``disk`` or ``file``."""
    place = Path(tempfile.mkdtemp(prefix="small-disk-", dir=folder))
    mounted = ["mount", "-t", "tmpfs", "-o", f"size={_ROOMY}", "lesion-labels", str(place)]
    done = shutil.which("mount") and subprocess.run(mounted, capture_output=True).returncode == 0
    try:
        if done:
            yield place, "a tmpfs filled up to 0, 1, 2 … free pages", "disk"
        else:
            yield place, "RLIMIT_FSIZE of 0, 1, 2 … pages, for want of the right to mount", "file"
    finally:
        if done:
            subprocess.run(["umount", str(place)], check=True)
        shutil.rmtree(place, ignore_errors=True)


def fill(place: Path, pages: int) -> None:
    """Leave so many pages free."""
    free = os.statvfs(place)
    size = max(0, free.f_bavail - pages) * free.f_frsize
    with (place / "filler").open("wb") as filler:
        os.posix_fallocate(filler.fileno(), 0, size) if size else None


def empty(place: Path) -> None:
    for path in place.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
