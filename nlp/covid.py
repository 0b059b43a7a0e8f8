"""COVID: what a text says of this patient's COVID-19, never inferred from a lesion."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from nlp.entries import CovidTerm
from nlp.find import Found
from nlp.fold import Tokens
from nlp.schema import CovidState

NAMING = frozenset({"name", "control"})
"""Kinds that make a text one about COVID; a negative swab alone does not say of what."""


class CovidHit(NamedTuple):
    """A piece of COVID wording; characters of the sentence, later of the text."""

    kind: str
    start: int
    end: int
    term: str
    other_kinds: frozenset[str]


def covid_hits(tokens: Tokens, found: Sequence[Found[CovidTerm]]) -> list[CovidHit]:
    """The COVID wording of one sentence.

    A name of the disease is taken with the wording around it: "negative for COVID-19" is a denial, "COVID-19 pandemic"
    nothing. Wording that an ``ignore`` term touches is dropped.
    """
    found = [item for item in found if not any(_inside(item, other) for other in found)]
    ignored = [item for item in found if item.entry.kind == "ignore"]
    hits = []
    for item in _widest(found):
        if any(_overlap(item, other) for other in ignored):
            continue
        around = {
            o.entry.kind for o in found if o is not item and o.entry.kind != "name" and _overlap(o, item)
        }
        start, end = tokens.starts[item.start], tokens.ends[item.end - 1]
        hits.append(CovidHit(item.entry.kind, start, end, item.entry.term, frozenset(around)))
    return hits


def _inside(item: Found[CovidTerm], other: Found[CovidTerm]) -> bool:
    """Whether longer wording says more: "COVID-19 was suspected but excluded" is no suspicion. A name stays a name."""
    wider = (
        other.start <= item.start
        and item.end <= other.end
        and other.end - other.start > item.end - item.start
    )
    return (
        wider and item.entry.kind != "name" and other.entry.kind in ("ignore", "confirm", "suspect", "deny")
    )


def _overlap(one: Found[CovidTerm], other: Found[CovidTerm]) -> bool:
    return one.start < other.end and other.start < one.end


def _widest(found: Iterable[Found[CovidTerm]]) -> list[Found[CovidTerm]]:
    """One hit per kind and place: the longest."""
    chosen: list[Found[CovidTerm]] = []
    for item in sorted(found, key=lambda f: (f.start - f.end, f.start)):
        if not any(other.entry.kind == item.entry.kind and _overlap(other, item) for other in chosen):
            chosen.append(item)
    return sorted(chosen, key=lambda f: f.start)


def covid_state(own: Sequence[CovidHit], shared: Sequence[CovidHit]) -> CovidState:
    """The state from the wording of a record's own panel and of the text it shares with other panels."""
    hits = (*own, *shared)
    kinds = {hit.kind for hit in hits}
    named = [h for h in hits if h.kind == "name"]
    if own and any(h.kind == "control" for h in own) and not _named(own):
        return "control"
    if _other_disease_alone(own, shared):
        return "control"
    confirmed = any(h.kind == "confirm" and not h.other_kinds & {"deny", "suspect"} for h in hits)
    if any(h.kind == "confirm" for h in hits if _touches(h, named) and "deny" not in h.other_kinds):
        return "confirmed"
    if not named or "control" in kinds:
        return "control" if "control" in kinds else "unstated"
    denied = [h for h in named if "deny" in h.other_kinds and "suspect" not in h.other_kinds]
    if denied and ("other_disease" in kinds or len(denied) == len(named)):
        return "suspected" if "suspect" in kinds and "other_disease" not in kinds else "control"
    if confirmed:
        return "confirmed"
    if "suspect" in kinds:
        return "suspected"
    return "control" if denied else "confirmed"


def _touches(hit: CovidHit, named: Iterable[CovidHit]) -> bool:
    """Whether a piece of wording holds a name of the disease."""
    return any(hit.start < n.end and n.start < hit.end for n in named)


def _named(hits: Iterable[CovidHit]) -> bool:
    return any(h.kind in ("name", "confirm") for h in hits)


def _other_disease_alone(own: Sequence[CovidHit], shared: Sequence[CovidHit]) -> bool:
    """A panel that names another disease, in a figure that names COVID beside it."""
    other = any(h.kind == "other_disease" for h in own) and not _named(own)
    return other and any(h.kind == "other_disease" for h in shared) and _named(shared)
