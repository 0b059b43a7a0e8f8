"""The result files of an extraction: their names, and how they are put together from the parts."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from nlp.errors import OutputError
from nlp.parts import read_part
from nlp.schema import MENTION_COLUMNS, label_columns
from nlp.write import csv_lines, replacing, table_writer

if TYPE_CHECKING:
    from nlp.aggregate import Record
    from nlp.reader import Reader
    from nlp.summary import Summary
    from nlp.tables import Rejected

REJECTED_COLUMNS = ("row", "column", "reason", "image")


@dataclass(frozen=True)
class Targets:
    """Where the results go."""

    labels: Path
    mentions: Path
    rejected: Path

    @property
    def files(self) -> list[Path]:
        """All of them; the labels come last into their place, so that whoever sees them sees all."""
        return [self.rejected, self.mentions, self.labels]


def name_targets(source: Path, labels: Path | None, mentions: Path | None) -> Targets:
    """Fill in the names that were not given.

    >>> name_targets(Path("in/captions.csv"), None, None).mentions.as_posix()
    'in/captions.mentions.csv'
    >>> name_targets(Path("captions.csv"), Path("out/labels.csv"), None).rejected.as_posix()
    'out/labels.rejected.csv'
    """
    labels = labels or source.with_name(f"{source.stem}.labels.csv")
    stem = labels.stem.removesuffix("labels")
    stem = stem if stem != labels.stem else f"{stem}."
    return Targets(
        labels=labels,
        mentions=mentions or labels.with_name(f"{stem}mentions{labels.suffix}"),
        rejected=labels.with_name(f"{labels.stem}.rejected.csv"),
    )


def rejected_lines(rejected: Iterable[Rejected]) -> bytes:
    """Rejected rows as CSV lines: row, column, reason and id, never the text."""
    rows = [(str(row.row), row.column, row.reason, row.image) for row in rejected]
    cells = [pa.array([row[place] for row in rows], pa.string()) for place in range(len(REJECTED_COLUMNS))]
    return csv_lines(pa.record_batch(cells, names=list(REJECTED_COLUMNS)))


def assemble(targets: Targets, parts: Iterable[Path], rejected: Path, summary: Summary) -> None:
    """Write the result files from the parts, in order, and count what they hold.

    Raises:
        OutputError: a file cannot be written, or rows were lost on the way; the old files are intact.
    """
    keys = [finding.key for finding in summary.findings]
    with replacing(targets.files) as (rejected_file, mentions_file, labels_file):
        labels_writer = table_writer(labels_file, targets.labels, [c.name for c in label_columns(keys)])
        mentions_writer = table_writer(mentions_file, targets.mentions, [c.name for c in MENTION_COLUMNS])
        with closing(labels_writer), closing(mentions_writer):
            for path in parts:
                labels, mentions = read_part(path)
                labels_writer.write(labels)
                mentions_writer.write(mentions)
                summary.add(labels, mentions)
        rejected_file.write(",".join(REJECTED_COLUMNS).encode() + b"\n")
        with rejected.open("rb") as spool:
            shutil.copyfileobj(spool, rejected_file)
        _check_complete(summary)


def readings(parts: Iterable[Path], reader: Reader) -> Iterator[tuple[str, str, Record]]:
    """Image, caption and what the caption says of that image's panel, for every record."""
    from nlp.aggregate import of_panel

    for path in parts:
        labels, _ = read_part(path)
        columns = (labels.column(name).to_pylist() for name in ("image", "caption", "panel"))
        for image, caption, panel in zip(*columns, strict=True):
            yield image, caption, of_panel(reader.read_text(caption), panel)


def _check_complete(summary: Summary) -> None:
    if summary.rows != summary.records + summary.rejected:
        raise OutputError(
            f"{summary.rows:,} rows were read, but {summary.records:,} labelled and "
            f"{summary.rejected:,} rejected; nothing was written. Please report this"
        )
