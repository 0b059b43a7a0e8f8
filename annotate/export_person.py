"""Everything one person did, as JSON lines: what she decided, settled, offered and changed, in the order of time."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from annotate.people import role_of
from annotate.store import Store
from annotate.store_files import check_spares
from annotate.store_tables import ADJUDICATION, ANNOTATION, ANNOTATION_CURRENT, EVENT, PROPOSAL, RECORD, USER
from nlp.errors import OutputError, StoreError
from nlp.write import replacing

_KINDS = {
    "annotation": (ANNOTATION, ANNOTATION.c.annotator),
    "adjudication": (ADJUDICATION, ADJUDICATION.c.adjudicator),
    "proposal": (PROPOSAL, PROPOSAL.c.annotator),
    "event": (EVENT, EVENT.c.actor),
}
_OPTIONS = {"db", "output", "annotator", "debug"}


def export_person(store: Store, name: str, output: Path) -> dict[str, int]:
    """Write all rows of one annotator, undone ones too; how many of each kind.

    Each line has ``what`` (person, annotation, adjudication, proposal, event), the row's own columns and the
    record's ``image``; annotations say whether they are ``current``. Captions are not in it, the words of
    mentions that she edited are.

    Raises:
        StoreError: nobody of this name; the message lists who there is.
        OutputError: another suffix than .jsonl, a file of the store itself, or the file cannot be written; the old
            one is intact.
    """
    if output.suffix.lower() != ".jsonl":
        raise OutputError(f"{output} must end in .jsonl")
    check_spares(store, [output])
    if not output.parent.is_dir():
        raise OutputError(f"{output} cannot be written: there is no folder {output.parent}")
    counts = {"person": 0, **dict.fromkeys(_KINDS, 0)}
    with store.read() as connection, replacing([output]) as (file,):
        for row in _work(connection, name, store.url):
            counts[row["what"]] += 1
            file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
    return counts


def check_alone(options: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """Refuse options that mean nothing for one person's work.

    Raises:
        OutputError: names them.
    """
    given = {name for name, value in vars(options).items() if value != parser.get_default(name)}
    if unused := sorted(given - _OPTIONS):
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in unused)
        raise OutputError(f"--annotator writes one file of JSON lines: leave out {flags}")


def _work(connection: sa.Connection, name: str, url: str) -> Iterator[dict[str, Any]]:
    if role_of(connection, name) is None:
        known = ", ".join(sorted(connection.scalars(sa.select(USER.c.name)))) or "nobody"
        raise StoreError(f"{url} knows no {name!r}; it knows {known}")
    yield {
        "what": "person",
        **connection.execute(sa.select(USER).where(USER.c.name == name)).mappings().one(),
    }
    mine = sa.select(ANNOTATION_CURRENT.c.annotation_id).where(ANNOTATION_CURRENT.c.annotator == name)
    current = set(connection.scalars(mine))
    for what, (table, person) in _KINDS.items():
        query = sa.select(table, RECORD.c.image).join_from(table, RECORD, isouter=True)
        for row in connection.execute(query.where(person == name).order_by(table.c.id)).mappings():
            yield {"what": what, **row, **({"current": row["id"] in current} if what == "annotation" else {})}
