"""What is wrong with labelled images, before anyone trains on them: ``python -m train.audit labelled.csv --images DIR --out DIR``.

Near duplicates, patients and sources across sets, what the files alone say of the flag, what each set covers; labels
against their texts given ``--mentions``, and against a run's out-of-fold predictions given ``--run``. What cannot be
looked at is skipped, and the report says so. For research, not for diagnosis.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nlp.command import run_command
from nlp.errors import TrainingError
from train.progress import SILENT, Log

if TYPE_CHECKING:  # these load numpy, OpenCV and scikit-learn: --help must not wait for them
    from train.audit_data import Cell, Shared
    from train.audit_text import Contradiction
    from train.label_errors import Suspect
    from train.near_duplicates import Pair
    from train.records import Records
    from train.shortcut import Shortcut

FOLDS = 5
"""Of the shortcut baseline: patients are divided anew, so that a table without a split has one too."""


@dataclass(frozen=True, eq=False)
class Audit:
    """Everything that was found. What was not looked at is None, and ``skipped`` says why.

    Attributes:
        pairs: certain and possible near duplicates, the surest first.
        shared: patients and sources in several sets.
        cells: every output on every set.
        shortcuts: how well the file alone tells the flag, patients out of fold.
    """

    records: Records
    pairs: tuple[Pair, ...]
    shared: tuple[Shared, ...]
    cells: tuple[Cell, ...]
    shortcuts: tuple[Shortcut, ...]
    contradictions: tuple[Contradiction, ...] | None
    suspects: tuple[Suspect, ...] | None
    skipped: tuple[str, ...]


def audit(
    table: Path,
    images: Path,
    *,
    mentions: Path | None = None,
    run: Path | None = None,
    seed: int = 0,
    lexicon: Path | None = None,
    log: Log = SILENT,
) -> Audit:
    """Look at a labelled table and its images. Nothing is written.

    Args:
        table: labels.csv or labelled.csv of the contract; a blank split is allowed.
        images: the image folder.
        mentions: mentions.csv of ``nlp.extract`` on the same table.
        run: a finished run with ``--folds``.
        seed: of the shortcut baseline's folds and intervals.
        lexicon: folder of the lexicon that made the labels; None: the toolkit's own.

    Raises:
        InputError: a table cannot be read.
        ContractError: a table breaks the contract, or mentions or predictions belong to other records.
        ImageError: images that are missing or cannot be read; all of them.
    """
    from train.audit_data import coverage, shared_between_sets
    from train.near_duplicates import near_duplicates
    from train.records import read_records

    records = read_records(table, images, lexicon=lexicon)
    skipped: list[str] = []
    # tables before images: they are wrong at once or not at all
    contradicting = _contradictions(records, mentions, skipped)
    suspects = _suspects(records, run, skipped)
    if not any(records.splits):
        skipped.append("Sets were not compared: no record has a split.")
    return Audit(
        records=records,
        pairs=near_duplicates(records.paths, log=log),
        shared=shared_between_sets(records),
        cells=coverage(records),
        shortcuts=_shortcuts(records, seed, skipped, log),
        contradictions=contradicting,
        suspects=suspects,
        skipped=tuple(skipped),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m train.audit labelled.csv --images DIR --out DIR``."""
    return run_command(_parser(), _command, arguments)


# ---- the command


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m train.audit",
        description="Find what is wrong with labelled images before training: a report and tables.",
    )
    add = parser.add_argument
    add("labels", type=Path, help="a table of the contract, such as labelled.csv")
    add("--images", type=Path, required=True, metavar="DIR", help="the image folder")
    add(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder for report.html and the tables; made if needed",
    )
    add("--mentions", type=Path, metavar="M", help="mentions.csv of nlp.extract: labels against texts")
    add("--run", type=Path, metavar="runs/NAME", help="a run with --folds: labels against its predictions")
    add("--seed", type=int, default=0, help="of the baseline on the files alone (default: 0)")
    add("--lexicon", type=Path, metavar="DIR", help="folder with your own lexicon")
    return parser


def _command(options: argparse.Namespace) -> None:
    from train.audit_report import write_audit
    from train.audit_tables import summary_table

    log = Log(sys.stderr)
    found = audit(
        options.labels,
        options.images,
        mentions=options.mentions,
        run=options.run,
        seed=options.seed,
        lexicon=options.lexicon,
        log=log,
    )
    written = write_audit(found, options.out)
    for name, value in summary_table(found).rows:
        print(f"{name}: {value}")
    print("\n".join(found.skipped))
    print(f"written: {', '.join(map(str, written))}")


# ---- the parts that may be skipped


def _contradictions(
    records: Records, mentions: Path | None, skipped: list[str]
) -> tuple[Contradiction, ...] | None:
    from train.audit_text import contradictions, read_mentions

    if mentions is None:
        skipped.append(
            "Labels were not compared with their texts: give --mentions, which nlp.extract writes."
        )
        return None
    return contradictions(records, read_mentions(mentions))


def _suspects(records: Records, run: Path | None, skipped: list[str]) -> tuple[Suspect, ...] | None:
    from train.label_errors import label_errors
    from train.run_folder import OUT_OF_FOLD

    if run is None:
        skipped.append(
            "Labels were not compared with a network: give --run, a run of train.run with --folds."
        )
        return None
    if not (run / OUT_OF_FOLD).exists():
        skipped.append(
            f"Labels were not compared with a network: {run} has no {OUT_OF_FOLD}; train with --folds."
        )
        return None
    return label_errors(records, run / OUT_OF_FOLD)


def _shortcuts(records: Records, seed: int, skipped: list[str], log: Log) -> tuple[Shortcut, ...]:
    from train.folds import patient_folds
    from train.shortcut import shortcut_of_folds

    log("measuring what the files alone say")
    try:
        folds = patient_folds(records, FOLDS, seed=seed)
    except TrainingError as error:
        skipped.append(f"What the files alone say was not measured: {error}")
        return ()
    return shortcut_of_folds(records, [fold.held_out for fold in folds], seed=seed)


if __name__ == "__main__":
    sys.exit(main())
