"""Write: CSV or Parquet in a stream, complete or not at all.

Tables are written beside their place, flushed to the disk and renamed over the old ones at the very end:
whatever goes wrong before, what was there is still there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from nlp.errors import OutputError

SUFFIXES = (".csv", ".parquet")
_NEEDS_QUOTES = '[",\r\n]'


class TableWriter(Protocol):
    """Takes record batches of one schema, then is closed; the file below it stays open."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Append the rows of a batch."""

    def close(self) -> None:
        """Write what is left, such as a Parquet footer."""


def check_targets(tables: Sequence[Path], others: Sequence[Path], source: Path) -> None:
    """Refuse before any work is done what could not be written after it.

    Args:
        tables: results whose suffix says their format; ``others`` have any.

    Raises:
        OutputError: an unknown suffix, no such folder, a folder in the place of a file, two results in
            one file, or a result that would replace the input.
    """
    for table in tables:
        if table.suffix.lower() not in SUFFIXES:
            raise OutputError(f"{table} must end in {' or '.join(SUFFIXES)}")
    targets = [*tables, *others]
    for target in targets:
        if target.is_dir():
            raise OutputError(f"{target} is a folder; give the name of a file")
        if not target.parent.is_dir():
            raise OutputError(f"{target} cannot be written: there is no folder {target.parent}")
        if target.resolve() == source.resolve():
            raise OutputError(f"{target} is the input, which is never replaced: choose another name")
    if len({target.resolve() for target in targets}) < len(targets):
        raise OutputError(f"two results would go to one file: {', '.join(map(str, targets))}")


@contextmanager
def replacing(targets: Sequence[Path]) -> Iterator[list[BinaryIO]]:
    """Open a file for each target; only if all goes well do they take the place of the old ones.

    Raises:
        OutputError: the disk is full, the folder read-only or the like; the old files are intact.
    """
    paths = [target.resolve() for target in targets]  # a link keeps its place and gets new content
    drafts = [path.with_name(f".{path.name}.tmp") for path in paths]
    try:
        with writing(targets[0]), ExitStack() as stack:
            handles = [stack.enter_context(draft.open("wb")) for draft in drafts]
            yield list(handles)
            for handle in handles:
                flush_to_disk(handle)
            for draft, path in zip(drafts, paths, strict=True):
                draft.replace(path)
            for folder in {path.parent for path in paths}:
                flush_folder(folder)
    finally:
        for draft in drafts:
            draft.unlink(missing_ok=True)


def table_writer(handle: BinaryIO, target: Path, names: Sequence[str]) -> TableWriter:
    """A writer for the format of ``target``; ``names`` are the columns should no batch come."""
    return _ParquetWriter(handle, names) if target.suffix.lower() == ".parquet" else _CsvWriter(handle, names)


def csv_lines(batch: pa.RecordBatch) -> bytes:
    r"""The rows as CSV: quotes only where needed, blank for ``""`` and null, ``\n`` at the end.

    >>> csv_lines(pa.record_batch({"a": ["x", 'say "y", z'], "n": [1, None]}))
    b'x,1\n"say ""y"", z",\n'
    """
    cells = [_quoted(_as_text(column)) for column in batch.columns]
    cells[-1] = pc.binary_join_element_wise(cells[-1], "\n", "")
    return _content(pc.binary_join_element_wise(*cells, ","))


@contextmanager
def writing(target: Path) -> Iterator[None]:
    """Turn the system's errors while ``target`` is written into one message.

    Raises:
        OutputError: disk full, folder read-only or the like.
    """
    try:
        yield
    except OSError as error:
        place = error.filename or target.parent
        reason = error.strerror or str(error)
        message = f"{target.name} was not written, older files are intact: {reason} ({place})"
        raise OutputError(message) from error


def flush_to_disk(handle: BinaryIO) -> None:
    """Return once the disk has the file's content."""
    handle.flush()
    os.fsync(handle.fileno())


def flush_folder(folder: Path) -> None:
    """Return once the disk knows the folder's new names; systems that cannot do that are skipped."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows opens no folders
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class _CsvWriter:
    def __init__(self, handle: BinaryIO, names: Sequence[str]) -> None:
        self._handle = handle
        handle.write(csv_lines(pa.record_batch([pa.array([name]) for name in names], names=list(names))))

    def write(self, batch: pa.RecordBatch) -> None:
        self._handle.write(csv_lines(batch))

    def close(self) -> None:
        pass


class _ParquetWriter:
    def __init__(self, handle: BinaryIO, names: Sequence[str]) -> None:
        self._handle = handle
        self._names = names
        self._writer: Any = None

    def write(self, batch: pa.RecordBatch) -> None:
        from pyarrow.parquet import ParquetWriter

        self._writer = self._writer or ParquetWriter(self._handle, batch.schema)
        self._writer.write_batch(batch)

    def close(self) -> None:
        if self._writer is None:
            empty = pa.array([], pa.string())
            self.write(pa.record_batch([empty for _ in self._names], names=list(self._names)))
        if self._writer is not None:
            self._writer.close()


def _as_text(column: pa.Array) -> pa.Array:
    return pc.fill_null(pc.cast(column, pa.string()), "")


def _quoted(column: pa.Array) -> pa.Array:
    special = pc.match_substring_regex(column, _NEEDS_QUOTES)
    if not pc.any(special).as_py():
        return column
    doubled = pc.binary_join_element_wise('"', pc.replace_substring(column, '"', '""'), '"', "")
    return pc.if_else(special, doubled, column)


def _content(lines: pa.Array) -> bytes:
    """All values one after another, which is how Arrow holds them already."""
    if not len(lines):
        return b""
    _, offsets, values = lines.buffers()
    places = memoryview(offsets).cast("i")
    return bytes(memoryview(values)[places[lines.offset] : places[lines.offset + len(lines)]])
