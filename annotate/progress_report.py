"""How the work goes: done, left, each annotator's speed and corrections, and when it may be finished."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

import pandas as pd
import sqlalchemy as sa

from annotate.adjudication_cases import queue, settled_ids
from annotate.people import IMPORTED
from annotate.progress_estimate import Estimate, estimate, local_days
from annotate.progress_rows import Confirmed, decisions, labels, leases, totals
from nlp.schema import COVID

FEWEST_GAPS = 5
"""A speed needs as many."""


@dataclass(frozen=True)
class AnnotatorProgress:
    """One annotator's work.

    Attributes:
        done: records that stand confirmed by her.
        skipped: records that stand skipped.
        undone: decisions that she took back.
        flagged: of the records that stand.
        per_hour: records confirmed in an hour of work; pauses over five minutes are none. None: too few yet.
        seconds: median time from the record on screen to its key; None where it was never measured.
        corrected: share of her records with a caption whose labels are not what the text says; None without any.
        held: records lent to her now.
        expired: records lent to her and not decided in time; they go back to the others by themselves.
        last: Unix time of her last decision, or None.
    """

    name: str
    done: int
    skipped: int
    undone: int
    flagged: int
    per_hour: float | None
    seconds: float | None
    corrected: float | None
    held: int
    expired: int
    last: float | None


@dataclass(frozen=True)
class FindingCount:
    """Readings that stand, of one finding or covid19."""

    key: str
    present: int
    absent: int
    uncertain: int
    blank: int


@dataclass(frozen=True, eq=False)
class Progress:
    """The whole work.

    Attributes:
        records: in the database; ``complete`` of them have all the annotators that they shall have.
        readings: that are wanted, records times overlap; ``left`` of them are missing.
        to_settle: records that wait for adjudication; ``settled`` ones have it.
        days: records confirmed each day, the index a date, a column for each annotator.
        estimate: None where nothing is left or too little is known.
    """

    records: int
    complete: int
    readings: int
    left: int
    to_settle: int
    settled: int
    annotators: tuple[AnnotatorProgress, ...]
    findings: tuple[FindingCount, ...]
    days: pd.DataFrame
    estimate: Estimate | None


def progress_report(
    connection: sa.Connection, findings: Sequence[str], *, now: float, zone: tzinfo | None = None
) -> Progress:
    """Report on the work so far.

    Args:
        now: Unix time in seconds.
        zone: where a day ends; by default that of this computer.
    """
    keys = (*findings, COVID)
    decided, read, held = decisions(connection), labels(connection, keys), leases(connection, now)
    names = sorted({*decided["annotator"], *held} - {IMPORTED})
    confirmed = decided[decided["action"] == "confirm"]
    total = totals(connection)
    return Progress(
        *total,
        to_settle=len(queue(connection)),
        settled=len(list(connection.scalars(settled_ids()))),
        annotators=tuple(_annotator(name, decided, read, held) for name in names),
        findings=_counts(read, keys),
        days=_days(confirmed, zone),
        estimate=estimate(
            confirmed["created"].to_numpy(),
            confirmed["gap"].dropna().to_numpy(),
            total[-1],
            now=now,
            zone=zone,
        ),
    )


def _annotator(
    name: str, decided: pd.DataFrame, read: Confirmed, held: dict[str, tuple[int, int]]
) -> AnnotatorProgress:
    mine = decided[decided["annotator"] == name]
    confirmed, stand = mine[mine["action"] == "confirm"], mine[mine["stands"]]
    changed = read.changed[(read.annotator == name) & read.captioned]
    worked = float(mine["gap"].sum())
    gaps = int(confirmed["gap"].notna().sum())
    return AnnotatorProgress(
        name,
        done=int((stand["action"] == "confirm").sum()),
        skipped=int((stand["action"] == "skip").sum()),
        undone=int((mine["action"] == "undo").sum()),
        flagged=int(stand["flagged"].sum()),
        per_hour=gaps / worked * 3600 if gaps >= FEWEST_GAPS and worked else None,
        seconds=_number(confirmed["milliseconds"].median() / 1000),
        corrected=float(changed.mean()) if len(changed) else None,
        held=held.get(name, (0, 0))[0],
        expired=held.get(name, (0, 0))[1],
        last=_number(mine["created"].max()),
    )


def _number(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


def _counts(read: Confirmed, keys: Sequence[str]) -> tuple[FindingCount, ...]:
    # the order of CELL_VALUES is that of the fields
    return tuple(FindingCount(key, *counts) for key, counts in zip(keys, read.cells.tolist(), strict=True))


def _days(confirmed: pd.DataFrame, zone: tzinfo | None) -> pd.DataFrame:
    days = pd.Series(local_days(confirmed["created"].to_numpy(), zone), index=confirmed.index, dtype=object)
    table = pd.crosstab(days, confirmed["annotator"]) if len(confirmed) else pd.DataFrame()
    return table.rename_axis(index="day", columns="annotator")
