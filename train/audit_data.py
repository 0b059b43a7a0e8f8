"""What a labelled table says of itself: patients and sources over the sets, what each set covers, what cannot be scored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nlp.schema import COVID
from train.population import finding_populations, flag_population
from train.records import SPLITS, Records

SHARED_COLUMNS = ("kind", "name", "sets", "records", "covid19_1", "covid19_0")
COVERAGE_COLUMNS = ("set", "output", "n_positive", "n_negative", "patients_positive", "patients_negative")


@dataclass(frozen=True)
class Shared:
    """A patient or source that lies in several sets.

    Attributes:
        kind: ``patient`` or ``source``.
        sets: set → records in it.
        positive, negative: records with the flag 1 and 0.
    """

    kind: str
    name: str
    sets: dict[str, int]
    positive: int
    negative: int

    @property
    def row(self) -> tuple[str, ...]:
        """In the order of ``SHARED_COLUMNS``."""
        sets = ";".join(f"{name}:{count}" for name, count in self.sets.items())
        records = str(sum(self.sets.values()))
        return (self.kind, self.name, sets, records, str(self.positive), str(self.negative))


@dataclass(frozen=True)
class Cell:
    """One output on one set: how much there is to measure it with.

    Attributes:
        output: ``covid19`` or a finding's key; a finding counts within captioned positives, as it is measured.
        positive, negative: records.
        patients: of the positive and of the negative records.
    """

    split: str
    output: str
    positive: int
    negative: int
    patients: tuple[int, int]

    @property
    def missing(self) -> str:
        """The class without which nothing can be scored; blank where both are there."""
        lacking = [
            name for name, count in (("present", self.positive), ("absent", self.negative)) if not count
        ]
        return " and ".join(lacking)

    @property
    def row(self) -> tuple[str, ...]:
        """In the order of ``COVERAGE_COLUMNS``."""
        return (self.split, self.output, *map(str, (self.positive, self.negative, *self.patients)))


def shared_between_sets(records: Records) -> tuple[Shared, ...]:
    """Patients, then sources, that lie in more than one set; a blank name is nobody."""
    return (
        *_shared(records, "patient", records.patient_ids),
        *_shared(records, "source", records.sources),
    )


def coverage(records: Records) -> tuple[Cell, ...]:
    """Every output on every set that has records, the flag first; without any split, on all records."""
    parts = {split: records.take(records.rows(split)) for split in SPLITS}
    used = {split: part for split, part in parts.items() if len(part)} or {"all": records}
    return tuple(cell for split, part in used.items() for cell in _cells(split, part))


def one_sided_sources(records: Records) -> tuple[int, int]:
    """How many records of a known class have a source, and how many of those one whose records are all of one class.

    Where nearly all are, whoever tells sources apart tells the flag.
    """
    classes: dict[str, set[float]] = defaultdict(set)
    known = [
        (source, float(flag))
        for source, flag in zip(records.sources, records.covid19, strict=True)
        if source and not np.isnan(flag)
    ]
    for source, flag in known:
        classes[source].add(flag)
    return len(known), sum(len(classes[source]) == 1 for source, _ in known)


def _shared(records: Records, kind: str, names: Sequence[str]) -> Iterator[Shared]:
    rows: dict[str, list[int]] = defaultdict(list)
    for row, (name, split) in enumerate(zip(names, records.splits, strict=True)):
        if name and split:
            rows[name].append(row)
    for name, places in sorted(rows.items()):
        inside = [records.splits[row] for row in places]
        sets = {split: inside.count(split) for split in SPLITS if split in inside}
        if len(sets) > 1:
            flags = records.covid19[places]
            yield Shared(kind, name, sets, int((flags == 1).sum()), int((flags == 0).sum()))


def _cells(split: str, part: Records) -> Iterator[Cell]:
    for output, found in {COVID: flag_population(part), **finding_populations(part)}.items():
        patients = np.array(found.patient_ids, dtype=str)
        sides = (found.positive, ~found.positive)
        positive, negative = (int(side.sum()) for side in sides)
        counts = tuple(len(np.unique(patients[side])) for side in sides)
        yield Cell(split, output, positive, negative, (counts[0], counts[1]))
