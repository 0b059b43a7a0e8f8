"""What people say of records now: current confirmations, and the adjudication where there is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from annotate.annotation_rows import current_confirmations
from annotate.reread import portions
from annotate.store_tables import ADJUDICATION, ANNOTATION, ANNOTATION_CURRENT, RECORD
from annotate.verdicts import standing_verdicts

Labels = Mapping[str, str]


@dataclass(frozen=True)
class Judgement:
    """What people say of one record.

    Attributes:
        readings: labels by annotator, current confirmations only.
        settled: labels of the adjudication that stands, or None.
        flagged: somebody raised the flag on it.
    """

    readings: Mapping[str, Labels] = field(default_factory=dict)
    settled: Labels | None = None
    flagged: bool = False

    def cells(self, key: str) -> tuple[str, ...]:
        """The cells that stand for a finding or covid19: the adjudicator's, or all of the annotators'."""
        said = [self.settled] if self.settled is not None else [*self.readings.values()]
        return tuple(labels.get(key, "") for labels in said)


NOBODY = Judgement()


def judgements(connection: sa.Connection, ids: Sequence[int] | None = None) -> dict[int, Judgement]:
    """Judgements by record id; a record that nobody judged is not in it.

    Args:
        ids: only these records; None: all.
    """
    if ids is not None:
        found: dict[int, Judgement] = {}
        for some in portions(ids):
            found |= _judgements(connection, some)
        return found
    return _judgements(connection, None)


def confirmed_ids(connection: sa.Connection) -> set[int]:
    """Records that a person has confirmed or adjudicated, here or in the table that was loaded."""
    loaded = sa.select(RECORD.c.id).where(RECORD.c.review != "auto")
    confirmed = current_confirmations(ANNOTATION_CURRENT.c.record_id)
    settled = standing_verdicts(ADJUDICATION.c.record_id)
    return {record for query in (loaded, confirmed, settled) for record in connection.scalars(query)}


def _judgements(connection: sa.Connection, ids: Sequence[int] | None) -> dict[int, Judgement]:
    current = ANNOTATION_CURRENT.c.record_id
    readings = current_confirmations(current, *ANNOTATION.c["annotator", "labels", "flagged"])
    settled = standing_verdicts(*ADJUDICATION.c["record_id", "labels"])
    if ids is not None:
        readings = readings.where(current.in_(ids))
        settled = settled.where(ADJUDICATION.c.record_id.in_(ids))
    said: dict[int, dict[str, Labels]] = {}
    flagged: set[int] = set()
    for record, annotator, labels, flag in map(
        tuple, connection.execute(readings.order_by(current, ANNOTATION.c.annotator))
    ):
        said.setdefault(record, {})[annotator] = labels
        if flag:
            flagged.add(record)
    final = {row[0]: row[1] for row in connection.execute(settled)}
    return {
        record: Judgement(said.get(record, {}), final.get(record), record in flagged)
        for record in said.keys() | final.keys()
    }
