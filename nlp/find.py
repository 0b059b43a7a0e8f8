"""Find: the lexicon's terms, cues and places in one sentence, by spaCy's matchers.

A sentence becomes a small spaCy ``Doc`` of folded words: lower case, singular, hyphens read through, glued words
split, misspellings mended by rapidfuzz. Every token remembers where it stands in the unaltered text. Words the lexicon does
not know all become one placeholder, so that the vocabulary, and with it memory, never grows.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from rapidfuzz import process
from rapidfuzz.distance import OSA
from spacy.matcher import PhraseMatcher
from spacy.tokens import Doc
from spacy.vocab import Vocab

from nlp.entries import Context, CovidTerm, Cue, Lexicon, Term
from nlp.normalise import SOFT_HYPHEN, TOKEN
from nlp.phrases import Phrase, gap_size, has_gap, is_gap

UNKNOWN = "_"
NUMBER = "#"
QUESTION = "questionmark"
PUNCTUATION = frozenset(",;:.()/+=-")

_CAMEL = re.compile(r"([A-Za-z]?[a-z]{2,})([A-Z]{2,}s?)")
_MIN_FUZZY = 6
_TWO_EDITS_FROM = 9
_MIN_GLUED = 11
_MIN_GLUE = 5
_FUNCTION_WORDS = ("preposition", "conjunction", "auxiliary", "new_subject")
_CACHE_LIMIT = 100_000

Entry = Term | Cue | Context | CovidTerm
_KINDS = [Term, Cue, Context, CovidTerm]
"""In the order of the lists in ``Matches``."""
_ALL = frozenset(range(len(_KINDS)))
_COVID_ONLY = frozenset({_KINDS.index(CovidTerm)})


class Part(NamedTuple):
    """One folded word inside a written one: its place there, and how alike the two are (0 to 100)."""

    word: str
    start: int
    end: int
    score: float


class Tokens(NamedTuple):
    """A sentence as folded words; ``starts`` and ``ends`` are characters of the sentence."""

    words: list[str]
    starts: list[int]
    ends: list[int]
    scores: dict[int, float]


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
    """Folds words and finds lexicon entries. Build once per process; not thread-safe."""

    def __init__(self, lexicon: Lexicon, vocab: Vocab) -> None:
        self.lexicon = lexicon
        self.vocab = vocab
        self.entries: dict[int, tuple[int, Entry]] = {}
        self.phrases = PhraseMatcher(vocab, attr="ORTH")
        negations = (c.cue for c in lexicon.cues if c.assertion == "negated" and c.direction == "forward")
        self.walls = frozenset(",;:().") | {cue for cue in negations if " " not in cue}
        self.patterns: dict[str, list[tuple[int, Entry, Pattern]]] = {}
        self.covid_patterns: dict[str, list[tuple[int, Entry, Pattern]]] = {}
        self._add_entries()
        report_terms = [term for term in lexicon.terms if term.kind == "report"]
        names = [term for term in lexicon.covid if term.kind in ("name", "control")]
        self.finding_anchors = anchors(
            phrase for term in report_terms for phrase in self.fold_phrases(term.phrases)
        )
        self.covid_anchors = anchors(phrase for term in names for phrase in self.fold_phrases(term.phrases))
        self.covid_words = anchors(
            phrase for term in lexicon.covid for phrase in self.fold_phrases(term.phrases)
        )
        fuzzy = _words(term for term in report_terms if term.fuzzy)
        glued_words = {
            written for written, means in lexicon.spellings.items() if means and fuzzy.issuperset(means)
        }
        self.fuzzy_words = frozenset(word for word in fuzzy | glued_words if len(word) >= _MIN_FUZZY)
        traps = (lexicon.never_fuzzy | lexicon.spellings.keys()) - self.fuzzy_words
        self.mendable = [
            *sorted(self.fuzzy_words),
            *sorted(word for word in traps if len(word) >= _MIN_FUZZY - 1),
        ]
        glue = {word for word in _words(report_terms) if len(word) >= _MIN_GLUE}
        glue |= {word for word in self.covid_anchors if len(word) >= _MIN_GLUE - 1}
        self._glued = re.compile("|".join(map(re.escape, sorted(glue, key=len, reverse=True))))
        self._folded: dict[str, tuple[Part, ...]] = {}
        self._whole: dict[str, str] = {}
        """What was folded before; words that fold to one word over their whole length apart, for speed."""

    def _add_entries(self) -> None:
        """Phrases go to the PhraseMatcher, a trie; phrases with gaps are indexed by their first word.

        spaCy's Matcher would do for the latter, but its set predicates alone took two thirds of all time.
        """
        lexicon = self.lexicon
        common = {p[0] for name in _FUNCTION_WORDS for p in lexicon.classes.get(name, ())}
        entries: Sequence[Entry] = (*lexicon.terms, *lexicon.cues, *lexicon.contexts, *lexicon.covid)
        for number, entry in enumerate(entries):
            kind = _KINDS.index(type(entry))
            folded = self.fold_phrases(entry.phrases)
            plain = [Doc(self.vocab, words=list(phrase)) for phrase in folded if not has_gap(phrase)]
            if plain:
                key = f"{type(entry).__name__}:{number}"
                self.entries[self.vocab.strings.add(key)] = (kind, entry)
                self.phrases.add(key, plain)
            for phrase in sorted(filter(has_gap, folded)):
                pattern = _pattern(phrase, common)
                for first in pattern.slots[0].words:
                    self.covid_patterns.setdefault(first, []).append((kind, entry, pattern))
                    if not isinstance(entry, CovidTerm):
                        self.patterns.setdefault(first, []).append((kind, entry, pattern))

    def fold_phrases(self, phrases: Iterable[Phrase]) -> set[Phrase]:
        """Phrases of the lexicon in the words that texts are folded to."""
        return {
            tuple("|".join(map(self._singular, slot.split("|"))) for slot in phrase) for phrase in phrases
        }

    def _singular(self, word: str) -> str:
        """The singular, where the lexicon has both forms."""
        return next((form for form in reversed(_singulars(word)) if form in self.lexicon.words), word)

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
        for key, start, end in self.phrases(Doc(self.vocab, words=words)):
            kind, entry = entries[key]
            if kind in kinds:
                lists[kind].append(Found(entry, start, end))
        present = set(words)
        index = self.covid_patterns if covid else self.patterns
        for first in sorted(present & index.keys()):
            for kind, entry, pattern in index[first]:
                if kind not in kinds or present.isdisjoint(pattern.gate):
                    continue
                for start, word in enumerate(words):
                    if word == first and (end := self._match(pattern, words, start)):
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
        mended = self._mend(word, length)
        if mended:
            return mended
        if len(word) >= _MIN_GLUED and len(word) == length:
            glued = self._unglue(word)
            if glued:
                return glued
        return (Part(word if len(word) == 1 else UNKNOWN, 0, length, 100),)

    def _known(self, word: str) -> Phrase | None:
        """The folded form of a word the lexicon knows, in singular or plural."""
        spellings, words = self.lexicon.spellings, self.lexicon.words
        for form in (word, *_singulars(word), f"{word}s", f"{word}es"):
            if form in spellings:
                return spellings[form]
            if form in words:
                return (self._singular(form),)
        return None

    def _unglue(self, word: str) -> tuple[Part, ...]:
        """Split words that were printed without blanks; short words are too often part of others."""
        hits = [(match.group(), match.start(), match.end()) for match in self._glued.finditer(word)]
        if not hits:
            return ()
        parts: list[Part] = []
        end = 0
        for hit, start, stop in hits:
            if start > end:
                parts.append(Part(UNKNOWN, end, start, 100))
            parts.extend(Part(p.word, start + p.start, start + p.end, 100) for p in self.fold(hit))
            end = stop
        if end < len(word):
            parts.append(Part(UNKNOWN, end, len(word), 100))
        return tuple(parts)

    def _mend(self, word: str, length: int) -> tuple[Part, ...]:
        """A misspelt word of a term, by edit distance; nothing where a word that must not be mended is nearer."""
        if len(word) < _MIN_FUZZY:
            return ()
        edits = 2 if len(word) >= _TWO_EDITS_FROM else 1
        for form in (word, *_singulars(word)):
            best = process.extractOne(form, self.mendable, scorer=OSA.distance, score_cutoff=edits)
            if best is None or best[0][0] != form[0]:
                continue
            if best[0] in self.fuzzy_words or best[0] in self.lexicon.spellings:
                score = round(100 * (1 - best[1] / max(len(form), len(best[0]))), 1)
                means = self.lexicon.spellings.get(best[0], (best[0],))
                return tuple(Part(part, 0, length, score) for part in means)
        return ()


def anchors(phrases: Iterable[Phrase]) -> frozenset[str]:
    """A small set of words such that every phrase holds at least one of them.

    A sentence without an anchor cannot hold a phrase: this is what makes the fast path exact.
    """
    chosen: set[str] = set()
    for phrase in sorted(set(phrases), key=lambda p: (len(p), p)):
        slots = [slot.split("|") for slot in phrase if not is_gap(slot)]
        if not any(chosen.issuperset(slot) for slot in slots):
            rarest = min(slots, key=lambda slot: (len(slot), -min(len(word) for word in slot)))
            chosen.update(rarest)
    return frozenset(chosen)


def _words(terms: Iterable[Term]) -> set[str]:
    """The words of some terms' phrases, without gaps."""
    slots = (slot for term in terms for phrase in term.phrases for slot in phrase if not is_gap(slot))
    return {word for slot in slots for word in slot.split("|")}


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


def _singulars(word: str) -> tuple[str, ...]:
    """Forms that the word may be the plural of."""
    if len(word) < 4 or not word.endswith("s") or word.endswith("ss"):
        return ()
    if word.endswith("ies"):
        return (word[:-3] + "y", word[:-1])
    return (word[:-1], word[:-2]) if word.endswith("es") else (word[:-1],)


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
