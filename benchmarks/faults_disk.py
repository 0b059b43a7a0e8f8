"""A disk that is full at each write of each command, or that lets nobody write.

A small file system in memory (tmpfs, which needs root) holds the results and is filled up to so many free pages:
with none the first write fails, with one more the next, until all fit. At last it is mounted read-only. Where it cannot
be mounted, a limit on the size of every file (RLIMIT_FSIZE) stands in for it, and the result says so.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.faults_common import Fault
from nlp.errors import ToolkitError

PAGE = 4096
_ROOMY = "64m"
_OLD = b"old"
_SQLITE = b"SQLite format 3"
_HOPELESS = {"disk": 2, "file": 1}
"""So many of the first sizes let nobody write: a read-only disk, and one without a free page."""
_UNPREPARED = 77
"""Exit code of a child that did not come to its command."""
_HELPERS_SECONDS = 60


@dataclass(frozen=True)
class Command:
    """A command that writes below a folder.

    Attributes:
        main: its ``main``, which gives the exit code.
        arguments: what it is called with, the folder's path filled in for ``{out}``.
        results: names below the folder that it writes; files of these names lie there before.
        before: other names below the folder, and the file or folder that lies there before as a copy.
    """

    name: str
    main: Callable[[list[str]], int]
    arguments: tuple[str, ...]
    results: tuple[str, ...] = ()
    before: Mapping[str, Path] = field(default_factory=dict)

    @property
    def is_variant(self) -> bool:
        """Whether the name says more than the module's, as another command of the module stands in the list."""
        return " " in self.name


@dataclass(frozen=True)
class Tried:
    """One command on a disk of one size: exit code, whether its message names the place, whether old results are there."""

    code: int
    named: bool
    intact: bool
    tidy: bool
    """No draft is left behind."""
    said: str
    """The end of it."""


def full_disks(what: str, folder: Path, commands: Sequence[Command], *, most: int) -> Fault:
    """Run each command on a read-only disk, then with ever more room, in so many sizes from nothing to enough."""
    tried: dict[str, list[Tried]] = {}
    with small_disk(folder) as (place, how, limit):
        for command in commands:
            tried[command.name] = list(_sizes(place, command, limit, most))
    failed = [each for attempts in tried.values() for each in attempts if each.code != 0]
    good = [each for each in failed if each.code == 1 and each.intact and each.tidy and each.named]
    begun = [
        name for name, attempts in tried.items() if all(each.code for each in attempts[: _HOPELESS[limit]])
    ]
    return Fault(
        what=f"disk full at each write of each command that {what}, or read-only",
        how=f"{how}{', and mounted read-only' if limit == 'disk' else ''}",
        tried=sum(map(len, tried.values())),
        target="non-zero exit, old file intact, message names the path",
        held=len(good) == len(failed) and len(begun) == len(tried),
        found={
            "failed": len(failed),
            "as_wanted": len(good),
            "commands": {name: sum(each.code != 0 for each in attempts) for name, attempts in tried.items()},
            "otherwise": sorted({f"{name}: {each}" for name, all_ in tried.items() for each in all_
                                 if each.code != 0 and each not in good})[:5],
            "not_stopped": sorted({*tried} - {*begun}),
        },
    )  # fmt: skip


def in_child(command: Command, place: Path, limit: int | None) -> tuple[int, str]:
    """Exit code and messages of the command in a fork of this process, which has all libraries already."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        code = _UNPREPARED
        try:
            os.setsid()
            sys.stdout = sys.stderr = os.fdopen(write, "w", buffering=1, errors="replace")
            silent = os.open(os.devnull, os.O_WRONLY)
            (
                os.dup2(silent, 1),
                os.dup2(silent, 2),
            )  # what other programs say, such as Java, is no message of ours
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
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    _wait_for_helpers(child)
    return code, said


def _wait_for_helpers(session: int) -> None:
    """Java and its workers end some time after the command, and hold files until then."""
    until = time.monotonic() + _HELPERS_SECONDS
    while time.monotonic() < until and session in _sessions():
        time.sleep(0.05)


def _sessions() -> Iterator[int]:
    """Of all processes; none where the system has no /proc."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended
            yield os.getsid(int(process.name))


def _sizes(place: Path, command: Command, limit: str, most: int) -> Iterator[Tried]:
    """Read-only, then from no page at all in growing steps; that it goes well with room enough is seen first."""
    needed, finished = _measured(place, command)
    if limit == "disk":
        yield _try(place, command, _read_only(place), finished)
    for step in range(most):
        pages = max(step, needed * step**2 // most**2)  # small files are written first and fail first
        yield _try(place, command, _full(place, pages, limit), finished)


@contextlib.contextmanager
def _read_only(place: Path) -> Iterator[None]:
    for mode in ("ro", "rw"):
        subprocess.run(["mount", "-o", f"remount,{mode}", str(place)], check=True)
        if mode == "ro":
            yield


@contextlib.contextmanager
def _full(place: Path, pages: int, limit: str) -> Iterator[int | None]:
    """So many pages are free; gives the longest file where only that can be limited."""
    if limit == "disk":
        fill(place, pages)
    yield pages * PAGE if limit == "file" else None
    (place / "filler").unlink(missing_ok=True)


def _measured(place: Path, command: Command) -> tuple[int, dict[str, str]]:
    """Pages that the results take while they are written, and what stands in them in the end."""
    _lay_out(place, command)
    before = _pages(place)
    code, said = in_child(command, place, None)
    if code:
        raise ToolkitError(f"{command.name} fails with room enough: {said[-1000:]}")
    return 2 * max(1, _pages(place) - before), contents(place)


def _try(
    place: Path, command: Command, fault: AbstractContextManager[int | None], finished: Mapping[str, str]
) -> Tried:
    """Every old file must be there still, or its new form be there whole."""
    _lay_out(place, command)
    old = contents(place)
    with fault as longest:
        code, said = in_child(command, place, longest)
    found = contents(place)
    intact = all(found.get(name) in (content, finished.get(name)) for name, content in old.items())
    drafts = any(place.rglob(".*.tmp"))  # .cache, decoded images, is no draft
    named = any(str(place) in part for part in said.split("error: ")[1:])
    return Tried(code, named, code == 0 or intact, not drafts, said[-300:])


def _lay_out(place: Path, command: Command) -> None:
    empty(place)
    for name, source in command.before.items():
        (shutil.copytree if source.is_dir() else shutil.copy)(source, place / name)
    for name in command.results:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(_OLD)


def _pages(place: Path) -> int:
    return sum(-(-path.stat().st_size // PAGE) + 1 for path in place.rglob("*") if path.is_file())


def contents(place: Path) -> dict[str, str]:
    """What stands in each file; of a database how many rows of what, as times in it differ; of a seal whether it is right."""
    files = [path for path in place.rglob("*") if path.is_file() and not path.name.endswith(("-wal", "-shm"))]
    return {path.relative_to(place).as_posix(): _content(path) for path in files}


def _content(path: Path) -> str:
    if path.suffix == ".sha256":  # while a file changes, its seal names the old content and the new
        file = path.with_suffix("")
        sealed = hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else "nothing yet"
        return "right" if sealed in path.read_text() else "wrong"
    with path.open("rb") as file:
        if file.read(len(_SQLITE)) != _SQLITE:
            file.seek(0)
            return hashlib.file_digest(file, "sha256").hexdigest()
    with contextlib.closing(sqlite3.connect(path)) as database:
        sound = database.execute("PRAGMA integrity_check").fetchone()[0]
        names = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = {
            name: database.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in sorted(names)
        }
    return f"{sound} {rows}"


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
