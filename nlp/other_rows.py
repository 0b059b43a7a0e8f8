"""Rows of XLSX and JSONL files as text, and the opening of Parquet files."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import pyarrow as pa

from nlp.csv_rows import Problem, RowStream
from nlp.errors import InputError

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

_WIDTH_ROWS = 1000
"""A sheet is as wide as the widest of its first rows: a header cell may be blank."""
_MOST_TIMES, _ALWAYS_FINE = 100, 64 << 20
"""A workbook of texts is some ten times smaller than they are; a bomb a thousand times."""


def open_parquet(path: Path) -> ParquetFile:
    """Open a Parquet file without reading its rows.

    Raises:
        InputError: not a Parquet file, or a damaged one.
    """
    from pyarrow.parquet import ParquetFile

    try:
        return ParquetFile(path)
    except pa.ArrowException as error:
        raise InputError(f"{path} is not a readable Parquet file") from error


def sheet_rows(path: Path) -> RowStream:
    """Every row of the first sheet that is not blank, the header first, filled up to the width of the sheet.

    Raises:
        InputError: not an XLSX file, or a damaged one.
    """
    with _book(path) as book:
        sheet = book.worksheets[0]
        sheet.reset_dimensions()  # some writers store a wrong size, which would cut the table
        rows = enumerate((_filled(values) for values in sheet.iter_rows(values_only=True)), start=1)
        first = list(islice(rows, _WIDTH_ROWS))
        width = max((len(cells) for _, cells in first), default=0)
        for number, cells in chain(first, rows):
            if cells:
                yield number, cells + [""] * (width - len(cells)), None


def other_sheets(path: Path) -> str:
    """Words that say which sheet is read where there are several, else nothing."""
    with _book(path) as book:
        names = [sheet.title for sheet in book.worksheets]
    return f", only the first of {len(names)} sheets ({names[0]})" if len(names) > 1 else ""


@contextmanager
def _book(path: Path) -> Iterator[Any]:
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    _check_size(path)
    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError) as error:
        raise InputError(f"{path} is not a readable XLSX file") from error
    with closing(book):
        if not book.worksheets:
            raise InputError(f"{path} holds no sheet of cells")
        yield book


def _check_size(path: Path) -> None:
    """Refuse a bomb before it unpacks: shared texts of a workbook are read as a whole.

    Raises:
        InputError: it is one, or no archive.
    """
    try:
        with zipfile.ZipFile(path) as file:
            inside = sum(member.file_size for member in file.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise InputError(f"{path} is not a readable XLSX file") from error
    if inside > max(_ALWAYS_FINE, _MOST_TIMES * path.stat().st_size):
        raise InputError(f"{path} would unpack to {inside >> 20:,} MB: a zip bomb, not a workbook")


def jsonl_header(path: Path, handle: TextIO, rows: int) -> tuple[str, ...]:
    """The keys of the first rows, in the order in which they appear.

    Raises:
        InputError: none of them is a JSON object.
    """
    keys: dict[str, None] = {}
    for line in islice(handle, rows):
        record = _parsed(line)
        if isinstance(record, dict):
            keys.update(dict.fromkeys(record))
    if not keys:
        raise InputError(f"{path} has no JSON object in its first {rows:,} lines; JSONL has one on each")
    return tuple(keys)


def jsonl_rows(handle: TextIO, header: Sequence[str]) -> RowStream:
    """One row per line that is not blank; numbers are line numbers."""
    for number, line in enumerate(handle, start=1):
        if not line.strip():
            continue
        record = _parsed(line)
        if not isinstance(record, dict):
            yield number, [], Problem(-1, "not a JSON object")
            continue
        cells = [_json_text(record.get(key)) for key in header]
        escaped = "\\ud" in line.lower()
        broken = next((index for index, cell in enumerate(cells) if escaped and _has_half(cell)), -1)
        problem = Problem(broken, "half of a surrogate pair: not valid Unicode") if broken >= 0 else None
        yield number, cells, problem


def _filled(values: Sequence[object]) -> list[str]:
    """The cells up to the last that is not blank."""
    cells = [_cell_text(value) for value in values]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _cell_text(value: object) -> str:
    """A spreadsheet cell as Excel shows it: 7, not 7.0; a date in ISO form."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def _parsed(line: str) -> Any:
    """The JSON value with its numbers left as they are written, or None."""
    try:
        return json.loads(line, parse_int=str, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError):
        return None


def _json_text(value: object) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _has_half(cell: str) -> bool:
    try:
        cell.encode()
    except UnicodeEncodeError:
        return True
    return False
