"""Cohen's κ of every two sources as a heat map: the words in its cells and their colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from annotate.agreement import PairRow, Report
from annotate.agreement_statistics import UNANIMOUS, Measure

TEXT_NAME = "the text"
_GOOD, _BAD, _MIDDLE = (104, 159, 232), (240, 160, 90), (255, 255, 255)
_INK = "#14181d"  # dark on every shade between them, in both themes


def kappa_matrix(report: Report, key: str) -> pd.DataFrame:
    """What the cells say, annotators by annotators and the text: κ and the number of records; blank where none."""
    columns = [*report.annotators, TEXT_NAME]
    table = pd.DataFrame("", index=list(report.annotators), columns=columns)
    for pair in _of(report, key):
        said = f"{_short(pair.kappa)} · {pair.records:,}"
        table.loc[pair.first, pair.second or TEXT_NAME] = said
        if pair.second is not None:
            table.loc[pair.second, pair.first] = said
    return table


def kappa_colours(report: Report, key: str) -> pd.DataFrame:
    """CSS of the same cells: blue where readers agree beyond chance, orange where worse than chance."""
    colours = kappa_matrix(report, key).map(lambda _: "")
    for pair in _of(report, key):
        style = _style(pair.kappa.value)
        colours.loc[pair.first, pair.second or TEXT_NAME] = style
        if pair.second is not None:
            colours.loc[pair.second, pair.first] = style
    return colours


def pair_at(report: Report, cells: Sequence[tuple[int, str]]) -> tuple[str, str | None] | None:
    """The pair behind the chosen cell, as the report orders it; None where nothing, or no pair, was chosen."""
    for row, column in cells:
        chosen = {report.annotators[row], None if column == TEXT_NAME else column}
        for pair in report.pairs:
            if chosen == {pair.first, pair.second}:
                return pair.first, pair.second
    return None


def pair_names(report: Report) -> Mapping[tuple[str, str | None], str]:
    """How each pair is called."""
    pairs = dict.fromkeys((pair.first, pair.second) for pair in report.pairs)
    return {pair: f"{pair[0]} and {pair[1] or TEXT_NAME}" for pair in pairs}


def _of(report: Report, key: str) -> list[PairRow]:
    return [pair for pair in report.pairs if pair.key == key]


def _short(kappa: Measure) -> str:
    if kappa.value is not None:
        return f"{kappa.value:.2f}"
    return "all agree" if kappa.reason == UNANIMOUS else "undefined"


def _style(value: float | None) -> str:
    if value is None:
        return f"background-color: #d9dee4; color: {_INK}"
    strength = min(abs(value), 1.0)
    end = _GOOD if value >= 0 else _BAD
    mixed = (round(strength * far + (1 - strength) * near) for far, near in zip(end, _MIDDLE, strict=True))
    return f"background-color: rgb({', '.join(map(str, mixed))}); color: {_INK}"
