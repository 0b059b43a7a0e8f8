"""Fold: the words of a text and of the lexicon in the one form that both are compared in.

Lower case, singular, hyphens read through, glued words split, misspellings mended (``nlp.mend``). Every token remembers
where it stands in the unaltered text. Words that the lexicon does not know all become one placeholder, so that the
vocabulary, and with it memory, never grows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from nlp.entries import Entry, Lexicon
from nlp.mend import UNKNOWN, Mender, Part, singulars
from nlp.normalise import SOFT_HYPHEN, TOKEN
from nlp.phrases import Phrase, anchors

NUMBER = "#"
QUESTION = "questionmark"
PUNCTUATION = frozenset(",;:.()/+=-")

_CAMEL = re.compile(r"([A-Za-z]?[a-z]{2,})([A-Z]{2,}s?)")
_CACHE_LIMIT = 100_000


class Tokens(NamedTuple):
    """A sentence as folded words; ``starts`` and ``ends`` are characters of the sentence."""

    words: list[str]
    starts: list[int]
    ends: list[int]
    scores: dict[int, float]


class Folder:
    """Folds words. Build once per process; not thread-safe.

    Attributes:
        finding_anchors: words of which every phrase that names a finding holds one; alike the COVID anchors.
        covid_words: words of which every COVID phrase holds one, those that name nothing by themselves included.
    """

    def __init__(self, lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        self._slots: dict[str, str] = {}
        self._phrases: dict[Entry, frozenset[Phrase]] = {}
        report_terms = [term for term in lexicon.terms if term.kind == "report"]
        self.finding_anchors = self._anchors(report_terms)
        self.covid_anchors = self._anchors(t for t in lexicon.covid if t.kind in ("name", "control"))
        self.covid_words = self._anchors(lexicon.covid)
        self.mender = Mender(lexicon, self.covid_anchors)
        self._folded: dict[str, tuple[Part, ...]] = {}
        self._whole: dict[str, str] = {}
        """What was folded before; words that fold to one word over their whole length apart, for speed."""

    # ---- the lexicon

    def phrases_of(self, entry: Entry) -> frozenset[Phrase]:
        """The phrases of an entry in the words that texts are folded to."""
        phrases = self._phrases.get(entry)
        if phrases is None:
            slots = self._slots
            for slot in {slot for phrase in entry.phrases for slot in phrase} - slots.keys():
                slots[slot] = "|".join(map(self.singular, slot.split("|")))
            folded = frozenset(tuple([slots[slot] for slot in phrase]) for phrase in entry.phrases)
            phrases = self._phrases[entry] = folded
        return phrases

    def _anchors(self, entries: Iterable[Entry]) -> frozenset[str]:
        return anchors(phrase for entry in entries for phrase in self.phrases_of(entry))

    def singular(self, word: str) -> str:
        """The singular, where the lexicon has both forms."""
        return next((form for form in reversed(singulars(word)) if form in self.lexicon.words), word)

    # ---- texts

    def tokens(self, text: str) -> Tokens:
        """Cut and fold a sentence (a view: see ``nlp.normalise``)."""
        matches = list(TOKEN.finditer(text))
        known = [self._whole.get(match.group()) for match in matches]
        if None not in known:
            places = [match.span() for match in matches]
            return Tokens(known, [start for start, _ in places], [end for _, end in places], {})  # type: ignore[arg-type]
        words: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        scores: dict[int, float] = {}
        for match, whole in zip(matches, known, strict=True):
            offset = match.start()
            if whole is not None:
                words.append(whole)
                starts.append(offset)
                ends.append(match.end())
                continue
            for word, start, end, score in self.fold(match.group()):
                if word == "-" and not _is_dash(text, offset):
                    continue
                if score < 100:
                    scores[len(words)] = score
                words.append(word)
                starts.append(offset + start)
                ends.append(offset + end)
        return Tokens(words, starts, ends, scores)

    def is_relevant(self, chunk: str, wanted: frozenset[str]) -> bool:
        """Whether a blank-separated piece of text holds one of the wanted words."""
        for raw in TOKEN.findall(chunk):
            for part in self.fold(raw):
                if part.word in wanted:
                    return True
        return False

    def fold(self, raw: str) -> tuple[Part, ...]:
        """The folded words inside one written word, from memory where possible."""
        parts = self._folded.get(raw)
        return self._remember(raw) if parts is None else parts

    def _remember(self, raw: str) -> tuple[Part, ...]:
        if len(self._folded) > _CACHE_LIMIT:
            self._folded.clear()
            self._whole.clear()
        parts = self._folded[raw] = self._fold(raw)
        if len(parts) == 1 and parts[0] == Part(parts[0].word, 0, len(raw), 100) and parts[0].word != "-":
            self._whole[raw] = parts[0].word
        return parts

    def _fold(self, raw: str) -> tuple[Part, ...]:
        length = len(raw)
        if not raw[0].isalpha():
            return _fold_mark(raw, self.lexicon.words)
        word = raw.lower().replace(SOFT_HYPHEN, "").split("'")[0]
        known = self._known(word)
        if known is not None:
            return _align(known, word, length)
        camel = _CAMEL.fullmatch(raw)
        if camel:
            first, second = camel.groups()
            moved = (
                part._replace(start=part.start + len(first), end=part.end + len(first))
                for part in self.fold(second)
            )
            return (*self.fold(first), *moved)
        mended = self.mender.mend(word, length)
        if mended:
            return mended
        glued = self.mender.unglue(word, self.fold) if len(word) == length else ()
        return glued or (Part(word if len(word) == 1 else UNKNOWN, 0, length, 100),)

    def _known(self, word: str) -> Phrase | None:
        """The folded form of a word the lexicon knows, in singular or plural."""
        spellings, words = self.lexicon.spellings, self.lexicon.words
        for form in (word, *singulars(word), f"{word}s", f"{word}es"):
            if form in spellings:
                return spellings[form]
            if form in words:
                return (self.singular(form),)
        return None


def _align(parts: Phrase, word: str, length: int) -> tuple[Part, ...]:
    """Place the folded words inside the written one: letter by letter where they spell it, else over all of it."""
    if len(parts) > 1 and len(word) == length and word.startswith("".join(parts)[:-1]):
        placed: list[Part] = []
        start = 0
        for number, part in enumerate(parts):
            end = length if number == len(parts) - 1 else start + len(part)
            placed.append(Part(part, start, end, 100))
            start = end
        return tuple(placed)
    return tuple(Part(part, 0, length, 100) for part in parts)


def _fold_mark(raw: str, words: frozenset[str]) -> tuple[Part, ...]:
    """Numbers and marks: kept where they matter, quotes and the like dropped."""
    if raw[0].isdigit():
        return (Part(raw if raw in words else NUMBER, 0, len(raw), 100),)
    if raw == "?":
        return (Part(QUESTION, 0, 1, 100),)
    if raw in PUNCTUATION:
        return (Part(raw, 0, 1, 100),)
    return () if raw in "\"'`*[]{}_" else (Part(UNKNOWN, 0, len(raw), 100),)


def _is_dash(text: str, position: int) -> bool:
    """A dash between words (blank or mark on both sides), unlike a hyphen inside one."""
    before = text[position - 1] if position else " "
    after = text[position + 1] if position + 1 < len(text) else " "
    return not before.isalnum() and not after.isalnum()
