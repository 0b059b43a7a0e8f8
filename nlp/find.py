"""Find: the lexicon's terms, cues and places in one sentence of folded words (``nlp.fold``), by spaCy's matcher."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from spacy.matcher import PhraseMatcher
from spacy.tokens import Doc
from spacy.vocab import Vocab

from nlp.entries import Context, CovidTerm, Cue, Entry, Lexicon, Term
from nlp.fold import Folder, Tokens
from nlp.phrases import Phrase, gap_size, has_gap, is_gap

_FUNCTION_WORDS = ("preposition", "conjunction", "auxiliary", "new_subject")
_KINDS = [Term, Cue, Context, CovidTerm]
"""In the order of the lists in ``Matches``."""
_ALL = frozenset(range(len(_KINDS)))
_COVID_ONLY = frozenset({_KINDS.index(CovidTerm)})
_PHRASE = "phrase"

E = TypeVar("E", bound=Entry)


class Found(NamedTuple, Generic[E]):
    """A lexicon entry at tokens ``start`` to ``end`` (half-open)."""

    entry: E
    start: int
    end: int


class Matches(NamedTuple):
    """Everything the lexicon knows in one sentence, by kind."""

    terms: list[Found[Term]]
    cues: list[Found[Cue]]
    places: list[Found[Context]]
    covid: list[Found[CovidTerm]]


class Slot(NamedTuple):
    """One word of a phrase with gaps, and how many words may stand before it."""

    words: frozenset[str]
    gap: int


class Pattern(NamedTuple):
    """A phrase with gaps; a sentence without a word of ``gate`` need not be tried."""

    slots: tuple[Slot, ...]
    gate: frozenset[str]


class Finder:
    """Finds lexicon entries. Build once per process; not thread-safe.

    Attributes:
        entries: the entries of each phrase without gaps, in the order of the lexicon.
        phrases: the same phrases as a trie; a sentence is walked through once.
        patterns: phrases with gaps by their first word, and with those of COVID ``covid_patterns``. spaCy's Matcher
            would do for them, but its set predicates alone took two thirds of all time.
        walls: words that no gap reaches across.
    """

    def __init__(self, folder: Folder, vocab: Vocab) -> None:
        self.folder = folder
        self.vocab = vocab
        self.entries: dict[Phrase, list[tuple[int, Entry]]] = {}
        self.phrases = PhraseMatcher(vocab, attr="ORTH")
        lexicon = folder.lexicon
        negations = (c.cue for c in lexicon.cues if c.assertion == "negated" and c.direction == "forward")
        self.walls = frozenset(",;:().") | {cue for cue in negations if " " not in cue}
        self.patterns: dict[str, list[tuple[int, Entry, Pattern]]] = {}
        self.covid_patterns: dict[str, list[tuple[int, Entry, Pattern]]] = {}
        self._add_entries(lexicon)

    def _add_entries(self, lexicon: Lexicon) -> None:
        common = {p[0] for name in _FUNCTION_WORDS for p in lexicon.classes.get(name, ())}
        for entry in lexicon.entries:
            kind = _KINDS.index(type(entry))
            gapped = []
            for phrase in self.folder.phrases_of(entry):
                if has_gap(phrase):
                    gapped.append(phrase)
                else:
                    self.entries.setdefault(phrase, []).append((kind, entry))
            for phrase in sorted(gapped):
                self._add_pattern(kind, entry, _pattern(phrase, common))
        # what spaCy itself hands over when it loads a matcher: a Doc for each phrase took a third of the time
        keys = {word: self.vocab.strings.add(word) for phrase in self.entries for word in phrase}
        hashed: Any = [[keys[word] for word in phrase] for phrase in self.entries]
        self.phrases.add(_PHRASE, hashed)

    def _add_pattern(self, kind: int, entry: Entry, pattern: Pattern) -> None:
        for first in pattern.slots[0].words:
            self.covid_patterns.setdefault(first, []).append((kind, entry, pattern))
            if not isinstance(entry, CovidTerm):
                self.patterns.setdefault(first, []).append((kind, entry, pattern))

    def find(self, tokens: Tokens, *, covid: bool, findings: bool = True) -> Matches:
        """Every lexicon entry in the sentence.

        Args:
            tokens: the sentence.
            covid: whether to try COVID phrases with gaps, too.
            findings: whether there may be findings; cues and places matter only to them.
        """
        words = tokens.words
        lists: tuple[list[Any], ...] = ([], [], [], [])
        kinds = _ALL if findings else _COVID_ONLY
        entries = self.entries
        for _, start, end in self.phrases(Doc(self.vocab, words=words)):
            for kind, entry in entries[tuple(words[start:end])]:
                if kind in kinds:
                    lists[kind].append(Found(entry, start, end))
        present = set(words)
        index = self.covid_patterns if covid else self.patterns
        for first in sorted(filter(index.__contains__, present)):
            starts = [place for place, word in enumerate(words) if word == first]
            for kind, entry, pattern in index[first]:
                if kind not in kinds or present.isdisjoint(pattern.gate):
                    continue
                for start in starts:
                    if end := self._match(pattern, words, start):
                        lists[kind].append(Found(entry, start, end))
        return Matches(*lists)

    def _match(self, pattern: Pattern, words: Sequence[str], start: int) -> int:
        """End of a phrase with gaps that starts here, or 0; a gap crosses neither punctuation nor a negation."""
        at = start
        for slot in pattern.slots[1:]:
            for step in range(at + 1, min(at + 2 + slot.gap, len(words))):
                if words[step] in slot.words:
                    at = step
                    break
                if words[step] in self.walls:
                    return 0
            else:
                return 0
        return at + 1


def _pattern(phrase: Phrase, common: Collection[str]) -> Pattern:
    """A phrase with gaps as slots; the gap belongs to the slot behind it."""
    slots = []
    gap = 0
    for slot in phrase:
        if is_gap(slot):
            gap = gap_size(slot)
        else:
            slots.append(Slot(frozenset(slot.split("|")), gap))
            gap = 0
    rare = [
        slot.words
        for slot in slots[1:]
        if slot.words.isdisjoint(common) and not any(map(str.isdigit, slot.words))
    ]
    return Pattern(tuple(slots), min(rare or [slots[-1].words], key=len))


def longest(found: Iterable[Found[E]]) -> list[Found[E]]:
    """Drop what overlaps something longer; the earlier wins among equals, and equal places all stay. Sorted by place."""
    chosen: list[Found[E]] = []
    taken: dict[int, tuple[int, int]] = {}
    for item in sorted(found, key=lambda f: (f.start - f.end, f.start)):
        place = (item.start, item.end)
        if all(taken.get(i, place) == place for i in range(item.start, item.end)):
            chosen.append(item)
            taken.update(dict.fromkeys(range(item.start, item.end), place))
    return sorted(chosen, key=lambda f: f.start)
