"""Assert: what a sentence says of each finding it names.

The method is that of NegEx and ConText (Chapman et al. 2001, doi:10.1006/jbin.2001.1029; Harkema et al. 2009,
doi:10.1016/j.jbi.2009.05.002): a cue has a direction and a scope. Clauses, lists and side remarks bound the scopes (``nlp.scopes``);
here the cues that cover a mention are weighed. A negated finding that "was seen in the previous examination" is resolved, not absent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from nlp.clauses import NEAR, Grammar, Sentence
from nlp.entries import Term
from nlp.find import Found, Matches, longest
from nlp.schema import Assertion
from nlp.scopes import Scope, scopes

_STRENGTH = {"resolved": 3, "negated": 2, "uncertain": 1, "present": 0}
_NOT_ONE_PHRASE = frozenset({",", "but", "(", "with"})


class Mention(NamedTuple):
    """One finding in the text. ``start``, ``end`` and the cue's and scope's places are characters of the unaltered text."""

    finding: str
    assertion: Assertion
    start: int
    end: int
    text: str
    panel: str
    section: str
    modality: str
    laterality: str
    lobe: str
    term: str
    rule: str
    cue: str
    cue_start: int | None
    cue_end: int | None
    match: str
    score: float
    scope_start: int | None
    scope_end: int | None


class Decision(NamedTuple):
    """The assertion of a term, the rule that gave it and the cue, if any. Assertion None: not reported at all."""

    term: Found[Term]
    assertion: Assertion | None
    rule: str
    cue: Scope | None


def decide(
    grammar: Grammar, words: Sequence[str], matches: Matches
) -> list[tuple[Decision, tuple[int, int]]]:
    """Every finding of a sentence with what the sentence says of it, and the clause it stands in."""
    mentions = report_terms(matches.terms)
    if not mentions:
        return []
    cues = longest(
        c for c in matches.cues if not any(m.start <= c.start and c.end <= m.end for m in mentions)
    )
    sentence = Sentence(grammar, words, mentions, cues)
    found = [scope for cue in cues for scope in scopes(sentence, cue)]
    explained = glossary(sentence)
    decisions = (
        Decision(mention, None, "glossary", None)
        if mention in explained
        else _decide(sentence, mention, found)
        for mention in mentions
    )
    return [(decision, sentence.clause(decision.term.start)) for decision in decisions]


def report_terms(found: Sequence[Found[Term]]) -> list[Found[Term]]:
    """The terms that name a finding: the longest of each finding, without those that an exclusion covers.

    Of several with the same words, the one that comes first in the lexicon.
    """
    exclusions = [item for item in found if item.entry.kind == "exclude"]
    by_finding: dict[str, list[Found[Term]]] = {}
    for item in found:
        if item.entry.kind == "report" and not any(_covers(exclusion, item) for exclusion in exclusions):
            by_finding.setdefault(item.entry.finding, []).append(item)
    chosen = [
        item
        for items in by_finding.values()
        for item in {(f.start, f.end): f for f in reversed(longest(items))}.values()
    ]
    return sorted(chosen, key=lambda item: (item.start, item.end))


def _covers(exclusion: Found[Term], item: Found[Term]) -> bool:
    same = exclusion.entry.finding in ("", item.entry.finding)
    return same and exclusion.start <= item.start and item.end <= exclusion.end


def _decide(sentence: Sentence, mention: Found[Term], found: Sequence[Scope]) -> Decision:
    """Weigh the cues that cover a mention: the nearest before it against the strongest after it."""
    wall = _taken_for_granted(sentence, mention)
    covering = [s for s in found if s.low < mention.end and mention.start < s.high and s.start >= wall]
    discard = next((s for s in covering if s.cue.kind == "discard"), None)
    if discard:
        return Decision(mention, None, discard.cue.rule, discard)
    chosen = choose(_nearest_before(sentence, mention, covering), _strongest_after(mention, covering))
    own = mention.entry.assertion
    if chosen is None:
        frame = _earlier_examination(sentence, mention)
        if frame:
            return Decision(mention, None, frame.cue.rule, frame)
        return Decision(mention, own or "present", "term" if own else "stated", None)
    assertion = chosen.cue.assertion or "present"
    if assertion == "negated" and _seen_before(sentence, mention, chosen):
        return Decision(mention, "resolved", "seen_before_not_now", chosen)
    if assertion == "present" and own:
        return Decision(mention, own, "term", chosen)
    return Decision(mention, assertion, chosen.cue.rule, chosen)


def _taken_for_granted(sentence: Sentence, mention: Found[Term]) -> int:
    """Where "within the" begins, in "no air bronchogram within the consolidation": no cue reaches in from before it."""
    words, grammar = sentence.words, sentence.grammar
    for i in range(mention.start - 1, max(mention.start - NEAR, 0) - 1, -1):
        definite = (
            words[i] == "in" and i > 0 and i + 1 < mention.start and words[i + 1] in grammar.new_subject
        )
        if words[i] in grammar.inside or definite:
            return i
        if words[i] in grammar.conjunction or words[i] in ",;(:":
            break
    return 0


def _nearest_before(sentence: Sentence, mention: Found[Term], covering: Sequence[Scope]) -> Scope | None:
    """The last cue before the mention; a hedge inside a negation counts as the negation ("no suspicious ...")."""
    cues = [s for s in covering if s.end <= mention.start and s.cue.kind == "cue" and s.low >= s.end]
    if not cues:
        return None
    nearest = max(cues, key=lambda s: s.start)
    if nearest.cue.assertion == "uncertain":
        for other in cues:
            gap = sentence.words[other.end : nearest.start]
            close = len(gap) <= NEAR and _NOT_ONE_PHRASE.isdisjoint(gap)
            listed = sentence.words[nearest.start - 1] in ("or", "nor")
            if other.cue.assertion == "negated" and other.end <= nearest.start and (close or listed):
                return other
    return nearest


def _strongest_after(mention: Found[Term], covering: Sequence[Scope]) -> Scope | None:
    """The strongest cue after the mention; among equals the nearest."""
    cues = [s for s in covering if s.start >= mention.end and s.cue.kind == "cue" and s.high <= s.start]
    return max(
        cues,
        key=lambda s: (_STRENGTH[s.cue.assertion or "present"], s.cue.direction == "answer", -s.start),
        default=None,
    )


def choose(before: Scope | None, after: Scope | None) -> Scope | None:
    """Between a cue before the mention and one after it."""
    if before is None or after is None:
        return before or after
    first, second = before.cue.assertion or "present", after.cue.assertion or "present"
    if first == "resolved" and second == "present":
        return after
    if first == "resolved" and second == "uncertain":
        return before
    if first == "negated" and second != "resolved":
        return before
    return after if _STRENGTH[second] > _STRENGTH[first] else before


def _seen_before(sentence: Sentence, mention: Found[Term], negation: Scope) -> bool:
    """Whether the sentence says that the negated finding was there earlier."""
    for past in sentence.cues:
        if past.entry.kind != "past":
            continue
        between = mention.end <= past.start and past.end <= negation.start
        gap = sentence.words[past.end : mention.start]
        adjective = past.end <= mention.start and len(gap) <= NEAR and "," not in gap
        if between or (adjective and negation.start >= mention.end):
            return True
    return False


def _earlier_examination(sentence: Sentence, mention: Found[Term]) -> Scope | None:
    """The phrase by which a clause speaks of an earlier examination: what it states is only cited."""
    low, high = sentence.clause(mention.start)
    for found in sentence.cues:
        if found.entry.rule == "earlier_examination" and low <= found.start <= low + 1 < mention.start:
            return Scope(found.entry, found.start, found.end, found.end, high)
    return None


def glossary(sentence: Sentence) -> set[Found[Term]]:
    """Mentions that only explain an abbreviation: "GGO, ground-glass opacity" or "CPP = crazy-paving pattern"."""
    words = sentence.words
    found = {
        m
        for m in sentence.mentions
        if m.start > 1 and words[m.start - 1] == "=" and _ends_entry(words, m.end)
    }
    for short in sentence.mentions:
        for full in sentence.mentions:
            gap = words[short.end : full.start]
            pair = (
                short.entry.finding == full.entry.finding
                and short.end - short.start == 1
                and short.end <= full.start
            )
            if pair and (not gap or (len(gap) == 1 and gap[0] in ",:=-")) and _ends_entry(words, full.end):
                found |= {short, full}
    return found


def _ends_entry(words: Sequence[str], end: int) -> bool:
    """A glossary entry ends at a mark, a panel letter or the end of the sentence."""
    return end >= len(words) or words[end] in ",;.)(" or len(words[end]) == 1
