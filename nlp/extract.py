"""Captions in, labels out: ``python -m nlp.extract captions.csv``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nlp.command import run_command

if TYPE_CHECKING:  # heavy modules load inside the functions: --help must not wait for them
    from nlp.columns import Columns
    from nlp.lexicon import Lexicon
    from nlp.parallel import Job
    from nlp.parts import Manifest, Parts
    from nlp.summary import Summary
    from nlp.tables import Table

COLUMN_HELP = {
    "text": "caption or report",
    "image": "image name; an id where there are no images",
    "patient": "patient id",
    "panel": "letter of the sub-figure",
    "source": "DOI, article or site",
    "covid": "COVID status (1, 0, -1, CVD19, positive, control ...); never guessed",
    "diagnosis": "class name, such as pneumonia",
}


@dataclass(frozen=True)
class _Run:
    """What is read, how it is labelled, and where the parts go."""

    table: Table
    columns: Columns
    lexicon: Lexicon
    lexicon_folder: Path | None
    parts: Parts
    batch_rows: int
    resume: bool


def extract(
    source: Path,
    *,
    output: Path | None = None,
    mentions: Path | None = None,
    columns: Mapping[str, str] | None = None,
    encoding: str | None = None,
    lexicon: Path | None = None,
    workers: int = 1,
    resume: bool = False,
    html: Path | None = None,
    batch_rows: int | None = None,
    tell: Callable[[str], None] = lambda message: None,
    progress: Callable[[int, float], None] = lambda rows, done: None,
) -> Summary:
    """Label every row of a table and write labels, mentions and rejected rows.

    Memory does not grow with the table, but for the 16 bytes per row that find duplicates. A run that
    was killed leaves its finished parts; with ``resume`` the next one continues and gives the same bytes.

    Args:
        output: labels, CSV or Parquet by suffix; by default ``captions.labels.csv`` beside the input.
        mentions: by default named after the labels.
        columns: role (``text``, ``image`` ...) to a column's name, its number (``#3``) or ``none``.
        workers: processes; the result does not depend on it.
        html: also write the captions with their mentions highlighted.
        tell: receives the description of the columns before the work starts.
        progress: receives rows so far and the share of the input, 0 to 1.

    Raises:
        InputError: the table cannot be read as asked.
        LexiconError: the lexicon has mistakes.
        OutputError: a result cannot be written; older files are intact.
    """
    from nlp.results import assemble, name_targets
    from nlp.summary import Summary
    from nlp.write import check_targets

    targets = name_targets(source, output, mentions)
    check_targets(targets.files, [html] if html else [], source)
    run = _prepare(source, targets.labels, columns or {}, encoding, lexicon, batch_rows, resume, tell)
    summary = Summary(run.lexicon.findings, files=[targets.labels, targets.mentions, targets.rejected])
    written = [_reported(job, progress) for job in _labelled(run, workers, summary)]
    assemble(targets, written, run.parts.rejected, summary)
    if html is not None:
        _write_html(html, written, run.lexicon)
        summary.files.append(html)
    run.parts.remove()
    return summary


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run_command(_parser(), _command, arguments)


def _prepare(
    source: Path,
    labels: Path,
    asked: Mapping[str, str],
    encoding: str | None,
    folder: Path | None,
    batch_rows: int | None,
    resume: bool,
    tell: Callable[[str], None],
) -> _Run:
    """Load the lexicon, open the table, choose its columns and make the folder of parts."""
    from nlp.columns import choose_columns, describe_columns
    from nlp.lexicon import load_lexicon
    from nlp.parts import Parts
    from nlp.read import BATCH_ROWS
    from nlp.tables import open_table, sample_columns

    table = open_table(source, encoding)
    lexicon = load_lexicon(folder)
    sample = sample_columns(table)
    names = [name for f in lexicon.findings for name in (f.key, f.name, f.abbreviation)]
    columns = choose_columns(table, sample, asked, names)
    tell(describe_columns(table, columns, sample))
    parts = Parts(labels.with_name(f"{labels.name}.parts"))
    run = _Run(table, columns, lexicon, folder, parts, batch_rows or BATCH_ROWS, resume)
    parts.prepare(_manifest(run), resume=resume)
    return run


def _manifest(run: _Run) -> Manifest:
    from nlp.parts import Manifest, file_hash, program_hash

    chosen = {role: choice.index for role, choice in run.columns.choices.items()}
    return Manifest(
        input_sha256=file_hash(run.table.path),
        lexicon_version=run.lexicon.version,
        program=program_hash(),
        columns=json.dumps(chosen),
        encoding=run.table.encoding,
        delimiter=run.table.delimiter,
        batch_rows=run.batch_rows,
    )


def _labelled(run: _Run, workers: int, summary: Summary) -> Iterator[Job]:
    from nlp.parallel import label_parts

    jobs = _jobs(run, summary)
    return label_parts(jobs, lexicon=run.lexicon, folder=run.lexicon_folder, workers=workers)


def _jobs(run: _Run, summary: Summary) -> Iterator[Job]:
    """Read batch after batch; rejected rows go to their file, the others become a job."""
    from nlp.parallel import Job
    from nlp.read import read_records
    from nlp.results import rejected_lines
    from nlp.write import writing

    index = 0
    run.parts.rejected.write_bytes(b"")
    for batch in read_records(run.table, run.columns, batch_rows=run.batch_rows):
        summary.read(batch)
        with writing(run.parts.rejected), run.parts.rejected.open("ab") as handle:
            handle.write(rejected_lines(batch.rejected))
        if batch.records.num_rows:
            finished = run.resume and run.parts.holds(index, batch.records)
            yield Job(batch.records, run.parts.path(index), summary.rows, batch.done, finished)
            index += 1


def _reported(job: Job, progress: Callable[[int, float], None]) -> Path:
    progress(job.rows, job.done)
    return job.part


def _write_html(target: Path, parts: list[Path], lexicon: Lexicon) -> None:
    from nlp.batch import Reader
    from nlp.explain import write_html
    from nlp.results import readings

    write_html(target, readings(parts, Reader(lexicon)), lexicon)


def _command(options: argparse.Namespace) -> None:
    if options.explain is not None:
        _explain(options.explain, options.lexicon)
        return
    from nlp.progress import Progress

    progress = Progress()
    summary = extract(
        options.captions,
        output=options.output,
        mentions=options.mentions,
        columns=_asked_columns(options),
        encoding=options.encoding,
        lexicon=options.lexicon,
        workers=options.workers,
        resume=options.resume,
        html=options.html,
        batch_rows=options.batch_rows,
        tell=_print_now,
        progress=progress,
    )
    progress.finish(summary.rows)
    print(f"\n{summary.text()}")


def _asked_columns(options: argparse.Namespace) -> dict[str, str]:
    asked = {role: getattr(options, f"{role}_column") for role in COLUMN_HELP}
    return {role: value for role, value in asked.items() if value is not None}


def _explain(text: str, folder: Path | None) -> None:
    from nlp.batch import Reader
    from nlp.explain import explain_text
    from nlp.lexicon import load_lexicon

    print(explain_text(text, Reader(load_lexicon(folder)), colour=sys.stdout.isatty()))


def _print_now(message: str) -> None:
    print(message, flush=True)


def _positive(value: str) -> int:
    number = int(value)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, not {value}")
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m nlp.extract",
        description="Read captions or reports and write, for every image, the findings and the COVID flag.",
        epilog="C is a column's name, its number (#3), or none. For research, not for diagnosis.",
    )
    add = parser.add_argument
    subject = parser.add_mutually_exclusive_group(required=True)
    subject.add_argument("captions", nargs="?", type=Path, help="CSV, TSV, XLSX, Parquet or JSONL")
    subject.add_argument("--explain", metavar="TEXT", help="show what is read in this text, and why")
    add("-o", "--output", metavar="FILE", type=Path, help="labels, .csv or .parquet (captions.labels.csv)")
    add("--mentions", metavar="FILE", type=Path, help="mentions, .csv or .parquet (captions.mentions.csv)")
    add("--html", metavar="FILE", type=Path, help="also write the captions with coloured mentions")
    for role, meaning in COLUMN_HELP.items():
        add(f"--{role}-column", metavar="C", help=meaning)
    add("--encoding", metavar="E", help="of a text file that is not UTF-8, such as gb18030")
    add("--lexicon", metavar="DIR", type=Path, help="folder with your own lexicon")
    add("--workers", metavar="N", type=_positive, default=1, help="processes (1)")
    add("--resume", action="store_true", help="continue a run that was interrupted")
    add("--batch-rows", metavar="N", type=_positive, help="rows that are labelled at a time (8192)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
