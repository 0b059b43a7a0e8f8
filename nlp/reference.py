"""Labels made by people, to measure against: read any of their usual forms.

Columns are recognised by name. Findings go by key or abbreviation (``consolidation`` or ``Csld``); their
cells hold states (``present``, ``not_mentioned``) or the CheXpert values 1, 0, -1 and blank.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from nlp.column_names import listed_columns
from nlp.errors import InputError
from nlp.schema import COVID, COVID_CELL, STATES, State
from nlp.tables import open_table
from nlp.tables import read_rows as table_rows

ID_COLUMNS = ("image", "id", "caption_id")
TEXT_COLUMNS = ("caption", "text", "report")
CLUSTER_COLUMNS = ("patient_id", "source")
COVID_COLUMNS = (COVID, "CVD19")
Row = Mapping[str, str]

_BATCH_ROWS = 4096
_Value = TypeVar("_Value", bound=str)
_STATES: Mapping[str, State] = {state: state for state in STATES}
_CELLS: Mapping[str, State] = {
    "1": "present", "1.0": "present", "0": "negated", "0.0": "negated",
    "-1": "uncertain", "-1.0": "uncertain", "": "not_mentioned",
}  # fmt: skip
_COVID = {state: state for state in (*COVID_CELL, "unclear")}
_COVID_CELLS = {cell: state for state, cell in COVID_CELL.items()}
_COVID_CELLS |= {f"{cell}.0": state for cell, state in _COVID_CELLS.items() if cell}


@dataclass(frozen=True)
class ReferenceRow:
    """One labelled record; ``states`` follow the findings, ``covid`` is None without such a column."""

    name: str
    id: str
    text: str
    cluster: str
    states: tuple[State, ...]
    covid: str | None

    def with_states(self, states: Iterable[State]) -> ReferenceRow:
        return replace(self, states=tuple(states))


@dataclass(frozen=True)
class Reference:
    """A reference table.

    Attributes:
        findings: the finding keys it labels.
        five_states: whether it tells resolved from negated (CheXpert cells do not).
        id_column: the column the ids came from; None where there is none.
        cluster_column: patient or source; None where there is none.
    """

    path: Path
    findings: tuple[str, ...]
    rows: tuple[ReferenceRow, ...]
    five_states: bool
    id_column: str | None
    cluster_column: str | None
    has_text: bool


def read_reference(
    path: Path, findings: Mapping[str, str], *, id_column: str | None = None, encoding: str | None = None
) -> Reference:
    """Read a reference table.

    Args:
        path: a table in any format that ``nlp.extract`` reads.
        findings: abbreviation by finding key, from the lexicon.
        id_column: where the ids are; by default ``image``, ``id`` or ``caption_id``.
        encoding: of a text file that is not UTF-8.

    Raises:
        InputError: unreadable, no finding column, a cell that is no state, or an id that occurs twice.
    """
    rows = list(read_rows(path, [id_column] if id_column else [], encoding))
    if not rows:
        raise InputError(f"{path.name} has a header but no rows")
    header = list(rows[0][1])
    columns = {key: name for key, short in findings.items() if (name := _first(header, (key, short)))}
    if not columns:
        wanted = ", ".join(f"{key} or {short}" for key, short in findings.items())
        raise InputError(f"{path.name} has no finding column; it needs at least one of: {wanted}")
    ids, text = id_column or _first(header, ID_COLUMNS), _first(header, TEXT_COLUMNS)
    cluster, covid = _first(header, CLUSTER_COLUMNS), _first(header, COVID_COLUMNS)
    states = zip(*(_read_cells(path, rows, name, _STATES, _CELLS) for name in columns.values()), strict=True)
    diseases = _read_cells(path, rows, covid, _COVID, _COVID_CELLS) if covid else [None] * len(rows)
    labelled = zip(rows, states, diseases, strict=True)
    records = tuple(
        ReferenceRow(
            name=_cell(row, ids) or f"row {number}",
            id=_cell(row, ids),
            text=_cell(row, text),
            cluster=_cell(row, cluster),
            states=said,
            covid=disease,
        )
        for (number, row), said, disease in labelled
    )
    _check_unique(path, ids, records)
    five = not any(row[name].strip() in ("0", "0.0") for _, row in rows for name in columns.values())
    return Reference(path, tuple(columns), records, five, ids, cluster, text is not None)


def read_rows(path: Path, columns: Sequence[str], encoding: str | None = None) -> Iterator[tuple[int, Row]]:
    """Yield (row number, row) of a table, every cell as text; the header is row 1.

    Raises:
        InputError: unreadable, a column absent or twice in the header, or a row that cannot be read.
    """
    table = open_table(path, encoding)
    _check_header(path, table.header, columns)
    for batch in table_rows(table, range(len(table.header)), batch_rows=_BATCH_ROWS):
        for rejected in batch.rejected:
            raise InputError(f"{path.name}, row {rejected.row}: {rejected.reason}")
        cells = [batch.columns[index].to_pylist() for index in range(len(table.header))]
        for number, row in zip(batch.numbers, zip(*cells, strict=True), strict=True):
            yield number, dict(zip(table.header, row, strict=True))


def _check_header(path: Path, header: Sequence[str], columns: Sequence[str]) -> None:
    if twice := [name for name, count in Counter(header).items() if count > 1 and name.strip()]:
        raise InputError(f"{path.name}: column {twice[0]!r} occurs twice in the header")
    if missing := [name for name in columns if name not in header]:
        raise InputError(
            f"{path.name} lacks the columns {', '.join(missing)}; it has {listed_columns(header)}"
        )


def _read_cells(
    path: Path,
    rows: Sequence[tuple[int, Row]],
    column: str,
    words: Mapping[str, _Value],
    cells: Mapping[str, _Value],
) -> list[_Value]:
    """One column as states; its cells are all words or all CheXpert values, and every fault is named."""
    allowed = words if _uses_words(rows, column, words) else cells
    wrong = [
        f"row {number}: {_shown(row[column])}" for number, row in rows if row[column].strip() not in allowed
    ]
    if wrong:
        more = f" and {len(wrong) - 10} more" if len(wrong) > 10 else ""
        values = ", ".join(value or "blank" for value in allowed)
        raise InputError(f"{path.name}, column {column}: {'; '.join(wrong[:10])}{more}; allowed are {values}")
    return [allowed[row[column].strip()] for _, row in rows]


def _shown(cell: str) -> str:
    """A wrong cell for a message; a long one may be text of a report and stays unseen."""
    return repr(cell) if len(cell) <= 20 else f"{len(cell)} characters"


def _uses_words(rows: Sequence[tuple[int, Row]], column: str, words: Mapping[str, object]) -> bool:
    return any(row[column].strip() in words for _, row in rows)


def _first(header: Sequence[str], names: Sequence[str]) -> str | None:
    return next((name for name in names if name in header), None)


def _cell(row: Row, column: str | None) -> str:
    return row[column] if column else ""


def _check_unique(path: Path, ids: str | None, rows: Sequence[ReferenceRow]) -> None:
    counts = Counter(row.id for row in rows if row.id)
    if twice := [name for name, count in counts.items() if count > 1]:
        names = ", ".join(twice[:10])
        raise InputError(f"{path.name}: {len(twice)} ids in column {ids} occur more than once: {names}")
