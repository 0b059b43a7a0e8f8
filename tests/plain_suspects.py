"""Suspects ranked record by record: slow, and plain to read. The quick ranking is compared with it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import sqlalchemy as sa

from annotate.judgements import NOBODY, Judgement, judgements
from annotate.store_tables import MENTION, PREDICTION, RECORD
from annotate.suspect_signals import _ANSWERS, _FLAGS, _NUMBERS, Signal
from annotate.suspects import _LEAST, Suspect, _in_words, finding_names
from nlp.schema import COVID

_TIED_TO_OTHERS = {"same_caption": 0.7, "near_identical": 0.9}


def rank_plainly(
    connection: sa.Connection,
    findings: Sequence[str],
    *,
    pairs: Iterable[tuple[str, str]] = (),
    annotator: str | None = None,
) -> list[Suspect]:
    """What ``rank_suspects`` finds."""
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
        if reasons and (score := 1 - math.prod(1 - signal.score for signal in reasons)) >= _LEAST
    ]
    ranked.sort(key=lambda suspect: (-suspect.score, suspect.record_id))
    ranked = [replace(each, signals=tuple(sorted(each.signals, key=lambda s: -s.score))) for each in ranked]
    return _in_words(connection, ranked, names)


@dataclass(frozen=True)
class Facts:
    """What is known of one record.

    Attributes:
        labels: cells of the text.
        probabilities: of the image model by key; empty: none.
        misspelt: (finding, likeness 0 to 100) of mentions that were found in spite of their spelling.
    """

    id: int
    image: str
    labels: Mapping[str, str]
    flags: str = ""
    people: Judgement = NOBODY
    probabilities: Mapping[str, float] = field(default_factory=dict)
    misspelt: Sequence[tuple[str, float]] = ()

    def cells(self, key: str) -> tuple[str, ...]:
        """The cells of people, different ones once."""
        if self.people is NOBODY:  # most records, and asked for each finding
            return ()
        return tuple(dict.fromkeys(self.people.cells(key)))

    def label(self, key: str) -> str:
        """The cell that stands: what people agree on, else the text's; blank where people disagree."""
        said = self.cells(key)
        return self.labels.get(key, "") if not said else said[0] if len(said) == 1 else ""


@dataclass(frozen=True)
class Sureness:
    """Mean probability of the model where the label is 1, and of its opposite where it is 0; None: no such label."""

    present: float | None
    absent: float | None


def sureness(facts: Sequence[Facts], key: str) -> Sureness:
    """How sure the image model is of a finding where the label says so."""
    known = [(each.label(key), each.probabilities[key]) for each in facts if key in each.probabilities]
    present = [p for cell, p in known if cell == "1"]
    absent = [1 - p for cell, p in known if cell == "0"]
    return Sureness(_mean(present), _mean(absent))


def signals(facts: Facts, sure: Mapping[str, Sureness], names: Mapping[str, str]) -> Iterator[Signal]:
    """Every signal of one record that needs no other record."""
    judged = facts.people is not NOBODY
    for key in names:
        yield from _of_people(facts, key)
        yield from _of_model(facts, key, sure.get(key))
        if not judged and facts.labels.get(key) == "-1":
            yield Signal("uncertain", key, 0.25, "and no decision is known", "-1")
    for flag in facts.flags.split(";"):
        if flag in _FLAGS and facts.people.settled is None:
            kind, score, words = _FLAGS[flag]
            yield Signal(kind, COVID if kind == "covid" else "", score if not judged else score / 2, words)
    for key, likeness in facts.misspelt if not judged else ():
        words = f"a word of the text is only {likeness:.0f} of 100 like the term"
        yield Signal("misspelt", key, min(0.5, max(0.1, (100 - likeness) / 50)), words)


def _of_people(facts: Facts, key: str) -> Iterator[Signal]:
    said = facts.cells(key)
    if facts.people.settled is None and len(said) > 1:
        votes = [labels.get(key, "") for labels in facts.people.readings.values()]
        words = ", ".join(
            f"{votes.count(cell)} say{'s' if votes.count(cell) == 1 else ''} {_ANSWERS[cell]}"
            for cell in sorted(said)
        )
        yield Signal("readers", key, 0.9 if {"0", "1"} <= set(said) else 0.4, f"readers disagree: {words}")
    text = facts.labels.get(key, "")
    if len(said) == 1 and {text, said[0]} == {"0", "1"}:
        count = len(facts.people.readings)
        who = (
            "the adjudicator" if facts.people.settled is not None else _NUMBERS.get(count, f"{count} readers")
        )
        score = 0.3 if facts.people.settled is not None else 0.8 if count == 1 else 0.6
        answer = "no" if said[0] == "0" else "yes"
        yield Signal(
            "text_people", key, score, f"{who} say{'s' if count == 1 or score == 0.3 else ''} {answer}", text
        )


def _of_model(facts: Facts, key: str, sure: Sureness | None) -> Iterator[Signal]:
    cell = facts.label(key)
    if sure is None or key not in facts.probabilities or cell not in ("0", "1"):
        return
    probability = facts.probabilities[key]
    opposite = probability if cell == "0" else 1 - probability
    needed = sure.present if cell == "0" else sure.absent
    if needed is None or opposite < max(needed, 0.5):
        return
    model = f"the image model gives {probability:.2f}"
    if facts.cells(key):
        yield Signal("model_people", key, opposite, f"people say {_ANSWERS[cell]}, {model}")
    else:
        yield Signal("model_text", key, 0.8 * opposite, model, cell)


def _facts(connection: sa.Connection, annotator: str | None) -> Iterator[Facts]:
    people = judgements(connection)
    if annotator is not None:
        own = {number: each.readings.get(annotator) for number, each in people.items()}
        people = {number: Judgement({annotator: labels}) for number, labels in own.items() if labels}
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
    columns = RECORD.c.id, RECORD.c.caption, RECORD.c.panel
    for number, caption, panel in connection.execute(sa.select(*columns).where(RECORD.c.id.in_(judged))):
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


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
