"""The tables of the store: what is loaded, what people decide, and what follows from it.

``annotation``, ``adjudication`` and ``event`` only grow: triggers refuse UPDATE and DELETE, an undo is a row of
its own. ``annotation_current``, ``assignment`` and ``work`` follow from them and are there for speed. Times are Unix time
in seconds; labels are cells of the contract (``nlp.schema``) by key: covid19 and every finding.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

SCHEMA_VERSION = 1
APPEND_ONLY = ("annotation", "adjudication", "event")
ROLES = ("annotator", "adjudicator")

METADATA = sa.MetaData()


def _table(name: str, *columns: sa.Column[Any] | sa.Constraint | sa.Index) -> sa.Table:
    return sa.Table(name, METADATA, *columns)


def _key(name: str = "id") -> sa.Column[Any]:
    # 64 bit on PostgreSQL; on SQLite only INTEGER is the row's own number
    return sa.Column(name, sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True)


def _record(*, primary_key: bool = False, index: bool | None = None) -> sa.Column[Any]:
    reference = sa.ForeignKey("record.id")
    return sa.Column("record_id", reference, nullable=False, primary_key=primary_key, index=index)


def _text(name: str, default: str = "") -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=False, server_default=default)


def _sorted_text(name: str) -> sa.Column[Any]:
    # the same order on every database, whatever its locale
    kind = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    return sa.Column(name, kind, nullable=False)


def _time(name: str = "created") -> sa.Column[Any]:
    return sa.Column(name, sa.Float, nullable=False)


def _needed(name: str, kind: type[sa.types.TypeEngine[Any]]) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


META = _table("meta", sa.Column("key", sa.Text, primary_key=True), _needed("value", sa.Text))
"""``schema_version``; ``database_id``; ``secret``, which signs tokens and image links; ``findings``, their keys in
order; ``image_folder``; ``overlap``; ``records``, how many there are."""

USER = _table(
    "user",
    sa.Column("name", sa.Text, primary_key=True),
    _text("role", "annotator"),
    sa.Column("settings", sa.JSON, nullable=False),  # remapped keys, theme of the desk
    _time(),
)

RECORD = _table(
    "record",
    _key(),
    sa.Column("image", sa.Text, nullable=False, unique=True),
    sa.Column("file", sa.Text, index=True),  # below the image folder; None where no folder was given
    sa.Column("patient_id", sa.Text, nullable=False, index=True),
    _text("figure"),  # images of one figure share it: the name without panel number
    _text("source"),
    _text("panel"),
    _text("diagnosis"),
    _text("review", "auto"),  # as loaded; what people did since stands in the annotations
    _text("flags"),
    _text("lexicon_version"),
    sa.Column("from_table", sa.Boolean, nullable=False, server_default=sa.true()),  # else from the folder
    _text("mentions_digest"),  # of the loaded mentions, so that loading again sees what changed
    sa.Column(
        "labels", sa.JSON, nullable=False
    ),  # what the text says; findings are blank where it is not known
    _text("caption"),  # last: SQLite reads a row from the left, and captions are long
)

TEXT_IS_KNOWN = sa.or_(RECORD.c.review == "auto", RECORD.c.mentions_digest != "")
"""Whether ``record.labels`` say what the text says. A table with labels of people and no mentions does not tell it."""

WORK = _table(
    "work",
    _record(primary_key=True),
    sa.Column("overlap", sa.Integer, nullable=False),  # annotators the record shall have
    sa.Column("open", sa.Integer, nullable=False),  # seats that are neither leased nor done
    sa.Column("done", sa.Integer, nullable=False, server_default="0"),
    _text("closed_to"),  # annotators that hold, decided or skipped it, as ``annotate.seats`` writes them
    sa.Column("priority", sa.Float, nullable=False, server_default="0"),  # flagged and uncertain first
    sa.Column("shuffle", sa.Float, nullable=False, server_default="0"),  # from a hash of the image
    sa.Column("suspicion", sa.Float, nullable=False, server_default="0"),
    _sorted_text("patient_id"),
    _sorted_text("image"),
    _text("facets"),  # what filters ask for, as ``annotate.filters`` writes it
)
"""Who may be given a record, and when: one narrow row per record, derived from the other tables.

