"""What is known of all records, as columns: what the text, people and the image model say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
import sqlalchemy as sa
from numpy.typing import NDArray

from annotate.columns import BLANK, CELLS, Codes, as_text, columns, label_codes, numbers
from annotate.people_columns import people_columns, verdicts
from annotate.store_tables import MENTION, PREDICTION, RECORD

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Counts = NDArray[np.int32]
Ids = NDArray[np.int64]
Texts = NDArray[np.object_]


@dataclass(frozen=True, eq=False)
class Facts:
    """n records and what is said of each of k findings.

    Attributes:
        keys: findings and covid19.
        ids: (n,), rising.
        images: (n,).
        flags: (n,), as the table has them.
        text: (n, k), codes of ``annotate.columns``.
        votes: (n, k, 4), how many people say each of ``CELL_VALUES``; where somebody settled it, she alone.
        readers: (n,), annotators that confirm the record.
        settled: (n,), an adjudication stands.
        probabilities: (n, k), of the image model; NaN: none.
        misspelt: mentions that were found in spite of their spelling: place of the record, key, likeness 0 to 100.
    """

    keys: tuple[str, ...]
    ids: Ids
    images: Texts
    flags: Texts
    text: Codes
    votes: Counts
    readers: Counts
    settled: Mask
    probabilities: Floats
    misspelt: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["place", "key", "likeness"]))

    @cached_property
    def judged(self) -> Mask:
        """Which records a person has decided: (n,)."""
        return (self.readers > 0) | self.settled

    @cached_property
    def answers(self) -> Counts:
        """How many different cells people say: (n, k)."""
        several: Counts = (self.votes > 0).sum(axis=2, dtype=np.int32)
        return several

    @cached_property
    def answer(self) -> Codes:
        """The one cell that people say, blank where they say none or several: (n, k)."""
        agreed: Codes = np.where(self.answers == 1, self.votes.argmax(axis=2), BLANK).astype(np.int8)
        return agreed

    @cached_property
    def labels(self) -> Codes:
        """The cells that stand: what people agree on, else the text's; blank where people disagree: (n, k)."""
        standing: Codes = np.where(self.answers > 0, self.answer, self.text)
        return standing


def read_facts(connection: sa.Connection, keys: Sequence[str], annotator: str | None) -> Facts:
    """The facts of every record.

    Args:
        annotator: of people, only what she says; None: everybody, and adjudicators.
    """
    chosen = sa.select(*RECORD.c["id", "image", "flags"], as_text(RECORD.c.labels)).order_by(RECORD.c.id)
    ids, images, flags, labels = columns(connection, chosen)
    place_of = pd.Index(ids)
    votes = np.zeros((len(ids), len(keys), len(CELLS)), np.int32)
    readers, settled = np.zeros(len(ids), np.int32), np.zeros(len(ids), bool)
    people = people_columns(connection, keys, annotator)
    read = place_of.get_indexer(people.record_ids)
    votes[read], readers[read] = people.votes, people.counts
    if annotator is None:
        judged, verdict = verdicts(connection, keys)
        here = place_of.get_indexer(judged)
        settled[here] = True
        votes[here] = verdict[:, :, None] == np.arange(len(CELLS))
    return Facts(
        tuple(keys),
        np.array(ids, np.int64),
        np.array(images, object),
        np.array(flags, object),
        label_codes(labels, keys),
        votes,
        readers,
        settled,
        _probabilities(connection, keys, place_of),
        _misspelt(connection, place_of),
    )


def _probabilities(connection: sa.Connection, keys: Sequence[str], place_of: pd.Index) -> Floats:
    found = np.full((len(place_of), len(keys)), np.nan)
    ids, given = columns(connection, sa.select(PREDICTION.c.record_id, as_text(PREDICTION.c.probabilities)))
    found[place_of.get_indexer(pd.Index(ids))] = numbers(given, keys)
    return found


def _misspelt(connection: sa.Connection, place_of: pd.Index) -> pd.DataFrame:
    fuzzy = MENTION.c.details["match"].as_string() == "fuzzy"
    chosen = sa.select(*MENTION.c["record_id", "finding"], MENTION.c.details["score"].as_string())
    ids, keys, scores = columns(connection, chosen.where(fuzzy).order_by(MENTION.c.id))
    likeness = [float(score or 0) for score in scores]
    return pd.DataFrame(
        {"place": place_of.get_indexer(pd.Index(ids)), "key": np.array(keys, object), "likeness": likeness}
    )
