"""What progress is counted from: one query each for totals, decisions, labels and leases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import sqlalchemy as sa
from numpy.typing import NDArray

from annotate.columns import ABSENT, BLANK, CELLS, as_text, columns, label_codes
from annotate.people import IMPORTED
from annotate.store_tables import ANNOTATION, ANNOTATION_CURRENT, ASSIGNMENT, RECORD, WORK
from nlp.schema import COVID

LONGEST_PAUSE = 300.0
"""Seconds; a longer gap between two decisions is no work."""


def totals(connection: sa.Connection) -> tuple[int, int, int, int]:
    """Records, complete ones, readings wanted, readings left."""
    missing = WORK.c.overlap - WORK.c.done
    columns = (
        sa.func.count(),
        sa.func.sum(sa.case((missing <= 0, 1), else_=0)),
        sa.func.sum(WORK.c.overlap),
        sa.func.sum(sa.case((missing > 0, missing), else_=0)),
    )
    found = connection.execute(sa.select(*columns)).one()
    records, complete, readings, left = (int(each or 0) for each in found)
    return records, complete, readings, left


def decisions(connection: sa.Connection) -> pd.DataFrame:
    """Every decision in order of time.

    ``gap``: seconds since the annotator's decision before; NaN after a pause. ``stands``: not replaced or undone.
    """
    names = ("id", "annotator", "action", "created", "milliseconds", "flagged")
    chosen = (
        sa.select(*ANNOTATION.c[names], ANNOTATION_CURRENT.c.annotation_id.is_not(None).label("stands"))
        .join_from(
            ANNOTATION,
            ANNOTATION_CURRENT,
            sa.and_(
                ANNOTATION_CURRENT.c.annotation_id == ANNOTATION.c.id,
                ANNOTATION_CURRENT.c.record_id == ANNOTATION.c.record_id,  # its key, hence quick
                ANNOTATION_CURRENT.c.annotator == ANNOTATION.c.annotator,
            ),
            isouter=True,
        )
        .where(ANNOTATION.c.annotator != IMPORTED)
        .order_by(ANNOTATION.c.created, ANNOTATION.c.id)
    )
    found = columns(connection, chosen)
    table = pd.DataFrame(dict(zip([*names, "stands"], found, strict=True)))
    table = table.astype({"created": float, "milliseconds": float, "flagged": bool, "stands": bool})
    gaps = table.groupby("annotator")["created"].diff()
    return table.assign(gap=gaps.where(gaps <= LONGEST_PAUSE))


@dataclass(frozen=True, eq=False)
class Confirmed:
    """Confirmations that stand, n of them.

    Attributes:
        annotator: (n,).
        captioned: (n,); its record has a caption, and labels that were read in it. Where the table that was loaded
            brought labels of people, nobody knows what the text says.
        changed: (n,); what is confirmed is not what the text says.
        cells: (n_keys, 4), how many say each of ``CELL_VALUES``.
    """

    annotator: NDArray[np.object_]
    captioned: NDArray[np.bool_]
    changed: NDArray[np.bool_]
    cells: NDArray[np.int64]


def labels(connection: sa.Connection, keys: Sequence[str]) -> Confirmed:
    """What the confirmations that stand say of some findings and covid19."""
    captioned = sa.and_(RECORD.c.caption != "", RECORD.c.review == "auto")
    said = sa.case((captioned, as_text(RECORD.c.labels)))
    chosen = (
        sa.select(ANNOTATION_CURRENT.c.annotator, as_text(ANNOTATION.c.labels), said)
        .join_from(ANNOTATION_CURRENT, ANNOTATION, ANNOTATION.c.id == ANNOTATION_CURRENT.c.annotation_id)
        .join(RECORD, RECORD.c.id == ANNOTATION_CURRENT.c.record_id)
        .where(ANNOTATION_CURRENT.c.action == "confirm")
    )
    names, confirmed, texts = columns(connection, chosen)
    read, text = label_codes(confirmed, keys), label_codes(texts, keys)
    findings = [place for place, key in enumerate(keys) if key != COVID]
    # a blank as whoever confirms it says it
    text[:, findings] = np.where(text[:, findings] == BLANK, ABSENT, text[:, findings])
    counted = [np.bincount(read[:, place], minlength=len(CELLS)) for place in range(len(keys))]
    return Confirmed(
        np.array(names, object),
        np.array([text is not None for text in texts], bool),
        (read != text).any(axis=1),
        np.array(counted),
    )


def leases(connection: sa.Connection, now: float) -> dict[str, tuple[int, int]]:
    """How many records each annotator holds, and how many leases have ended undecided."""
    over = sa.case((ASSIGNMENT.c.expires <= now, 1), else_=0)
    chosen = sa.select(ASSIGNMENT.c.annotator, sa.func.count(), sa.func.sum(over))
    rows = connection.execute(chosen.where(~ASSIGNMENT.c.done).group_by(ASSIGNMENT.c.annotator))
    return {name: (int(count) - int(ended), int(ended)) for name, count, ended in rows}
