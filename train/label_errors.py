"""Labels that predictions of networks which never saw the patient speak against: ``label_errors.csv``.

The rule is that of confident learning (Northcutt, Jiang and Chuang 2021, doi:10.1613/jair.1.12125): a label is suspect
where the probability of the other class is at least the mean probability of that class among the records that have it
as their label, and the higher of the two. Suspects are ranked by how little the network believes the label. For a
finding, only the records count that it is measured on: captioned positives. Findings that the run did not learn, blank
in its predictions, are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nlp.schema import COVID
from train.population import Population, finding_populations, flag_population
from train.predictions import read_predictions
from train.records import Records
from train.run_files import record_places

COLUMNS = ("image", "patient_id", "split", "finding", "label", "probability", "self_confidence")
FEWEST = 5
"""Records of each class, without which a mean says nothing of what a sure prediction is."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Suspect:
    """A label that may be wrong.

    Attributes:
        record: its number.
        key: ``covid19`` or a finding.
        positive: the label.
        probability: what the network says, 0 to 1.
    """

    record: int
    key: str
    positive: bool
    probability: float

    @property
    def self_confidence(self) -> float:
        """The network's probability of the label, 0 to 1."""
        return self.probability if self.positive else 1 - self.probability


def label_errors(records: Records, out_of_fold: Path) -> tuple[Suspect, ...]:
    """All suspects, those the network believes least first.

    Raises:
        InputError: the predictions cannot be read.
        ContractError: they are of other records or findings.
    """
    predictions = read_predictions(out_of_fold, records.finding_keys)
    places = record_places(out_of_fold, predictions, records)
    said = predictions.probabilities.astype(np.float64)
    kept = np.flatnonzero(~np.isnan(said[:, 0]))
    part, said, places = records.take(places[kept]), said[kept], places[kept]
    found = [
        Suspect(int(places[row]), key, bool(positive), float(value))
        for key, population in {COVID: flag_population(part), **finding_populations(part)}.items()
        for row, positive, value in _suspects(population, population.logits(said))
    ]
    return tuple(sorted(found, key=lambda each: (each.self_confidence, each.record, each.key)))


def suspect_rows(records: Records, suspects: Sequence[Suspect]) -> Iterator[tuple[str, ...]]:
    """The rows of label_errors.csv, in the order of ``COLUMNS``."""
    for each in suspects:
        yield (
            *(names[each.record] for names in (records.images, records.patient_ids, records.splits)),
            *(each.key, str(int(each.positive)), f"{each.probability:.4f}", f"{each.self_confidence:.4f}"),
        )


def _suspects(population: Population, probability: Floats) -> Iterator[tuple[int, bool, float]]:
    positive = population.positive
    if min(positive.sum(), (~positive).sum()) < FEWEST or np.isnan(probability).all():
        return
    other = np.where(positive, 1 - probability, probability)
    sure = np.where(positive, (1 - probability[~positive]).mean(), probability[positive].mean())
    for place in np.flatnonzero((other >= sure) & (other > 0.5)).tolist():
        yield int(population.rows[place]), bool(positive[place]), float(probability[place])
