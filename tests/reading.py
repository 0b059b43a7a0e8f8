"""What the tests of reading share: tables written, read and asked."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from nlp.columns import Columns, choose_columns
from nlp.errors import InputError
from nlp.read import Batch, read_records
from nlp.tables import Table, open_table, sample_columns

FINDING_NAMES = ("ground_glass_opacity", "GGO", "consolidation", "Csld", "CrPa", "AirBr", "InSepThi")
CANARY = "xylophone-4711"
"""Stands in a text that no message may repeat."""
PROSE = "Patchy ground-glass opacities in both lower lobes, no effusion."
HEADER = ("image", "patient_id", "caption")


def write_table(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]], **dialect: str) -> Path:
    with path.open("w", encoding=dialect.pop("encoding", "utf-8"), newline="") as handle:
        csv.writer(handle, **dialect).writerows([header, *rows])  # type: ignore[arg-type]
    return path


def columns_of(table: Table, asked: Mapping[str, str] | None = None) -> Columns:
    return choose_columns(table, sample_columns(table), asked or {}, FINDING_NAMES)


def read(
    path: Path, asked: Mapping[str, str] | None = None, encoding: str | None = None, batch_rows: int = 100
) -> list[Batch]:
    table = open_table(path, encoding)
    return list(read_records(table, columns_of(table, asked), batch_rows=batch_rows))


def records(batches: Sequence[Batch]) -> list[dict[str, str]]:
    return [row for batch in batches for row in batch.records.to_pylist()]


def rejected(batches: Sequence[Batch]) -> list[tuple[int, str, str, str]]:
    return [(row.row, row.column, row.reason, row.image) for batch in batches for row in batch.rejected]


def warned(batches: Sequence[Batch]) -> dict[str, tuple[int, int]]:
    return {name: (w.count, w.first) for batch in reversed(batches) for name, w in batch.warnings.items()}


def error_of(path: Path, asked: Mapping[str, str] | None = None, encoding: str | None = None) -> str:
    with pytest.raises(InputError) as error:
        read(path, asked, encoding)
    return str(error.value)


def chosen(
    path: Path, asked: Mapping[str, str] | None = None, encoding: str | None = None
) -> dict[str, int | None]:
    columns = columns_of(open_table(path, encoding), asked)
    return {role: choice.index for role, choice in columns.choices.items()}
