"""The paper's Table 2, every backbone and mode, on the bundled phantoms: ``python -m benchmarks.table2 [--epochs N]``.

Shows that each backbone goes through the whole of ``train.study``; the networks start from random numbers and see 80
drawn images, so that a figure says nothing of the backbone. Its result with ImageNet weights is measured where weights
are at hand (``benchmarks.published``) and not here.
"""

from __future__ import annotations

import sys
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from annotate.split import main as split_table
from benchmarks.common import ROOT, write_result
from nlp.command import run_command
from nlp.extract import main as extract
from nlp.score_report import format_table
from train.config import Config
from train.paper_table import PAPER_BACKBONES, TABLE_METRICS
from train.progress import Log
from train.study import study
from train.study_plan import MODES, Plan
from train.study_results import FROM_SCRATCH, NOT_MEASURED
from train.study_scores import Figure

EXAMPLES = ROOT / "examples"
NOTE = f"phantoms, {FROM_SCRATCH}; {NOT_MEASURED}"

Rows = list[dict[str, Any]]


def measure(folder: Path, config: Config, log: Log) -> Rows:
    """One row for each backbone and mode; what the study keeps lies in ``folder``."""
    labels = folder / "labels.csv"
    extract([str(EXAMPLES / "captions.csv"), "--covid-column", "covid19", "-o", str(labels)])
    split_table([str(labels), "-o", str(labels)])
    plan = Plan(
        tables={"phantoms": labels},
        base=config,
        backbones=PAPER_BACKBONES,
        modes=MODES,
        seeds=(0,),
        weights={},
    )
    rows: Rows = []
    for row in study(plan, EXAMPLES / "images", folder / "study", log=log).rows:
        assert row.comparison is not None and row.truth is not None, row.problems
        for mode, figures in zip(MODES, (row.comparison.baseline, row.comparison.ladnn), strict=True):
            rows.append({"backbone": row.backbone, "mode": mode, "n": len(row.truth.images), "note": NOTE})
            rows[-1] |= {name: _described(figures[name]) for name in TABLE_METRICS}
    return rows


def _described(figure: Figure) -> dict[str, float | None]:
    return {"value": figure.mean, "low": figure.low, "high": figure.high}


def _shown(found: dict[str, float | None]) -> str:
    low, high = found["low"], found["high"]
    between = "few patients" if low is None or high is None else f"{low:.2f}–{high:.2f}"
    return f"{found['value']:.2f} ({between})"


def _run(options: Namespace) -> None:
    config = Config(
        weights="none", image_size=options.image_size, epochs=options.epochs, average=False, test_flips=False
    )
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(Path(folder), config, Log(sys.stderr))
    lines = [[row["backbone"], row["mode"], *(_shown(row[name]) for name in TABLE_METRICS)] for row in rows]
    print(format_table([["backbone", "mode", *TABLE_METRICS], *lines]))
    print(f"{rows[0]['n']} test images; {NOTE}")
    write_result("table2", {"epochs": options.epochs, "image_size": options.image_size, "rows": rows})


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m benchmarks.table2``."""
    parser = ArgumentParser(prog="python -m benchmarks.table2", description=__doc__)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--image-size", type=int, default=96)
    return run_command(parser, _run, arguments)


if __name__ == "__main__":
    sys.exit(main())
