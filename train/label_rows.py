"""Rows of labels.csv, checked against the contract: all breaches in one message, each with its row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from nlp.csv_rows import csv_rows, shape_problem
from nlp.errors import ContractError, InputError
from nlp.schema import Column, row_problems

LabelRow = dict[str, str]

SHOWN = 30
"""Problems that one message lists; of the others it says how many there are."""
_LONGEST_SHOWN = 20
"""A longer cell where a short value belongs is a caption in the wrong column, which no message may quote."""


def read_label_rows(table: Path, columns: Sequence[Column]) -> list[LabelRow]:
    """The rows of a UTF-8 CSV file as text, with these columns in any order; other columns are left out.

    Rows are counted as a spreadsheet shows them: the header is row 1.

    Raises:
        InputError: there is no such file, it is not UTF-8, or it has no rows.
        ContractError: columns are missing, or rows break the contract.
    """
    if not table.is_file():
        raise InputError(f"there is no file {table}; give a labelled table, such as annotate.split writes")
    problems: list[str] = []
    try:
        with table.open(encoding="utf-8-sig", newline="") as handle:
            rows = dict(_numbered_rows(handle, columns, problems))
    except UnicodeDecodeError as error:
        raise InputError(f"{table} is not a CSV file in UTF-8; save it as one and try again") from error
    problems += _row_problems(rows, columns)
    if problems:
        raise ContractError(listed(f"{table} breaks the contract of labels.csv:", problems))
    if not rows:
        raise InputError(f"{table} has no records: nothing stands below its header")
    return list(rows.values())


def listed(heading: str, problems: Sequence[str]) -> str:
    """The heading, then a line for each problem; the lines beyond ``SHOWN`` are only counted."""
    more = [f"and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
    return "\n".join([heading, *(f"  {line}" for line in [*problems[:SHOWN], *more])])


def _numbered_rows(
    handle: TextIO, columns: Sequence[Column], problems: list[str]
) -> Iterator[tuple[int, LabelRow]]:
    """Rows with their numbers; what cannot be read as a row goes to ``problems``."""
    stream = csv_rows(handle, delimiter=",")
    header = tuple(next(stream, (1, [], None))[1])
    wanted = [column.name for column in columns]
    counts = Counter(header)
    problems += [f"column {name} is missing" for name in wanted if not counts[name]]
    problems += [
        f"column {name} stands {counts[name]} times in the header" for name in wanted if counts[name] > 1
    ]
    if problems:
        return
    places = {name: header.index(name) for name in wanted}
    for number, cells, problem in stream:
        problem = problem or shape_problem(cells, header)
        if problem is None:
            yield number, {name: cells[place] for name, place in places.items()}
        else:
            problems.append(f"row {number}: {problem.reason}")


def _row_problems(rows: dict[int, LabelRow], columns: Sequence[Column]) -> Iterator[str]:
    first: dict[str, int] = {}
    for number, row in rows.items():
        for problem in row_problems(_quotable(row, columns), columns):
            yield f"row {number}: {problem}"
        image = row["image"]
        if image and first.setdefault(image, number) != number:
            yield f"row {number}: image {image!r} stands in row {first[image]} already; names are unique"


def _quotable(row: LabelRow, columns: Sequence[Column]) -> LabelRow:
    """The row with long cells, where only short values are allowed, replaced by their length."""
    short = {column.name for column in columns if column.values is not None}
    return {name: _without_text(cell) if name in short else cell for name, cell in row.items()} | {
        "flags": ";".join(map(_without_text, row["flags"].split(";")))
    }


def _without_text(cell: str) -> str:
    return cell if len(cell) <= _LONGEST_SHOWN else f"({len(cell)} characters)"
