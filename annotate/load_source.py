"""What is to be loaded, read and checked before the database is touched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from annotate.load_images import image_files
from annotate.load_mentions import MentionDigests, digest_mentions
from annotate.tables import read_labels, read_table
from nlp.errors import ContractError

_SHOWN = 20


@dataclass(frozen=True)
class Asked:
    """The files as the user gives them; ``encoding`` of text files that are not UTF-8."""

    labels: Path
    images: Path | None = None
    mentions: Path | None = None
    predictions: Path | None = None
    encoding: str | None = None


@dataclass(frozen=True, eq=False)
class Source:
    """The checked input.

    Attributes:
        table: rows of the contract.
        files: the file of each image name, below the image folder; empty without a folder.
        digests: what mentions.csv holds; None without that file.
        predictions: as text; None without that file.
    """

    asked: Asked
    table: pd.DataFrame
    files: dict[str, str]
    digests: MentionDigests | None
    predictions: pd.DataFrame | None


def read_source(asked: Asked, findings: Sequence[str], tell: Callable[[str], None]) -> Source:
    """Read and check everything that is asked for.

    Raises:
        InputError, ContractError, ImageError: see ``annotate.load.load``.
    """
    tell(f"reading {asked.labels}")
    table = read_labels(asked.labels, findings, encoding=asked.encoding)
    _refuse_nul(table, asked.labels)
    files = image_files(table["image"].tolist(), asked.images) if asked.images is not None else {}
    digests = predictions = None
    if asked.mentions is not None:
        tell(f"reading {asked.mentions}")
        captions = dict(zip(table["image"], table["caption"], strict=True))
        reviewed = set(table["image"][table["review"] != "auto"])
        digests = digest_mentions(asked.mentions, captions, findings, asked.encoding, states_of=reviewed)
    if asked.predictions is not None:
        predictions = read_table(asked.predictions)
    return Source(asked, table, files, digests, predictions)


def _refuse_nul(table: pd.DataFrame, labels: Path) -> None:
    """PostgreSQL cannot keep the character, and a text is never altered."""
    found = [table.index[table[name].str.contains("\0", regex=False)] for name in table.columns]
    rows = sorted({int(row) for places in found for row in places})
    if rows:
        shown = ", ".join(map(str, rows[:_SHOWN])) + (" ..." if len(rows) > _SHOWN else "")
        raise ContractError(f"{labels}: NUL characters, which databases refuse, stand in the rows {shown}")
