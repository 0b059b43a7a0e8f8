"""Which column holds what: asked for by the user, or guessed from names and content, and said aloud.

The COVID column is never guessed: a label somebody gave is not text, and taking one by mistake would
hide every disagreement between the two.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from nlp.column_guesses import Choice, Sample, finding_columns, guessed, identifier, looks_like_covid
from nlp.column_names import column_name, listed_columns, shortened
from nlp.errors import InputError
from nlp.image_names import IMAGE_SUFFIXES
from nlp.roles import ROLES
from nlp.tables import Table

NO_COLUMN = "none"
"""``--panel-column none``: there is no such column, do not guess one."""


@dataclass(frozen=True)
class Columns:
    """The choice for every role, and which of the other columns look like labels."""

    choices: Mapping[str, Choice]
    covid_lookalikes: tuple[int, ...]
    finding_columns: tuple[int, ...]

    def index(self, role: str) -> int | None:
        """The column of a role, counted from 0."""
        return self.choices[role].index

    @property
    def used(self) -> tuple[int, ...]:
        """Every column that is read, in the order of the roles."""
        return tuple(choice.index for choice in self.choices.values() if choice.index is not None)


def choose_columns(
    table: Table, sample: Sample, asked: Mapping[str, str], finding_names: Iterable[str]
) -> Columns:
    """Take the columns asked for, then guess the rest from the sample.

    Args:
        sample: the first cells of each column.
        asked: role to a name, a number from 1 (``#3``), or ``none``; roles that are absent are guessed.
        finding_names: every name and abbreviation of a finding; such columns are labels and not read.

    Raises:
        InputError: a column asked for does not exist, is asked for twice, or a required one is not found.
    """
    _refuse_record(table)
    findings = finding_columns(table.header, finding_names)
    lookalikes = [index for index, name in enumerate(table.header) if looks_like_covid(name)]
    barred = {*findings, *lookalikes}
    choices = {role: _asked(table, role, value) for role, value in asked.items()}
    _refuse_twice(table, choices)
    for role in ROLES:
        if role.name not in choices:
            choices[role.name] = guessed(role, table.header, sample, _free(table, choices, barred))
    if choices["image"].index is None and "image" not in asked:
        choices["image"] = identifier(table.header, sample, _free(table, choices, barred))
    ordered = {role.name: choices[role.name] for role in ROLES}
    _refuse_missing(table, ordered)
    return Columns(ordered, _without(lookalikes, ordered), _without(findings, ordered))


def describe_columns(table: Table, columns: Columns, sample: Sample) -> str:
    """The choice as lines of text, each with the flag that changes it."""
    lines = [f"{table.path.name}: {table.description}"]
    for role in ROLES:
        choice = columns.choices[role.name]
        shown = "none" if choice.index is None else column_name(table.header, choice.index)
        lines.append(f"  {role.name:<10} {shown:<28} {role.flag:<19} {choice.why}".rstrip())
    lines += _ignored(table, columns, sample)
    return "\n".join(lines)


def _free(table: Table, choices: Mapping[str, Choice], barred: set[int]) -> list[int]:
    taken = {choice.index for choice in choices.values()} | barred
    return [index for index in range(len(table.header)) if index not in taken]


def _asked(table: Table, role: str, value: str) -> Choice:
    flag = f"--{role}-column"
    same = [index for index, name in enumerate(table.header) if name == value]
    if not same and value == NO_COLUMN:
        return Choice(None, "as asked")
    if len(same) > 1:
        places = ", ".join(f"'#{index + 1}'" for index in same)
        raise InputError(
            f"{table.path}: {len(same)} columns are called {value!r}; choose by number: {flag} {places}"
        )
    if not same and re.fullmatch(r"#\d+", value) and 0 < int(value[1:]) <= len(table.header):
        same = [int(value[1:]) - 1]
    if not same:
        raise InputError(
            f"{table.path} has no column {value!r} ({flag}); it has {listed_columns(table.header)}"
        )
    return Choice(same[0], "as asked")


def _refuse_record(table: Table) -> None:
    """Where a header is missing, the first record would be lost in its place."""
    for index, name in enumerate(table.header):
        if name.strip().lower().endswith(IMAGE_SUFFIXES):
            place = column_name(table.header, index)
            raise InputError(
                f"{table.path} seems to have no header: column {place} is called like an image; give the columns names"
            )


def _refuse_twice(table: Table, choices: Mapping[str, Choice]) -> None:
    owners: dict[int, str] = {}
    for role, choice in choices.items():
        if choice.index is not None and choice.index in owners:
            place, other = column_name(table.header, choice.index), owners[choice.index]
            raise InputError(f"column {place} cannot be both --{other}-column and --{role}-column")
        if choice.index is not None:
            owners[choice.index] = role


def _refuse_missing(table: Table, choices: Mapping[str, Choice]) -> None:
    missing = [
        f"no column looks like the {role.name}; say which it is: {role.flag} NAME"
        for role in ROLES
        if role.required and choices[role.name].index is None and choices[role.name].why != "as asked"
    ]
    if choices["image"].index is None and choices["image"].why:
        missing.append("--image-column cannot be none: every row needs an id")
    if missing:
        hint = (
            ""
            if choices["text"].index is not None
            else f" (or --text-column {NO_COLUMN} for images without text)"
        )
        raise InputError(f"{table.path}: {'; '.join(missing)}{hint}. It has {listed_columns(table.header)}")


def _ignored(table: Table, columns: Columns, sample: Sample) -> list[str]:
    lines = []
    if columns.covid_lookalikes:
        names = ", ".join(column_name(table.header, index) for index in columns.covid_lookalikes)
        lines.append(f"  looks like a COVID column, not read: {names} (--covid-column to use one)")
    if columns.finding_columns:
        names = ", ".join(column_name(table.header, index) for index in columns.finding_columns)
        lines.append(f"  ignored, labels are made from the text: {names}")
    known = {*columns.used, *columns.covid_lookalikes, *columns.finding_columns}
    others = [index for index in range(len(table.header)) if index not in known]
    if others:
        named = shortened([_with_content(table, index, sample[index]) for index in others])
        lines.append(f"  not read: {named}")
    return lines


def _with_content(table: Table, index: int, cells: Sequence[str]) -> str:
    """A nameless column with something in it may be a text that was cut in two by its delimiter."""
    filled = sum(bool(cell.strip()) for cell in cells)
    more = f" (cells filled: {filled})" if not table.header[index].strip() and filled else ""
    return column_name(table.header, index) + more


def _without(indexes: Iterable[int], choices: Mapping[str, Choice]) -> tuple[int, ...]:
    taken = {choice.index for choice in choices.values()}
    return tuple(index for index in indexes if index not in taken)
