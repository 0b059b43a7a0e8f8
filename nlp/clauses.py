"""Clauses: the parts of a sentence that make a statement of their own.

A cue must not reach from one statement into the next: "No effusion is seen, and consolidation is present." Two finite verbs
mean two clauses; the second starts at a comma or an ``and`` between them. All positions are token numbers; ranges are half-open.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from nlp.entries import Cue, Lexicon, Term
from nlp.find import Found

COMMAS = frozenset(",-")
NEAR = 4
_LABEL_WIDTH = 8


class Grammar(NamedTuple):
    """The word classes of ``lexicon/words.csv`` that clauses and scopes are cut by."""

    predicate: frozenset[str]
    auxiliary: frozenset[str]
    preposition: frozenset[str]
    conjunction: frozenset[str]
    pronoun: frozenset[str]
    relative: frozenset[str]
    after_closing: frozenset[str]
    new_subject: frozenset[str]
    unnamed: frozenset[str]
    inside: frozenset[str]
    aside: frozenset[str]
    never_label: frozenset[str]


def grammar_of(lexicon: Lexicon) -> Grammar:
    """The single words of each class."""
    classes = lexicon.classes
    return Grammar(
        *(frozenset(p[0] for p in classes.get(name, ()) if len(p) == 1) for name in Grammar._fields)
    )


class Sentence:
    """A sentence as folded words, with the findings and cues in it, cut into clauses."""

    def __init__(
        self,
        grammar: Grammar,
        words: Sequence[str],
        mentions: Sequence[Found[Term]],
        cues: Sequence[Found[Cue]],
    ) -> None:
        self.grammar = grammar
        self.words = words
        self.mentions = mentions
        self.cues = cues
        self.breaks = self._breaks()

    def clause(self, position: int) -> tuple[int, int]:
        """The clause around a token."""
        following = bisect_right(self.breaks, position)
        low = self.breaks[following - 1] if following else 0
        return low, self.breaks[following] if following < len(self.breaks) else len(self.words)

    def has(self, words: frozenset[str], low: int, high: int) -> bool:
        """Whether a stretch holds a word of a class."""
        return not words.isdisjoint(self.words[low:high])

    def mention_in(self, low: int, high: int) -> bool:
        """Whether a finding is named in a stretch."""
        return any(low <= mention.start < high for mention in self.mentions)

    def opens_new_subject(self, low: int, high: int) -> bool:
        """Whether another subject begins: "... and the lesions were absorbed" says nothing of a named finding."""
        return low < high and self.words[low] in self.grammar.new_subject and not self.mention_in(low, high)

    def _breaks(self) -> list[int]:
        """Token numbers at which a clause starts."""
        breaks = {i + 1 for i, word in enumerate(self.words) if word == ";"} | self._label_ends()
        verbs = self._main_verbs()
        for first, second in pairwise(verbs):
            if not any(first < b <= second for b in breaks):
                cut = self._cut_between(first, second)
                if cut is not None:
                    breaks.add(cut)
        return sorted(breaks)

    def _label_ends(self) -> set[int]:
        """Ends of panel labels such as ``(A)`` or ``(a and b)``."""
        words = self.words
        ends: set[int] = set()
        for i, word in enumerate(words[:-2]):
            if word == "(" and len(words[i + 1]) == 1 and words[i + 1].isalpha():
                close = [j for j in range(i + 2, min(i + _LABEL_WIDTH, len(words))) if words[j] == ")"]
                ends.update(j + 1 for j in close[:1])
        return ends

    def _main_verbs(self) -> list[int]:
        """Positions of finite verbs outside of side clauses, one per verb group."""
        found: list[int] = []
        for i, word in enumerate(self.words):
            main = word in self.grammar.predicate and not self.has(self.grammar.pronoun, max(0, i - 2), i)
            if main and (not found or i - found[-1] > 2):
                found.append(i)
        return found

    def _cut_between(self, first: int, second: int) -> int | None:
        """Where the clause of the second verb starts: behind its comma, or at its ``and``.

        ``and`` between bare nouns belongs to their list; the cut is then at the ``and`` before.
        """
        words, grammar = self.words, self.grammar
        joined = grammar.conjunction | grammar.relative
        commas = [i for i in range(first + 1, second) if words[i] == "," and words[i + 1] not in joined]
        if commas:
            return commas[-1] + 1
        ands = [i for i in range(first + 1, second) if words[i] == "and"]
        while (
            len(ands) > 1
            and ands[-1] - ands[-2] <= NEAR
            and not self.has(grammar.preposition, ands[-2], ands[-1])
        ):
            ands.pop()
        return ands[-1] if ands else None
