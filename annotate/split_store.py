"""The split that a database owns: a set per patient, written once, and how it came about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from annotate.events import log
from annotate.groups import SETS
from annotate.people import require_role
from annotate.split import Division
from annotate.store_tables import EVENT, RECORD, SPLIT
from nlp.errors import StoreError

EVENT_KIND = "split.use"

_LISTED = 20
Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Written:
    """Patients that got a set, and of those the ones that had another before."""

    placed: int
    moved: int


@dataclass(frozen=True)
class Choice:
    """How a split was asked for.

    Attributes:
        ratios: of train, val, test, as they were asked for.
        keep_together: pairs of images whose patients share a set; every later export holds to them.
        again: everybody was divided anew.
    """

    ratios: tuple[float, ...]
    seed: int = 0
    keep_together: tuple[tuple[str, str], ...] = ()
    again: bool = False


@dataclass(frozen=True)
class LastChoice:
    """The newest choice, who made it and when (Unix seconds)."""

    choice: Choice
    actor: str
    created: float


def use_split(
    connection: sa.Connection, division: Division, choice: Choice, *, actor: str, now: float
) -> Written:
    """Write the sets of a division. Who has a set stays in it, unless an adjudicator divided ``again``.

    Raises:
        StoreError: the actor may not, or the database changed since the division was made.
    """
    require_role(connection, actor, "adjudicator" if choice.again else "annotator")
    chosen = _of_patients(division)
    had = read_split(connection)
    _check_unchanged(chosen, had, _patients(connection), again=choice.again)
    placed = {patient: name for patient, name in chosen.items() if had.get(patient) != name}
    moved = {patient: had[patient] for patient in placed if patient in had}
    for some in _chunks(sorted(moved)):
        connection.execute(SPLIT.delete().where(SPLIT.c.patient_id.in_(some)))
    if placed:
        rows = [{"patient_id": patient, "split": name} for patient, name in sorted(placed.items())]
        connection.execute(SPLIT.insert(), rows)
    how = {
        "ratios": list(choice.ratios),
        "seed": choice.seed,
        "again": choice.again,
        "keep_together": [list(pair) for pair in choice.keep_together],
    }
    log(connection, actor, EVENT_KIND, now=now, old={"sets": moved}, new={**how, "sets": placed})
    return Written(len(placed), len(moved))


def read_split(connection: sa.Connection) -> dict[str, str]:
    """The set of every patient that has one."""
    rows = connection.execute(sa.select(SPLIT.c.patient_id, SPLIT.c.split))
    return {row.patient_id: row.split for row in rows}


def last_choice(connection: sa.Connection) -> LastChoice | None:
    """How the split was last made here; None where it came with the loaded tables, or there is none."""
    newest = sa.select(EVENT.c.new, EVENT.c.actor, EVENT.c.created).where(EVENT.c.kind == EVENT_KIND)
    row = connection.execute(newest.order_by(EVENT.c.id.desc()).limit(1)).one_or_none()
    if row is None:
        return None
    new: Mapping[str, list[list[str]]] = row.new
    pairs = tuple((left, right) for left, right in new["keep_together"])
    choice = Choice(tuple(row.new["ratios"]), row.new["seed"], pairs, row.new["again"])
    return LastChoice(choice, row.actor, row.created)


def _of_patients(division: Division) -> dict[str, str]:
    groups = zip(division.groups.patients, division.sets, strict=True)
    return {patient: SETS[chosen] for patients, chosen in groups for patient in patients}


def _patients(connection: sa.Connection) -> set[str]:
    return set(connection.scalars(sa.select(RECORD.c.patient_id).distinct()))


def _check_unchanged(
    chosen: Mapping[str, str], had: Mapping[str, str], patients: set[str], *, again: bool
) -> None:
    """The database as the division saw it: the same patients, and nobody got another set meanwhile."""
    if other := sorted(patients ^ set(chosen)):
        raise StoreError(
            f"patients were added or taken out since this division was made ({_some(other)}): look at it again"
        )
    moved = [] if again else sorted(p for p, name in chosen.items() if had.get(p, name) != name)
    if moved:
        raise StoreError(
            f"{len(moved):,} patients have another set by now ({_some(moved)}): look at the division again"
        )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def _chunks(names: Sequence[str], size: int = 500) -> Iterable[Sequence[str]]:
    return (names[start : start + size] for start in range(0, len(names), size))
