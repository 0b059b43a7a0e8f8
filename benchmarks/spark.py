"""The plain command and Spark on the same rows: ``python -m benchmarks.spark``: equal output, and both rates."""

from __future__ import annotations

import csv
import hashlib
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.common import ROOT, write_result
from benchmarks.texts import recombined_captions
from nlp.command import run_command
from nlp.errors import ToolkitError
from nlp.score_report import format_table
from nlp.write import csv_lines

_BLOCK = 50_000
_RESULTS = ("labels", "mentions")


def write_parquet(path: Path, rows: int) -> None:
    """Recombined captions, block by block, so that this process stays small."""
    with (ROOT / "examples" / "captions.csv").open(encoding="utf-8", newline="") as file:
        captions = [row["caption"] for row in csv.DictReader(file)]
    schema = pa.schema([(name, pa.string()) for name in ("image", "patient_id", "caption")])
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, rows, _BLOCK):
            texts = recombined_captions(captions, min(_BLOCK, rows - start), seed=start)
            numbers = range(start, start + len(texts))
            images = [f"image_{number:08d}.png" for number in numbers]
            patients = [f"patient_{number // 3:07d}" for number in numbers]
            writer.write_table(pa.table([images, patients, texts], schema=schema))


def digest(path: Path) -> str:
    """Hash of the rows of a Parquet file or folder, whatever their order; row hashes are added up."""
    total, count = 0, 0
    dataset = pq.ParquetDataset(path)
    for batch in (batch for piece in dataset.fragments for batch in piece.to_batches()):
        names = sorted(name for name in batch.schema.names if not name.startswith("_"))
        for line in csv_lines(batch.select(names)).splitlines():
            total, count = total + int.from_bytes(hashlib.blake2b(line, digest_size=16).digest()), count + 1
    return f"{count}:{total % 2**128:032x}"


def run(options: Namespace) -> None:
    """Run both, compare, print and write."""
    runs: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="lesion-labels-") as made:
        folder, source = Path(made), Path(made) / "reports.parquet"
        write_parquet(source, options.rows)
        plain = ("nlp.extract", source, "-o", folder / "labels.parquet")
        for cores in (1, 2):
            runs[f"nlp.extract --workers {cores}"] = _timed(options.rows, cores, *plain, "--workers", cores)
        spark = ("nlp.extract_spark", source, folder / "spark", "--master", "local[2]")
        runs["nlp.extract_spark --master local[2]"] = _timed(options.rows, 2, *spark)
        equal = all(
            digest(folder / f"{name}.parquet") == digest(folder / "spark" / name) for name in _RESULTS
        )
    cells = [
        (name, f"{each['seconds']:,.1f}", f"{each['rows_per_second']:,.0f}") for name, each in runs.items()
    ]
    print(format_table([("command", "seconds", "rows per second"), *cells]))
    print(f"equal rows: {'yes' if equal else 'NO'}")
    if not options.no_result:
        write_result("spark", {"rows": options.rows, "equal": equal, "runs": runs})
    if not equal:
        raise ToolkitError("Spark's rows differ from those of the plain command")


def _timed(rows: int, cores: int, *command: object) -> dict[str, float]:
    """Wall time of a command, start included."""
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", *map(str, command)], cwd=ROOT, capture_output=True, text=True
    )
    taken = time.perf_counter() - begun
    if done.returncode:
        raise ToolkitError(f"{command[0]} failed: {done.stderr[-1000:]}")
    return {"cores": cores, "seconds": taken, "rows_per_second": rows / taken}


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m benchmarks.spark``."""
    made = ArgumentParser(
        prog="python -m benchmarks.spark", description="The plain command beside Spark on two cores."
    )
    made.add_argument(
        "--rows", type=int, default=1_000_000, help="rows of the Parquet file (default: 1000000)"
    )
    made.add_argument("--no-result", action="store_true", help="print only")
    return run_command(made, run, arguments)


if __name__ == "__main__":
    sys.exit(main())
