"""What ``work`` says of a record: how early it should be seen, and what filters can ask for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import sqlalchemy as sa

from annotate.filters import facets
from annotate.store_tables import MENTION, RECORD, WORK

_CHUNK = 500

_A_FLAG = {"ambiguous_panel": 3.0, "covid_conflict": 3.0}
_UNCERTAIN_CELL = 2.0
_FUZZY_MENTION = 1.0
_PRESENT_CELL = 0.1


def urgency(labels: Mapping[str, str], flags: str, fuzzy: int) -> float:
    """Flagged and uncertain records first, then misspelt words, then many findings; 0: nothing to see in the text.

    Args:
        fuzzy: how many of its mentions were matched in spite of a misspelling.
    """
    raised = sum(_A_FLAG.get(flag, 0.0) for flag in flags.split(";"))
    cells = list(labels.values())
    return (
        raised
        + _UNCERTAIN_CELL * cells.count("-1")
        + _FUZZY_MENTION * (fuzzy > 0)
        + _PRESENT_CELL * cells.count("1")
    )


def refresh(connection: sa.Connection, record_ids: Iterable[int]) -> None:
    """Bring priorities and filters in line with the labels, flags and mentions of these records."""
    ids = sorted(record_ids)
    change = WORK.update().where(WORK.c.record_id == sa.bindparam("id"))
    change = change.values({name: sa.bindparam(f"new_{name}") for name in _DERIVED})
    for place in range(0, len(ids), _CHUNK):
        rows = [
            {"id": record, **{f"new_{name}": value for name, value in values.items()}}
            for record, values in _derived(connection, ids[place : place + _CHUNK])
        ]
        connection.execute(change, rows)


_DERIVED = ("patient_id", "image", "shuffle", "priority", "facets")


def _derived(connection: sa.Connection, ids: Sequence[int]) -> Iterator[tuple[int, dict[str, Any]]]:
    of_record = MENTION.c.record_id.in_(ids), MENTION.c.details["match"].as_string() == "fuzzy"
    counted = sa.select(MENTION.c.record_id, sa.func.count()).where(*of_record).group_by(MENTION.c.record_id)
    fuzzy: dict[int, int] = dict(connection.execute(counted).all())
    columns = (RECORD.c[name] for name in ("id", "image", "patient_id", "source", "flags", "labels"))
    for row in connection.execute(sa.select(*columns).where(RECORD.c.id.in_(ids))):
        found = facets(row.labels, flags=row.flags, source=row.source, patient_id=row.patient_id)
        values = (
            row.patient_id,
            row.image,
            _shuffle(row.image),
            urgency(row.labels, row.flags, fuzzy.get(row.id, 0)),
            found,
        )
        yield row.id, dict(zip(_DERIVED, values, strict=True))


def _shuffle(image: str) -> float:
    """A place between 0 and 1 that only the name decides: the random order is the same for everybody, always."""
    return int.from_bytes(blake2b(image.encode(), digest_size=6).digest()) / 2**48
