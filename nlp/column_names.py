"""How messages name the columns of a table, whose header may be anybody's, or no header at all but a report."""

from __future__ import annotations

from collections.abc import Sequence

MOST_COLUMNS = 16_384
"""As many as a spreadsheet has; more is no table of records."""
_LISTED, _LONGEST = 30, 60


def column_name(header: Sequence[str], index: int) -> str:
    """A column as the user sees it: its number, and its name where it has one.

    >>> column_name(["image", ""], 1)
    '#2 (no name)'
    """
    return f"#{index + 1} {_shown(str(header[index]))}"


def _shown(name: str) -> str:
    """A name as far as it is one: where a header is missing, a text stands in its place, and that is not shown."""
    plain = "".join(letter if letter.isprintable() else " " for letter in name).strip()
    if len(plain) > _LONGEST:
        return f"({len(plain)} characters)"
    return plain or "(no name)"


def listed_columns(header: Sequence[str]) -> str:
    """The first columns, and how many more there are.

    >>> listed_columns(["image", "caption"])
    '#1 image, #2 caption'
    """
    return shortened([column_name(header, index) for index in range(len(header))])


def shortened(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = [f"and {len(names) - _LISTED:,} more"] if len(names) > _LISTED else []
    return ", ".join([*names[:_LISTED], *more])
