"""Editing the lexicon's files as tables: rows out of a file, rows back into it, and annotators' words as terms."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from annotate.events import log
from annotate.people import require_role
from annotate.store_tables import PROPOSAL
from nlp.lexicon import FILES
from nlp.normalise import TOKEN, view

Row = Mapping[str, str]
TERMS = "terms.csv"
_NEW_TERM = {"kind": "report", "fuzzy": "yes", "assertion": "", "chest": "yes"}
"""What a term is unless somebody says otherwise."""


@dataclass(frozen=True)
class Proposal:
    """Words that an annotator marked in a record and offers as a term of a finding."""

    id: int
    phrase: str
    finding: str
    record_id: int
    annotator: str


def rows_of(text: str) -> list[dict[str, str]]:
    """The rows of a file, each with a cell for every column of its header; blank lines are left out."""
    reader = csv.reader(text.splitlines())
    header = [cell.strip() for cell in next(reader, [])]
    return [
        {column: cell.strip() for column, cell in zip(header, [*cells, *[""] * len(header)], strict=False)}
        for cells in reader
        if any(cell.strip() for cell in cells)
    ]


def text_of(name: str, rows: Sequence[Row], before: str) -> str:
    """The file with these rows; the very same text where the rows are those it had, so that its hash stays."""
    kept = [row for row in rows if any(row.values())]
    if [dict(row) for row in kept] == rows_of(before):
        return before
    target = io.StringIO()
    writer = csv.DictWriter(target, FILES[name], restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows({column: " ".join(cell.split()) for column, cell in row.items()} for row in kept)
    return target.getvalue()


def replaced(
    rows: Sequence[Row], shown: Sequence[int], edited: Sequence[tuple[int | None, Row]]
) -> list[Row]:
    """All rows of a file after some of them were edited in a table of their own.

    Args:
        shown: places of the rows that stood in that table.
        edited: what stands in it now: the row's place, or None of a row that was added, and its cells.

    Returns:
        The rows in their order; those that are gone from the table left out, added ones behind the last shown.
    """
    by_place = {place: row for place, row in edited if place is not None}
    added = [row for place, row in edited if place is None]
    last = max(shown, default=len(rows) - 1)
    result: list[Row] = []
    for place, row in enumerate(rows):
        if place not in set(shown):
            result.append(row)
        elif place in by_place:
            result.append(by_place[place])
        if place == last:
            result.extend(added)
    return result if rows else added


def as_term(phrase: str) -> str:
    """Words of a caption in the lexicon's language: lower case, marks that mean something there left out.

    >>> as_term("Ground-Glass (GGO) |opacities?")
    'ground-glass ggo opacities'
    """
    pieces = (
        "".join(word for word in TOKEN.findall(view(chunk)) if word[0].isalnum() or word == "-")
        for chunk in phrase.split()
    )
    return " ".join(piece.strip("-").lower() for piece in pieces if piece.strip("-"))


def with_term(text: str, finding: str, term: str, *, note: str = "") -> str:
    """terms.csv with a term added behind the last one of its finding."""
    rows: list[Row] = [*rows_of(text)]
    places = [place for place, row in enumerate(rows) if row["finding"] == finding]
    new = {"finding": finding, "term": term, **_NEW_TERM, "note": note}
    return text_of(TERMS, replaced(rows, places, [*((p, rows[p]) for p in places), (None, new)]), text)


def open_proposals(connection: sa.Connection) -> list[Proposal]:
    """Proposals that nobody decided, the oldest first."""
    columns = (PROPOSAL.c[name] for name in ("id", "phrase", "finding", "record_id", "annotator"))
    query = sa.select(*columns).where(PROPOSAL.c.state == "open").order_by(PROPOSAL.c.id)
    return [Proposal(*row) for row in connection.execute(query)]


def decide_proposals(
    connection: sa.Connection, actor: str, ids: Sequence[int], state: str, *, now: float
) -> None:
    """Mark open proposals as taken or declined.

    Raises:
        StoreError: the actor is no adjudicator.
    """
    require_role(connection, actor, "adjudicator")
    still_open = PROPOSAL.c.id.in_(ids), PROPOSAL.c.state == "open"
    decided = list(connection.scalars(sa.select(PROPOSAL.c.id).where(*still_open)))
    connection.execute(PROPOSAL.update().where(*still_open).values(state=state))
    for number in decided:
        log(connection, actor, f"proposal.{state}", now=now, new={"proposal": number})
