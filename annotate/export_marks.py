"""What stands beside the labels of a record: its mentions and the boxes that people drew.

Where an annotator edited the mentions of a record, her list replaces that of the text; of several such lists the
newest counts, since offsets of two people cannot be averaged. Boxes of all annotators are kept, equal ones once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import sqlalchemy as sa

from annotate.decision_forms import Box
from annotate.store_tables import ANNOTATION, ANNOTATION_CURRENT, MENTION, RECORD
from nlp.schema import MENTION_COLUMNS

NAMES = tuple(column.name for column in MENTION_COLUMNS)
BY_PERSON: Mapping[str, object] = {"rule": "annotator", "match": "exact", "score": 100}
"""What a mention that a person marked has in the columns that say why."""


@dataclass(frozen=True)
class Marks:
    """Mentions and boxes of all records.

    Attributes:
        mentions: the columns of mentions.csv, all text, in the order of the records.
        boxes: by image.
        edited: records whose mentions a person edited.
        several: of those, records of which several people did.
    """

    mentions: pd.DataFrame
    boxes: Mapping[str, Sequence[Box]]
    edited: int
    several: int


Mention = dict[str, Any]


@dataclass
class _Drawn:
    """Of one record: the newest list of mentions (None: nobody edited them), how many lists there are, and boxes
    in their order.
    """

    newest: list[Mention] | None = None
    lists: int = 0
    boxes: dict[Box, None] = field(default_factory=dict)


def read_marks(connection: sa.Connection, images: Sequence[str]) -> Marks:
    """The mentions and boxes of these images, in their order."""
    records = {
        row.image: row for row in connection.execute(sa.select(RECORD.c.id, RECORD.c.image, RECORD.c.caption))
    }
    drawn = _drawn(connection)
    of_text = _of_text(connection)
    rows: list[dict[str, str]] = []
    boxes = {}
    for image in images:
        record = records[image]
        people = drawn.get(record.id, _Drawn())
        mentions = of_text.get(record.id, []) if people.newest is None else people.newest
        rows.extend(_row(image, record.caption, mention) for mention in mentions)
        if people.boxes:
            boxes[image] = tuple(people.boxes)
    table = pd.DataFrame(rows, columns=list(NAMES), dtype=object)
    lists = [people.lists for people in drawn.values()]
    return Marks(table, boxes, sum(number > 0 for number in lists), sum(number > 1 for number in lists))


def _drawn(connection: sa.Connection) -> dict[int, _Drawn]:
    """Lists of mentions and boxes of current confirmations, by record."""
    current = sa.select(ANNOTATION.c.id, ANNOTATION.c.record_id, ANNOTATION.c.mentions, ANNOTATION.c.boxes)
    current = current.join(ANNOTATION_CURRENT, ANNOTATION_CURRENT.c.annotation_id == ANNOTATION.c.id)
    found: dict[int, _Drawn] = defaultdict(_Drawn)
    for row in connection.execute(current.where(ANNOTATION.c.action == "confirm").order_by(ANNOTATION.c.id)):
        people = found[row.record_id]
        if row.mentions is not None:
            people.newest, people.lists = [_completed(mention) for mention in row.mentions], people.lists + 1
        people.boxes |= {Box(**box): None for box in row.boxes}
    return dict(found)


def _completed(mention: Mapping[str, Any]) -> Mention:
    return {**BY_PERSON, **{name: value for name, value in mention.items() if value not in (None, "")}}


def _of_text(connection: sa.Connection) -> dict[int, list[Mention]]:
    found: dict[int, list[Mention]] = defaultdict(list)
    for row in connection.execute(sa.select(MENTION).order_by(MENTION.c.id)):
        known = {"finding": row.finding, "assertion": row.assertion, "start": row.start, "end": row.end}
        found[row.record_id].append({**row.details, **known})
    return dict(found)


def _row(image: str, caption: str, mention: Mention) -> dict[str, str]:
    text = caption[int(mention["start"]) : int(mention["end"])]
    filled = {"term": text, **mention, "image": image, "text": text}
    return {name: _cell(filled.get(name)) for name in NAMES}


def _cell(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)
