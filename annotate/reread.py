"""Read stored captions again with any lexicon, by the very function that ``nlp.extract`` uses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa

from annotate.store_tables import RECORD
from nlp.schema import COVID, RECORD_COLUMNS

if TYPE_CHECKING:
    from nlp.batch import Reader

Item = TypeVar("Item")

_AT_ONCE = 5_000
_READ_ANEW = frozenset({"no_text", "ambiguous_panel", "covid_conflict"})
"""Flags that reading sets; the others came with the table."""

LABELLED_BY_TEXT = RECORD.c.lexicon_version != ""
"""Records whose labels a lexicon made. Labels that came without one are nobody's to read anew."""


@dataclass(frozen=True)
class Stored:
    """What a record has now: its text, and the labels and flags that were read in it or loaded."""

    id: int
    image: str
    patient_id: str
    source: str
    panel: str
    caption: str
    diagnosis: str
    labels: Mapping[str, str]
    flags: str
    lexicon_version: str


@dataclass(frozen=True)
class Read:
    """What a lexicon reads in a record: labels by key, flags, and mentions as rows of mentions.csv."""

    labels: Mapping[str, str]
    flags: str
    mentions: tuple[Mapping[str, Any], ...]


def stored_records(connection: sa.Connection, ids: Sequence[int]) -> Iterator[Stored]:
    """The records of some ids, those whose labels no lexicon made left out."""
    columns = RECORD.c[
        "id",
        "image",
        "patient_id",
        "source",
        "panel",
        "caption",
        "diagnosis",
        "labels",
        "flags",
        "lexicon_version",
    ]
    for some in portions(ids):
        rows = connection.execute(sa.select(*columns).where(RECORD.c.id.in_(some), LABELLED_BY_TEXT))
        yield from (Stored(*row) for row in rows)


def read_again(records: Sequence[Stored], reader: Reader, *, covid: bool) -> list[Read]:
    """Read records anew, in their order.

    Args:
        covid: read the COVID flag anew as well. Without it a flag that is there stays, as if it came from the
            input's COVID column: labels.csv does not say which of the two it was.
    """
    return [read for some in portions(records) for read in _read(some, reader, covid=covid)]


def portions(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """A long list in pieces: databases take only so many values at once."""
    return (items[place : place + _AT_ONCE] for place in range(0, len(items), _AT_ONCE))


def _read(records: Sequence[Stored], reader: Reader, *, covid: bool) -> Iterator[Read]:
    import pyarrow as pa

    from nlp.batch import label_batch

    given = {
        name: [getattr(record, name) for record in records]
        for name in RECORD_COLUMNS
        if name not in (COVID, "flags")
    }
    given["image"] = [str(number) for number in range(len(records))]  # so that mentions find their record
    given[COVID] = ["" if covid else record.labels.get(COVID, "") for record in records]
    given["flags"] = [_given_flags(record.flags) for record in records]
    labelled = label_batch(
        pa.record_batch({name: pa.array(given[name], pa.string()) for name in RECORD_COLUMNS}), reader
    )
    mentions: list[list[Mapping[str, Any]]] = [[] for _ in records]
    for mention in labelled.mentions.to_pylist():
        mentions[int(mention["image"])].append(mention)
    keys = (COVID, *reader.lexicon.finding_keys)
    cells = zip(*(labelled.labels.column(key).to_pylist() for key in keys), strict=True)
    flags = labelled.labels.column("flags").to_pylist()
    for row, raised, found in zip(cells, flags, mentions, strict=True):
        yield Read(dict(zip(keys, row, strict=True)), raised, tuple(found))


def _given_flags(flags: str) -> str:
    return ";".join(flag for flag in flags.split(";") if flag and flag not in _READ_ANEW)
