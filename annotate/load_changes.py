"""Rows of a table against the records of a store: what is new, what changed, what stays; and that written."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import sqlalchemy as sa

from annotate.events import log_all
from annotate.load_images import figures
from annotate.store_tables import ADJUDICATION, ANNOTATION_CURRENT, META, RECORD, WORK
from nlp.schema import COVID, STATE_CELL, record_state

ACTOR = "annotate.load"

_CHUNK = 400  # rows at a time: memory stays small, and SQLite takes the names in one question
_TEXT = ("patient_id", "source", "panel", "diagnosis", "flags", "caption")
_Known = sa.RowMapping


@dataclass
class Changes:
    """What loading did to the records.

    Attributes:
        ids: record_id of every row, by image.
        new, relabelled, changed: record ids; ``changed`` have other texts, patients or files, not other labels.
        renamed: (old, new) image names of one file.
        decided: images whose machine labels or caption changed although people decided them: that is kept.
        recaptioned: records whose caption changed: mentions that were loaded before fit no more.
    """

    ids: dict[str, int] = field(default_factory=dict)
    new: list[int] = field(default_factory=list)
    relabelled: list[int] = field(default_factory=list)
    changed: list[int] = field(default_factory=list)
    unchanged: int = 0
    renamed: list[tuple[str, str]] = field(default_factory=list)
    decided: list[str] = field(default_factory=list)
    recaptioned: list[int] = field(default_factory=list)


def write_records(
    connection: sa.Connection,
    table: pd.DataFrame,
    files: Mapping[str, str],
    findings: Sequence[str],
    *,
    now: float,
    states: Mapping[str, Mapping[str, str]] | None = None,
    from_table: bool = True,
) -> Changes:
    """Insert new records and change those that differ.

    Labels that people confirmed before (``review`` in the table) never stand for what the text says, so that who
    reads a record next does not see them; see ``annotate.load_reviews``.

    Args:
        table: rows of the contract, images unique.
        files: image to file, as far as known.
        states: what the mentions of reviewed rows say: image → finding → state; None: there are no mentions.
    """
    changes = Changes()
    names = frozenset(table["image"])
    for place in range(0, len(table), _CHUNK):
        rows = list(_rows(table.iloc[place : place + _CHUNK], files, findings, states, from_table))
        known = _known(connection, rows, names)
        fresh = [row for row in rows if row["image"] not in known]
        _insert(connection, fresh, changes)
        changes.ids |= {image: record["id"] for image, record in known.items()}
        _update(
            connection, [(row, known[row["image"]]) for row in rows if row["image"] in known], changes, now
        )
    return changes


def _rows(
    table: pd.DataFrame,
    files: Mapping[str, str],
    findings: Sequence[str],
    states: Mapping[str, Mapping[str, str]] | None,
    from_table: bool,
) -> Iterator[dict[str, Any]]:
    for row, figure in zip(table.to_dict("records"), figures(table["image"].tolist()), strict=True):
        yield {
            **{name: row[name] for name in ("image", "review", "lexicon_version", *_TEXT)},
            "file": files.get(row["image"]),
            "figure": figure,
            "labels": _labels_of_text(row, findings, states),
            "from_table": from_table,
            "unread": row["review"] != "auto" and states is None,
        }


def _labels_of_text(
    row: Mapping[str, Any], findings: Sequence[str], states: Mapping[str, Mapping[str, str]] | None
) -> dict[str, str]:
    """What the text says: the row of the table, or the mentions where people reviewed it; blank where unknown.

    covid19 is the table's: it mostly comes from a column of the input, and no text may say it.
    """
    if row["review"] == "auto":
        return {key: row[key] for key in (COVID, *findings)}
    said = (states or {}).get(row["image"], {})
    cells = {key: STATE_CELL[record_state([said.get(key, "")])] for key in findings}
    return {COVID: row[COVID], **cells}


def _known(
    connection: sa.Connection, rows: Sequence[Mapping[str, Any]], names: Collection[str]
) -> dict[str, _Known]:
    """The record of each row that has one: that of its image name, else that of its file."""
    images = [row["image"] for row in rows]
    files = {row["file"]: row["image"] for row in rows if row["file"] is not None}
    query = sa.select(RECORD).where(RECORD.c.image.in_(images) | RECORD.c.file.in_(files))
    found = {}
    for record in connection.execute(query).mappings():
        if record["image"] in names:
            found[record["image"]] = record
        else:
            found.setdefault(files[record["file"]], record)
    return {image: found[image] for image in images if image in found}


def _insert(connection: sa.Connection, rows: Sequence[dict[str, Any]], changes: Changes) -> None:
    if not rows:
        return
    connection.execute(
        RECORD.insert(), [{name: row[name] for name in row if name != "unread"} for row in rows]
    )
    names = [row["image"] for row in rows]
    made = connection.execute(sa.select(RECORD.c.image, RECORD.c.id).where(RECORD.c.image.in_(names)))
    ids = dict(made.all())
    overlap = int(connection.scalar(sa.select(META.c.value).where(META.c.key == "overlap")) or 1)
    seats = {"overlap": overlap, "open": overlap, "patient_id": ""}
    connection.execute(WORK.insert(), [{**seats, "record_id": ids[name], "image": name} for name in names])
    changes.ids |= ids
    changes.new += [ids[name] for name in names]


def _update(
    connection: sa.Connection, pairs: Sequence[tuple[dict[str, Any], _Known]], changes: Changes, now: float
) -> None:
    differing = [(record, new) for row, record in pairs if (new := _differing(row, record))]
    changes.unchanged += len(pairs) - len(differing)
    if not differing:
        return
    columns = sorted({name for _, new in differing for name in new})
    bound = {name: sa.bindparam(f"new_{name}", type_=RECORD.c[name].type) for name in columns}
    change = RECORD.update().where(RECORD.c.id == sa.bindparam("key")).values(bound)
    values = [
        {"key": record["id"], **{f"new_{name}": new.get(name, record[name]) for name in columns}}
        for record, new in differing
    ]
    connection.execute(change, values)
    for record, new in differing:
        _count(changes, record, new)
    changes.decided += _decided(connection, differing)
    log_all(connection, ACTOR, "record.change", [_event(*each) for each in differing], now=now)


def _differing(row: Mapping[str, Any], record: _Known) -> dict[str, Any]:
    names = ["image", "figure", "from_table", *_TEXT]
    if row["file"] is not None:
        names.append("file")
    if row["review"] == "auto" or record["review"] != "auto":
        names += ["review", "lexicon_version"]
        # what is known of the text stays, unless it is another text
        names += [] if row["unread"] and row["caption"] == record["caption"] else ["labels"]
    return {name: row[name] for name in names if row[name] != record[name]}


def _count(changes: Changes, record: _Known, new: Mapping[str, Any]) -> None:
    (changes.relabelled if "labels" in new else changes.changed).append(record["id"])
    if "image" in new:
        changes.renamed.append((record["image"], new["image"]))
    if "caption" in new:
        changes.recaptioned.append(record["id"])


def _decided(connection: sa.Connection, differing: Sequence[tuple[_Known, Mapping[str, Any]]]) -> list[str]:
    """Images that people decided by other words or other labels of the machine."""
    shown = {record["id"]: record["image"] for record, new in differing if {"labels", "caption"} & set(new)}
    found: set[int] = set()
    for column in (ANNOTATION_CURRENT.c.record_id, ADJUDICATION.c.record_id):
        found |= set(connection.scalars(sa.select(column).where(column.in_(shown))))
    return [shown[record] for record in sorted(found)]


def _event(record: _Known, new: Mapping[str, Any]) -> tuple[int, dict[str, Any], dict[str, Any]]:
    """Old and new; of a caption only its length."""
    old = {name: record[name] for name in new}
    return record["id"], _without_text(old), _without_text(new)


def _without_text(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: f"{len(value)} characters" if name == "caption" else value for name, value in values.items()
    }
