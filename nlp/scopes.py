"""Scopes: which words of a sentence a cue speaks of.

A cue before its finding ("no", "possible") reaches to the right through a list; a cue after it ("was not observed") walks back
through lists and side remarks, but not past another subject. All positions are token numbers; ranges are half-open.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from nlp.clauses import COMMAS, NEAR, Sentence
from nlp.entries import Cue
from nlp.find import Found

_ANSWER_MARKS = frozenset(":=-(")
_AFTER_ANSWER = frozenset(".,;()-") | {"and"}


class Scope(NamedTuple):
    """A cue at ``start`` to ``end`` and the words ``low`` to ``high`` that it covers."""

    cue: Cue
    start: int
    end: int
    low: int
    high: int


def scopes(sentence: Sentence, found: Found[Cue]) -> Iterator[Scope]:
    """The scopes of a cue, one for each direction that applies here."""
    cue, start, end = found
    if cue.kind in ("pseudo", "terminate"):
        return
    if cue.direction in ("forward", "both"):
        yield Scope(cue, start, end, end, forward_end(sentence, found))
    if cue.direction in ("backward", "both") or (cue.direction == "closing" and _closes(sentence, end)):
        yield Scope(cue, start, end, backward_start(sentence, found), start)
    if cue.direction == "answer" and _is_answer(sentence, found):
        yield Scope(cue, start, end, _answer_start(sentence, found), start)


# ---- to the right


def forward_end(sentence: Sentence, found: Found[Cue]) -> int:
    """End of a scope to the right: clause, terminator, bracket, the cue's own verb, the end of the list, its reach."""
    cue = found.entry
    end = sentence.clause(found.end - 1)[1]
    end = _before_terminator(sentence, found.end, end)
    end = _inside_bracket(sentence, found.end, end)
    if cue.assertion == "negated":
        end = _before_own_verb(sentence, found.end, end)
    if cue.assertion in ("negated", "resolved") or cue.reach:
        end = _end_of_list(sentence, found, end)
    return min(end, found.end + cue.reach) if cue.reach else end


def _before_terminator(sentence: Sentence, low: int, high: int) -> int:
    for other in sentence.cues:
        if other.entry.kind == "terminate" and other.start >= low:
            if sentence.words[other.start] == "and" and _lists_finding(sentence, other.end, high):
                continue
            return min(high, other.start)
    return high


def _lists_finding(sentence: Sentence, low: int, high: int) -> bool:
    """Whether a list goes on: "and the consolidation" does, unless a verb makes it a new statement."""
    verb = sentence.has(sentence.grammar.predicate, low, high)
    return not verb and sentence.mention_in(low, min(low + NEAR, high))


def _inside_bracket(sentence: Sentence, low: int, high: int) -> int:
    """A cue in brackets, or before a colon, does not reach past it."""
    depth = 0
    for i in range(low, high):
        word = sentence.words[i]
        depth += (word == "(") - (word == ")")
        if depth < 0 or (word == ":" and i > low):
            return i
    return high


def _before_own_verb(sentence: Sentence, low: int, high: int) -> int:
    """In "no air bronchogram is seen in the consolidation" the negation ends at its verb."""
    words, grammar = sentence.words, sentence.grammar
    while low < high and words[low] in grammar.auxiliary:
        low += 1
    return next((i for i in range(low, high) if words[i] in grammar.predicate), high)


def _end_of_list(sentence: Sentence, found: Found[Cue], high: int) -> int:
    """The comma at which the list after a cue ends and another statement begins.

    A comma goes on with the list when a conjunction closes it further on, or when nothing but bare nouns follow.
    """
    words, grammar = sentence.words, sentence.grammar
    low = sentence.clause(found.start)[0]
    opening = words[low : found.start]
    aside = grammar.aside.issuperset(opening) if opening else words[low] == "without"
    for comma in (i for i in range(found.end, high) if words[i] in COMMAS):
        closed = sentence.has(grammar.conjunction, comma + 1, high)
        bare = not sentence.has(grammar.preposition | grammar.predicate, comma + 1, high)
        or_follows = "or" in words[comma + 1 : high]
        was_closed = "or" in words[found.end : comma] and not or_follows
        hedge_ends = found.entry.reach and not or_follows
        if aside or was_closed or hedge_ends or not (closed or bare):
            return comma
    return high


