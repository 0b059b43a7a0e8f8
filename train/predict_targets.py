"""Where results may not go: over inputs, and into the folder of a run. Asked before any work is done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from nlp.errors import OutputError
from train.run_folder import CHECKPOINT, METRICS


def check_tables(outs: Sequence[Path], paths: Iterable[Path]) -> None:
    """Refuse tables that could not be written or would replace something.

    Args:
        outs: the tables.
        paths: what is read.

    Raises:
        OutputError: there is no such folder, it is that of a run, or a table is an input.
    """
    inputs = {path.resolve() for path in paths}
    for out in outs:
        target = out.resolve()
        if not target.parent.is_dir():
            raise OutputError(f"{out} cannot be written: there is no folder {out.parent}")
        if _is_run(target.parent):
            raise OutputError(
                f"{out} lies in the folder of a run, whose files stay: choose another place with -o"
            )
        if target in inputs:
            raise OutputError(f"{out} is an input, which is never replaced: choose another name with -o")


def check_folder(out: Path) -> None:
    """Refuse a folder that cannot take pictures and tables.

    Raises:
        OutputError: it is a file, or the folder of a run.
    """
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out} is a file; give the name of a folder")
    if _is_run(out):
        raise OutputError(
            f"{out} is the folder of a run, whose files stay: choose another, such as {out}/maps"
        )


def check_apart(out: Path, images: Iterable[Path]) -> None:
    """Refuse a folder that holds images, or links to them, that are read: results have their names.

    Raises:
        OutputError: it does.
    """
    check_folder(out)
    there = {path.resolve() for path in out.iterdir()} if out.is_dir() else set()
    if held := sorted(path.name for path in images if path.resolve() in there):
        raise OutputError(
            f"{out} holds {len(held)} of the images, such as {held[0]}, which results could replace: "
            "choose another folder"
        )


def _is_run(folder: Path) -> bool:
    return any((folder / name).exists() for name in (METRICS, CHECKPOINT))
