"""Records as the desk shows them; never what other annotators decided."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from annotate.standing import Standing, progress_of
from annotate.store_tables import ANNOTATION, ANNOTATION_CURRENT, MENTION, RECORD
from nlp.schema import COVID

__all__ = ["Standing", "desk_records", "progress_of"]

_MOST_RELATIVES = 60
_SHOWN = ("id", "image", "patient_id", "source", "panel", "caption", "diagnosis", "flags", "lexicon_version")
_DECIDED = ("action", "labels", "mentions", "boxes", "comment", "flagged")


def desk_records(
    connection: sa.Connection, ids: Sequence[int], annotator: str, *, findings: Sequence[str]
) -> list[dict[str, Any]]:
    """Records as JSON for the browser, in the order of ``ids``; unknown ids are left out.

    Each has the columns of the record; ``labels``, the machine's cells by key; ``mentions``, by place in the
    caption, with start, end and score as numbers; ``mine``, the annotator's own current decision or None;
    ``relatives``, the patient's other images, those of the same figure first, each with ``mine`` saying
    whether the annotator has decided it.
    """
    rows = connection.execute(sa.select(RECORD).where(RECORD.c.id.in_(ids))).mappings()
    records = {row["id"]: row for row in rows}
    mentions = _mentions(connection, records)
    mine = _own_decisions(connection, records, annotator)
    relatives = _relatives(connection, records.values(), annotator)
    return [
        {
            **{name: records[record][name] for name in _SHOWN},
            "labels": {key: records[record]["labels"].get(key, "") for key in (COVID, *findings)},
            "mentions": mentions[record],
            "mine": mine.get(record),
            "relatives": relatives[record],
        }
        for record in ids
        if record in records
    ]


def _mentions(connection: sa.Connection, ids: Iterable[int]) -> dict[int, list[dict[str, Any]]]:
    columns = MENTION.c.record_id, MENTION.c.finding, MENTION.c.assertion, MENTION.c.start, MENTION.c.end
    query = sa.select(*columns, MENTION.c.details).where(MENTION.c.record_id.in_(list(ids)))
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for record, finding, assertion, start, end, details in connection.execute(
        query.order_by(MENTION.c.record_id, MENTION.c.start, MENTION.c.id)
    ):
        place = {"finding": finding, "assertion": assertion, "start": start, "end": end}
        found[record].append({**place, **details})
    return found


def _own_decisions(
    connection: sa.Connection, ids: Iterable[int], annotator: str
) -> dict[int, dict[str, Any]]:
    current = ANNOTATION_CURRENT.c
    query = sa.select(current.record_id, current.annotation_id, *(ANNOTATION.c[name] for name in _DECIDED))
    query = query.join_from(ANNOTATION_CURRENT, ANNOTATION, current.annotation_id == ANNOTATION.c.id)
    rows = connection.execute(query.where(current.record_id.in_(list(ids)), current.annotator == annotator))
    return {
        row["record_id"]: {name: row[name] for name in ("annotation_id", *_DECIDED)}
        for row in rows.mappings()
    }


def _relatives(
    connection: sa.Connection, records: Iterable[sa.RowMapping], annotator: str
) -> dict[int, list[dict[str, Any]]]:
    found = {}
    for record in records:
        asked = {name: record[name] for name in ("id", "patient_id", "figure")} | {"annotator": annotator}
        rows = connection.execute(_RELATIVES, {f"of_{name}": value for name, value in asked.items()})
        found[record["id"]] = [dict(row) for row in rows.mappings()]
    return found


def _relatives_query() -> sa.Select[Any]:
    own = sa.and_(
        ANNOTATION_CURRENT.c.record_id == RECORD.c.id,
        ANNOTATION_CURRENT.c.annotator == sa.bindparam("of_annotator"),
    )
    decided = ANNOTATION_CURRENT.c.annotation_id.is_not(None).label("mine")
    query = sa.select(RECORD.c.id, RECORD.c.image, RECORD.c.panel, decided)
    query = query.join_from(RECORD, ANNOTATION_CURRENT, own, isouter=True)
    others = RECORD.c.patient_id == sa.bindparam("of_patient_id"), RECORD.c.id != sa.bindparam("of_id")
    elsewhere = RECORD.c.figure != sa.bindparam("of_figure")
    order = (elsewhere, RECORD.c.figure, RECORD.c.panel, RECORD.c.image)
    return query.where(*others).order_by(*order).limit(_MOST_RELATIVES)


_RELATIVES = _relatives_query()  # built once: it is asked for every record on the desk
