"""Open a table of any format and stream its columns as text, in batches of bounded size.

CSV and TSV, XLSX, Parquet and JSONL give the same thing: ``Rows``, where every cell is text exactly as
it stands in the file and a missing one is ``""``.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from nlp.column_names import MOST_COLUMNS, column_name
from nlp.csv_rows import Problem, Row, RowStream, csv_rows, shape_problem, sniff_delimiter
from nlp.encodings import decoding_problem, find_encoding
from nlp.errors import InputError
from nlp.other_rows import jsonl_header, jsonl_rows, open_parquet, other_sheets, sheet_rows

BATCH_CHARACTERS = 32_000_000
SAMPLE_ROWS = 1000
_MAGIC = (
    (b"PK\x03\x04", "xlsx"),
    (b"PAR1", "parquet"),
    (b"\x1f\x8b", "a gzip archive: unpack it first"),
    (b"\xd0\xcf\x11\xe0", "an old Excel file: save it as .xlsx or CSV"),
    (b"%PDF", "a PDF: a table is needed"),
)
_SUFFIXES = {".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".tsv": "tsv", ".tab": "tsv"}


@dataclass(frozen=True)
class Table:
    """A file that is ready to be read: its format, header and how its text is written."""

    path: Path
    kind: str
    header: tuple[str, ...]
    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""

    @property
    def description(self) -> str:
        """Format and encoding in words, for the user."""
        how = {";": ", separated by semicolons", "\t": ", separated by tabs", "|": ", separated by |"}
        encoding = f", {self.encoding}" if self.encoding else self.sheet
        return f"{self.kind.upper()}{encoding}{how.get(self.delimiter, '')}, {len(self.header)} columns"


@dataclass(frozen=True)
class Rejected:
    """A row that is not in the result: its number, the column and the reason, and its id if known."""

    row: int
    column: str
    reason: str
    image: str = ""


@dataclass(frozen=True)
class Rows:
    """Some rows of a table: numbers, the cells of each wanted column as text, and the unreadable rows."""

    numbers: list[int]
    columns: dict[int, pa.Array]
    rejected: list[Rejected]
    done: float
    """Share of the file that has been read, 0 to 1."""


def open_table(path: Path, encoding: str | None = None) -> Table:
    """Find out format, encoding, delimiter and header.

    Raises:
        InputError: no such file, an empty one, an unknown encoding, a format that cannot be read, or too many columns.
    """
    table = _opened(path, encoding)
    if len(table.header) > MOST_COLUMNS:
        raise InputError(
            f"{path} has {len(table.header):,} columns, more than the {MOST_COLUMNS:,} that are read; is a record"
            " one row of it?"
        )
    return table


def sample_columns(table: Table, count: int = SAMPLE_ROWS) -> list[list[str]]:
    """The first rows that can be read, as one list of cells per column."""
    wanted = range(len(table.header))
    with closing(read_rows(table, wanted, batch_rows=count)) as batches:
        first = next(batches, None)
    return [first.columns[index].to_pylist() if first else [] for index in wanted]


def read_rows(table: Table, wanted: Sequence[int], *, batch_rows: int) -> Generator[Rows, None, None]:
    """Stream the wanted columns, by index, in batches of at most ``batch_rows`` rows.

    Raises:
        InputError: the file stops being readable, with the place.
    """
    if table.kind == "parquet":
        yield from _parquet_batches(table, wanted, batch_rows)
        return
    with _rows(table) as (rows, done), closing(rows):
        while True:
            batch = _collect(table, islice(rows, batch_rows), wanted, done)
            if not batch.numbers and not batch.rejected:
                return
            yield batch


def _opened(path: Path, encoding: str | None) -> Table:
    kind = _kind(path)
    if encoding and kind in ("parquet", "xlsx"):
        raise InputError(f"{path} is {kind.upper()}, whose encoding is fixed: leave out --encoding")
    if kind == "parquet":
        with open_parquet(path) as file:
            return Table(path, kind, tuple(file.schema_arrow.names))
    if kind == "xlsx":
        with closing(sheet_rows(path)) as rows:
            return Table(path, kind, _header(path, rows), sheet=other_sheets(path))
    encoding = find_encoding(path, encoding)
    if kind == "jsonl":
        with _text(path, encoding) as handle:
            return Table(path, kind, jsonl_header(path, handle, SAMPLE_ROWS), encoding)
    with _text(path, encoding) as handle:
        delimiter = "\t" if kind == "tsv" else sniff_delimiter(handle.read(1 << 18))
    with _text(path, encoding) as handle, closing(csv_rows(handle, delimiter=delimiter)) as rows:
        return Table(path, kind, _header(path, rows), encoding, delimiter)


def _kind(path: Path) -> str:
    try:
        with path.open("rb") as handle:
            head = handle.read(8)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    if not head:
        raise InputError(f"{path} is empty")
    kind = next((kind for magic, kind in _MAGIC if head.startswith(magic)), None)
    if kind and " " in kind:
        raise InputError(f"{path} is {kind}")
    return kind or _SUFFIXES.get(path.suffix.lower(), "csv")


def _header(path: Path, rows: Iterator[Row]) -> tuple[str, ...]:
    number, cells, problem = next(rows, (1, [], None))
    if problem:
        raise InputError(f"{path}, row {number} (the header): {problem.reason}")
    if not any(cell.strip() for cell in cells):
        raise InputError(f"{path} has no header: its first row is blank")
    return tuple(cells)


@contextmanager
def _text(path: Path, encoding: str) -> Iterator[io.TextIOWrapper]:
    try:
        with path.open(encoding=encoding, newline="") as handle:
            yield handle
    except UnicodeError:
        raise InputError(decoding_problem(path, encoding)) from None


@contextmanager
def _rows(table: Table) -> Iterator[tuple[RowStream, Callable[[], float]]]:
    """The rows below the header, and a function that says which share of the file is behind us."""
    if table.kind == "xlsx":
        rows = sheet_rows(table.path)
        next(rows)
        yield rows, lambda: 0.0
        return
    size = table.path.stat().st_size or 1
    with _text(table.path, table.encoding) as handle:
        if table.kind == "jsonl":
            rows = jsonl_rows(handle, table.header)
        else:
            rows = csv_rows(handle, delimiter=table.delimiter)
            next(rows)
        yield rows, lambda: os.lseek(handle.fileno(), 0, os.SEEK_CUR) / size


def _collect(table: Table, rows: Iterator[Row], wanted: Sequence[int], done: Callable[[], float]) -> Rows:
    numbers: list[int] = []
    kept: list[list[str]] = []
    rejected: list[Rejected] = []
    characters = 0
    for number, cells, problem in rows:
        problem = problem or shape_problem(cells, table.header)
        if problem:
            rejected.append(_rejected(table, number, problem))
            continue
        numbers.append(number)
        kept.append(cells)
        characters += sum(map(len, cells))
        if characters > BATCH_CHARACTERS:
            break
    columns = {index: pa.array([cells[index] for cells in kept], pa.string()) for index in wanted}
    return Rows(numbers, columns, rejected, done())


def _rejected(table: Table, number: int, problem: Problem) -> Rejected:
    column = column_name(table.header, problem.column) if problem.column >= 0 else ""
    return Rejected(number, column, problem.reason)


def _parquet_batches(table: Table, wanted: Sequence[int], batch_rows: int) -> Iterator[Rows]:
    names = [table.header[index] for index in wanted]
    refuse_equal_names(table.path, table.header)
    first = 1
    with open_parquet(table.path) as file:
        total = file.metadata.num_rows or 1
        for batch in file.iter_batches(batch_size=batch_rows, columns=names):
            numbers = list(range(first, first + batch.num_rows))
            first += batch.num_rows
            columns = {index: as_text(table, index, batch.column(table.header[index])) for index in wanted}
            yield Rows(numbers, columns, [], (first - 1) / total)


def refuse_equal_names(source: object, header: Sequence[str]) -> None:
    """Stop where columns are read by their names and two have the same.

    Raises:
        InputError: it is so.
    """
    if len(set(header)) < len(header):
        raise InputError(f"{source} has two columns of one name, which cannot be told apart: rename one")


def as_text(table: Table, index: int, values: pa.Array) -> pa.Array:
    """The cells of a typed column as text, ``""`` for null.

    Raises:
        InputError: lists, structures or bytes that are no text.
    """
    try:
        return pc.fill_null(pc.cast(values, pa.string()), "")
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        place = column_name(table.header, index)
        raise InputError(f"{table.path}: column {place} holds {values.type}, which is not text") from None
