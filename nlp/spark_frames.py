"""Spark's tables on their way to labels: a sample, clean records, images that come twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # heavy modules load inside the functions: --help must not wait for them
    from pyspark.sql import Column, DataFrame

    from nlp.columns import Columns
    from nlp.tables import Table


def sampled(frame: DataFrame, source: str) -> tuple[Table, list[list[str]]]:
    """The columns as of a table's file, and the texts of the first rows, by which columns are guessed.

    Raises:
        InputError: two columns have one name.
    """
    from nlp.tables import SAMPLE_ROWS, Table, as_text, refuse_equal_names

    table = Table(Path(source), "parquet", tuple(frame.columns))
    refuse_equal_names(source, table.header)
    first = frame.limit(SAMPLE_ROWS).toArrow().combine_chunks()
    cells = (as_text(table, place, column.combine_chunks()) for place, column in enumerate(first.columns))
    return table, [column.to_pylist() for column in cells]


def cleaned(frame: DataFrame, table: Table, columns: Columns) -> DataFrame:
    """Records and rejected rows, with their places; images may come twice."""
    from pyspark.sql import functions as f

    from nlp.spark_rows import clean_batches, empty_input, raw_name

    used = [_named(table.header[index]).alias(raw_name(index)) for index in columns.used]
    place = [f.col("_metadata.file_path").alias("file"), (f.col("_metadata.row_index") + 1).alias("row")]
    step = partial(clean_batches, table=table, columns=columns)
    return mapped(frame.select(*used, *place), step, step([empty_input(columns)]))


def refused_twice(rows: DataFrame, image_column: str) -> DataFrame:
    """The same rows; of those that share an image all but the first are rejected.

    Image, place and hash of every row are shuffled, no texts; what all workers get is the images that come twice.
    """
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


def mapped(frame: DataFrame, step: Callable[[Any], Iterator[Any]], of_nothing: Iterator[Any]) -> DataFrame:
    """``mapInArrow`` with the columns that the step gives to no row."""
    import pyarrow as pa

    schema = frame.sparkSession.createDataFrame(pa.Table.from_batches([next(of_nothing)])).schema
    return frame.mapInArrow(step, schema)


def _named(name: str) -> Column:
    from pyspark.sql import functions as f

    return f.col("`{}`".format(name.replace("`", "``")))
