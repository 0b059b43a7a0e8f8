"""Every error a user can meet, in one tree.

ToolkitError                 base: one message, exit code 1, no traceback without ``--debug``
├── InputError               a table cannot be read as asked (file, encoding, column)
├── LexiconError             a lexicon row is wrong; holds every problem with file, line and column
├── ContractError            a table breaks the contract of ``nlp.schema``
└── OutputError              a result cannot be written; the old file is intact

Messages name files, rows, columns and ids, never the text of a report.
"""

from __future__ import annotations

from collections.abc import Sequence


class ToolkitError(Exception):
    """Something the user can mend: the message says what, where and how."""


class InputError(ToolkitError):
    """A table cannot be read: missing, empty, wrong encoding, no such column."""


class LexiconError(ToolkitError):
    """The lexicon has mistakes; ``problems`` lists each as ``file:line:column: what``."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        heading = f"{count} mistake{'s' if count != 1 else ''} in the lexicon:"
        super().__init__("\n".join([heading, *self.problems]))


class ContractError(ToolkitError):
    """A labels or mentions table breaks the contract; the message lists every breach."""


class OutputError(ToolkitError):
    """A result could not be written; nothing that was there before is lost."""
