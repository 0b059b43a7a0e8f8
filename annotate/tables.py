"""labels.csv and labelled.csv as one data frame: read, checked against the contract, written whole.

Every cell is text. The index of the frame is the row number that a spreadsheet shows (the header is row 1),
so that every message can say where.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pandas as pd
import pyarrow as pa

from nlp.column_names import listed_columns, shortened
from nlp.errors import ContractError, InputError, OutputError
from nlp.schema import Column, label_columns, row_problems
from nlp.tables import open_table
from nlp.tables import read_rows as table_rows
from nlp.write import SUFFIXES, replacing, table_writer

_BATCH_ROWS = 8192
_LISTED = 100
_LONGEST_SHOWN = 20


def read_table(path: Path, encoding: str | None = None) -> pd.DataFrame:
    """Any table as text, ``""`` where a cell is blank; the index is the row number.

    Raises:
        InputError: the file cannot be read, has a column twice, or has rows that cannot be read (all are listed).
    """
    table = open_table(path, encoding)
    if twice := sorted(name for name, count in Counter(table.header).items() if name.strip() and count > 1):
        raise InputError(f"{path}: columns that occur twice in the header: {shortened(twice)}")
    frames, problems = [], []
    for batch in table_rows(table, range(len(table.header)), batch_rows=_BATCH_ROWS):
        problems += [f"row {rejected.row}: {rejected.reason}" for rejected in batch.rejected]
        cells = {index: batch.columns[index].to_pylist() for index in range(len(table.header))}
        frames.append(pd.DataFrame(cells, index=batch.numbers, dtype=object))
    if problems:
        raise InputError(_message(f"{path} has rows that cannot be read:", problems))
    frame = pd.concat(frames) if frames else pd.DataFrame(columns=range(len(table.header)), dtype=object)
    return frame.set_axis(list(table.header), axis=1)


def read_labels(path: Path, findings: Sequence[str], *, encoding: str | None = None) -> pd.DataFrame:
    """A table of the contract; columns it has beyond the contract are kept.

    Args:
        findings: finding keys, in the order of the lexicon.

    Raises:
        InputError: the file cannot be read.
        ContractError: lists every breach with its row.
    """
    table = read_table(path, encoding)
    check_labels(table, findings, str(path))
    return table


def check_labels(table: pd.DataFrame, findings: Sequence[str], name: str) -> None:
    """Hold a table against the contract; ``name`` is what the message calls it.

    Raises:
        ContractError: no rows, or columns, values or images that break the contract; all of them.
    """
    columns = label_columns(findings)
    if missing := [column.name for column in columns if column.name not in table.columns]:
        known = listed_columns(list(table.columns))
        raise ContractError(
            f"{name} lacks the columns {', '.join(missing)}; it has {known}."
            " Tables with all of them come from nlp.extract and annotate.convert"
        )
    if table.empty:
        raise ContractError(f"{name} has a header but no rows")
    problems = sorted(_problems(table, columns))
    if problems:
        lines = [f"row {row}: {problem}" for row, problem in problems]
        raise ContractError(_message(f"{name} breaks the contract in {len(lines):,} places:", lines))


def write_labels(table: pd.DataFrame, target: Path, findings: Sequence[str]) -> None:
    """Write the columns of the contract in their order, then any others; CSV or Parquet by suffix.

    Raises:
        OutputError: another suffix, or the file cannot be written; the old one is intact.
    """
    if target.suffix.lower() not in SUFFIXES:
        raise OutputError(f"{target} must end in {' or '.join(SUFFIXES)}")
    names = [column.name for column in label_columns(findings)]
    names += [str(name) for name in table.columns if name not in names]
    arrays = [pa.array(table[name].tolist(), pa.string()) for name in names]
    with replacing([target]) as [file], closing(table_writer(file, target, names)) as writer:
        writer.write(pa.record_batch(arrays, names=names))


def _problems(table: pd.DataFrame, columns: Sequence[Column]) -> Iterator[tuple[int, str]]:
    """Each distinct value is judged once: a table of 100,000 rows has few of them."""
    for column in columns:
        if column.values is None and not column.required:
            continue
        wrong = {value: _judged(column, value) for value in table[column.name].unique()}
        yield from _rows_of(table[column.name], {value: said for value, said in wrong.items() if said})
    flags = {value: "; ".join(row_problems({"flags": value}, ())) for value in table["flags"].unique()}
    yield from _rows_of(table["flags"], {value: said for value, said in flags.items() if said})
    repeated = table["image"][table["image"].duplicated() & (table["image"] != "")]
    first = table["image"].drop_duplicates()
    rows = dict(zip(first, first.index, strict=True))
    yield from ((row, f"image {name!r} stands in row {rows[name]} already") for row, name in repeated.items())


def _judged(column: Column, value: str) -> str | None:
    problem = column.problem(value)
    if problem and len(value) > _LONGEST_SHOWN:
        # where columns have slipped, the cell may be a caption, which no message repeats
        return problem.replace(repr(value), f"{len(value)} characters")
    return problem


def _rows_of(cells: pd.Series, wrong: dict[str, str]) -> Iterator[tuple[int, str]]:
    yield from ((row, wrong[value]) for row, value in cells[cells.isin(list(wrong))].items())


def _message(heading: str, lines: Sequence[str]) -> str:
    more = [f"... and {len(lines) - _LISTED:,} more"] if len(lines) > _LISTED else []
    return "\n".join([heading, *lines[:_LISTED], *more])
