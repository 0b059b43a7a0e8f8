"""Signals: each reason for which a label of one record may be wrong, with a score from 0 to 1.

=====================  =====================================================================  ==========
kind                   what                                                                   score
=====================  =====================================================================  ==========
``readers``            annotators disagree, and nobody settled it                             0.9; 0.4 where one is uncertain
``text_people``        the text says 1 and people 0, or the reverse                           0.8; 0.6 of two or more; 0.3 settled
``same_caption``       people decided two records of one caption and panel differently        0.7
``near_identical``     nearly identical images have opposite labels                           0.9
``model_people``       the image model is sure of the opposite of what people say             its probability of that
``model_text``         the same of the text, where nobody decided yet                         0.8 × its probability of that
``panel``              the text has several panels or dates and no letter for this image      0.4
``covid``              the text contradicts the COVID column                                  0.4
``misspelt``           a word was taken for a term in spite of its spelling                   0.1 to 0.5
``uncertain``          the text is uncertain, and nobody decided yet                          0.25
=====================  =====================================================================  ==========

The image model is sure as in confident learning (Northcutt et al. 2021, doi:10.1613/jair.1.12125): where its
probability of the opposite is at least the mean one of the records that are labelled so. Its probabilities must be
of images it was not trained on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from annotate.judgements import NOBODY, Judgement
from nlp.schema import COVID

KINDS: Mapping[str, str] = {
    "readers": "readers disagree",
    "text_people": "text against people",
    "same_caption": "one caption, two answers",
    "near_identical": "nearly identical images",
    "model_people": "model against people",
    "model_text": "model against text",
    "panel": "panel unclear",
    "covid": "COVID column against text",
    "misspelt": "misspelt word",
    "uncertain": "text uncertain",
}
_FLAGS = {
    "ambiguous_panel": ("panel", 0.4, "the text has several panels or dates and no letter for this image"),
    "covid_conflict": ("covid", 0.4, "the text contradicts the COVID column"),
}
_ANSWERS = {"1": "present", "0": "absent", "-1": "uncertain", "": "nothing"}
_NUMBERS = {1: "one reader", 2: "both readers", 3: "three readers"}


@dataclass(frozen=True)
class Signal:
    """One reason: its kind, the finding (blank: the whole record), score, words, and the text's cell if it is part of it."""

    kind: str
    key: str
    score: float
    words: str
    text: str = ""


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
        words = ", ".join(f"{votes.count(cell)} say {_ANSWERS[cell]}" for cell in sorted(said))
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


def text_words(name: str, cell: str, mentions: Sequence[Mapping[str, Any]]) -> str:
    """What the text says of a finding, with the words that decided it."""
    verb = {"1": "text says", "0": "text negates", "-1": "text is uncertain of"}.get(
        cell, "text does not mention"
    )
    wanted = {"1": ("present",), "0": ("resolved", "negated"), "-1": ("uncertain",)}.get(cell, ())
    cue = next((str(each["cue"]) for each in mentions if each["assertion"] in wanted and each.get("cue")), "")
    return f"{verb} {name}" + (f" by “{cue}”" if cue else "")


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
