"""Table 2 of the paper, on any data: ``python -m train.study labelled.csv --images DIR``.

Backbones × modes × seeds, each a run in a folder of its own; one table with intervals and the paired difference of
LA-DNN and baseline. A study that was stopped goes on where it was. For research, not for diagnosis.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from nlp.command import run_command
from nlp.errors import TrainingError
from nlp.write import replacing
from train.progress import SILENT, Log
from train.study_plan import Plan, cells, refuse_other_settings

if TYPE_CHECKING:
    from train.study_results import Finished, Row

BOOTSTRAPS = 10_000
TABLES = ("study.csv", "study.md", "study.tex")
CURVE = "label_budget.png"


@dataclass(frozen=True)
class StudyResult:
    """Rows of the table, the runs behind them, and the table as Markdown."""

    rows: Sequence[Row]
    finished: Sequence[Finished]
    text: str


def study(
    plan: Plan,
    images: Path,
    out: Path,
    *,
    cache: Path | None = None,
    bootstraps: int = BOOTSTRAPS,
    log: Log = SILENT,
) -> StudyResult:
    """Make the runs that are not there yet, and write the table.

    Args:
        images: folder that the image names of all tables are below.
        out: folder of the study: runs below it, ``study.csv``, ``study.md``, ``study.tex``, and with
            budgets ``label_budget.png``.
        cache: folder for decoded images; None: ``out/.cache``.

    Raises:
        ToolkitError: labels, images, settings or weights that cannot be used; runs of other settings in ``out``.
        Stopped: on SIGTERM or Ctrl-C, when the state of the run is saved.
    """
    from train.study_parts import study_parts
    from train.study_results import study_rows
    from train.study_runs import made
    from train.study_table import markdown

    parts = study_parts(
        plan.tables,
        images,
        out,
        seeds=plan.seeds,
        folds=plan.base.folds > 0,
        fewest=plan.fewest,
        budgets=plan.budgets,
    )
    wanted = [cell for part in parts for cell in cells(part, plan)]
    refuse_other_settings(wanted)
    done = list(made(wanted, images, cache or out / ".cache", bootstraps, log))
    rows = study_rows(done, bootstraps=bootstraps)
    result = StudyResult(rows, done, markdown(rows))
    _write(result, out, bootstraps)
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m train.study labelled.csv --images DIR``."""
    from train.study_options import parser

    return run_command(parser(), _command, arguments)


def _command(options: argparse.Namespace) -> None:
    from train.study_options import plan_of

    result = study(plan_of(options), options.images, options.out, cache=options.cache, log=Log(sys.stderr))
    print(result.text)
    if failed := [problem for row in result.rows for problem in row.problems]:
        raise TrainingError("\n".join([f"failed, and not in the table: {len(failed)} of the runs", *failed]))


# ---- the files


def _write(result: StudyResult, out: Path, bootstraps: int) -> None:
    from train.study_csv import runs_csv
    from train.study_table import latex

    texts = (runs_csv(result.finished), result.text, latex(result.rows))
    with replacing([out / name for name in TABLES]) as files:
        for file, text in zip(files, texts, strict=True):
            file.write(text.encode())
    if any(row.part.kind == "budget" for row in result.rows):
        from train.figure_style import png
        from train.study_figure import budget_curve

        with replacing([out / CURVE]) as [file]:
            file.write(png(budget_curve(_on_test(result, bootstraps))))


def _on_test(result: StudyResult, bootstraps: int) -> Sequence[Row]:
    """The rows of a budget curve: also all of train, which with folds the table shows out of fold."""
    from train.study_results import study_rows

    if all(each.cell.part.measured == "test" for each in result.finished):
        return result.rows
    moved = [
        replace(each, cell=replace(each.cell, part=replace(each.cell.part, measured="test")))
        for each in result.finished
        if each.cell.part.kind != "source"
    ]
    return study_rows(moved, bootstraps=bootstraps)


if __name__ == "__main__":
    sys.exit(main())
