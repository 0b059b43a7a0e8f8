"""A session of Spark with this package's code on its workers, and Spark's errors in one sentence."""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from nlp.errors import InputError, OutputError

if TYPE_CHECKING:  # loads inside the functions: --help must not wait for it
    from pyspark.sql import SparkSession


@contextmanager
def session(master: str | None) -> Iterator[SparkSession]:
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
def said_plainly(source: str, target: str) -> Iterator[None]:
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
