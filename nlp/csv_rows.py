"""Rows of a CSV or TSV file, exactly as text, with a reason for every row that cannot be read.

Python's own csv module reads 300-character captions at 2 microseconds a row, far below the cost of
understanding them, and keeps every cell as it is: ``007``, ``NA`` and ``1E+05`` stay text.
"""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import NamedTuple, TextIO

CELL_LIMIT = 1_000_000
"""Longest cell in characters; a quote that is never closed would otherwise swallow the file."""

_DELIMITERS = ",;\t|"
_SNIFFED = 1 << 18


class Problem(NamedTuple):
    """Why a row cannot be read: the column it concerns (-1: none in particular) and the reason."""

    column: int
    reason: str


Row = tuple[int, list[str], Problem | None]
"""Number as a spreadsheet shows it (the header is row 1), the cells, and what is wrong with them."""

RowStream = Generator[Row, None, None]


def sniff_delimiter(text: str) -> str:
    r"""The delimiter under which the header has several cells and most rows as many.

    >>> sniff_delimiter('image;caption\na.png;"GGO, both lungs"\n')
    ';'
    """
    return max(_DELIMITERS, key=lambda delimiter: _fit(text[:_SNIFFED], delimiter))


def csv_rows(handle: TextIO, *, delimiter: str) -> RowStream:
    """Every row that is not an empty line, the header first.

    A row whose quotes do not close is given up at the end of its first line, and reading goes on with
    the next line: one stray quote costs one row.
    """
    with _cell_limit():
        lines = _Lines(handle)
        parser = csv.reader(lines, delimiter=delimiter, strict=True)
        number = 0
        while True:
            number += 1
            lines.taken.clear()
            try:
                cells = next(parser)
            except StopIteration:
                return
            except csv.Error as error:
                yield number, [], Problem(-1, _reason(error, len(lines.taken)))
                lines.give_back()
                continue
            if cells:
                yield number, cells, None


def shape_problem(cells: list[str], header: tuple[str, ...]) -> Problem | None:
    """What is wrong with the number of cells; blank cells beyond the header do no harm."""
    found, expected = len(cells), len(header)
    if found == expected or (found > expected and not any(cells[expected:])):
        return None
    reason = f"{found} cells where the header has {expected}"
    if found < expected:
        return Problem(found, f"{reason}: this is the first that is missing")
    return Problem(expected - 1, f"{reason}: too many; is a delimiter in the text not quoted?")


class _Lines:
    """Physical lines, with those of the current row at hand so that they can be given back."""

    def __init__(self, handle: TextIO) -> None:
        self._handle = handle
        self._again: deque[str] = deque()
        self.taken: list[str] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._handle)
        self.taken.append(line)
        return line

    def give_back(self) -> None:
        """Read all lines of the current row again, but for its first."""
        self._again.extendleft(reversed(self.taken[1:]))


@contextmanager
def _cell_limit() -> Iterator[None]:
    before = csv.field_size_limit(CELL_LIMIT)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _reason(error: csv.Error, lines: int) -> str:
    message = str(error)
    if "field limit" in message and lines == 1:
        return f"a cell is longer than {CELL_LIMIT:,} characters"
    if "field limit" in message or "end of data" in message:
        return "a quote is opened and never closed"
    if "expected after" in message:
        return "text follows a closing quote: a quote inside a quoted cell must be doubled"
    return f"not readable as CSV ({message})"


def _fit(text: str, delimiter: str) -> tuple[float, int]:
    with _cell_limit():
        try:
            rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row]
        except csv.Error:
            return 0.0, 0
    if not rows or len(rows[0]) < 2:
        return 0.0, 0
    width = len(rows[0])
    return sum(len(row) == width for row in rows) / len(rows), width
