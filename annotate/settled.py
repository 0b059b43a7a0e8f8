"""The labels that hold: what an adjudicator settled, else what annotators agree on, else what was loaded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import sqlalchemy as sa

from annotate.store_tables import ADJUDICATION, ANNOTATION, ANNOTATION_CURRENT, RECORD, SPLIT
from nlp.schema import COVID, label_columns

UNSETTLED = "-1"
_CHUNK = 5_000
Cells = Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Settled:
    """A store's labels as a table.

    Attributes:
        table: the columns of the contract, one row per record by image; every cell is text. ``review``
            is adjudicated, confirmed or as loaded; ``split`` is that of the patient.
        unsettled: cells on which annotators disagree and nobody settled: columns image, finding, readings
            (the cells, joined by ``|``). They stand as ``-1`` in the table.
        annotators: how many confirmed each record, by image; shape (n_records,).
    """

    table: pd.DataFrame
    unsettled: pd.DataFrame
    annotators: pd.Series


def settled_labels(connection: sa.Connection, findings: Sequence[str]) -> Settled:
    """The labels of every record, sorted by image; an unsettled cell is ``-1``."""
    adjudications, confirmations = settlements(connection), readings(connection)
    splits = dict(connection.execute(sa.select(SPLIT.c.patient_id, SPLIT.c.split)).all())
    rows, unsettled = [], []
    query = sa.select(RECORD).order_by(RECORD.c.image).execution_options(yield_per=_CHUNK)
    for record in connection.execute(query).mappings():
        read = list(confirmations.get(record["id"], {}).values())
        settled = adjudications.get(record["id"])
        cells, review = settle(record["labels"], record["review"], read, settled, findings)
        split = splits.get(record["patient_id"], "")
        rows.append({**record, **cells, "review": review, "split": split, "annotators": len(read)})
        if settled is None:
            unsettled += [(record["image"], key, "|".join(said)) for key, said in _open_cells(read, findings)]
    names = [column.name for column in label_columns(findings)]
    table = pd.DataFrame(rows, columns=[*names, "annotators"], dtype=object)
    counts = pd.Series(table.pop("annotators").to_numpy(dtype=int), index=table["image"], name="annotators")
    disputed = pd.DataFrame(unsettled, columns=["image", "finding", "readings"], dtype=object)
    return Settled(table, disputed, counts)


def settle(
    loaded: Cells, review: str, read: Sequence[Cells], settled: Cells | None, findings: Sequence[str]
) -> tuple[dict[str, str], str]:
    """The cells of one record and its review.

    Args:
        loaded: the cells as loaded, and ``review`` with them.
        read: cells that annotators confirmed.
        settled: cells of the adjudicator, or None.
    """
    keys = (COVID, *findings)
    if settled is not None:
        return {key: settled.get(key, "") for key in keys}, "adjudicated"
    if not read:
        return {key: loaded.get(key, "") for key in keys}, review
    said = {key: {cells.get(key, "") for cells in read} for key in keys}
    return {key: said[key].pop() if len(said[key]) == 1 else UNSETTLED for key in keys}, "confirmed"


def readings(
    connection: sa.Connection, record_ids: Sequence[int] | None = None
) -> dict[int, dict[str, Cells]]:
    """What annotators confirm now: record_id → annotator → cells. None: of all records."""
    current = ANNOTATION_CURRENT.c
    query = sa.select(current.record_id, current.annotator, ANNOTATION.c.labels).join_from(
        ANNOTATION_CURRENT, ANNOTATION, current.annotation_id == ANNOTATION.c.id
    )
    query = query.where(current.action == "confirm").order_by(current.record_id, current.annotator)
    if record_ids is not None:
        query = query.where(current.record_id.in_(record_ids))
    found: dict[int, dict[str, Cells]] = defaultdict(dict)
    for record, annotator, labels in connection.execute(query):
        found[record][annotator] = labels
    return dict(found)


def settlements(connection: sa.Connection, record_ids: Sequence[int] | None = None) -> dict[int, Cells]:
    """What adjudicators settled and did not withdraw: record_id → cells. None: of all records."""
    newest = sa.select(sa.func.max(ADJUDICATION.c.id)).group_by(ADJUDICATION.c.record_id)
    if record_ids is not None:
        newest = newest.where(ADJUDICATION.c.record_id.in_(record_ids))
    query = sa.select(ADJUDICATION.c.record_id, ADJUDICATION.c.labels)
    rows = connection.execute(query.where(ADJUDICATION.c.id.in_(newest), ~ADJUDICATION.c.withdrawn))
    return dict(rows.all())


def _open_cells(read: Sequence[Cells], findings: Sequence[str]) -> list[tuple[str, list[str]]]:
    said = ((key, [cells.get(key, "") for cells in read]) for key in (COVID, *findings))
    return [(key, cells) for key, cells in said if len(set(cells)) > 1]
