"""The labels that hold: what an adjudicator settled, else what annotators agree on, else what was loaded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import sqlalchemy as sa

from annotate.annotation_rows import current_confirmations
from annotate.columns import CELLS, UNCERTAIN, as_text, columns, label_codes
from annotate.people_columns import people_columns, verdicts
from annotate.store_tables import ADJUDICATION, ANNOTATION, ANNOTATION_CURRENT, RECORD, SPLIT
from annotate.verdicts import standing_verdicts
from nlp.schema import COVID, label_columns

UNSETTLED = "-1"
Cells = Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Settled:
    """A store's labels as a table.

    Attributes:
        table: the columns of the contract, one row per record by image; every cell is text. ``review``
            is adjudicated, confirmed or auto; ``split`` is that of the patient.
        unsettled: cells on which annotators disagree and nobody settled: columns image, finding, readings
            (the cells, joined by ``|``). They stand as ``-1`` in the table.
        annotators: how many confirmed each record, by image; shape (n_records,).
    """

    table: pd.DataFrame
    unsettled: pd.DataFrame
    annotators: pd.Series


def settled_labels(connection: sa.Connection, findings: Sequence[str]) -> Settled:
    """The labels of every record, sorted by image; an unsettled cell is ``-1``."""
    names, keys = [column.name for column in label_columns(findings)], (COVID, *findings)
    kept = [name for name in names if name not in (*keys, "split")]
    query = sa.select(RECORD.c.id, as_text(RECORD.c.labels), *(RECORD.c[name] for name in kept)).order_by(
        RECORD.c.image
    )
    ids, labels, *rest = columns(connection, query)
    table = pd.DataFrame(dict(zip(kept, rest, strict=True)), dtype=object)
    codes, number, place_of = label_codes(labels, keys), np.zeros(len(ids), int), pd.Index(ids)
    people, (judged, verdict) = people_columns(connection, keys), verdicts(connection, keys)
    read, settled = place_of.get_indexer(people.record_ids), place_of.get_indexer(judged)
    number[read] = people.counts
    differing = people.differing()
    codes[read] = np.where(differing, UNCERTAIN, people.codes[people.starts])
    codes[settled] = verdict
    table["review"] = "auto"  # labels of people that were loaded are readings and verdicts, too
    table.loc[read, "review"], table.loc[settled, "review"] = "confirmed", "adjudicated"
    splits = dict(connection.execute(sa.select(SPLIT.c.patient_id, SPLIT.c.split)).all())
    table["split"] = [splits.get(patient, "") for patient in table["patient_id"]]
    table = table.assign(**{key: CELLS[codes[:, place]] for place, key in enumerate(keys)})
    differing[np.isin(people.record_ids, judged)] = False
    rows, cells = np.nonzero(differing)
    order = np.lexsort((cells, read[rows]))
    rows, cells = rows[order], cells[order]
    unsettled = {
        "image": table["image"].to_numpy()[read[rows]],
        "finding": np.array(keys, object)[cells],
        "readings": people.joined(rows, cells),
    }
    counts = pd.Series(number, index=table["image"], name="annotators")
    return Settled(table[names].astype(object), pd.DataFrame(unsettled, dtype=object), counts)


def settle(
    loaded: Cells, read: Sequence[Cells], settled: Cells | None, findings: Sequence[str]
) -> tuple[dict[str, str], str]:
    """The cells of one record and its review.

    Args:
        loaded: the cells of the text, as loaded.
        read: cells that annotators confirmed.
        settled: cells of the adjudicator, or None.
    """
    keys = (COVID, *findings)
    if settled is not None:
        return {key: settled.get(key, "") for key in keys}, "adjudicated"
    if not read:
        return {key: loaded.get(key, "") for key in keys}, "auto"
    said = {key: {cells.get(key, "") for cells in read} for key in keys}
    return {key: said[key].pop() if len(said[key]) == 1 else UNSETTLED for key in keys}, "confirmed"


def readings(
    connection: sa.Connection, record_ids: Sequence[int] | None = None
) -> dict[int, dict[str, Cells]]:
    """What annotators confirm now: record_id → annotator → cells. None: of all records."""
    current = ANNOTATION_CURRENT.c
    query = current_confirmations(current.record_id, current.annotator, ANNOTATION.c.labels)
    query = query.order_by(current.record_id, current.annotator)
    if record_ids is not None:
        query = query.where(current.record_id.in_(record_ids))
    found: dict[int, dict[str, Cells]] = defaultdict(dict)
    for record, annotator, labels in connection.execute(query):
        found[record][annotator] = labels
    return dict(found)


def settlements(connection: sa.Connection, record_ids: Sequence[int] | None = None) -> dict[int, Cells]:
    """What adjudicators settled and did not withdraw: record_id → cells. None: of all records."""
    chosen = standing_verdicts(*ADJUDICATION.c["record_id", "labels"], record_ids=record_ids)
    return dict(connection.execute(chosen).all())
