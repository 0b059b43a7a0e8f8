"""Patients to train, val and test: ``python -m annotate.split labelled.csv -o labelled.csv``."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nlp.command import run_command
from nlp.errors import ContractError

if TYPE_CHECKING:  # pandas and scipy load inside the functions: --help must not wait for them
    import pandas as pd

    from annotate.groups import Groups
    from annotate.search import IntArray

RATIOS = (60.0, 15.0, 25.0)


@dataclass(frozen=True)
class Division:
    """A table whose rows all have a split, and how it came about.

    Attributes:
        sets: the set of each group, an index into train, val, test; shape (n_groups,).
        ratios: share of each set, summing to 1.
        kept: patients that had a set already and stay in it.
        optimal: whether no more even division exists.
    """

    table: pd.DataFrame
    groups: Groups
    sets: IntArray
    ratios: tuple[float, ...]
    kept: int
    optimal: bool


def split(
    table: pd.DataFrame,
    findings: Sequence[str],
    *,
    ratios: Sequence[float] = RATIOS,
    seed: int = 0,
    keep_together: Sequence[tuple[str, str]] = (),
    again: bool = False,
) -> Division:
    """Give every row a split. Patients stay whole, and who has a set already stays in it.

    Within each class (covid19 1, 0 and the rest) patients follow the ratios; every finding is in every set
    where enough patients have it; images per class, records per finding and records of large sources
    are as even as they can be (``annotate.balance``). The order of the rows does not matter.

    Args:
        table: a labelled table, as ``annotate.tables.read_labels`` gives it.
        findings: finding keys.
        ratios: of train, val and test, in any unit; 0 leaves a set out.
        seed: chooses among divisions that are equally good.
        keep_together: pairs of images whose patients must share a set, such as near-duplicates.
        again: forget the splits that the table has.

    Raises:
        ContractError: the table's splits tear a patient apart, images to keep together are not in it,
            or ratios that are no shares.
    """
    from annotate.balance import place
    from annotate.groups import SETS, make_groups

    shares = _shares(ratios)
    groups = make_groups(table, findings, keep_together, again=again)
    placed = place(groups.amounts, shares, seed=seed)
    kept = sum(
        len(ids) for ids, place in zip(groups.patients, groups.amounts.fixed, strict=True) if place >= 0
    )
    done = table.assign(split=[SETS[chosen] for chosen in placed.sets[groups.rows]])
    return Division(done, groups, placed.sets, shares, kept, placed.optimal)


def check_split(table: pd.DataFrame, keep_together: Sequence[tuple[str, str]] = ()) -> None:
    """Make sure that no patient, and no pair of images to keep together, lies in two sets.

    Raises:
        ContractError: names every patient that does.
    """
    from annotate.groups import make_groups

    make_groups(table, (), keep_together)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run_command(_parser(), _command, arguments)


def _shares(ratios: Sequence[float]) -> tuple[float, ...]:
    if (
        len(ratios) != len(RATIOS)
        or not all(ratio >= 0 and math.isfinite(ratio) for ratio in ratios)
        or not any(ratios)
    ):
        raise ContractError(f"ratios must be three numbers of 0 or more, not all 0; found {ratios}")
    return tuple(ratio / sum(ratios) for ratio in ratios)


def _command(options: argparse.Namespace) -> None:
    from annotate.groups import read_pairs
    from annotate.split_report import absent, composition, sentences
    from annotate.tables import read_labels, write_labels
    from nlp.lexicon import load_lexicon

    findings = load_lexicon(options.lexicon).finding_keys
    table = read_labels(options.labels, findings, encoding=options.encoding)
    pairs = read_pairs(options.keep_together) if options.keep_together else []
    if options.check:
        check_split(table, pairs)
        print("\n".join([composition(table, findings), "", *absent(table, findings)]))
        print("no patient lies in two sets")
        return
    division = split(
        table, findings, ratios=options.ratios, seed=options.seed, keep_together=pairs, again=options.again
    )
    write_labels(division.table, options.output, findings)
    print("\n".join([composition(division.table, findings), "", *sentences(division)]))
    print(f"written: {options.output}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m annotate.split",
        description="Divide patients among train, val and test; who has a set already stays in it.",
    )
    add = parser.add_argument
    add("labels", type=Path, help="a table of the contract, such as labels.csv")
    result = parser.add_mutually_exclusive_group(required=True)
    result.add_argument("-o", "--output", metavar="FILE", type=Path, help="may be the input itself")
    result.add_argument("--check", action="store_true", help="only look whether the table's split is sound")
    add("--ratios", nargs=3, type=float, default=RATIOS, metavar="R", help="of train, val, test (60 15 25)")
    add("--seed", type=int, default=0, help="chooses among equally good divisions (0)")
    add(
        "--keep-together",
        type=Path,
        metavar="FILE",
        help="a table with image_a and image_b, whose patients must share a set",
    )
    add("--again", action="store_true", help="forget the splits that are there and divide everything anew")
    add("--encoding", metavar="E", help="of a text file that is not UTF-8")
    add("--lexicon", metavar="DIR", type=Path, help="folder with your own lexicon")
    return parser


if __name__ == "__main__":
    sys.exit(main())
