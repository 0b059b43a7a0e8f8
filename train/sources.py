"""Leave one source out: is it the disease that was learnt, or the article, hospital or scanner?

A fold keeps all records of one source out of training. Where confirmed cases and controls come from different sources,
as in published collections, that source alone has one class, and no AUC. Then whole sources of the other class are
kept out with it: those sources are dealt into as many shares as there are such folds (two at least, none empty), and
each fold takes one. Nothing measured was then seen in training, neither patient nor source. Only where the other class
has a single source are its patients dealt, and the fold's note says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from nlp.errors import TrainingError
from nlp.schema import COVID
from train.label_rows import LabelRow
from train.study_plan import FEWEST_RECORDS

VAL_PARTS = 5
_FLAGS = ("1", "0")


@dataclass(frozen=True)
class SourceFold:
    """One source kept out.

    Attributes:
        source: the one the fold is named after.
        rows: the table with its new split: ``test`` is what was kept out, ``val`` a fifth of the other patients.
        note: what a reader of the figure must know; blank for nothing.
    """

    source: str
    rows: tuple[LabelRow, ...]
    note: str


def source_folds(
    rows: Sequence[LabelRow], *, fewest: int = FEWEST_RECORDS, seed: int = 0
) -> tuple[SourceFold, ...]:
    """Every source of enough records, kept out in turn, unless it holds all there is of a class.

    Records of unknown class or unknown source take no part, for an unknown source may be the one kept out.

    Raises:
        TrainingError: no source is large enough, or nothing is left to train on.
    """
    known = [row for row in rows if row[COVID] in _FLAGS and row["source"]]
    sizes = Counter(row["source"] for row in known)
    needed = {_only_source(known, value) for value in _FLAGS}
    large = sorted(source for source in sizes if sizes[source] >= fewest and source not in needed)
    if not large:
        raise TrainingError(
            f"none of the {len(sizes)} known sources can be kept out: it takes one of {fewest} records or more"
            " (--source-records), without which both classes are left (columns source and covid19)"
        )
    lacking = {source: _lacking(known, source) for source in large}
    return tuple(_fold(known, source, lacking, seed) for source in large)


def _fold(known: Sequence[LabelRow], source: str, lacking: Mapping[str, str | None], seed: int) -> SourceFold:
    own = {row["image"] for row in known if row["source"] == source}
    value, shared = lacking[source], ""
    if value is not None:
        alike = [other for other in lacking if lacking[other] == value]
        units, by = _units(known, value)
        if by == "patient_id":
            shared = "the other class: patients of sources whose other patients were trained on"
        shares = _deal(units, max(2, min(len(alike), len(units))), seed)
        share = shares[alike.index(source) % len(shares)]
        own |= {row["image"] for row in known if row[by] in share}
    return SourceFold(source, tuple(_divided(known, own, seed, source)), shared)


def _only_source(known: Sequence[LabelRow], value: str) -> str | None:
    """The source that has all records of a class."""
    found = {row["source"] for row in known if row[COVID] == value}
    return next(iter(found)) if len(found) == 1 else None


def _lacking(known: Sequence[LabelRow], source: str) -> str | None:
    """The class that a source has no record of."""
    there = {row[COVID] for row in known if row["source"] == source}
    return next((value for value in _FLAGS if value not in there), None)


def _units(known: Sequence[LabelRow], value: str) -> tuple[Mapping[str, int], str]:
    """What is dealt and how many records each has: sources that have only this class, else patients of it."""
    pure: Counter[str] = Counter(row["source"] for row in known if row[COVID] == value)
    mixed = {row["source"] for row in known if row[COVID] != value}
    sources = {source: count for source, count in pure.items() if source not in mixed}
    if len(sources) >= 2:
        return sources, "source"
    patients = Counter(row["patient_id"] for row in known if row[COVID] == value)
    return patients, "patient_id"


def _deal(units: Mapping[str, int], parts: int, seed: int) -> list[set[str]]:
    """Units in parts of about as many records: the largest first, each to the smallest part."""
    order = np.random.default_rng(seed).permutation(len(units))
    names = sorted(units)
    shuffled = sorted((names[place] for place in order), key=lambda name: -units[name])
    shares: list[set[str]] = [set() for _ in range(parts)]
    sizes = [0] * parts
    for name in shuffled:
        smallest = sizes.index(min(sizes))
        shares[smallest].add(name)
        sizes[smallest] += units[name]
    return shares


def _divided(known: Sequence[LabelRow], kept_out: set[str], seed: int, source: str) -> Iterator[LabelRow]:
    """The rows with their new split; other records of patients that were kept out are left out altogether."""
    patients = {row["patient_id"] for row in known if row["image"] in kept_out}
    rest = [row for row in known if row["patient_id"] not in patients]
    val = _val(rest, seed, source)
    for row in known:
        if row["image"] in kept_out:
            yield row | {"split": "test"}
        elif row["patient_id"] not in patients:
            yield row | {"split": "val" if row["image"] in val else "train"}


def _val(rest: Sequence[LabelRow], seed: int, source: str) -> set[str]:
    """Images of about a fifth of the patients, with both classes there and in what is left."""
    groups, classes = [row["patient_id"] for row in rest], [row[COVID] for row in rest]
    patients = Counter(flag for _, flag in {*zip(groups, classes, strict=True)})
    parts = min(VAL_PARTS, *(patients[value] for value in _FLAGS))
    if parts >= 2:
        splitter = StratifiedGroupKFold(parts, shuffle=True, random_state=seed)
        for left, val in splitter.split(groups, classes, groups):
            if all(len({classes[place] for place in places}) == 2 for places in (left, val)):
                return {rest[place]["image"] for place in val}
    raise TrainingError(
        f"without source {source!r} too few patients are left for train and val with both classes:"
        f" {patients['1']} confirmed, {patients['0']} controls"
    )
