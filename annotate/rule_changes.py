"""What an edited lexicon would change, record by record, and whom of the people it would contradict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from annotate.judgements import NOBODY, Judgement, confirmed_ids, judgements
from annotate.reread import Read, Stored
from nlp.schema import COVID

Cells = Mapping[str, tuple[str, str]]
"""Cell before and after, by key; only cells that change."""


@dataclass(frozen=True)
class Change:
    """A record of which the text would say something else.

    Attributes:
        cells: what the text says now and would say, by key.
        confirmed: a person has confirmed the record: its labels stay, whatever the text says.
        people: what people say of the keys in ``cells``, where somebody has.
        contradicts: keys of which the text would say 1 and a person 0, or the reverse, and does not now.
        agrees: keys of which the text contradicts a person now, and would no longer.
    """

    record_id: int
    image: str
    cells: Cells
    confirmed: bool
    people: Mapping[str, tuple[str, ...]]
    contradicts: tuple[str, ...] = ()
    agrees: tuple[str, ...] = ()


@dataclass(frozen=True)
class Preview:
    """What an edited lexicon would change.

    Attributes:
        version: hash of the edited lexicon; ``base`` that of the active one.
        changes: by record id.
        captions: distinct texts there are, and of them ``read`` in which something had to be read.
        unread: records whose labels no lexicon made; they stay as they are.
        seconds: that it took.
    """

    version: str
    base: str
    changes: tuple[Change, ...]
    captions: int
    read: int
    unread: int
    seconds: float

    @property
    def relabelled(self) -> list[Change]:
        """Records that would get other labels."""
        return [change for change in self.changes if not change.confirmed]

    @property
    def contradictions(self) -> list[Change]:
        """Records on which the text would come to contradict a person."""
        return [change for change in self.changes if change.contradicts]

    def keeping_covid(self) -> Preview:
        """The same without COVID flags that are there already: they may have come from a column of the input."""
        kept = []
        for change in self.changes:
            cells = {key: pair for key, pair in change.cells.items() if key != COVID or not pair[0]}
            said = (
                tuple(key for key in keys if key in cells) for keys in (change.contradicts, change.agrees)
            )
            contradicts, agrees = said
            if cells:
                kept.append(replace(change, cells=cells, contradicts=contradicts, agrees=agrees))
        return replace(self, changes=tuple(kept))

    def counts(self) -> dict[str, Counter[tuple[str, str]]]:
        """How many records of those not confirmed change from which cell to which, by key."""
        found: dict[str, Counter[tuple[str, str]]] = {}
        for change in self.relabelled:
            for key, cells in change.cells.items():
                found.setdefault(key, Counter())[cells] += 1
        return found


def changes_of(connection: sa.Connection, records: Sequence[Stored], reads: Sequence[Read]) -> list[Change]:
    changed = {
        record.id: (record, cells)
        for record, read in zip(records, reads, strict=True)
        if (cells := changed_cells(record.labels, read.labels))
    }
    people = judgements(connection, sorted(changed))
    confirmed = confirmed_ids(connection) if changed else set()
    return [
        _change(record, cells, people.get(number, NOBODY), confirmed=number in confirmed)
        for number, (record, cells) in changed.items()
    ]


def changed_cells(before: Mapping[str, str], after: Mapping[str, str]) -> Cells:
    """The cells that differ, in the order of the contract."""
    return {key: (old, cell) for key, cell in after.items() if (old := before.get(key, "")) != cell}


def _change(record: Stored, cells: Cells, people: Judgement, *, confirmed: bool) -> Change:
    said = {key: people.cells(key) for key in cells}
    clash = {key: tuple(_clash(cell, said[key]) for cell in pair) for key, pair in cells.items()}
    return Change(
        record_id=record.id,
        image=record.image,
        cells=cells,
        confirmed=confirmed,
        people={key: given for key, given in said.items() if given},
        contradicts=tuple(key for key, (before, after) in clash.items() if after and not before),
        agrees=tuple(key for key, (before, after) in clash.items() if before and not after),
    )


def _clash(cell: str, said: Sequence[str]) -> bool:
    """Whether the text's cell and a person's are 0 and 1; who is uncertain contradicts nobody."""
    return any({cell, each} == {"0", "1"} for each in said)
