"""Captions and full reports per CPU-second: ``python -m benchmarks.speed``.

One process, and every measurement in a fresh one, so that all caches are cold. The core is
``nlp.batch.label_batch``; the whole command is ``nlp.extract.extract`` (CSV in, labels and mentions out),
beside a loop that reads the same CSV, searches five regular expressions and writes a CSV.
"""

from __future__ import annotations

import csv
import json
import statistics
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.common import BARE_REGEX, cpu_seconds, fresh, parser, record_batch, references, write_result
from benchmarks.texts import distinct_captions, recombined_captions, recombined_reports
from nlp.command import run_command
from nlp.errors import InputError
from nlp.score_report import format_table

SETS = {
    "distinct": "every sentence different",
    "captions": "real captions recombined",
    "reports": "full reports, about 2,000 characters",
}
COUNTS = {"distinct": 20_000, "captions": 100_000, "reports": 10_000}
TARGETS = {"distinct": 6_000, "captions": 20_000, "reports": 3_000}
RATIO_TARGET = 0.5


def make_texts(data: Path, counts: Mapping[str, int]) -> dict[str, list[str]]:
    """The three sets of texts, the same for the same counts."""
    tables = references(data)
    missing = {"captions", "open"} - set(tables)
    if missing:
        raise InputError(
            f"{data} lacks text/{sorted(missing)[0]}_reference.csv; choose the folder with --data"
        )
    captions = [row.text for row in tables["captions"].rows]
    long = [row.text for row in tables["open"].rows]
    return {
        "distinct": distinct_captions(captions, counts["distinct"]),
        "captions": recombined_captions(captions, counts["captions"]),
        "reports": recombined_reports(long, counts["reports"]),
    }


def measure_core(path: Path) -> dict[str, float]:
    """Rate of ``label_batch`` over the texts of a CSV; reading it and building the pipeline do not count."""
    from nlp.batch import Reader, label_batch
    from nlp.lexicon import load_lexicon
    from nlp.read import BATCH_ROWS

    texts = _texts(path)
    batches = [record_batch(texts[start : start + BATCH_ROWS]) for start in range(0, len(texts), BATCH_ROWS)]
    before = time.process_time()
    reader = Reader(load_lexicon())
    start_up = time.process_time() - before
    before = time.process_time()
    for batch in batches:
        label_batch(batch, reader)
    return {"rate": len(texts) / (time.process_time() - before), "start_up_cpu_s": start_up}


def measure_command(path: Path) -> dict[str, float]:
    """Rate of the whole command, building the pipeline included."""
    from nlp.extract import extract

    before = cpu_seconds()
    extract(path, columns={"text": "caption", "image": "image"})
    return {"rate": _row_count(path) / (cpu_seconds() - before)}


def measure_regex(path: Path) -> dict[str, float]:
    """Rate of five regular expressions between a CSV reader and a CSV writer."""
    before = cpu_seconds()
    searches = [regex.search for regex in BARE_REGEX.values()]
    with path.open(newline="") as source, path.with_suffix(".regex.csv").open("w", newline="") as target:
        rows, writer = csv.reader(source), csv.writer(target)
        next(rows)
        writer.writerow(["image", *BARE_REGEX])
        for image, caption in rows:
            writer.writerow([image, *("1" if search(caption) else "" for search in searches)])
    return {"rate": _row_count(path) / (cpu_seconds() - before)}


MEASURES: Mapping[str, Callable[[Path], dict[str, float]]] = {
    "core": measure_core,
    "command": measure_command,
    "regex": measure_regex,
}


def _texts(path: Path) -> list[str]:
    with path.open(newline="") as file:
        return [row["caption"] for row in csv.DictReader(file)]


def _row_count(path: Path) -> int:
    with path.open(newline="") as file:
        return sum(1 for _ in csv.reader(file)) - 1


def write_texts(path: Path, texts: Sequence[str]) -> None:
    """The texts as a CSV with a made-up image name each."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "caption"])
        writer.writerows((f"image_{number:07d}.png", text) for number, text in enumerate(texts))


def run(options: Namespace) -> None:
    """Measure all, print a table and write the result; with ``--measure`` one measurement as JSON."""
    if options.measure:
        kind, path = options.measure
        print(json.dumps(MEASURES[kind](Path(path))))
        return
    counts = {name: max(100, int(count * options.scale)) for name, count in COUNTS.items()}
    result = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, texts in make_texts(options.data, counts).items():
            path = Path(folder) / f"{name}.csv"
            write_texts(path, texts)
            result[name] = _measure_set(path, texts, options.repeats)
    print(format_table(_table(result)))
    write_result("speed", {"repeats": options.repeats, "sets": result})


def _measure_set(path: Path, texts: Sequence[str], repeats: int) -> dict[str, Any]:
    """Medians of the three measures; they take turns, so that a busy moment meets all of them."""
    runs = [
        {kind: fresh("benchmarks.speed", "--measure", kind, path) for kind in MEASURES}
        for _ in range(repeats)
    ]
    rates = {kind: statistics.median(run[kind]["rate"] for run in runs) for kind in MEASURES}
    return {
        "texts": len(texts),
        "mean_characters": statistics.fmean(map(len, texts)),
        "core_per_cpu_s": rates["core"],
        "core_all": [run["core"]["rate"] for run in runs],
        "command_per_cpu_s": rates["command"],
        "regex_per_cpu_s": rates["regex"],
        "command_to_regex": statistics.median(run["command"]["rate"] / run["regex"]["rate"] for run in runs),
        "start_up_cpu_s": statistics.median(run["core"]["start_up_cpu_s"] for run in runs),
    }


def _table(result: Mapping[str, Mapping[str, float]]) -> list[list[str]]:
    rows = [
        [
            "texts, per CPU-second",
            "characters",
            "core",
            "target",
            "command",
            "five regexes",
            "ratio",
            "target",
        ]
    ]
    for name, measured in result.items():
        numbers = [measured["mean_characters"], measured["core_per_cpu_s"], TARGETS[name]]
        numbers += [measured["command_per_cpu_s"], measured["regex_per_cpu_s"]]
        ratio = f"{measured['command_to_regex']:.2f}"
        rows.append([SETS[name], *(f"{number:,.0f}" for number in numbers), ratio, f"{RATIO_TARGET}"])
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m benchmarks.speed``."""
    made = parser("Captions and full reports per CPU-second, one process, cold caches.")
    made.add_argument("--repeats", type=int, default=5, help="fresh processes per measurement (default: 5)")
    made.add_argument("--scale", type=float, default=1.0, help="multiply the number of texts (default: 1)")
    made.add_argument("--measure", nargs=2, metavar=("KIND", "FILE"), help="one measurement, as JSON")
    return run_command(made, run, arguments)


if __name__ == "__main__":
    sys.exit(main())
