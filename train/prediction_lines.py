"""Predictions as they are written, some rows at a time: CSV, or JSON lines with the same columns."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from nlp.errors import OutputError
from nlp.schema import COVID
from train.predictions import Predictions, columns, csv_lines, rows

CSV, JSON_LINES = ".csv", ".jsonl"


def line_writer(out: Path) -> Callable[[Predictions, bool], bytes]:
    """What makes lines for a file of this suffix, of rows and whether they are the first.

    Raises:
        OutputError: no such form.
    """
    forms = {CSV: _csv, JSON_LINES: _json_lines}
    if out.suffix.lower() not in forms:
        raise OutputError(f"{out} must end in {' or '.join(forms)}, which says the form of the table")
    return forms[out.suffix.lower()]


def _csv(predictions: Predictions, first: bool) -> bytes:
    header = csv_lines([columns(predictions.finding_keys)]) if first else b""
    return header + csv_lines(rows(predictions))


def _json_lines(predictions: Predictions, first: bool) -> bytes:
    """An object a row; what is blank in CSV is null where it is a number."""
    names = columns(predictions.finding_keys)
    return "".join(
        f"{json.dumps(_object(names, row), ensure_ascii=False)}\n" for row in rows(predictions)
    ).encode()


def _object(names: Sequence[str], row: Sequence[str]) -> dict[str, str | float | int | None]:
    return {name: _value(name, cell) for name, cell in zip(names, row, strict=True)}


def _value(name: str, cell: str) -> str | float | int | None:
    if name == f"{COVID}_prediction":
        return int(cell) if cell else None
    if name.endswith(("_logit", "_probability")):
        return float(cell) if cell else None
    return cell
