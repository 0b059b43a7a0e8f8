"""Words that an annotator offers to the lexicon: marked in a caption, kept until the Rules page decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from annotate.store_tables import PROPOSAL, RECORD
from nlp.errors import StoreError

LONGEST = 200
"""Characters of a phrase; a sentence is no term."""


@dataclass(frozen=True)
class Offer:
    """A stretch of a caption, half-open, that someone takes for a term of a finding."""

    op_id: str
    record_id: int
    finding: str
    start: int
    end: int


def parse_offer(raw: object, findings: Sequence[str]) -> Offer:
    """An offer from the browser's JSON.

    Raises:
        StoreError: a part is missing or of the wrong kind.
    """
    given = raw if isinstance(raw, Mapping) else {}
    op_id, finding = given.get("op_id"), given.get("finding")
    numbers = [given.get(name) for name in ("record_id", "start", "end")]
    if not isinstance(op_id, str) or not 8 <= len(op_id) <= 64:
        raise StoreError("an offer needs an op_id of 8 to 64 characters")
    if finding not in findings:
        raise StoreError(f"finding must be one of {', '.join(findings)}")
    if any(type(number) is not int for number in numbers):
        raise StoreError("record_id, start and end must be whole numbers")
    record_id, start, end = (int(number) for number in numbers if isinstance(number, int))
    if not 0 < record_id < 2**63:
        raise StoreError("there is no record of this number")
    return Offer(op_id, record_id, str(finding), start, end)


def offer(connection: sa.Connection, annotator: str, offered: Offer, *, now: float) -> str:
    """Keep an offer; ``saved``, or ``repeated`` when its op_id, or the same words by the same person, are there.

    Raises:
        StoreError: no such record, or the stretch is empty, too long or outside its caption.
    """
    caption = connection.scalar(sa.select(RECORD.c.caption).where(RECORD.c.id == offered.record_id))
    if caption is None:
        raise StoreError(f"there is no record {offered.record_id}")
    if not 0 <= offered.start < offered.end <= len(caption):
        raise StoreError(f"record {offered.record_id} has no characters {offered.start} to {offered.end}")
    phrase = " ".join(caption[offered.start : offered.end].split())
    if not 0 < len(phrase) <= LONGEST:
        raise StoreError(f"a term has 1 to {LONGEST} characters; mark only the words that name the finding")
    same = sa.and_(
        PROPOSAL.c.annotator == annotator,
        PROPOSAL.c.phrase == phrase,
        PROPOSAL.c.finding == offered.finding,
        PROPOSAL.c.state == "open",
    )
    if connection.scalar(sa.select(PROPOSAL.c.id).where(sa.or_(PROPOSAL.c.op_id == offered.op_id, same))):
        return "repeated"
    row = {
        "op_id": offered.op_id,
        "phrase": phrase,
        "finding": offered.finding,
        "record_id": offered.record_id,
    }
    connection.execute(sa.insert(PROPOSAL).values(**row, annotator=annotator, created=now))
    return "saved"
