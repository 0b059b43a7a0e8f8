"""Spark, run for real on two cores: the same rows as the plain command, and its bad days."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nlp.columns import Columns
from nlp.command import DONE, FAILED
from nlp.extract import extract
from nlp.extract_spark import RESULTS, main
from nlp.lexicon import load_lexicon
from nlp.schema import MENTION_COLUMNS, RECORD_COLUMNS, label_columns
from nlp.spark_rows import PLACE, clean_batches, empty_input, label_batches, raw_name
from nlp.stream import choose
from nlp.tables import Table, open_table
from nlp.write import csv_lines

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::ResourceWarning")
ROOT = Path(__file__).resolve().parents[1]
CANARY = "xylophone-4711"
CAPTIONS = (
    "Consolidation in the left lower lobe. No air bronchogram.",
    "Possible crazy-paving; COVID-19 was confirmed.",
    "The ground-glass opacities have resolved.",
    f"The heart is normal, {CANARY}.",
    "",
)


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """900 rows in several row groups, of which the plain command rejects eight."""
    chance = random.Random(0)
    rows = [
        (f"{n}.png", n // 3, f"Case {n}. {chance.choice(CAPTIONS)}", "1" if n % 7 else "") for n in range(892)
    ]
    rows += [("", 1, "no image", ""), ("x.png", 2, "a bad flag", "perhaps"), *rows[:3]]
    rows += [(image, patient, "another text", covid) for image, patient, _, covid in rows[5:8]]
    chance.shuffle(rows)
    images, patients, captions, covid = zip(*rows, strict=True)
    table = pa.table({"image": images, "Patient ID": patients, "caption": captions, "a.b `c": covid})
    path = tmp_path_factory.mktemp("reports") / "reports.parquet"
    pq.write_table(table, path, row_group_size=100)
    return path


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    sql = pytest.importorskip("pyspark.sql", reason="Spark comes with the extra spark")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java 17")
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    settings = {"spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "2"}
    settings |= {"spark.sql.files.maxPartitionBytes": "20000", "spark.sql.files.openCostInBytes": "1"}
    builder = sql.SparkSession.builder.master("local[2]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    yield session
    session.stop()


def digest(table: pa.Table, names: list[str]) -> str:
    """Of the rows as CSV, whatever their order."""
    (batch,) = table.select(names).combine_chunks().to_batches()
    return hashlib.sha256(b"\n".join(sorted(csv_lines(batch).split(b"\n")))).hexdigest()


@pytest.mark.usefixtures("spark")
def test_extract_spark_gives_the_rows_of_the_plain_command(
    reports: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "out"
    asked = ["--covid-column", "a.b `c"]
    assert main([str(reports), str(target), *asked]) == DONE
    extract(reports, output=tmp_path / "labels.parquet", columns={"covid": asked[1]})
    names = {
        "labels": [column.name for column in label_columns(load_lexicon().finding_keys)],
        "mentions": [column.name for column in MENTION_COLUMNS],
    }
    for result, columns in names.items():
        plain = pq.read_table(tmp_path / f"{result}.parquet")
        assert digest(pq.read_table(target / result), columns) == digest(plain, columns)
    plain_rejected = (tmp_path / "labels.rejected.csv").read_bytes().splitlines()[1:]
    rejected = pq.read_table(target / "rejected").drop(["file"]).combine_chunks().sort_by("row")
    assert csv_lines(rejected.to_batches()[0]).splitlines() == plain_rejected
    assert len(plain_rejected) == 8
    assert main([str(reports), str(target), *asked]) == FAILED
    assert main([str(tmp_path / "none"), str(tmp_path / "other")]) == FAILED
    shown = capfd.readouterr()
    assert "900 rows read = 892 records + 8 rejected" in shown.out
    assert f"error: {target} holds results already: choose another folder" in shown.err
    assert f"error: {tmp_path / 'none'} cannot be read: there is no such path" in shown.err
    assert CANARY not in shown.out + shown.err
    assert sorted(path.name for path in target.iterdir()) == sorted(RESULTS)


def test_extract_spark_without_java_says_so(reports: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyspark", reason="Spark comes with the extra spark")
    command = [sys.executable, "-m", "nlp.extract_spark", str(reports), str(tmp_path / "out")]
    environment = {**os.environ, "JAVA_HOME": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == FAILED
    assert "error: Spark did not start: it needs Java 17" in done.stderr and "Traceback" not in done.stderr


def cleaned(reports: Path) -> tuple[Table, Columns, pa.RecordBatch]:
    table = open_table(reports)
    columns, _ = choose(table, {"covid": "a.b `c"}, load_lexicon())
    read = pq.read_table(reports).combine_chunks().to_batches()[0]
    raw = {raw_name(index): read.column(index) for index in columns.used}
    places = {"file": pa.array(["f"] * read.num_rows), "row": pa.array(range(1, read.num_rows + 1))}
    return table, columns, pa.record_batch({**raw, **places})


def test_extract_spark_steps_keep_every_row_and_its_place(reports: Path) -> None:
    table, columns, raw = cleaned(reports)
    kept, refused = clean_batches([raw], table, columns)
    assert sorted([*kept.column("row").to_pylist(), *refused.column("row").to_pylist()]) == [*range(1, 901)]
    assert set(refused.column("reason").to_pylist()) >= {"no image id"} and refused.num_rows == 2
    assert kept.schema == next(clean_batches([empty_input(columns)], table, columns)).schema
    assert kept.schema.names[:2] == list(PLACE)


def test_extract_spark_nests_the_mentions_of_each_image(reports: Path) -> None:
    table, columns, raw = cleaned(reports)
    kept = next(clean_batches([raw.slice(0, 50)], table, columns))
    (labelled,) = label_batches([kept.select(list(RECORD_COLUMNS))], load_lexicon())
    for row in labelled.to_pylist():
        assert [each["text"] for each in row["mentions"]] == [
            row["caption"][each["start"] : each["end"]] for each in row["mentions"]
        ]
