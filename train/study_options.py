"""The command line of ``train.study``, and the plan that it asks for."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from nlp.errors import TrainingError
from train.config_file import add_flags, given_flags, read_config
from train.paper_table import PAPER_BACKBONES
from train.study_plan import FEWEST_RECORDS, LADNN, MODES, Plan

SEEDS = (0, 1, 2, 3, 4)

T = TypeVar("T")


def parser() -> argparse.ArgumentParser:
    """The command's options; those of ``train.run`` with several values are replaced."""
    made = argparse.ArgumentParser(
        prog="python -m train.study",
        description="Compare backbones and modes over seeds, beside the paper's Table 2."
        " For research, not for diagnosis.",
        epilog="A study that was stopped goes on when the same command is given again.",
        conflict_handler="resolve",
    )
    add = made.add_argument
    add("table", type=Path, metavar="labelled.csv", help="labels with a split, see annotate.split")
    add("--images", type=Path, required=True, metavar="DIR", help="folder with the images")
    add("--out", type=Path, default=Path("study"), metavar="DIR", help="folder of the study (default: study)")
    add("--config", type=Path, metavar="FILE", help="settings as TOML, such as config.toml of a run")
    add("--cache", type=Path, metavar="DIR", help="decoded images are kept here (default: .cache in --out)")
    add("--resume", action="store_true", help="a study goes on where it was, with or without this")
    add_flags(made)
    _add_axes(made)
    return made


def plan_of(options: argparse.Namespace) -> Plan:
    """What was asked for.

    Raises:
        TrainingError: settings that cannot be used, two data sets of one name, weights for no backbone.
    """
    usual, weights = _weights(options.weights, options.backbones)
    given = given_flags(options) | {"mode": LADNN} | ({"weights": usual} if usual else {})
    return Plan(
        tables=_tables(options.table, options.data),
        base=read_config(options.config, given),
        backbones=_once(options.backbones),
        modes=_once(options.modes),
        seeds=_once(options.seeds),
        weights=weights,
        fewest=options.source_records if options.leave_one_source_out else None,
        budgets=_once(options.label_budget),
    )


def _add_axes(made: argparse.ArgumentParser) -> None:
    """Options under whose names ``train.run`` takes one value; given later, they take their place."""
    add = made.add_argument_group("what is compared").add_argument
    add("--backbones", "--backbone", nargs="+", default=list(PAPER_BACKBONES), metavar="NAME")
    add("--modes", "--mode", nargs="+", default=list(MODES), choices=MODES)
    add("--seeds", "--seed", nargs="+", type=_seed, default=list(SEEDS), metavar="N")
    add(
        "--weights",
        action="append",
        default=[],
        metavar="[NAME=]W",
        help="imagenet, none or a file; for one backbone: resnet18=FILE; may be given again",
    )
    add(
        "--data",
        action="append",
        default=[],
        type=_named_table,
        metavar="NAME=table.csv",
        help="another data set; D0+D1 stands beside the paper's figures of that name",
    )
    add("--leave-one-source-out", action="store_true", help="also keep each large source out of training")
    add(
        "--source-records",
        type=int,
        default=FEWEST_RECORDS,
        metavar="N",
        help="records that a source kept out has at least (default: %(default)s)",
    )
    add(
        "--label-budget",
        nargs="+",
        type=int,
        default=[],
        metavar="N",
        help="also train on so many records, confirmed ones first",
    )


def _weights(given: Sequence[str], backbones: Sequence[str]) -> tuple[str | None, Mapping[str, str]]:
    """The weights of all, and of single backbones."""
    plain = [text for text in given if "=" not in text]
    pairs = [text.partition("=")[::2] for text in given if "=" in text]
    problems = [
        f"--weights {name}={value}: {name!r} is none of the backbones {', '.join(backbones)}"
        for name, value in pairs
        if name not in backbones
    ]
    if len(plain) > 1:
        problems.append(f"--weights {' and '.join(plain)}: several for all backbones; say NAME=FILE for each")
    if problems:
        raise TrainingError("\n".join(problems))
    return (plain[0] if plain else None), dict(pairs)


def _tables(table: Path, more: Sequence[tuple[str, Path]]) -> Mapping[str, Path]:
    tables = {table.stem: table}
    for name, path in more:
        if name in tables:
            raise TrainingError(f"--data {name}={path}: {tables[name]} has this name already; choose another")
        tables[name] = path
    return tables


def _named_table(text: str) -> tuple[str, Path]:
    found = re.fullmatch(r"([\w+.-]+)=(.+)", text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} must be NAME=table.csv, NAME of letters, digits and _+.-")
    return found[1], Path(found[2])


def _seed(text: str) -> int:
    number = int(text)
    if not 0 <= number < 2**31:
        raise argparse.ArgumentTypeError(f"{text} must be from 0 to {2**31 - 1}")
    return number


def _once(values: Sequence[T]) -> list[T]:
    return list(dict.fromkeys(values))
