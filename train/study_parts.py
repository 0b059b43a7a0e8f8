"""The tables of a study: each data set as it stands, with one source kept out, with train cut down to a budget."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from nlp.lexicon import load_lexicon
from nlp.schema import label_columns
from train.budget import check_budgets, within_budget
from train.label_rows import LabelRow, read_label_rows
from train.records import check_trainable, read_records
from train.sources import source_folds
from train.study_plan import Part, plain_name, seal_table, write_table


def study_parts(
    tables: Mapping[str, Path],
    images: Path,
    out: Path,
    *,
    seeds: Sequence[int],
    folds: bool,
    fewest: int | None = None,
    budgets: Sequence[int] = (),
) -> list[Part]:
    """Everything to be trained on; tables are checked, and those that the study makes are written.

    Args:
        tables: data set → its labels.
        folds: the whole table is measured out of fold instead of on test.
        fewest: records that a source kept out has at least; None keeps no source out.
        budgets: numbers of records of train.

    Raises:
        ToolkitError: labels that cannot be used, or that differ from those of the runs in ``out``.
    """
    parts: list[Part] = []
    for name, table in tables.items():
        check_trainable(read_records(table, images))
        rows = read_label_rows(table, label_columns(load_lexicon().finding_keys))
        if budgets:
            check_budgets(rows, budgets)
        folder = out / plain_name(name)
        seal_table(folder, table)
        count = sum(row["split"] == "train" for row in rows)
        measured = "out_of_fold" if folds else "test"
        parts.append(Part(name, "whole", "", dict.fromkeys(seeds, table), folder, measured, count))
        parts += _kept_out(name, rows, folder, seeds, fewest) if fewest is not None else ()
        parts += (_cut_down(name, rows, folder, seeds, budget) for budget in sorted(set(budgets)))
    return parts


def _kept_out(
    data: str, rows: Sequence[LabelRow], folder: Path, seeds: Sequence[int], fewest: int
) -> Iterator[Part]:
    """The division does not depend on the seeds of the runs, so that all are measured on the same records."""
    for fold in source_folds(rows, fewest=fewest):
        own = folder / "sources" / plain_name(fold.source)
        table = write_table(own / "labelled.csv", fold.rows)
        count = sum(row["split"] == "train" for row in fold.rows)
        title = f"source {fold.source} kept out"
        yield Part(data, "source", title, dict.fromkeys(seeds, table), own, "test", count, fold.note)


def _cut_down(data: str, rows: Sequence[LabelRow], folder: Path, seeds: Sequence[int], budget: int) -> Part:
    """Every seed draws its own patients, so that an interval over seeds holds the chance of the choice."""
    own = folder / "budgets" / str(budget)
    tables = {
        seed: write_table(own / f"labelled-{seed}.csv", within_budget(rows, budget, seed=seed))
        for seed in seeds
    }
    return Part(data, "budget", f"{budget} records of train", tables, own, "test", budget)
