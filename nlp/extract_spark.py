"""The same labels from Parquet on Spark: ``python -m nlp.extract_spark INPUT OUTPUT``.

A thin adapter: the reading rules and the labels are those of ``nlp.extract``; Spark moves the rows. What is
shipped to the workers is this package's code and the lexicon, so that all label by the same version.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp.command import run_command
from nlp.errors import OutputError
from nlp.extract import COLUMN_HELP
from nlp.spark_frames import cleaned, mapped, refused_twice, sampled
from nlp.spark_session import said_plainly, session

if TYPE_CHECKING:  # heavy modules load inside the functions: --help must not wait for them
    from pyspark.sql import DataFrame, SparkSession

RESULTS = ("rejected", "mentions", "labels")
"""Folders below the output, in the order in which they are written: whoever sees the labels sees all."""


@dataclass(frozen=True)
class Counts:
    """Rows of the input are records and rejected rows together."""

    rows: int
    records: int
    rejected: int
    mentions: int


def extract_spark(
    source: str,
    target: str,
    *,
    columns: Mapping[str, str] | None = None,
    lexicon: Path | None = None,
    master: str | None = None,
    tell: Callable[[str], None] = lambda message: None,
) -> Counts:
    """Label every row of a Parquet file or folder, and write labels, mentions and rejected rows as Parquet.

    Rows and labels equal those of the plain command; of images that come twice the row in the first file (by
    path), and in it the first, counts. The order of the rows is Spark's.

    Args:
        source: a path or any address that Spark reads.
        target: a new folder, which gets ``labels``, ``mentions`` and ``rejected``.
        columns: role to a column, as for ``nlp.extract``.
        master: such as ``local[2]``; by default what spark-submit says, or all cores of this machine.
        tell: receives the description of the columns before the work starts.

    Raises:
        InputError: there is no such input, or it cannot be read as asked.
        LexiconError: the lexicon has mistakes.
        OutputError: the output is there already or cannot be written.
    """
    from nlp.column_names import column_name
    from nlp.lexicon import load_lexicon
    from nlp.stream import choose

    loaded = load_lexicon(lexicon)
    with said_plainly(source, target), session(master) as spark:
        frame = spark.read.parquet(source)
        table, sample = sampled(frame, source)
        chosen, description = choose(table, columns or {}, loaded, sample)
        tell(description)
        rows = refused_twice(
            cleaned(frame, table, chosen), column_name(table.header, chosen.index("image") or 0)
        )
        _write_all(rows, spark.sparkContext.broadcast(loaded), target)
        return _counts(spark, frame, target)


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run_command(_parser(), _command, arguments)


def _write_all(rows: DataFrame, lexicon: Any, target: str) -> None:
    from pyspark import StorageLevel
    from pyspark.sql import functions as f

    from nlp.results import REJECTED_COLUMNS
    from nlp.schema import MENTION_COLUMNS, RECORD_COLUMNS
    from nlp.spark_rows import label_batches, no_records

    def step(batches: Iterator[Any]) -> Iterator[Any]:
        return label_batches(batches, lexicon.value)

    records = rows.where(f.col("reason") == "").select(*RECORD_COLUMNS)
    labelled = mapped(records, step, step(iter([no_records()]))).persist(StorageLevel.DISK_ONLY)
    mentions = labelled.select("image", f.explode("mentions").alias("mention")).select("image", "mention.*")
    parts = {
        "rejected": rows.where(f.col("reason") != "").select("file", *REJECTED_COLUMNS),
        "mentions": mentions.select(*(column.name for column in MENTION_COLUMNS)),
        "labels": labelled.drop("mentions"),
    }
    for name in RESULTS:
        parts[name].write.mode("errorifexists").parquet(f"{target}/{name}")
    labelled.unpersist()


def _counts(spark: SparkSession, frame: DataFrame, target: str) -> Counts:
    written = {name: spark.read.parquet(f"{target}/{name}").count() for name in RESULTS}
    counts = Counts(frame.count(), written["labels"], written["rejected"], written["mentions"])
    if counts.rows != counts.records + counts.rejected:
        raise OutputError(
            f"{counts.rows:,} rows were read, but {counts.records:,} labelled and {counts.rejected:,} rejected: "
            f"do not use {target}, and please report this"
        )
    return counts


def _command(options: argparse.Namespace) -> None:
    asked = {role: getattr(options, f"{role}_column") for role in COLUMN_HELP}
    counts = extract_spark(
        options.input,
        options.output,
        columns={role: value for role, value in asked.items() if value is not None},
        lexicon=options.lexicon,
        master=options.master,
        tell=partial(print, flush=True),
    )
    print(
        f"\n{counts.rows:,} rows read = {counts.records:,} records + {counts.rejected:,} rejected; "
        f"{counts.mentions:,} mentions\nwritten: {', '.join(f'{options.output}/{name}' for name in RESULTS)}"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m nlp.extract_spark",
        description="Label reports in Parquet on Spark, as nlp.extract labels them on one machine.",
        epilog="C is a column's name, its number (#3), or none. For research, not for diagnosis.",
    )
    add = parser.add_argument
    add("input", metavar="INPUT", help="Parquet file or folder; any address that Spark reads")
    add("output", metavar="OUTPUT", help="new folder for labels, mentions and rejected rows, as Parquet")
    for role, meaning in COLUMN_HELP.items():
        add(f"--{role}-column", metavar="C", help=meaning)
    add("--lexicon", metavar="DIR", type=Path, help="folder with your own lexicon")
    add("--master", metavar="URL", help="such as local[2] (what spark-submit says, or all cores here)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
