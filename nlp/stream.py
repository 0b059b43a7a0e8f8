"""One run, from table to parts: rows are read, bad ones noted, and every batch becomes a labelled part."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nlp.column_guesses import Sample
from nlp.columns import Columns, choose_columns, describe_columns
from nlp.parallel import Job, label_parts
from nlp.parts import Manifest, Parts, file_hash, program_hash
from nlp.read import BATCH_ROWS, read_records
from nlp.results import rejected_lines
from nlp.tables import Table, sample_columns
from nlp.write import writing

if TYPE_CHECKING:
    from nlp.entries import Lexicon
    from nlp.summary import Summary


@dataclass(frozen=True)
class Run:
    """What is read, by which lexicon it is labelled, and where the parts go."""

    table: Table
    columns: Columns
    lexicon: Lexicon
    lexicon_folder: Path | None
    parts: Parts
    resume: bool
    batch_rows: int = BATCH_ROWS

    @property
    def manifest(self) -> Manifest:
        """All that decides the content of the parts."""
        return Manifest(
            input_sha256=file_hash(self.table.path),
            lexicon_version=self.lexicon.version,
            program=program_hash(),
            columns=json.dumps({role: choice.index for role, choice in self.columns.choices.items()}),
            encoding=self.table.encoding,
            delimiter=self.table.delimiter,
            batch_rows=self.batch_rows,
        )


def choose(
    table: Table, asked: Mapping[str, str], lexicon: Lexicon, sample: Sample | None = None
) -> tuple[Columns, str]:
    """The columns to read, and the choice in words.

    Args:
        sample: the first cells of each column; None: read from the file.

    Raises:
        InputError: a column asked for does not exist, or a required one is not found.
    """
    sample = sample_columns(table) if sample is None else sample
    names = [name for f in lexicon.findings for name in (f.key, f.name, f.abbreviation)]
    columns = choose_columns(table, sample, asked, names)
    return columns, describe_columns(table, columns, sample)


def label(run: Run, *, workers: int, summary: Summary, progress: Callable[[int, float], None]) -> list[Path]:
    """Label the whole table and return its parts in order; parts that are there already are kept.

    Raises:
        InputError: the table stops being readable, or the parts found were made from something else.
        OutputError: a part cannot be written, or a worker process died.
    """
    run.parts.prepare(run.manifest, resume=run.resume)
    written = []
    for job in label_parts(
        _jobs(run, summary), lexicon=run.lexicon, folder=run.lexicon_folder, workers=workers
    ):
        written.append(job.part)
        progress(job.rows, job.done)
    return written


def _jobs(run: Run, summary: Summary) -> Iterator[Job]:
    """Read batch after batch; rejected rows go to their file, the others become a job."""
    index = 0
    with writing(run.parts.rejected):
        run.parts.rejected.write_bytes(b"")
    for batch in read_records(run.table, run.columns, batch_rows=run.batch_rows):
        summary.read(batch)
        with writing(run.parts.rejected), run.parts.rejected.open("ab") as handle:
            handle.write(rejected_lines(batch.rejected))
        if batch.records.num_rows:
            finished = run.resume and run.parts.holds(index, batch.records)
            yield Job(batch.records, run.parts.path(index), summary.rows, batch.done, finished)
            index += 1
