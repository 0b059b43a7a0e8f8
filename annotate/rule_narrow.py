"""Narrow: which captions an edited lexicon may label differently, by the words in their sentences.

A sentence says what it said before unless it holds a word that is folded differently, or all words of a phrase that
came, went or means something else, or a changed member of a list. A cue matters only beside a finding. Those sentences
are read again, and a caption is labelled as before unless one of its sentences says something else, or what is looked
for around a sentence changed: headings, panels, the words that tell the chest from other places. The tests compare
with reading every caption.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from annotate.rule_captions import Captions
from annotate.rule_effects import (
    Effects,
    changed_classes,
    changed_phrases,
    changed_pieces,
    reordered,
)
from nlp.phrases import Phrase, is_gap
from nlp.reader import Reader, SentenceReading


@dataclass(frozen=True, eq=False)
class Narrowed:
    """What an edited lexicon leaves to be read.

    Attributes:
        captions: those that may be labelled differently; all others are labelled alike.
        touched: those of which at least one sentence was read again; ``captions`` are among them.
        reader: the edited lexicon's, which knows the sentences of all captions already.
    """

    captions: frozenset[int]
    touched: frozenset[int]
    reader: Reader


def narrow(captions: Captions, new: Effects) -> Narrowed:
    """Read the sentences that an edited lexicon may read differently."""
    places, wholes = _affected(captions, new)
    sentences, before = captions.sentences, captions.readings
    read = {sentences[place]: new.reader.read_alone(sentences[place]) for place in places}
    differing = (
        place for place in places if _said(read[sentences[place]]) != _said(before[sentences[place]])
    )
    return Narrowed(
        captions=frozenset(wholes | captions.holding(differing)),
        touched=frozenset(wholes | captions.holding(places)),
        reader=new.reader.knowing({**before, **read}),
    )


def _said(reading: SentenceReading) -> tuple[object, ...]:
    """What of a sentence's reading reaches a label, or decides what is looked for around it: not which row found it."""
    return (
        [(*local.mention[:4], local.reported, local.unplaced) for local in reading.mentions],
        [(hit.kind, hit.start, hit.end, hit.other_kinds) for hit in reading.hits],
    )


def _affected(captions: Captions, new: Effects) -> tuple[set[int], set[int]]:
    """The sentences that may say something else, and captions of which more than the sentences may matter."""
    old = captions.active
    places = set(range(len(captions.sentences))) if reordered(old, new) else set()
    places |= _with_changed_phrases(captions, new)
    wholes: set[int] = set()
    around = old.around | new.around
    changed = {word for phrase in _changed_contexts(old, new) for word in phrase}
    wholes |= captions.holding(place for word in changed for place in captions.with_word(word))
    if old.folding != new.folding:
        for word, at in captions.places.items():
            before, after = old.fold(word), new.fold(word)
            if before != after:
                places.update(at)
                if any(part.word in around for part in (*before, *after)):
                    wholes |= captions.holding(at)
    if old.folding != new.folding or old.lexicon.abbreviations != new.lexicon.abbreviations:
        wholes |= captions.unbroken
    for fragment, numbers in captions.fragments.items():
        before, after = old.fold(fragment), new.fold(fragment)
        if before != after or any(part.word in changed for part in after):
            wholes |= numbers
    return places, wholes | _with_pieces(captions, changed_pieces(old.reader, new.reader))


def _with_changed_phrases(captions: Captions, new: Effects) -> set[int]:
    """The sentences that hold all words of a changed phrase, or a word of a changed class."""
    old = captions.active
    found: set[int] = set()
    known: dict[str, frozenset[int]] = {}
    for phrase, kinds in changed_phrases(old, new).items():
        places = _with_all(captions, phrase, known)
        found |= places & captions.naming if kinds == {"cue"} else places
    for word in changed_classes(old.reader, new.reader):
        found |= captions.with_word(word) & captions.naming
    for word in old.reader.finder.walls ^ new.reader.finder.walls:  # no phrase with gaps reaches across them
        found |= captions.with_word(word) & captions.telling
    return found


def _with_all(captions: Captions, phrase: Phrase, known: dict[str, frozenset[int]]) -> frozenset[int]:
    slots = [slot for slot in phrase if not is_gap(slot)]
    for slot in slots:
        if slot not in known:
            known[slot] = captions.with_word(slot)
    return frozenset.intersection(*sorted((known[slot] for slot in slots), key=len))


def _with_pieces(captions: Captions, pieces: Iterable[str]) -> set[int]:
    wanted = [" ".join(piece.lower().split()) for piece in pieces]
    texts = captions.plain if wanted else ()
    return {number for number, text in enumerate(texts) for piece in wanted if piece in text}


def _changed_contexts(old: Effects, new: Effects) -> Iterable[Phrase]:
    return {phrase for phrase, _ in old.contexts ^ new.contexts}
