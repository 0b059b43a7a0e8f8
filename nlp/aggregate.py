"""Aggregate: from the mentions of a text to the states of a record.

A record that names its panel is labelled from that panel and the text all panels share. A record without a letter is labelled
from the union, and flagged where that may be wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from nlp.assertion import Mention
from nlp.covid import CovidHit, covid_state
from nlp.normalise import view
from nlp.panels import expand_letters
from nlp.schema import COVID, CovidState, State, record_state

_FIGURE_NUMBER = re.compile(r"\A\d+(?=[A-Z])")


class Reading(NamedTuple):
    """Everything read from one text. ``panels`` are the distinct letters; ``covid`` and ``mentions`` are of the whole text."""

    mentions: tuple[Mention, ...]
    hits: tuple[tuple[str, CovidHit], ...]
    panels: tuple[str, ...]
    times: int
    dropped: tuple[Mention, ...]

    @property
    def covid(self) -> CovidState:
        """COVID state of the whole text."""
        return of_panel(self, "").covid

    @property
    def ambiguous(self) -> bool:
        """Several panels or dates: a record without a letter cannot know which is its own."""
        return len(self.panels) > 1 or self.times > 1


class Record(NamedTuple):
    """What a text says of one record."""

    mentions: tuple[Mention, ...]
    covid: CovidState
    ambiguous: bool


EMPTY = Reading((), (), (), 0, ())


def of_panel(reading: Reading, panel: str) -> Record:
    """The part of a reading that is about one panel (blank: the record has no letter)."""
    if not panel and len(reading.panels) != 1:
        covid = _covid_of_all(reading) if reading.hits else "unstated"
        return Record(reading.mentions, covid, reading.ambiguous)
    wanted = _letters(panel)
    known = frozenset(_plain(letter) for letter in reading.panels)
    if not wanted:
        wanted = known
    if not wanted & known:
        return Record(reading.mentions, _covid_of_all(reading), reading.ambiguous)
    mentions = tuple(m for m in reading.mentions if not m.panel or wanted & _letters(m.panel))
    own = [hit for letters, hit in reading.hits if letters and wanted & _letters(letters)]
    shared = [hit for letters, hit in reading.hits if not letters]
    return Record(mentions, covid_state(own, shared), False)


def _covid_of_all(reading: Reading) -> CovidState:
    """The COVID state of a record that does not know its panel: unclear where the panels differ."""
    shared = [hit for letters, hit in reading.hits if not letters]
    said = set()
    for panel in reading.panels if len(reading.panels) > 1 else ():
        own = [hit for letters, hit in reading.hits if panel in letters.split(";")]
        said.add(covid_state(own, shared))
    if {"confirmed", "control"} <= said:
        return "suspected"
    return covid_state((), [hit for _, hit in reading.hits])


def states(mentions: Iterable[Mention], findings: Sequence[str]) -> dict[str, State]:
    """State per finding key.

    Mentions of ``covid19`` are ignored: that state comes from the wording as a whole.
    """
    seen: dict[str, list[str]] = {}
    for mention in mentions:
        if mention.finding != COVID:
            seen.setdefault(mention.finding, []).append(mention.assertion)
    return {key: record_state(seen[key]) if key in seen else "not_mentioned" for key in findings}


@lru_cache(maxsize=4096)
def _letters(panel: str) -> frozenset[str]:
    """Letters of a panel cell or label, in capitals and without the figure's number."""
    if not panel:
        return frozenset()
    panel = view(panel)
    named = {part.strip().upper() for part in panel.split(";")}
    expanded = expand_letters(panel).split(";") if len(panel) < 12 else ()
    return frozenset(_plain(letter) for letter in (*expanded, *named) if letter)


def _plain(letter: str) -> str:
    return _FIGURE_NUMBER.sub("", letter.upper())
