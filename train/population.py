"""Which records a figure is measured over, whatever the network was trained on.

Training policies (``uncertain``, ``not_mentioned``, ``controls_without_text``) change targets; they must not change
the ruler. Here a cell always means what the contract says: -1 is left out, a blank is absent where a caption was read
and no present finding entails it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlp.schema import COVID, NORMAL_DIAGNOSES
from train.finding_facts import known_findings
from train.records import Records

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Population:
    """The records behind one figure.

    Attributes:
        rows: (n,), their numbers.
        positive: (n,), their class.
        column: the logit that is measured.
        patient_ids: (n,).
    """

    rows: NDArray[np.intp]
    positive: Bools
    column: int
    patient_ids: tuple[str, ...]

    def logits(self, all_logits: NDArray[np.floating]) -> Floats:
        """The measured logits, (n,) in float64, from (n_records, 1 + F)."""
        return np.asarray(all_logits[self.rows, self.column], dtype=np.float64)


def flag_population(records: Records, column: int = 0) -> Population:
    """Every record whose ``covid19`` is 1 or 0, measured by the flag's logit or another column's."""
    return _population(records, records.covid19, column)


def finding_populations(records: Records, *, positives_only: bool = True) -> Mapping[str, Population]:
    """Records with a known cell, for each finding.

    Args:
        records: of one set.
        positives_only: only confirmed COVID-19, so that an output that merely repeats the flag scores nothing;
            otherwise controls whose captions were read count too.
    """
    targets = measured_targets(records)
    if positives_only:
        targets = np.where((records.covid19 == 1)[:, np.newaxis], targets, np.nan)
    return {
        key: _population(records, targets[:, place], 1 + place)
        for place, key in enumerate(records.finding_keys)
    }


def measured_targets(records: Records) -> Floats:
    """1, 0 or NaN for every cell, (n, F), by the contract alone.

    A blank without a caption is known only where a person confirmed a positive record.
    """
    cells, captioned = records.finding_cells, records.captioned[:, np.newaxis]
    blank = np.isnan(cells)
    read = np.where(_entailed(records) & blank, records.findings, 0)
    seen = np.where((records.covid19 == 1)[:, np.newaxis], records.findings, np.nan)
    targets = np.where(blank, np.where(captioned, read, seen), cells)
    return np.where(cells == -1, np.nan, targets).astype(np.float64)


def _entailed(records: Records) -> Bools:
    """(n, F) whether a present finding of the record entails this one, directly or through another."""
    entails = {key: finding.entails for key, finding in known_findings().items()}
    present = records.finding_cells == 1
    found: Bools = np.zeros(present.shape, dtype=bool)
    for place, key in enumerate(records.finding_keys):
        waiting = list(entails.get(key, ()))
        reached: set[str] = set()
        while waiting:
            if (other := waiting.pop()) not in reached:
                reached.add(other)
                waiting += entails.get(other, ())
        for other in reached.intersection(records.finding_keys):
            found[:, records.finding_keys.index(other)] |= present[:, place]
    return found


def group_of(diagnosis: str, positive: bool) -> str:
    """COVID-19, or of a control what its diagnosis says: normal, other disease, or no more than that.

    >>> group_of("Lung cancer", False), group_of("Healthy", False), group_of("", False)
    ('other disease', 'normal', 'control')
    """
    if positive:
        return "COVID-19"
    if not diagnosis:
        return "control"
    return "normal" if diagnosis.strip().casefold() in NORMAL_DIAGNOSES else "other disease"


def _population(records: Records, targets: NDArray[np.floating], column: int) -> Population:
    rows = np.flatnonzero(~np.isnan(targets))
    return Population(rows, targets[rows] == 1, column, tuple(records.patient_ids[row] for row in rows))


def outputs(records: Records) -> tuple[str, ...]:
    """The names of the logit columns: ``covid19``, then the findings in order."""
    return (COVID, *records.finding_keys)
