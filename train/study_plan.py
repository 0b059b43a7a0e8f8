"""Which runs a study is made of: data × parts × backbones × modes × seeds, each with its table and folder."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from nlp.errors import TrainingError
from nlp.lexicon import load_lexicon
from nlp.schema import label_columns
from nlp.write import replacing, writing
from train.config import Config, recipe
from train.config_check import UNUSED_WITH, check
from train.label_rows import LabelRow
from train.run_folder import CONFIG, differing_settings

BASELINE, LADNN = "baseline", "ladnn"
MODES = (BASELINE, LADNN)
SEAL = "table.sha256"
FEWEST_RECORDS = 50
"""Records of known class that a source needs to be kept out by itself."""

Kind = Literal["whole", "source", "budget"]


@dataclass(frozen=True)
class Part:
    """A table to train on and a set to measure.

    Attributes:
        data: name of the data set.
        kind: the table as it stands, one source kept out, or train cut down to a budget.
        title: what a reader calls the part; blank for the table as it stands.
        tables: seed → the labels that a run of this seed takes.
        folder: that the part's runs lie in.
        measured: ``test`` or ``out_of_fold``.
        records: of train; a budget's number.
        note: what a reader of the figures must know.
    """

    data: str
    kind: Kind
    title: str
    tables: Mapping[int, Path]
    folder: Path
    measured: str = "test"
    records: int = 0
    note: str = ""


@dataclass(frozen=True)
class Cell:
    """One run of the study."""

    part: Part
    config: Config
    folder: Path

    @property
    def table(self) -> Path:
        """The labels it takes."""
        return self.part.tables[self.config.seed]

    @property
    def name(self) -> str:
        """What the log calls it."""
        part = f"{self.part.title}, " if self.part.title else ""
        return f"{self.part.data}, {part}{self.folder.name}"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a study is made of.

    Attributes:
        tables: data set → its labels.
        base: settings that all runs share; ``backbone``, ``mode`` and ``seed`` are set for each.
        weights: backbone → weights, where they differ from those of ``base``.
        fewest: records that a source has at least to be kept out; None keeps none out.
        budgets: numbers of train records for the label budget.
    """

    tables: Mapping[str, Path]
    base: Config
    backbones: Sequence[str]
    modes: Sequence[str]
    seeds: Sequence[int]
    weights: Mapping[str, str]
    fewest: int | None = None
    budgets: Sequence[int] = ()


def cells(part: Part, plan: Plan) -> Iterator[Cell]:
    """The runs of one part: backbones × modes × seeds."""
    for backbone in plan.backbones:
        shared = replace(plan.base, backbone=backbone, weights=plan.weights.get(backbone, plan.base.weights))
        shared = shared if part.kind == "whole" else replace(shared, folds=0)
        for mode in plan.modes:
            for seed in plan.seeds:
                config = replace(of_mode(shared, mode), seed=seed)
                check(config)
                yield Cell(part, config, part.folder / f"{plain_name(backbone)}-{mode}-{seed}")


def of_mode(config: Config, mode: str) -> Config:
    """The same settings for another mode; those that a baseline makes no use of go back to the recipe's."""
    usual = recipe(config.recipe)
    unused = UNUSED_WITH["mode", BASELINE] if mode == BASELINE else ()
    return replace(config, mode=mode, **{name: getattr(usual, name) for name in unused})


def refuse_other_settings(wanted: Sequence[Cell]) -> None:
    """Stop when folders of runs hold runs of other settings.

    Raises:
        TrainingError: names every such folder, the settings and both values.
    """
    if problems := [line for cell in wanted for line in differing_settings(cell.folder, cell.config)]:
        raise TrainingError("\n".join([*problems, "use the same settings, or another --out"]))


def seal_table(folder: Path, table: Path) -> None:
    """Note which labels the runs of a folder are made of.

    Raises:
        TrainingError: the folder's runs are made of others.
    """
    digest, seal = hashlib.sha256(table.read_bytes()).hexdigest(), folder / SEAL
    if seal.exists() and seal.read_text(encoding="ascii").strip() != digest and _has_runs(folder):
        raise TrainingError(
            f"the runs in {folder} were made of other labels than {table} holds now: choose another --out,"
            " or put the old table back"
        )
    _write(seal, f"{digest}\n")


def write_table(path: Path, rows: Sequence[LabelRow]) -> Path:
    """Write labels for a part, in the columns of the contract; gives the path.

    Raises:
        TrainingError: other labels are there already, and runs were made of them.
    """
    text = io.StringIO(newline="")
    names = [column.name for column in label_columns(load_lexicon().finding_keys)]
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    content = text.getvalue()
    if path.exists() and path.read_bytes() != content.encode() and _has_runs(path.parent):
        raise TrainingError(
            f"{path} holds other labels than this study would write there: choose another --out, or put the old"
            " table and settings back"
        )
    _write(path, content)
    return path


def plain_name(text: str) -> str:
    """A name for a folder; where characters had to go, a hash keeps different texts apart.

    >>> plain_name("resnet18"), plain_name("10.1101/2020.02")
    ('resnet18', '10.1101_2020.02-6cd38f93')
    """
    safe = re.sub(r"[^\w.+-]+", "_", text).strip(".")[:60]
    return safe if safe == text else f"{safe}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _write(path: Path, text: str) -> None:
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with replacing([path]) as [file]:
        file.write(text.encode())


def _has_runs(folder: Path) -> bool:
    return any(folder.glob(f"*/{CONFIG}"))
