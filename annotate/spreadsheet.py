"""Tables that a spreadsheet may open: a cell that it would run as a formula gets an apostrophe before it.

Only columns of free text are touched: in a column whose values the contract lists, ``-1`` is a label and stays.
A table that went through here is for reading in a spreadsheet, not for loading again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from nlp.schema import Column

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""The full-width forms run as formulas where the system's language is Chinese, Japanese or Korean."""


@dataclass(frozen=True)
class Escaped:
    """A table safe to open, and how many cells of which columns got their apostrophe."""

    table: pd.DataFrame
    cells: dict[str, int]


def escape_formulas(table: pd.DataFrame, columns: Sequence[Column]) -> Escaped:
    """Put an apostrophe before every text cell that a spreadsheet would take for a formula.

    Args:
        table: all cells text; columns beyond the contract count as text.
        columns: the contract of the table; those with a list of values are left as they are.
    """
    listed = {column.name for column in columns if column.values is not None}
    changed, cells = table.copy(), {}
    for name in table.columns:
        if name in listed:
            continue
        formulas = table[name].str.startswith(FORMULA_STARTS)
        if formulas.any():
            changed[name] = ("'" + table[name]).where(formulas, table[name])
            cells[str(name)] = int(formulas.sum())
    return Escaped(changed, cells)
