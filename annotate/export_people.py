"""Who decided what an export holds, and how far they agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from annotate.agreement_readings import Readings, read_readings
from annotate.agreement_statistics import people_agreement
from annotate.store_tables import ADJUDICATION, ANNOTATION, ANNOTATION_CURRENT
from annotate.verdicts import standing_verdicts


@dataclass(frozen=True)
class Alpha:
    """Krippendorff's alpha of one key with its 95 % interval over patients.

    ``alpha`` is None where it is undefined, and ``reason`` says why; ``records`` have two readings or more.
    """

    alpha: float | None
    low: float | None
    high: float | None
    reason: str
    records: int
    disagreed: int


@dataclass(frozen=True)
class People:
    """Annotators and adjudicators with the number of records that hold their word, and agreement by key.

    Agreement is of independent readings, before adjudication; empty where fewer than two people read.
    """

    annotators: Mapping[str, int]
    adjudicators: Mapping[str, int]
    agreement: Mapping[str, Alpha]


def read_people(connection: sa.Connection, findings: Sequence[str]) -> People:
    """Count current confirmations and adjudications, and measure agreement."""
    current = sa.select(ANNOTATION.c.annotator, sa.func.count()).join(
        ANNOTATION_CURRENT, ANNOTATION_CURRENT.c.annotation_id == ANNOTATION.c.id
    )
    confirmed = current.where(ANNOTATION.c.action == "confirm").group_by(ANNOTATION.c.annotator)
    settled = standing_verdicts(ADJUDICATION.c.adjudicator, sa.func.count())
    return People(
        annotators=_counted(connection, confirmed),
        adjudicators=_counted(connection, settled.group_by(ADJUDICATION.c.adjudicator)),
        agreement=_agreement(read_readings(connection, findings)),
    )


def _counted(connection: sa.Connection, query: sa.Select[Any]) -> dict[str, int]:
    return {str(row[0]): int(row[1]) for row in sorted(connection.execute(query))}


def _agreement(readings: Readings) -> dict[str, Alpha]:
    if len(readings.annotators) < 2:
        return {}
    found = {}
    for place, key in enumerate(readings.keys):
        measured = people_agreement(readings.codes[:, :, place], readings.patients)
        alpha = measured.alpha
        if alpha is not None:
            about = (alpha.value, alpha.low, alpha.high, alpha.reason)
            found[key] = Alpha(*about, measured.records, measured.disagreed)
    return found
