"""What people say of all records now, as columns: readings that stand, and verdicts of adjudicators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from annotate.columns import CELLS, Codes, Places, as_text, columns, label_codes, starts_of
from annotate.store_tables import ADJUDICATION, ANNOTATION, ANNOTATION_CURRENT
from annotate.verdicts import standing_verdicts

Ids = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PeopleColumns:
    """Readings, by record and annotator.

    Attributes:
        record_ids: (n_records,), rising: those that somebody confirmed.
        starts: (n_records,), the place of the first reading of each.
        counts: (n_records,), how many there are of each.
        codes: (n_readings, n_keys), places in ``CELL_VALUES``.
    """

    record_ids: Ids
    starts: Places
    counts: Ids
    codes: Codes

    @cached_property
    def votes(self) -> NDArray[np.int32]:
        """How many say each of ``CELL_VALUES``: (n_records, n_keys, 4)."""
        said = [self.codes == code for code in range(len(CELLS))]
        if not len(self.starts):
            return np.empty((0, self.codes.shape[1], len(CELLS)), np.int32)
        return np.stack([np.add.reduceat(each, self.starts, axis=0, dtype=np.int32) for each in said], axis=2)

    def differing(self) -> NDArray[np.bool_]:
        """Where not all readings of a record are the same: (n_records, n_keys)."""
        several: NDArray[np.bool_] = (self.votes > 0).sum(axis=2) > 1
        return several

    def joined(self, rows: Places, keys: Places) -> NDArray[np.object_]:
        """The readings of some cells of records, such as ``1|0``: (n_cells,)."""
        words = CELLS[self.codes[self.starts[rows], keys]]
        for place in range(1, int(self.counts.max(initial=1))):
            more = self.counts[rows] > place
            words[more] += "|" + CELLS[self.codes[self.starts[rows[more]] + place, keys[more]]]
        return words


def people_columns(
    connection: sa.Connection, keys: Sequence[str], annotator: str | None = None
) -> PeopleColumns:
    """The confirmations that stand, of everybody or of one annotator."""
    current = ANNOTATION_CURRENT.c
    query = sa.select(current.record_id, as_text(ANNOTATION.c.labels)).join_from(
        ANNOTATION_CURRENT, ANNOTATION, current.annotation_id == ANNOTATION.c.id
    )
    query = query.where(current.action == "confirm").order_by(current.record_id, current.annotator)
    if annotator is not None:
        query = query.where(current.annotator == annotator)
    ids, labels = columns(connection, query)
    record_ids = np.array(ids, np.int64)
    starts = starts_of(record_ids)
    counts = np.diff(starts, append=len(record_ids))
    return PeopleColumns(record_ids[starts], starts, counts, label_codes(labels, keys))


def verdicts(connection: sa.Connection, keys: Sequence[str]) -> tuple[Ids, Codes]:
    """What adjudicators settled and did not withdraw: (n,) record_ids and (n, n_keys) codes."""
    query = standing_verdicts(ADJUDICATION.c.record_id, as_text(ADJUDICATION.c.labels))
    ids, labels = columns(connection, query)
    return np.array(ids, np.int64), label_codes(labels, keys)
