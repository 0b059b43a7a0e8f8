"""The distinct captions, in which of their sentences each written word stands, and what each sentence says.

Built once per set of captions and active lexicon, so that an edit of the lexicon asks words, not captions, and what
it does not touch is not read again.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from annotate.rule_effects import Effects
from nlp.normalise import TOKEN, view
from nlp.reader import SentenceReading
from nlp.segment import sentences

_AROUND = 2_000
"""Characters around a mention that the reader looks at, and at which it cuts a sentence without blanks."""
_UNBROKEN = re.compile(rf"[^ ]{{{_AROUND // 2}}}")


@dataclass(frozen=True, eq=False)
class Captions:
    """The distinct captions, and where each written word stands.

    Attributes:
        active: the lexicon that the captions are cut into sentences with.
        texts: each distinct text once; it is named by its place here.
        records: ids of the records that have the text.
        holders: for each distinct sentence the captions it stands in.
        readings: what the active lexicon reads in each distinct sentence, in the order of ``holders``.
        places: written word → the sentences it stands in.
    """

    active: Effects
    texts: tuple[str, ...]
    records: tuple[tuple[int, ...], ...]
    holders: tuple[tuple[int, ...], ...]
    readings: Mapping[str, SentenceReading]
    places: Mapping[str, tuple[int, ...]]

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        """The distinct sentences; each is named by its place here."""
        return tuple(self.readings)

    @cached_property
    def written(self) -> Mapping[str, set[str]]:
        """Folded word → the written words that hold it."""
        found: dict[str, set[str]] = defaultdict(set)
        for word in self.places:
            for part in self.active.fold(word):
                found[part.word].add(word)
        return found

    @cached_property
    def naming(self) -> frozenset[int]:
        """The sentences that can name a finding."""
        anchors = self.active.reader.folder.finding_anchors
        return frozenset(place for anchor in anchors for place in self.with_word(anchor))

    @cached_property
    def telling(self) -> frozenset[int]:
        """The sentences that can name a finding or say something of COVID."""
        words = self.active.reader.folder.covid_words
        return self.naming.union(*map(self.with_word, words))

    @cached_property
    def fragments(self) -> Mapping[str, set[int]]:
        """Parts of written words that the reader comes to see where it looks around a mention → captions.

        It looks from the mention's ends, which may lie within a glued word, and so many characters far.
        """
        found: dict[str, set[int]] = defaultdict(set)
        for word, places in self.places.items():
            for part in parts if len(parts := self.active.fold(word)) > 1 else ():
                for fragment in TOKEN.findall(f"{word[: part.start]} {word[part.end :]}"):
                    found[fragment].update(self.holding(places))
        for number, text in enumerate(self.texts):
            if len(text) > _AROUND:
                for fragment in _at_edges(self.active, text):
                    found[fragment].add(number)
        return found

    @cached_property
    def plain(self) -> tuple[str, ...]:
        """The captions in lower case, with single blanks."""
        return tuple(" ".join(view(text).lower().split()) for text in self.texts)

    @cached_property
    def unbroken(self) -> frozenset[int]:
        """Captions with so few blanks that a sentence may be cut within a word."""
        return frozenset(number for number, text in enumerate(self.texts) if _UNBROKEN.search(text))

    def warm(self) -> None:
        """Work out now what the first question would wait for."""
        _ = (
            self.naming,
            self.fragments,
            self.active.ties,
            self.active.entries,
            self.active.folding,
            self.unbroken,
        )

    def holding(self, places: Iterable[int]) -> set[int]:
        """The captions that some sentences stand in."""
        return {number for place in places for number in self.holders[place]}

    def with_word(self, slot: str) -> frozenset[int]:
        """The sentences that hold a folded word, or one of several (``a|b``)."""
        written = (word for option in slot.split("|") for word in self.written.get(option, ()))
        return frozenset(place for word in written for place in self.places[word])

    def record_ids(self, numbers: Iterable[int]) -> list[int]:
        """The records of some captions, ascending."""
        return sorted(record for number in numbers for record in self.records[number])


def index_captions(captions: Iterable[tuple[int, str]], active: Effects) -> Captions:
    """Index captions by the words of their sentences.

    Args:
        captions: record id and text; blank texts are left out, since no lexicon reads anything in them.
    """
    records: dict[str, list[int]] = {}
    for record, text in captions:
        if text.strip():
            records.setdefault(text, []).append(record)
    holders: dict[str, list[int]] = {}
    for number, text in enumerate(records):
        shown = view(text)
        for start, end in sentences(shown, active.lexicon.abbreviations):
            holders.setdefault(shown[start:end], []).append(number)
    places: dict[str, list[int]] = {}
    for place, sentence in enumerate(holders):
        for word in set(TOKEN.findall(sentence)):
            places.setdefault(word, []).append(place)
    return Captions(
        active,
        tuple(records),
        tuple(map(tuple, records.values())),
        tuple(map(tuple, holders.values())),
        {sentence: active.reader.read_alone(sentence) for sentence in holders},
        {word: tuple(where) for word, where in places.items()},
    )


def _at_edges(active: Effects, text: str) -> Iterable[str]:
    """The words that are cut where the reader stops looking around a mention."""
    reading = active.reader.read_text(text)
    shown = view(text)
    for mention in (*reading.mentions, *reading.dropped):
        before = shown[max(0, mention.start - _AROUND) : mention.start]
        after = shown[mention.end : mention.end + _AROUND]
        yield from TOKEN.findall(before)[:1] + TOKEN.findall(after)[-1:]