# ---- to the left


def backward_start(sentence: Sentence, found: Found[Cue]) -> int:
    """Start of a scope to the left: clause, terminator, reach, bracket, or the comma of another statement."""
    words, grammar = sentence.words, sentence.grammar
    low = sentence.clause(found.start)[0]
    for other in sentence.cues:
        if (
            other.entry.kind == "terminate"
            and other.entry.direction != "forward"
            and other.end <= found.start
        ):
            low = max(low, other.end)
    if found.entry.reach:
        low = max(low, found.start - found.entry.reach)
    low = max(low, _open_bracket(sentence, low, found.start))
    start = found.start
    while start > low and words[start - 1] in grammar.auxiliary:
        start -= 1
    if start == found.start and words[start] not in grammar.auxiliary:
        low = max(low, _last_item(sentence, low, start))
    return _walk_back(sentence, low, start)


def _open_bracket(sentence: Sentence, low: int, high: int) -> int:
    """Just behind a bracket that is still open, else ``low``."""
    depth = 0
    for i in range(high - 1, low - 1, -1):
        depth += (sentence.words[i] == ")") - (sentence.words[i] == "(")
        if depth < 0:
            return i + 1
    return low


def _last_item(sentence: Sentence, low: int, high: int) -> int:
    """Start of the last item: "Crazy paving, consolidation absent" denies only that, as no conjunction closes a list."""
    comma = max((i for i in range(low, high) if sentence.words[i] == ","), default=high)
    listed = sentence.has(sentence.grammar.conjunction, comma + 1, high)
    return comma + 1 if sentence.mention_in(comma + 1, high) and not listed else low


def _walk_back(sentence: Sentence, low: int, high: int) -> int:
    """Walk from a cue back over commas as long as they join a list or a side remark."""
    words = sentence.words
    end = high
    for i in range(high - 1, low - 1, -1):
        apart = words[i - 1] in COMMAS or sentence.has(sentence.grammar.unnamed, i, high)
        if words[i] == "and" and apart and sentence.opens_new_subject(i + 1, high):
            return i + 1
        if words[i] in COMMAS:
            if i + 1 < end and not _continues(sentence, low, i, end):
                return i + 1
            end = i
    return low


def _continues(sentence: Sentence, low: int, comma: int, end: int) -> bool:
    """Whether what stands before a comma still belongs to the cue behind it."""
    words, grammar = sentence.words, sentence.grammar
    first = words[comma + 1]
    if sentence.opens_new_subject(comma + 1 + (first == "and"), end):
        return False
    if first in grammar.conjunction or first in grammar.relative:
        return True
    if first in grammar.preposition and not sentence.mention_in(comma + 1, end):
        return True
    previous = max((i for i in range(low, comma) if words[i] in COMMAS), default=low - 1)
    return not (
        sentence.has(grammar.preposition, previous + 2, comma)
        or sentence.has(grammar.predicate, previous + 1, comma)
    )


def _closes(sentence: Sentence, end: int) -> bool:
    """A hedge such as "is possible" closes its clause; in "is possible pneumonia" it does not."""
    return end >= len(sentence.words) or sentence.words[end] in sentence.grammar.after_closing


# ---- answers


def _is_answer(sentence: Sentence, found: Found[Cue]) -> bool:
    """Whether a cue answers the words before a colon or dash: "Consolidation: none"."""
    words = sentence.words
    after = words[found.end] if found.end < len(words) else "."
    return found.start > 0 and words[found.start - 1] in _ANSWER_MARKS and after in _AFTER_ANSWER


def _answer_start(sentence: Sentence, found: Found[Cue]) -> int:
    """Where the question before the colon begins."""
    low = sentence.clause(max(found.start - 2, 0))[0]
    return max((i + 1 for i in range(low, found.start - 1) if sentence.words[i] in ".,;:"), default=low)
