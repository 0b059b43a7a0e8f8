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
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from annotate.columns import ABSENT, CELLS, PRESENT, UNCERTAIN, Places
from annotate.suspect_facts import Facts, Floats, Mask, Texts
from nlp.schema import CELL_VALUES, COVID

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


@dataclass(frozen=True, eq=False)
class Signals:
    """Many signals as columns, all of the same length; ``place`` is that of the record, the others as in ``Signal``."""

    place: Places
    kind: Texts
    key: Texts
    score: Floats
    words: Texts
    text: Texts

    def __len__(self) -> int:
        return len(self.place)

    def take(self, places: Places | Mask) -> Signals:
        """Some of them."""
        return Signals(*(column[places] for column in self._columns()))

    def at(self, place: int) -> Signal:
        """One of them, as an object."""
        kind, key, score, words, text = (column[place] for column in self._columns()[1:])
        return Signal(kind, key, float(score), words, text)

    def _columns(self) -> list[NDArray[Any]]:
        return [getattr(self, each.name) for each in fields(self)]


def same_signals(
    place: Places, kind: str, key: object, score: object, words: object, text: object = ""
) -> Signals:
    """Signals of one kind; what is not given for each is the same for all."""
    shape = place.shape

    def column(values: object) -> Texts:
        return np.broadcast_to(np.asarray(values, dtype=object), shape)

    scores = np.broadcast_to(np.asarray(score, dtype=float), shape)
    return Signals(place, column(kind), column(key), scores, column(words), column(text))


def joined(parts: Sequence[Signals]) -> Signals:
    """All of them by record; those of one record stay in the order in which they are given."""
    whole = Signals(
        *(np.concatenate(columns) for columns in zip(*(part._columns() for part in parts), strict=True))
    )
    return whole.take(np.argsort(whole.place, kind="stable"))


def signals(facts: Facts) -> Iterator[Signals]:
    """Every signal that needs no other record."""
    answers, answer, labels, judged = facts.answers, facts.answer, facts.labels, facts.judged
    for column, key in enumerate(facts.keys):
        yield _of_readers(facts, column, np.flatnonzero(~facts.settled & (answers[:, column] > 1)))
        yield _of_text(facts, column, answer[:, column])
        yield from _of_model(facts, column, labels[:, column], answers[:, column] > 0)
        place = np.flatnonzero(~judged & (facts.text[:, column] == UNCERTAIN))
        yield same_signals(place, "uncertain", key, 0.25, "and no decision is known", "-1")
    yield from _of_flags(facts, judged)
    yield _of_spelling(facts, judged)


def sureness(facts: Facts, column: int) -> tuple[float | None, float | None]:
    """Mean probability of the model where the label is 1, and of its opposite where it is 0; None: no such label."""
    labels, probability = facts.labels[:, column], facts.probabilities[:, column]
    known = ~np.isnan(probability)
    return _mean(probability[known & (labels == PRESENT)]), _mean(1 - probability[known & (labels == ABSENT)])


def text_words(name: str, cell: str, mentions: Sequence[Mapping[str, Any]]) -> str:
    """What the text says of a finding, with the words that decided it."""
    verb = {"1": "text says", "0": "text negates", "-1": "text is uncertain of"}.get(
        cell, "text does not mention"
    )
    wanted = {"1": ("present",), "0": ("resolved", "negated"), "-1": ("uncertain",)}.get(cell, ())
    cue = next((str(each["cue"]) for each in mentions if each["assertion"] in wanted and each.get("cue")), "")
    return f"{verb} {name}" + (f" by “{cue}”" if cue else "")


def _of_readers(facts: Facts, column: int, place: Places) -> Signals:
    votes = facts.votes[place, column]
    patterns, which = np.unique(votes, axis=0, return_inverse=True)
    words = [_votes_in_words(pattern.tolist()) for pattern in patterns]
    both = (votes[:, PRESENT] > 0) & (votes[:, ABSENT] > 0)
    said = _chosen(words, which.reshape(-1))
    return same_signals(place, "readers", facts.keys[column], np.where(both, 0.9, 0.4), said)


