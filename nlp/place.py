"""Place: where in the text, and where in the chest, a mention stands.

A sentence is read by itself, so that equal sentences are read once. Here its mentions get what only the sentence's surroundings tell:
offsets into the whole text, panel, section, and the modality named last before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import NamedTuple

from nlp.assertion import Decision, Mention
from nlp.covid import CovidHit
from nlp.entries import Context
from nlp.find import Found
from nlp.fold import Tokens
from nlp.panels import Panel
from nlp.schema import COVID, Assertion
from nlp.segment import Heading

_COVID_ASSERTION: dict[str, Assertion] = {
    "name": "present",
    "confirm": "present",
    "suspect": "uncertain",
    "deny": "negated",
    "control": "negated",
}


class LocalMention(NamedTuple):
    """A mention in characters of its sentence; ``unplaced``: nothing in the sentence says that it is in the chest."""

    mention: Mention
    reported: bool
    unplaced: bool


def local_mention(
    sentence: str,
    tokens: Tokens,
    places: Sequence[Found[Context]],
    decision: Decision,
    clause: tuple[int, int],
) -> LocalMention:
    """A decision as a mention of its sentence, with modality, laterality and lobes as far as the sentence says."""
    term, cue = decision.term, decision.cue
    start, end = tokens.starts[term.start], tokens.ends[term.end - 1]
    scores = [score for i, score in tokens.scores.items() if term.start <= i < term.end]
    cue_start, cue_end = (tokens.starts[cue.start], tokens.ends[cue.end - 1]) if cue else (None, None)
    scoped = cue is not None and cue.low < cue.high
    low, high = clause
    beside = sorted((p for p in places if low <= p.start < high), key=attrgetter("start"))
    mention = Mention(  # by position, as in ``move``: naming the columns takes as long as all else here
        term.entry.finding,
        decision.assertion or "present",
        start,
        end,
        sentence[start:end],
        "",
        "",
        _modality(places, term.start),
        _laterality(beside),
        ";".join(dict.fromkeys(p.entry.value for p in beside if p.entry.kind == "lobe")),
        term.entry.term,
        decision.rule,
        sentence[cue_start:cue_end] if cue else "",
        cue_start,
        cue_end,
        "fuzzy" if scores else "exact",
        min(scores, default=100.0),
        tokens.starts[cue.low] if cue and scoped else None,
        tokens.ends[cue.high - 1] if cue and scoped else None,
    )
    in_chest = any(p.entry.kind == "chest" and not term.start <= p.start < term.end for p in places)
    return LocalMention(mention, decision.assertion is not None, term.entry.chest and not in_chest)


def _modality(places: Sequence[Found[Context]], position: int) -> str:
    """The last modality before the mention, else the first one behind it."""
    named = [p for p in places if p.entry.kind == "modality"]
    before = [p.entry.value for p in named if p.end <= position]
    return before[-1] if before else (named[0].entry.value if named else "")


def _laterality(beside: Sequence[Found[Context]]) -> str:
    sides = {p.entry.value for p in beside if p.entry.kind == "laterality"}
    return "bilateral" if len(sides) > 1 else next(iter(sides), "")


def move(text: str, local: Mention, offset: int, panel: str, section: str, modality: str) -> Mention:
    """A mention of a sentence at its place in the text."""
    start, end = local.start + offset, local.end + offset
    cue_start = None if local.cue_start is None else local.cue_start + offset
    cue_end = None if local.cue_end is None else local.cue_end + offset
    return Mention(
        local.finding,
        local.assertion,
        start,
        end,
        text[start:end],
        panel,
        section,
        local.modality or modality,
        local.laterality,
        local.lobe,
        local.term,
        local.rule,
        "" if cue_start is None else text[cue_start:cue_end],
        cue_start,
        cue_end,
        local.match,
        local.score,
        None if local.scope_start is None else local.scope_start + offset,
        None if local.scope_end is None else local.scope_end + offset,
    )


def section_at(sections: Sequence[Heading], position: int) -> Heading | None:
    """The section a character stands in."""
    return next((heading for heading in reversed(sections) if heading.start <= position), None)


def panel_at(stretches: Sequence[Panel], position: int, *, of_patient: bool = False) -> str:
    """The letters of the panel a character belongs to; who the patient is may be said for all panels at once."""
    return next(
        (s.letters for s in stretches if s.start <= position < s.end and not (of_patient and s.subject)), ""
    )


def covid_mentions(text: str, hits: Sequence[tuple[str, CovidHit]]) -> list[Mention]:
    """The COVID wording as mentions; overlapping pieces become one, of the kind that says more than a name."""
    chosen: list[tuple[str, CovidHit]] = []
    for panel, hit in sorted(hits, key=lambda h: (h[1].kind == "name", h[1].start - h[1].end, h[1].start)):
        if hit.kind in _COVID_ASSERTION:
            _merge(chosen, panel, hit)
    return [_covid_mention(text, panel, hit) for panel, hit in chosen]


def _merge(chosen: list[tuple[str, CovidHit]], panel: str, hit: CovidHit) -> None:
    """Add a piece, or widen the one that it overlaps."""
    for number, (other_panel, other) in enumerate(chosen):
        if other.start < hit.end and hit.start < other.end:
            wide = other._replace(start=min(other.start, hit.start), end=max(other.end, hit.end))
            chosen[number] = (other_panel, wide)
            return
    chosen.append((panel, hit))


def _covid_mention(text: str, panel: str, hit: CovidHit) -> Mention:
    return Mention(
        finding=COVID,
        assertion=_COVID_ASSERTION[hit.kind],
        start=hit.start,
        end=hit.end,
        text=text[hit.start : hit.end],
        panel=panel,
        section="",
        modality="",
        laterality="",
        lobe="",
        term=hit.term,
        rule=f"covid_{hit.kind}",
        cue="",
        cue_start=None,
        cue_end=None,
        match="exact",
        score=100.0,
        scope_start=None,
        scope_end=None,
    )
