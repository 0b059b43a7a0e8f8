"""Peak memory of an extraction of a million rows: ``python -m benchmarks.memory``."""

from __future__ import annotations

import csv
import json
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from benchmarks.common import fresh, parser, peak_megabytes, references, write_result
from benchmarks.texts import recombined_captions
from nlp.command import run_command
from nlp.score_report import format_table

TARGET_MEGABYTES = 500
_BLOCK = 50_000


def write_rows(path: Path, captions: Sequence[str], rows: int) -> None:
    """A CSV of recombined captions, made block by block so that this process stays small."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "patient_id", "caption"])
        for start in range(0, rows, _BLOCK):
            texts = recombined_captions(captions, min(_BLOCK, rows - start), seed=start)
            writer.writerows(
                (f"image_{number:08d}.png", f"patient_{number // 3:07d}", text)
                for number, text in enumerate(texts, start=start)
            )


def measure(path: Path) -> dict[str, float]:
    """Extract in this process; its peak memory and wall time."""
    from nlp.extract import extract

    before = time.perf_counter()
    summary = extract(path)
    return {"rows": summary.rows, "seconds": time.perf_counter() - before, "peak_megabytes": peak_megabytes()}


def run(options: Namespace) -> None:
    """Measure in a fresh process for each number of rows; print and write."""
    if options.measure:
        print(json.dumps(measure(options.measure)))
        return
    tables = references(options.data)
    table = tables.get("captions") or next(iter(tables.values()))
    captions = [row.text for row in table.rows]
    result = []
    for rows in (options.rows // 10, options.rows):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "captions.csv"
            write_rows(path, captions, rows)
            measured = fresh("benchmarks.memory", "--measure", path)
            result.append({**measured, "input_megabytes": path.stat().st_size / 1e6})
    columns = ("rows", "input_megabytes", "peak_megabytes", "seconds")
    cells = [[f"{measured[name]:,.0f}" for name in columns] for measured in result]
    print(format_table([("rows", "input MB", "peak MB", "seconds"), *cells]))
    print(f"target: < {TARGET_MEGABYTES} MB")
    write_result("memory", {"runs": result})


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m benchmarks.memory``."""
    made = parser("Peak memory of an extraction; a tenth of the rows first, to show that it does not grow.")
    made.add_argument(
        "--rows", type=int, default=1_000_000, help="rows of the generated CSV (default: 1000000)"
    )
    made.add_argument("--measure", type=Path, metavar="FILE", help="extract FILE and print its peak as JSON")
    return run_command(made, run, arguments)


if __name__ == "__main__":
    sys.exit(main())
