"""COVID: what a text says of this patient's COVID-19, never inferred from a lesion."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from nlp.find import Found, Tokens
from nlp.lexicon import CovidTerm
from nlp.schema import CovidState


class CovidHit(NamedTuple):
    """A piece of COVID wording; characters of the sentence, later of the text."""

    kind: str
    start: int
    end: int
    term: str
    other_kinds: frozenset[str]


def covid_hits(tokens: Tokens, found: Sequence[Found]) -> list[CovidHit]:
    """The COVID wording of one sentence.

    A name of the disease is taken with the wording around it: "negative for COVID-19" is a denial, "COVID-19 pandemic"
    nothing. Names that an ``ignore`` term covers are dropped.
    """
    items = [f for f in found if isinstance(f.entry, CovidTerm)]
    if not items:
        return []
    ignored = [f for f in items if f.entry.kind == "ignore"]  # type: ignore[union-attr]
    hits = []
    for item in _widest(items):
        kind = item.entry.kind  # type: ignore[union-attr]
        if kind == "ignore" or any(x.start < item.end and item.start < x.end for x in ignored):
            continue
        around = frozenset(
            o.entry.kind  # type: ignore[union-attr]
            for o in items
            if o is not item and o.entry.kind != "name" and o.start < item.end and item.start < o.end  # type: ignore[union-attr]
        )
        start, end = tokens.starts[item.start], tokens.ends[item.end - 1]
        hits.append(CovidHit(kind, start, end, item.entry.term, around))  # type: ignore[union-attr]
    return hits


def _widest(items: Iterable[Found]) -> list[Found]:
    """One hit per kind and place: the longest."""
    chosen: list[Found] = []
    for item in sorted(items, key=lambda f: (f.start - f.end, f.start)):
        kind = item.entry.kind  # type: ignore[union-attr]
        if not any(c.entry.kind == kind and c.start < item.end and item.start < c.end for c in chosen):  # type: ignore[union-attr]
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
