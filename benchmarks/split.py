"""The split of the published COVID-CT images, ours against scikit-learn's, ``python -m benchmarks.split [--data DIR]``.

scikit-learn's ``StratifiedGroupKFold`` has folds of one size, so 60/15/25 are 12, 3 and 5 of 20; it balances one
class of a record, which is the COVID flag, or the flag together with every finding. Both get the same seeds.
"""

from __future__ import annotations

import statistics
import sys
import time
import warnings
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from annotate.balance import counts, measure
from annotate.groups import SETS, make_groups
from annotate.published import read_published
from annotate.search import IntArray
from annotate.split import RATIOS, split
from benchmarks.common import ROOT, write_result
from nlp.command import run_command
from nlp.errors import ToolkitError
from nlp.lexicon import load_lexicon
from nlp.schema import COVID
from nlp.score_report import format_table

FOLDS = {"train": 12, "val": 3, "test": 5}
LEXICON = load_lexicon()

Divide = Callable[[pd.DataFrame, int], pd.Series]


@dataclass(frozen=True)
class Outcome:
    """What one way to divide came to, over all seeds.

    Attributes:
        patients_cut: patients in several sets; the most of any seed.
        seeds_lacking: seeds in which a set has no record with some finding.
        patients_off: furthest that patients of a class in a set are from their share; the worst seed.
        images_off: the same for images of a class.
        findings_off: the same for records with a finding, as a share of all that have it.
        milliseconds: median of one division.
    """

    name: str
    seeds: int
    patients_cut: int
    seeds_lacking: int
    patients_off: float
    images_off: float
    findings_off: float
    milliseconds: float


def ours(table: pd.DataFrame, seed: int) -> pd.Series:
    """The set of every row by ``annotate.split``."""
    return split(table, LEXICON.finding_keys, seed=seed).table["split"]


def by_flag(table: pd.DataFrame, seed: int) -> pd.Series:
    """The set of every row by scikit-learn, which balances the COVID flag."""
    return _folds(table, table[COVID], seed)


def by_all_labels(table: pd.DataFrame, seed: int) -> pd.Series:
    """The same, which balances every combination of flag and findings that occurs."""
    return _folds(table, table[[COVID, *LEXICON.finding_keys]].agg(",".join, axis=1), seed)


def judge(name: str, divide: Divide, table: pd.DataFrame, seeds: Sequence[int]) -> Outcome:
    """Divide once per seed and keep the worst of each count."""
    found, times = [], []
    for seed in seeds:
        before = time.perf_counter()
        sets = divide(table, seed)
        times.append(1000 * (time.perf_counter() - before))
        found.append(_faults(table, sets))
    cut, lacking, patients, images, findings = zip(*found, strict=True)
    return Outcome(
        name=name,
        seeds=len(seeds),
        patients_cut=max(cut),
        seeds_lacking=sum(lacking),
        patients_off=max(patients),
        images_off=max(images),
        findings_off=max(findings),
        milliseconds=statistics.median(times),
    )


def _folds(table: pd.DataFrame, classes: pd.Series, seed: int) -> pd.Series:
    folds = StratifiedGroupKFold(n_splits=sum(FOLDS.values()), shuffle=True, random_state=seed)
    order = np.repeat(list(FOLDS), list(FOLDS.values()))
    sets = pd.Series("", table.index)
    with warnings.catch_warnings():  # that a combination is rarer than the folds
        warnings.simplefilter("ignore", UserWarning)
        for name, (_, held) in zip(order, folds.split(table, classes, table["patient_id"]), strict=True):
            sets.iloc[held] = name
    return sets


def _faults(table: pd.DataFrame, sets: pd.Series) -> tuple[int, bool, float, float, float]:
    """Patients cut, whether a finding is missing somewhere, and the furthest distances from the shares."""
    cut = int((sets.groupby(table["patient_id"]).nunique() > 1).sum())
    groups = make_groups(table, LEXICON.finding_keys)
    first = pd.Series(groups.rows).drop_duplicates().sort_values().index
    places: IntArray = np.array([SETS.index(name) for name in sets.iloc[first]])
    shares = np.array(RATIOS) / sum(RATIOS)
    held = counts(groups.amounts, places, len(SETS))
    totals = held.sum(axis=1)
    away = np.abs(held - np.outer(totals, shares)).max(axis=1)
    kinds = np.array([kind for kind, _ in groups.labels])
    of_findings = (away / totals)[kinds == "finding"]
    lacking = measure(groups.amounts, places, list(shares)).lacking > 0
    furthest = (float(away[kinds == kind].max()) for kind in ("patients", "records"))
    return (cut, lacking, *furthest, float(of_findings.max()))


def _rows(outcomes: Sequence[Outcome]) -> list[tuple[str, ...]]:
    heading = (
        *("", "patients cut", "seeds with a finding missing in a set"),
        *("patients per class off", "images per class off", "findings off", "ms"),
    )
    rows = [
        (
            *(outcome.name, str(outcome.patients_cut), f"{outcome.seeds_lacking} of {outcome.seeds}"),
            *(f"{outcome.patients_off:.1f}", f"{outcome.images_off:.1f}", f"{outcome.findings_off:.1%}"),
            f"{outcome.milliseconds:.0f}",
        )
        for outcome in outcomes
    ]
    return [heading, *rows]


def run(options: Namespace) -> None:
    """Divide the published images in every way, print and write."""
    table = read_published(options.data, LEXICON.findings).table.assign(split="")
    seeds = range(options.seeds)
    ways: dict[str, Divide] = {
        "annotate.split": ours,
        "StratifiedGroupKFold, COVID flag": by_flag,
        "StratifiedGroupKFold, all labels": by_all_labels,
    }
    outcomes = [judge(name, divide, table, seeds) for name, divide in ways.items()]
    shares = "/".join(f"{ratio:g}" for ratio in RATIOS)
    images, patients = len(table), table["patient_id"].nunique()
    print(
        f"{images} images of {patients} patients into {shares}; distances of the worst of {len(seeds)} seeds\n"
    )
    print(format_table(_rows(outcomes)))
    best = outcomes[0]
    if best.patients_cut or best.seeds_lacking or best.patients_off > 1:
        raise ToolkitError("annotate.split missed its target: nobody cut, all covered, patients within one")
    results = {"images": images, "patients": patients, "ratios": RATIOS, "ways": list(map(asdict, outcomes))}
    write_result("split", results)


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m benchmarks.split``."""
    made = ArgumentParser(description="Split the published images: annotate.split against scikit-learn.")
    default = ROOT.parent / "shared" / "data" / "covid-ct"
    made.add_argument("--data", type=Path, default=default, help="folder with the published tables")
    made.add_argument("--seeds", type=int, default=20, help="how many divisions of each way (default: 20)")
    return run_command(made, run, arguments)


if __name__ == "__main__":
    sys.exit(main())
