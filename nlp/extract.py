"""Captions in, labels out: ``python -m nlp.extract captions.csv``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nlp.command import run_command

if TYPE_CHECKING:  # heavy modules load inside the functions: --help must not wait for them
    from nlp.entries import Lexicon
    from nlp.summary import Summary

COLUMN_HELP = {
    "text": "caption or report",
    "image": "image name; an id where there are no images",
    "patient": "patient id",
    "panel": "letter of the sub-figure",
    "source": "DOI, article or site",
    "covid": "COVID status (1, 0, -1, CVD19, positive, control ...); never guessed",
    "diagnosis": "class name, such as pneumonia",
}


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
    from nlp.lexicon import load_lexicon
    from nlp.parts import Parts
    from nlp.read import BATCH_ROWS
    from nlp.results import assemble, name_targets
    from nlp.stream import Run, choose, label
    from nlp.summary import Summary
    from nlp.tables import open_table
    from nlp.write import check_targets

    targets = name_targets(source, output, mentions)
    check_targets(targets.files, [html] if html else [], source)
    table, loaded = open_table(source, encoding), load_lexicon(lexicon)
    chosen, description = choose(table, columns or {}, loaded)
    tell(description)
    parts = Parts(targets.labels.with_name(f"{targets.labels.name}.parts"))
    run = Run(table, chosen, loaded, lexicon, parts, resume, batch_rows or BATCH_ROWS)
    summary = Summary(loaded.findings, files=[targets.labels, targets.mentions, targets.rejected])
    written = label(run, workers=workers, summary=summary, progress=progress)
    assemble(targets, written, parts.rejected, summary)
    if html is not None:
        _write_html(html, written, loaded)
        summary.files.append(html)
    parts.remove()
    return summary


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run_command(_parser(), _command, arguments)


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
    if not value.isdecimal() or int(value) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of 1 or more, not {value}")
    return int(value)


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
