"""Narrow: which captions an edited lexicon may label differently, by the words in their sentences.

A caption is labelled as before unless one of its sentences holds a word that is folded differently, or all words
of a phrase that came, went or means something else, or a changed member of a list. A cue matters only beside a
finding. The tests compare with reading every caption.
"""

from __future__ import annotations

from collections.abc import Iterable

from annotate.rule_captions import Captions
from annotate.rule_effects import (
    Effects,
    changed_classes,
    changed_phrases,
    changed_pieces,
    meaning,
    reordered,
)
from nlp.phrases import Phrase, is_gap


def may_differ(captions: Captions, new: Effects) -> frozenset[int]:
    """The captions that the active and the new lexicon may label differently; all others are labelled alike."""
    old = captions.active
    if reordered(old, new):
        return frozenset(range(len(captions.texts)))
    places = _with_changed_phrases(captions, new)
    found: set[int] = set()
    if old.folding != new.folding:
        places |= {p for word, at in captions.places.items() if old.fold(word) != new.fold(word) for p in at}
    if old.folding != new.folding or old.lexicon.abbreviations != new.lexicon.abbreviations:
        found |= captions.unbroken
    contexts = {word for phrase, _ in _contexts(old) ^ _contexts(new) for word in phrase}
    for fragment, numbers in captions.fragments.items():
        before, after = old.fold(fragment), new.fold(fragment)
        if before != after or any(part.word in contexts for part in after):
            found |= numbers
    return frozenset(
        found | captions.holding(places) | _with_pieces(captions, changed_pieces(old.reader, new.reader))
    )


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


def _contexts(effects: Effects) -> set[tuple[Phrase, object]]:
    return {
        (phrase, meaning(entry)) for entry in effects.lexicon.contexts for phrase in effects.folded(entry)
    }