Open records are grouped by ``closed_to``, so that the next record for an annotator is the first of the groups
without her name: her history, however long, is never walked through.
"""


def _open_order(name: str, *columns: sa.ColumnElement[Any]) -> sa.Index:
    is_open = WORK.c.open > 0
    return sa.Index(
        f"work_{name}", WORK.c.closed_to, *columns, sqlite_where=is_open, postgresql_where=is_open
    )


ORDER_COLUMNS: dict[str, tuple[sa.ColumnElement[Any], ...]] = {
    "priority": (WORK.c.priority.desc(), WORK.c.record_id),
    "random": (WORK.c.shuffle, WORK.c.record_id),
    "patient": (WORK.c.patient_id, WORK.c.image),
    "suspects": (WORK.c.suspicion.desc(), WORK.c.record_id),
    "image": (WORK.c.image,),
}
"""How each order of work sorts; each has an index over the open records."""

for _name, _columns in ORDER_COLUMNS.items():
    _open_order(_name, *_columns)
_open_order("count", WORK.c.open)  # answers alone how many are open to whom

MENTION = _table(
    "mention",
    _key(),
    _record(index=True),
    _needed("finding", sa.Text),  # a finding or covid19
    _needed("assertion", sa.Text),
    _needed("start", sa.Integer),
    _needed("end", sa.Integer),
    sa.Column("details", sa.JSON, nullable=False),  # the other columns of mentions.csv
)

ASSIGNMENT = _table(
    "assignment",
    _record(primary_key=True),
    sa.Column("annotator", sa.Text, primary_key=True),
    sa.Column("expires", sa.Float),  # end of the lease; None once done
    sa.Column("done", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Index("assignment_of", "annotator", "done"),
    sa.Index("assignment_leases", "expires"),
)
"""Seats that are taken: leased, or done. Opinions beyond the overlap have no seat."""

ANNOTATION = _table(
    "annotation",
    _key(),
    sa.Column("op_id", sa.Text, nullable=False, unique=True),  # made by the browser: saving twice is harmless
    _record(),
    _needed("annotator", sa.Text),
    _needed("action", sa.Text),
    sa.Column("labels", sa.JSON, nullable=False),
    sa.Column("mentions", sa.JSON(none_as_null=True)),  # the annotator's whole list; NULL where untouched
    sa.Column("boxes", sa.JSON, nullable=False),  # [{finding, left, top, right, bottom}], pixels of the file
    _text("comment"),
    sa.Column("flagged", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("supersedes", sa.ForeignKey("annotation.id")),
    sa.Column("milliseconds", sa.Integer),  # from the record on screen to the key
    _time(),
    sa.Index("annotation_of", "record_id", "annotator", "id"),
    sa.Index("annotation_by", "annotator", "id"),
)

ANNOTATION_CURRENT = _table(
    "annotation_current",
    sa.Column("record_id", sa.ForeignKey("record.id"), primary_key=True),
    sa.Column("annotator", sa.Text, primary_key=True),
    sa.Column("annotation_id", sa.ForeignKey("annotation.id"), nullable=False),
    _needed("action", sa.Text),  # of that annotation: confirm or skip
    sa.Index("annotation_current_by", "annotator", "action"),
)

ADJUDICATION = _table(
    "adjudication",
    _key(),
    sa.Column("op_id", sa.Text, nullable=False, unique=True),
    _record(index=True),
    _needed("adjudicator", sa.Text),
    sa.Column("labels", sa.JSON, nullable=False),
    _text("reason"),
    sa.Column("withdrawn", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("supersedes", sa.ForeignKey("adjudication.id")),
    _time(),
)
"""The newest row of a record counts; a withdrawn one leaves the record to its annotators."""

EVENT = _table(
    "event",
    _key(),
    _time(),
    _needed("actor", sa.Text),
    _needed("kind", sa.Text),
    sa.Column("record_id", sa.ForeignKey("record.id"), index=True),
    sa.Column("old", sa.JSON(none_as_null=True)),
    sa.Column("new", sa.JSON(none_as_null=True)),
)

SPLIT = _table(
    "split",
    sa.Column("patient_id", sa.Text, primary_key=True),
    _needed("split", sa.Text),
)

PREDICTION = _table(
    "prediction",
    sa.Column("record_id", sa.ForeignKey("record.id"), primary_key=True),
    sa.Column("probabilities", sa.JSON, nullable=False),  # by key, out of fold
    _text("run"),
)

LEXICON = _table(
    "lexicon",
    sa.Column("version", sa.Text, primary_key=True),  # the hash that labels.csv carries
    sa.Column("parent", sa.Text),
    sa.Column("files", sa.JSON, nullable=False),  # text of each CSV file by its name
    _needed("author", sa.Text),
    _time(),
)

PROPOSAL = _table(
    "proposal",
    _key(),
    sa.Column("op_id", sa.Text, nullable=False, unique=True),
    _needed("phrase", sa.Text),
    _needed("finding", sa.Text),
    _record(),
    _needed("annotator", sa.Text),
    _text("state", "open"),  # open, taken into the lexicon, or declined
    _time(),
)
"""Words that an annotator marked in a caption and offers to the lexicon."""
