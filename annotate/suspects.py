"""Suspects: records whose labels may be wrong, ranked, each with its reasons in words.

A record's score is 1 − Π(1 − score of each signal): one strong reason or several weak ones bring it up, and it
stays between 0 and 1 (``annotate.suspect_signals`` lists the signals). Without predictions of an image model, text
and people are compared alone.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from annotate.judgements import NOBODY, judgements, own_judgements
from annotate.reread import portions
from annotate.store_tables import MENTION, PREDICTION, RECORD
from annotate.suspect_signals import KINDS, Facts, Signal, signals, sureness, text_words
from annotate.worklist import rank_suspects_first
from nlp.lexicon import load_lexicon
from nlp.schema import COVID

_LEAST = 0.2
"""Below, a record is no suspect."""
_TIED_TO_OTHERS = {"same_caption": 0.7, "near_identical": 0.9}


@dataclass(frozen=True)
class Suspect:
    """A record whose labels may be wrong.

    Attributes:
        score: 0 to 1, the higher the more suspect.
        signals: the reasons, strongest first; their words are complete sentences' parts.
        judged: a person has decided the record.
    """

    record_id: int
    image: str
    score: float
    signals: tuple[Signal, ...]
    judged: bool

    @property
    def reason(self) -> str:
        """All reasons in words."""
        return "; ".join(signal.words for signal in self.signals)

    def concerns(self, *, kind: str | None = None, key: str | None = None) -> bool:
        """Whether one of its reasons is of a kind and about a finding; None: any."""
        return any(kind in (None, each.kind) and key in (None, each.key) for each in self.signals)


def rank_suspects(
    connection: sa.Connection,
    findings: Sequence[str],
    *,
    pairs: Iterable[tuple[str, str]] = (),
    annotator: str | None = None,
) -> list[Suspect]:
    """The suspects, the worst first. Nothing is written.

    Args:
        pairs: images that are nearly identical, by name.
        annotator: only what she may know, so that readings stay independent: of people, her own; None: all.
    """
    facts = {each.id: each for each in _facts(connection, annotator)}
    names = finding_names(findings)
    sure = {key: sureness([*facts.values()], key) for key in names}
    found = {number: [*signals(each, sure, names)] for number, each in facts.items()}
    for number, signal in _same_caption(connection, facts, names):
        found[number].append(signal)
    for number, signal in _near_identical(facts, names, pairs):
        found[number].append(signal)
    ranked = [
        Suspect(number, facts[number].image, score, tuple(reasons), facts[number].people is not NOBODY)
        for number, reasons in found.items()
        if reasons and (score := _together(reasons)) >= _LEAST
    ]
    ranked.sort(key=lambda suspect: (-suspect.score, suspect.record_id))
    return _in_words(connection, ranked, names)


def apply_suspect_order(connection: sa.Connection, findings: Sequence[str]) -> int:
    """Let ``order="suspects"`` of the worklist follow the ranking as it is now; how many suspects there are.

    Args:
        connection: in a write transaction.
    """
    ranked = rank_suspects(connection, findings)
    rank_suspects_first(connection, {suspect.record_id: suspect.score for suspect in ranked})
    return len(ranked)


def finding_names(findings: Sequence[str]) -> dict[str, str]:
    """The keys of labels with their names in running text."""
    known = {finding.key: finding.name.lower() for finding in load_lexicon().findings}
    return {COVID: "COVID-19", **{key: known.get(key, key.replace("_", " ")) for key in findings}}


def _facts(connection: sa.Connection, annotator: str | None) -> Iterator[Facts]:
    people = judgements(connection) if annotator is None else own_judgements(connection, annotator)
    misspelt: dict[int, list[tuple[str, float]]] = defaultdict(list)
    fuzzy = MENTION.c.details["match"].as_string() == "fuzzy"
    columns = MENTION.c.record_id, MENTION.c.finding, MENTION.c.details
    for record, finding, details in connection.execute(sa.select(*columns).where(fuzzy)):
        misspelt[record].append((finding, float(details.get("score") or 0)))
    predicted = sa.select(PREDICTION.c.record_id, PREDICTION.c.probabilities)
    probabilities = {row[0]: row[1] for row in connection.execute(predicted)}
    records = sa.select(*(RECORD.c[name] for name in ("id", "image", "labels", "flags"))).order_by(
        RECORD.c.id
    )
    for number, image, labels, flags in connection.execute(records):
        given = probabilities.get(number, {})
        yield Facts(number, image, labels, flags, people.get(number, NOBODY), given, misspelt.get(number, ()))


def _same_caption(
    connection: sa.Connection, facts: Mapping[int, Facts], names: Mapping[str, str]
) -> Iterator[tuple[int, Signal]]:
    """Records of one caption and panel that people decided differently."""
    judged = [
        number
        for number, each in facts.items()  # without a letter, images of one caption may well differ
        if each.people is not NOBODY and "ambiguous_panel" not in each.flags.split(";")
    ]
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for some in portions(judged):
        columns = RECORD.c.id, RECORD.c.caption, RECORD.c.panel
        for number, caption, panel in connection.execute(sa.select(*columns).where(RECORD.c.id.in_(some))):
            if caption:
                groups[caption, panel].append(number)
    for group in groups.values():
        for key, name in names.items():
            cells = {number: facts[number].label(key) for number in group}
            if {"0", "1"} <= set(cells.values()):
                words = f"another image of the same caption was decided otherwise for {name}"
                for number in (each for each, cell in cells.items() if cell in ("0", "1")):
                    yield number, Signal("same_caption", key, _TIED_TO_OTHERS["same_caption"], words)


def _near_identical(
    facts: Mapping[int, Facts], names: Mapping[str, str], pairs: Iterable[tuple[str, str]]
) -> Iterator[tuple[int, Signal]]:
    by_image = {each.image: each for each in facts.values()}
    for pair in pairs:
        known = [by_image[image] for image in pair if image in by_image]
        for key, name in names.items() if len(known) == 2 else ():
            if {each.label(key) for each in known} == {"0", "1"}:
                for each, other in (known, reversed(known)):
                    words = f"nearly identical to {other.image}, which has the opposite label for {name}"
                    yield each.id, Signal("near_identical", key, _TIED_TO_OTHERS["near_identical"], words)


def _together(reasons: Sequence[Signal]) -> float:
    return 1 - math.prod(1 - signal.score for signal in reasons)


def _in_words(
    connection: sa.Connection, ranked: Sequence[Suspect], names: Mapping[str, str]
) -> list[Suspect]:
    """Reasons strongest first, and those about the text with the words that decided it."""
    told = [each.record_id for each in ranked if any(signal.text for signal in each.signals)]
    mentions: dict[tuple[int, str], list[dict[str, Any]]] = defaultdict(list)
    for some in portions(told):
        columns = (MENTION.c[name] for name in ("record_id", "finding", "assertion", "details"))
        query = sa.select(*columns).where(MENTION.c.record_id.in_(some)).order_by(MENTION.c.start)
        for record, finding, assertion, details in connection.execute(query):
            mentions[record, finding].append({"assertion": assertion, **details})

    def complete(suspect: Suspect, signal: Signal) -> Signal:
        name = names.get(signal.key, "")
        if signal.text:
            said = text_words(name, signal.text, mentions[suspect.record_id, signal.key])
            return replace(signal, words=f"{said}, {signal.words}")
        needs_name = name and name not in signal.words
        return replace(signal, words=f"{name}: {signal.words}") if needs_name else signal

    return [
        replace(
            suspect,
            signals=tuple(
                complete(suspect, each) for each in sorted(suspect.signals, key=lambda s: -s.score)
            ),
        )
        for suspect in ranked
    ]


__all__ = ["KINDS", "Suspect", "apply_suspect_order", "finding_names", "rank_suspects"]
