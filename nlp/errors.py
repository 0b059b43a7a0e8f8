"""Every error a user can meet, in one tree.

ToolkitError                 base: one message, exit code 1, no traceback without ``--debug``
├── InputError               a table cannot be read as asked (file, encoding, column)
├── LexiconError             a lexicon row is wrong; holds every problem with file, line and column
├── ContractError            a table breaks the contract of ``nlp.schema``
├── ImageError               an image cannot be found or read; holds every one with its reason
├── WeightsError             weights cannot be found or do not fit the network
├── TrainingError            a network cannot be trained or measured as asked
├── CheckpointError          a saved state is damaged or belongs to other settings
├── StoreError               the database cannot be opened, is of another version, or refuses
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


class ImageError(ToolkitError):
    """Images cannot be found or read: the message lists every one with its reason."""


class WeightsError(ToolkitError):
    """Weights are missing, damaged or made for another network; the message names the keys."""


class TrainingError(ToolkitError):
    """Data or settings with which no network can be trained or measured."""


class CheckpointError(ToolkitError):
    """A saved state is damaged, or was written by a run with other settings."""


class StoreError(ToolkitError):
    """The database of labels cannot be reached, was made by another version, or refuses a change."""


class OutputError(ToolkitError):
    """A result could not be written; nothing that was there before is lost."""