def _votes_in_words(votes: Sequence[int]) -> str:
    said = sorted((cell, count) for cell, count in zip(CELL_VALUES, votes, strict=True) if count)
    return "readers disagree: " + ", ".join(
        f"{count} {'says' if count == 1 else 'say'} {_ANSWERS[cell]}" for cell, count in said
    )


def _of_text(facts: Facts, column: int, answer: NDArray[np.int8]) -> Signals:
    text = facts.text[:, column]
    opposite = (text == PRESENT) & (answer == ABSENT) | (text == ABSENT) & (answer == PRESENT)
    place = np.flatnonzero(opposite)
    who = np.column_stack([facts.settled[place], facts.readers[place], answer[place]])
    patterns, which = np.unique(who, axis=0, return_inverse=True)
    told = [_against_text(bool(settled), count, code) for settled, count, code in patterns.tolist()]
    which = which.reshape(-1)
    score = np.array([score for score, _ in told])[which] if told else np.empty(0)
    words = _chosen([words for _, words in told], which)
    return same_signals(place, "text_people", facts.keys[column], score, words, CELLS[text[place]])


def _against_text(settled: bool, count: int, answer: int) -> tuple[float, str]:
    who = "the adjudicator" if settled else _NUMBERS.get(count, f"{count} readers")
    verb = "says" if settled or count == 1 else "say"
    score = 0.3 if settled else 0.8 if count == 1 else 0.6
    return score, f"{who} {verb} {'no' if answer == ABSENT else 'yes'}"


def _of_model(facts: Facts, column: int, labels: NDArray[np.int8], by_people: Mask) -> Iterator[Signals]:
    present, absent = (np.inf if mean is None else mean for mean in sureness(facts, column))
    probability = facts.probabilities[:, column]
    opposite = np.where(labels == ABSENT, probability, 1 - probability)
    needed = np.maximum(np.where(labels == ABSENT, present, absent), 0.5)
    sure = ((labels == ABSENT) | (labels == PRESENT)) & (opposite >= needed)  # never with NaN
    for kind, weight, here in (("model_people", 1.0, by_people), ("model_text", 0.8, ~by_people)):
        place = np.flatnonzero(sure & here)
        words = [f"the image model gives {each:.2f}" for each in probability[place]]
        cells = CELLS[labels[place]]
        if kind == "model_people":
            words = [f"people say {_ANSWERS[cell]}, {said}" for cell, said in zip(cells, words, strict=True)]
        text = cells if kind == "model_text" else ""
        yield same_signals(place, kind, facts.keys[column], weight * opposite[place], words, text)


def _of_flags(facts: Facts, judged: Mask) -> Iterator[Signals]:
    which, patterns = pd.factorize(facts.flags)
    for number, pattern in enumerate(patterns):
        for flag in pattern.split(";"):
            if flag in _FLAGS:
                kind, score, words = _FLAGS[flag]
                place = np.flatnonzero((which == number) & ~facts.settled)
                scores = np.where(judged[place], score / 2, score)
                yield same_signals(place, kind, COVID if kind == "covid" else "", scores, words)


def _of_spelling(facts: Facts, judged: Mask) -> Signals:
    place, keys, likeness = (facts.misspelt[name].to_numpy() for name in ("place", "key", "likeness"))
    kept = ~judged[place.astype(np.intp)]
    likeness = likeness[kept].astype(float)
    words = [f"a word of the text is only {each:.0f} of 100 like the term" for each in likeness]
    scores = np.clip((100 - likeness) / 50, 0.1, 0.5)
    return same_signals(
        place[kept].astype(np.intp), "misspelt", np.asarray(keys, object)[kept], scores, words
    )


def _chosen(words: Sequence[str], which: Places) -> Texts:
    """The words of each pattern, for each record."""
    chosen: Texts = np.array(words, dtype=object)[which] if words else np.empty(0, object)
    return chosen


def _mean(values: Floats) -> float | None:
    return sum(values.tolist()) / len(values) if len(values) else None
