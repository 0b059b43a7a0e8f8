"""The same labels from Parquet on Spark: ``python -m nlp.extract_spark INPUT OUTPUT``.

A thin adapter: the reading rules and the labels are those of ``nlp.extract``; Spark moves the rows. What is
shipped to the workers is this package's code and the lexicon, so that all label by the same version.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp.command import run_command
from nlp.errors import InputError, OutputError
from nlp.extract import COLUMN_HELP

if TYPE_CHECKING:  # heavy modules load inside the functions: --help must not wait for them
    from pyspark.sql import Column, DataFrame, SparkSession

    from nlp.columns import Columns
    from nlp.tables import Table

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
    with _said_plainly(source, target), _session(master) as spark:
        frame = spark.read.parquet(source)
        table, sample = _sampled(frame, source)
        chosen, description = choose(table, columns or {}, loaded, sample)
        tell(description)
        rows = _refused_twice(
            _cleaned(frame, table, chosen), column_name(table.header, chosen.index("image") or 0)
        )
        _write_all(rows, spark.sparkContext.broadcast(loaded), target)
        return _counts(spark, frame, target)


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run_command(_parser(), _command, arguments)


def _sampled(frame: DataFrame, source: str) -> tuple[Table, list[list[str]]]:
    from nlp.tables import SAMPLE_ROWS, Table, as_text

    table = Table(Path(source), "parquet", tuple(frame.columns))
    if len(set(table.header)) < len(table.header):
        raise InputError(f"{source} has two columns of one name, which cannot be told apart: rename one")
    first = frame.limit(SAMPLE_ROWS).toArrow().combine_chunks()
    cells = (as_text(table, place, column.combine_chunks()) for place, column in enumerate(first.columns))
    return table, [column.to_pylist() for column in cells]


def _cleaned(frame: DataFrame, table: Table, columns: Columns) -> DataFrame:
    """Records and rejected rows; images may come twice."""
    from pyspark.sql import functions as f

    from nlp.spark_rows import clean_batches, empty_input, raw_name

    used = [_named(table.header[index]).alias(raw_name(index)) for index in columns.used]
    place = [f.col("_metadata.file_path").alias("file"), (f.col("_metadata.row_index") + 1).alias("row")]
    step = partial(clean_batches, table=table, columns=columns)
    return _mapped(frame.select(*used, *place), step, step([empty_input(columns)]))


def _refused_twice(rows: DataFrame, image_column: str) -> DataFrame:
    """Image, place and hash of every row are shuffled, no texts; what is sent to all workers is the images that come twice."""
    from pyspark.sql import functions as f

    from nlp.read import CHANGED_DUPLICATE, DUPLICATE
    from nlp.schema import RECORD_COLUMNS
    from nlp.spark_rows import PLACE

    content = f.xxhash64(*RECORD_COLUMNS)
    standing = rows.where(f.col("reason") == "").select(*PLACE, "image", content.alias("content"))
    first = standing.groupBy("image").agg(
        f.min(f.struct(*PLACE, "content")).alias("first"), f.count("*").alias("n")
    )
    again = first.where(f.col("n") > 1).select("image", "first")
    standing_first = f.struct(*PLACE) == f.struct(*(f.col(f"first.{name}") for name in PLACE))
    late = (f.col("reason") == "") & f.col("first").isNotNull() & ~standing_first
    why = f.when(content == f.col("first.content"), DUPLICATE).otherwise(CHANGED_DUPLICATE)
    changed = {
        "column": f.when(late, image_column).otherwise(f.col("column")),
        "reason": f.when(late, why).otherwise(f.col("reason")),
    }
    return rows.join(f.broadcast(again), "image", "left").withColumns(changed).drop("first")


def _write_all(rows: DataFrame, lexicon: Any, target: str) -> None:
    from pyspark import StorageLevel
    from pyspark.sql import functions as f

    from nlp.results import REJECTED_COLUMNS
    from nlp.schema import MENTION_COLUMNS, RECORD_COLUMNS
    from nlp.spark_rows import label_batches, no_records

    def step(batches: Iterator[Any]) -> Iterator[Any]:
        return label_batches(batches, lexicon.value)

    records = rows.where(f.col("reason") == "").select(*RECORD_COLUMNS)
    labelled = _mapped(records, step, step(iter([no_records()]))).persist(StorageLevel.DISK_ONLY)
    mentions = labelled.select("image", f.explode("mentions").alias("mention")).select("image", "mention.*")
    parts = {
        "rejected": rows.where(f.col("reason") != "").select("file", *REJECTED_COLUMNS),
        "mentions": mentions.select(*(column.name for column in MENTION_COLUMNS)),
        "labels": labelled.drop("mentions"),
    }
    for name in RESULTS:
        parts[name].write.mode("errorifexists").parquet(f"{target}/{name}")
    labelled.unpersist()


def _mapped(frame: DataFrame, step: Callable[[Any], Iterator[Any]], of_nothing: Iterator[Any]) -> DataFrame:
    """``mapInArrow`` with the columns that the step gives to no row."""
    import pyarrow as pa

    schema = frame.sparkSession.createDataFrame(pa.Table.from_batches([next(of_nothing)])).schema
    return frame.mapInArrow(step, schema)


def _counts(spark: SparkSession, frame: DataFrame, target: str) -> Counts:
    written = {name: spark.read.parquet(f"{target}/{name}").count() for name in RESULTS}
    counts = Counts(frame.count(), written["labels"], written["rejected"], written["mentions"])
    if counts.rows != counts.records + counts.rejected:
        raise OutputError(
            f"{counts.rows:,} rows were read, but {counts.records:,} labelled and {counts.rejected:,} rejected: "
            f"do not use {target}, and please report this"
        )
    return counts


def _named(name: str) -> Column:
    from pyspark.sql import functions as f

    return f.col("`{}`".format(name.replace("`", "``")))


@contextmanager
def _session(master: str | None) -> Iterator[SparkSession]:
    """The session of spark-submit or of the caller, else one for this run; with our code on every worker."""
    from pyspark.sql import SparkSession

    from nlp.read import BATCH_ROWS

    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas")  # none is used here
    running = SparkSession.getActiveSession()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("lesion-labels")
    builder = builder.config("spark.sql.caseSensitive", "true")
    builder = builder.config("spark.sql.execution.arrow.maxRecordsPerBatch", str(BATCH_ROWS))
    # of labelled rows, 10,000 with their mentions (the default) fill the heap of 1 GB that Spark takes if not told
    builder = builder.config("spark.sql.inMemoryColumnarStorage.batchSize", "1000")
    spark = (builder.master(master) if master else builder).getOrCreate()
    with tempfile.TemporaryDirectory(prefix="lesion-labels-") as folder:
        spark.sparkContext.addPyFile(str(_packed(Path(folder) / "lesion_labels_nlp.zip")))
        try:
            yield spark
        finally:
            if running is None:
                spark.stop()


def _packed(target: Path) -> Path:
    """This package as an archive: workers run the code that the driver runs, whatever is installed there."""
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(Path(__file__).parent.glob("*.py")):
            archive.write(path, f"nlp/{path.name}")
    return target


@contextmanager
def _said_plainly(source: str, target: str) -> Iterator[None]:
    """Spark's errors in one sentence; their details may quote a row, hence a report: they are left out."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except (PySparkException, Py4JError) as error:
        condition = error.getCondition() if isinstance(error, PySparkException) else ""
        match condition or "":
            case "PATH_NOT_FOUND":
                raise InputError(f"{source} cannot be read: there is no such path") from None
            case "PATH_ALREADY_EXISTS":
                raise OutputError(f"{target} holds results already: choose another folder") from None
            case "JAVA_GATEWAY_EXITED":
                raise OutputError("Spark did not start: it needs Java 17 or newer (JAVA_HOME)") from None
            case "UNABLE_TO_INFER_SCHEMA":
                raise InputError(f"{source} holds no Parquet file") from None
        said = condition or type(error).__name__
        raise OutputError(
            f"Spark could not turn {source} into {target}: {said}; see Spark's own log"
        ) from None


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
