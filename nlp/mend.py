"""Mend: written words that the lexicon does not know but nearly does: misspelt ones, and several in one.

Misspellings are found by rapidfuzz's edit distance, with the traps of lookalikes in ``never_fuzzy.csv``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from rapidfuzz import process
from rapidfuzz.distance import OSA

from nlp.entries import Lexicon
from nlp.phrases import words_of

UNKNOWN = "_"
_MIN_FUZZY = 6
_TWO_EDITS_FROM = 9
_MIN_GLUED = 11
_MIN_GLUE = 5


class Part(NamedTuple):
    """One folded word inside a written one: its place there, and how alike the two are (0 to 100)."""

    word: str
    start: int
    end: int
    score: float


class Mender:
    """What can be mended, and from what.

    Args:
        lexicon: its terms are mended, where they allow it.
        covid_anchors: further words at which glued words are split (``nlp.fold``).
    """

    def __init__(self, lexicon: Lexicon, covid_anchors: frozenset[str]) -> None:
        self.spellings = lexicon.spellings
        terms = [term for term in lexicon.terms if term.kind == "report"]
        fuzzy = words_of(phrase for term in terms if term.fuzzy for phrase in term.phrases)
        glued = {w for w, means in lexicon.spellings.items() if means and fuzzy.issuperset(means)}
        self.fuzzy_words = frozenset(word for word in fuzzy | glued if len(word) >= _MIN_FUZZY)
        traps = (lexicon.never_fuzzy | lexicon.spellings.keys()) - self.fuzzy_words
        self.mendable = [
            *sorted(self.fuzzy_words),
            *sorted(word for word in traps if len(word) >= _MIN_FUZZY - 1),
        ]
        named = words_of(phrase for term in terms for phrase in term.phrases)
        glue = {word for word in named if len(word) >= _MIN_GLUE}
        glue |= {word for word in covid_anchors if len(word) >= _MIN_GLUE - 1}
        self._glued = re.compile("|".join(map(re.escape, sorted(glue, key=len, reverse=True))))

    def mend(self, word: str, length: int) -> tuple[Part, ...]:
        """A misspelt word of a term, by edit distance; nothing where a word that must not be mended is nearer."""
        if len(word) < _MIN_FUZZY:
            return ()
        edits = 2 if len(word) >= _TWO_EDITS_FROM else 1
        for form in (word, *singulars(word)):
            best = process.extractOne(form, self.mendable, scorer=OSA.distance, score_cutoff=edits)
            if best is None or best[0][0] != form[0]:
                continue
            if best[0] in self.fuzzy_words or best[0] in self.spellings:
                score = round(100 * (1 - best[1] / max(len(form), len(best[0]))), 1)
                means = self.spellings.get(best[0], (best[0],))
                return tuple(Part(part, 0, length, score) for part in means)
        return ()

    def unglue(self, word: str, fold: Callable[[str], tuple[Part, ...]]) -> tuple[Part, ...]:
        """Split words that were printed without blanks; short words are too often part of others.

        Args:
            fold: folds the words found inside.
        """
        if len(word) < _MIN_GLUED:
            return ()
        hits = [(match.group(), match.start(), match.end()) for match in self._glued.finditer(word)]
        if not hits:
            return ()
        parts: list[Part] = []
        end = 0
        for hit, start, stop in hits:
            if start > end:
                parts.append(Part(UNKNOWN, end, start, 100))
            parts.extend(Part(p.word, start + p.start, start + p.end, 100) for p in fold(hit))
            end = stop
        if end < len(word):
            parts.append(Part(UNKNOWN, end, len(word), 100))
        return tuple(parts)


def singulars(word: str) -> tuple[str, ...]:
    """Forms that the word may be the plural of."""
    if len(word) < 4 or not word.endswith("s") or word.endswith("ss"):
        return ()
    if word.endswith("ies"):
        return (word[:-3] + "y", word[:-1])
    return (word[:-1], word[:-2]) if word.endswith("es") else (word[:-1],)
