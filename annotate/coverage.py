"""What each set of a division holds, against what it should hold: the numbers behind the bars of the split page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from annotate.balance import counts
from annotate.groups import CLASSES, SETS
from annotate.split import Division
from nlp.entries import Finding

CLASS_NAMES: Mapping[str, str] = dict(zip(CLASSES, ("COVID-19", "controls", "neither"), strict=True))


@dataclass(frozen=True)
class Held:
    """What one set holds of one amount.

    Attributes:
        low: the target rounded down, ``high`` rounded up; both 0 for a set that is left out.
        word: "" where the number is the target, else "missing" (and needed), "below", "above" or "left out".
    """

    name: str
    number: int
    target: float
    low: int
    high: int
    word: str


@dataclass(frozen=True)
class Amount:
    """One row of the page: patients or images of a class, records with a finding, records of a source.

    Attributes:
        kind: patients, records, finding or source (of ``annotate.groups``).
        colour: of the finding, else "".
        groups: groups of patients that have any of it; fewer than sets, and one set must lack it.
        reason: why a set lacks what it should have, or "".
    """

    kind: str
    name: str
    title: str
    colour: str
    total: int
    groups: int
    sets: tuple[Held, ...]
    reason: str


def coverage(division: Division, findings: Sequence[Finding]) -> tuple[Amount, ...]:
    """Every amount that the search divides, in its order, with what each set got of it."""
    return tuple(_amounts(division, {finding.key: finding for finding in findings}))


def _amounts(division: Division, findings: Mapping[str, Finding]) -> Iterator[Amount]:
    amounts = division.groups.amounts
    in_sets = counts(amounts, division.sets, len(SETS))
    goal = amounts.goal(division.ratios)
    low, high = goal.targets
    for row, (kind, name) in enumerate(division.groups.labels):
        total = int(goal.totals[row])
        covered = bool(amounts.covered[row])
        sets = tuple(
            Held(
                name=chosen,
                number=(number := int(in_sets[row, place])),
                target=total * ratio,
                low=(least := int(low[row, place])),
                high=(most := int(high[row, place])),
                word=_word(number, least, most, ratio, covered),
            )
            for place, (chosen, ratio) in enumerate(zip(SETS, division.ratios, strict=True))
        )
        finding = findings.get(name) if kind == "finding" else None
        holders = int((amounts.values[:, row] > 0).sum())
        missing = covered and any(held.word == "missing" for held in sets)
        yield Amount(
            kind=kind,
            name=name,
            title=_title(kind, name, finding),
            colour=finding.colour if finding else "",
            total=total,
            groups=holders,
            sets=sets,
            reason=_reason(holders, division) if missing else "",
        )


def _word(number: int, low: int, high: int, ratio: float, covered: bool) -> str:
    if ratio == 0:
        return "left out" if number else ""
    if number == 0 and (covered or low > 0):
        return "missing"
    return "below" if number < low else "above" if number > high else ""


def _title(kind: str, name: str, finding: Finding | None) -> str:
    if finding:
        return finding.name
    return (
        name if kind == "source" else f"{'Patients' if kind == 'patients' else 'Images'}, {CLASS_NAMES[name]}"
    )


def _reason(holders: int, division: Division) -> str:
    sets = sum(ratio > 0 for ratio in division.ratios)
    if holders < sets:
        have = "patient has" if holders == 1 else "patients have"
        return f"only {holders} {have} it: it cannot be in all {sets} sets"
    if division.kept:
        return f"{holders} patients have it, but earlier splits stay as they are"
    return f"{holders} patients have it, but they hold other rare findings too"
