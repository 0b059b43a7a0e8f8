"""Assert: what a sentence says of each finding it names.

The method is that of NegEx and ConText (Chapman 2001, Harkema 2009): a cue has a direction and a scope. Three things are
added. A sentence is first cut into clauses, so that a cue does not reach into a neighbour's statement. A cue that follows its
finding ("was not observed") walks back through lists and side remarks, but not past another subject. And a negated finding
that "was seen in the previous examination" is resolved, not absent.

All positions here are token numbers of one sentence; ranges are half-open.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from nlp.find import QUESTION, Found, Tokens, longest
from nlp.lexicon import Context, CovidTerm, Cue, Lexicon, Term
from nlp.schema import Assertion

_STRENGTH = {"resolved": 3, "negated": 2, "uncertain": 1, "present": 0}
_COMMAS = (",", "-")
_ANSWER_MARKS = frozenset(":=-(")
_NEAR = 4


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


class Scoped(NamedTuple):
    """A cue and the tokens it covers."""

    cue: Cue
    start: int
    end: int
    low: int
    high: int


class Decision(NamedTuple):
    """The assertion of one mention, the rule that gave it and the cue, if any. None: not reported at all."""

    assertion: Assertion | None
    rule: str
    cue: Scoped | None


class Words(NamedTuple):
    """Word classes of the lexicon that clause cutting needs."""

    predicate: frozenset[str]
    relative: frozenset[str]
    preposition: frozenset[str]
    after_closing: frozenset[str]
    new_subject: frozenset[str]
    inside: frozenset[str]
    auxiliary: frozenset[str]


def word_classes(lexicon: Lexicon) -> Words:
    """The single words of the classes named in ``Words``."""
    classes = lexicon.classes
    return Words(*(frozenset(p[0] for p in classes.get(name, ()) if len(p) == 1) for name in Words._fields))


class SentenceReader:
    """Decides the mentions of one sentence from what ``nlp.find`` found there."""

    def __init__(self, words: Words, tokens: Tokens, found: Sequence[Found]) -> None:
        self.classes = words
        self.words = tokens.words
        terms = [f for f in found if isinstance(f.entry, Term)]
        self.places = [f for f in found if isinstance(f.entry, Context)]
        self.mentions = report_terms(terms)
        self.cues = longest(f for f in found if isinstance(f.entry, Cue) and not self.inside_mention(f))
        self.breaks = self.clause_breaks() if self.mentions else []

    def inside_mention(self, found: Found) -> bool:
        """A cue made of a mention's own words is none ("possible" in no term; "absorbed" may be)."""
        return any(m.start <= found.start and found.end <= m.end for m in self.mentions)

    def decide(self) -> list[tuple[Found, Decision]]:
        """Every mention with its decision."""
        if not self.mentions:
            return []
        scoped = [scope for found in self.cues for scope in self.scopes(found)]
        glossary = self.glossary()
        return [
            (m, Decision(None, "glossary", None) if m in glossary else self.decide_mention(m, scoped))
            for m in self.mentions
        ]

    # ---- clauses

    def clause_breaks(self) -> list[int]:
        """Token numbers at which a new clause starts."""
        words = self.words
        breaks = {i + 1 for i, word in enumerate(words) if word == ";"}
        breaks.update(self.label_ends())
        predicates = self.main_predicates()
        for first, second in zip(predicates, predicates[1:], strict=False):
            if any(first < b <= second for b in breaks):
                continue
            cut = self.cut_between(first, second)
            if cut is not None:
                breaks.add(cut)
        return sorted(breaks)

    def label_ends(self) -> list[int]:
        """Ends of panel labels such as ``(A)`` or ``(a and b)``."""
        ends = []
        for i, word in enumerate(self.words[:-2]):
            if word == "(" and len(self.words[i + 1]) == 1 and self.words[i + 1].isalpha():
                close = next((j for j in range(i + 2, min(i + 8, len(self.words))) if self.words[j] == ")"), None)
                if close is not None:
                    ends.append(close + 1)
        return ends

    def main_predicates(self) -> list[int]:
        """Positions of finite verbs outside of which- and that-clauses, one per verb group."""
        found: list[int] = []
        for i, word in enumerate(self.words):
            if word not in self.classes.predicate:
                continue
            if any(w in ("which", "that", "who", "where") for w in self.words[max(0, i - 2) : i]):
                continue
            if found and i - found[-1] <= 2:
                continue
            found.append(i)
        return found

    def cut_between(self, first: int, second: int) -> int | None:
        """Where the clause of the second verb starts: at its comma, or at its ``and``."""
        words = self.words
        span = range(first + 1, second)
        commas = [i for i in span if words[i] == ","]
        plain = [i for i in commas if words[i + 1] not in ("and", "or", "nor", *self.classes.relative)]
        if plain:
            return plain[-1] + 1
        ands = [i for i in span if words[i] == "and"]
        if not ands:
            return None
        cut = len(ands) - 1
        while cut and not self.has_preposition(ands[cut - 1], ands[cut]) and ands[cut] - ands[cut - 1] <= _NEAR:
            cut -= 1
        return ands[cut]

    def has_preposition(self, low: int, high: int) -> bool:
        """Whether a stretch is more than a bare noun."""
        return any(word in self.classes.preposition for word in self.words[low:high])

    def clause(self, position: int) -> tuple[int, int]:
        """The clause around a token."""
        low = max((b for b in self.breaks if b <= position), default=0)
        high = min((b for b in self.breaks if b > position), default=len(self.words))
        return low, high

    # ---- scopes

    def scopes(self, found: Found) -> list[Scoped]:
        """The tokens a cue covers, in each of its directions."""
        cue = found.entry
        assert isinstance(cue, Cue)
        if cue.kind in ("pseudo", "terminate"):
            return []
        scopes = []
        if cue.direction in ("forward", "both"):
            scopes.append(Scoped(cue, found.start, found.end, found.end, self.forward_end(found, cue)))
        if cue.direction in ("backward", "both") or (cue.direction == "closing" and self.closes(found)):
            scopes.append(Scoped(cue, found.start, found.end, self.backward_start(found, cue), found.start))
        if cue.direction == "answer":
            low = self.answer_start(found)
            if low is not None:
                scopes.append(Scoped(cue, found.start, found.end, low, found.start))
        return scopes

    def forward_end(self, found: Found, cue: Cue) -> int:
        """End of the scope to the right: clause, terminator, reach, or the comma after the cue's own verb."""
        end = self.clause(found.end - 1)[1]
        for other in self.cues:
            entry = other.entry
            if isinstance(entry, Cue) and entry.kind == "terminate" and other.start >= found.end:
                if self.words[other.start] == "and" and self.lists_finding(other.end, end):
                    continue
                end = min(end, other.start)
                break
        end = self.end_of_bracket(found.end, end)
        if cue.assertion == "negated":
            verb = found.end
            while verb < end and (self.words[verb] in self.classes.auxiliary or self.words[verb] == "there"):
                verb += 1
            end = next((i for i in range(verb, end) if self.words[i] in self.classes.predicate), end)
        if cue.assertion in ("negated", "resolved") or cue.reach:
            end = self.end_of_list(found, end)
        return min(end, found.end + cue.reach) if cue.reach else end

    def lists_finding(self, low: int, high: int) -> bool:
        """"and the consolidation" goes on with a list, unless a verb makes it a new statement."""
        verb = any(word in self.classes.predicate for word in self.words[low:high])
        return not verb and self.mention_in(low, min(low + _NEAR, high))

    def end_of_bracket(self, low: int, high: int) -> int:
        """A cue inside brackets, or before a colon, does not reach past it."""
        depth = 0
        for i in range(low, high):
            word = self.words[i]
            depth += (word == "(") - (word == ")")
            if depth < 0 or (word == ":" and i > low):
                return i
        return high

    def end_of_list(self, found: Found, high: int) -> int:
        """The comma at which a list after a cue ends and another statement begins.

        A comma goes on with the list when ``and`` or ``or`` closes it further on, or when nothing but bare nouns follow.
        """
        words = self.words
        commas = [i for i in range(found.end, high) if words[i] in _COMMAS]
        opens = found.start == self.clause(found.start)[0] and words[found.start] == "without"
        for comma in commas:
            rest = words[comma + 1 : high]
            closed = any(word in ("or", "nor", "and", "/") for word in rest)
            bare = not self.has_preposition(comma + 1, high) and not any(w in self.classes.predicate for w in rest)
            if opens or not (closed or bare) or (found.entry.reach and "or" not in rest):  # type: ignore[union-attr]
                return comma
        return high

    def backward_start(self, found: Found, cue: Cue) -> int:
        """Start of the scope to the left: clause, bracket, terminator, or the comma of another statement."""
        low = self.clause(found.start)[0]
        for other in self.cues:
            entry = other.entry
            ends_here = other.end <= found.start and isinstance(entry, Cue) and entry.kind == "terminate"
            if ends_here and isinstance(entry, Cue) and entry.direction != "forward":
                low = max(low, other.end)
        if cue.reach:
            low = max(low, found.start - cue.reach)
        low = max(low, self.open_bracket(low, found.start))
        if self.words[found.start] not in self.classes.auxiliary and self.words[found.start - 1 : found.start] != ["be"]:
            low = max(low, self.telegraphic(low, found.start))
        start = found.start
        while start > low and self.words[start - 1] in self.classes.auxiliary:
            start -= 1
        return self.walk_back(low, start)

    def telegraphic(self, low: int, high: int) -> int:
        """"Crazy paving, consolidation absent": without a verb the cue belongs to the last item, unless a list is closed."""
        comma = max((i for i in range(low, high) if self.words[i] == ","), default=None)
        if comma is None or comma + 1 == high or not self.mention_in(comma + 1, high):
            return low
        listed = any(word in ("and", "or", "nor") for word in self.words[comma + 1 : high])
        return low if listed else comma + 1

    def open_bracket(self, low: int, high: int) -> int:
        """Just after an unclosed bracket, else ``low``."""
        depth = 0
        for i in range(high - 1, low - 1, -1):
            depth += self.words[i] == ")"
            if self.words[i] == "(":
                if depth == 0:
                    return i + 1
                depth -= 1
        return low

    def walk_back(self, low: int, high: int) -> int:
        """Walk from a cue back over commas as long as they join a list or a side remark."""
        words = self.words
        end = high
        for i in range(high - 1, low - 1, -1):
            if words[i] == "and" and self.opens_new_subject(i + 1, high):
                return i + 1
            if words[i] not in _COMMAS:
                continue
            after = words[i + 1 : end]
            if after and not self.continues(low, i, end):
                return i + 1
            end = i
        return low

    def continues(self, low: int, comma: int, end: int) -> bool:
        """Whether what stands before a comma still belongs to the cue after it."""
        words = self.words
        first = words[comma + 1]
        if self.opens_new_subject(comma + 1 + (first == "and"), end):
            return False
        if first in ("and", "or", "nor", "/") or first in self.classes.relative:
            return True
        if not self.mention_in(comma + 1, end) and all(w in self.classes.preposition or w == "_" for w in words[comma + 1 : end][:1]):
            if words[comma + 1] in self.classes.preposition:
                return True
        previous = max((i for i in range(low, comma) if words[i] in _COMMAS), default=low - 1)
        verbs = self.classes.predicate
        bare = not self.has_preposition(previous + 2, comma) and not any(w in verbs for w in words[previous + 1 : comma])
        return bare

    def opens_new_subject(self, low: int, high: int) -> bool:
        """"... and the lesions were absorbed": a new subject that is none of our findings."""
        return low < high and self.words[low] in self.classes.new_subject and not self.mention_in(low, high)

    def mention_in(self, low: int, high: int) -> bool:
        """Whether a finding is named in a stretch of tokens."""
        return any(low <= m.start < high for m in self.mentions)

    def closes(self, found: Found) -> bool:
        """A hedge such as "is possible" closes its clause; "is possible pneumonia" does not."""
        return found.end >= len(self.words) or self.words[found.end] in self.classes.after_closing

    def answer_start(self, found: Found) -> int | None:
        """"Consolidation: none": the start of what stands before the colon, or None when this is no answer."""
        words = self.words
        after = words[found.end] if found.end < len(words) else "."
        if after not in (".", ",", ";", ")", "(", "-", "and") or found.start == 0:
            return None
        if words[found.start - 1] not in _ANSWER_MARKS:
            return None
        low = self.clause(max(found.start - 2, 0))[0]
        previous = max((i + 1 for i in range(low, found.start - 1) if words[i] in ".,;:"), default=low)
        return previous

    # ---- decisions

    def decide_mention(self, mention: Found, scoped: Sequence[Scoped]) -> Decision:
        """Weigh the cues that cover a mention: the nearest before it against the strongest after it."""
        term = mention.entry
        assert isinstance(term, Term)
        wall = self.taken_for_granted(mention)
        covering = [s for s in scoped if s.low < mention.end and mention.start < s.high and (wall is None or s.start >= wall)]
        discard = next((s for s in covering if s.cue.kind == "discard"), None)
        if discard:
            return Decision(None, discard.cue.rule, discard)
        before = self.nearest_before(mention, covering)
        after = self.strongest_after(mention, covering)
        chosen = choose(before, after)
        if chosen is None:
            frame = self.earlier_examination(mention)
            if frame:
                return Decision(None, "earlier_examination", frame)
            return Decision(term.assertion or "present", "term" if term.assertion else "stated", None)
        assertion = chosen.cue.assertion or "present"
        if assertion == "negated" and self.seen_before(mention, chosen):
            return Decision("resolved", "seen_before_not_now", chosen)
        if assertion == "present" and term.assertion:
            return Decision(term.assertion, "term", chosen)
        return Decision(assertion, chosen.cue.rule, chosen)

    def earlier_examination(self, mention: Found) -> Scoped | None:
        """"In the previous examination, ...": what such a clause states is of that examination, and only cited."""
        low, high = self.clause(mention.start)
        for found in self.cues:
            cue = found.entry
            if isinstance(cue, Cue) and cue.rule == "earlier_examination" and low <= found.start <= low + 1 < mention.start:
                return Scoped(cue, found.start, found.end, found.end, high)
        return None

    def taken_for_granted(self, mention: Found) -> int | None:
        """Where "within the" begins, in "no air bronchogram within the consolidation": no cue reaches in from before it."""
        words = self.words
        for i in range(mention.start - 1, max(mention.start - 4, 0) - 1, -1):
            if words[i] in self.classes.inside:
                return i
            definite = words[i] in ("in", "of", "to") and i + 1 < mention.start
            if words[i] == "in" and definite and words[i + 1] in self.classes.new_subject and i:
                return i
            if words[i] in (",", ";", "(", ":", "and", "or"):
                return None
        return None

    def nearest_before(self, mention: Found, covering: Sequence[Scoped]) -> Scoped | None:
        """The last cue before the mention; a hedge inside a negation counts as the negation."""
        cues = [s for s in covering if s.end <= mention.start and s.cue.kind == "cue" and s.low >= s.end]
        if not cues:
            return None
        nearest = max(cues, key=lambda s: s.start)
        for other in cues:
            gap = self.words[other.end : nearest.start]
            if other.cue.assertion != "negated" or nearest.cue.assertion != "uncertain" or other.end > nearest.start:
                continue
            close = len(gap) <= _NEAR and not {",", "but", "(", "with"} & set(gap)
            if close or self.words[nearest.start - 1] in ("or", "nor"):
                return other
        return nearest

    def strongest_after(self, mention: Found, covering: Sequence[Scoped]) -> Scoped | None:
        """The strongest cue after the mention; among equals the nearest."""
        cues = [s for s in covering if s.start >= mention.end and s.cue.kind == "cue" and s.high <= s.start]
        if not cues:
            return None
        return max(cues, key=lambda s: (_STRENGTH[s.cue.assertion or "present"], -s.start))

    def seen_before(self, mention: Found, negation: Scoped) -> bool:
        """Whether the sentence says that the negated finding was there earlier."""
        for found in self.cues:
            if not (isinstance(found.entry, Cue) and found.entry.kind == "past"):
                continue
            between = mention.end <= found.start and found.end <= negation.start
            gap = self.words[found.end : mention.start] if found.end <= mention.start else None
            adjective = gap is not None and len(gap) <= _NEAR and "," not in gap and negation.start >= mention.end
            if between or adjective:
                return True
        return False

    # ---- glossary and places

    def glossary(self) -> set[Found]:
        """Mentions that only explain an abbreviation: "GGO, ground-glass opacity" or "GGO = ..."."""
        words = self.words
        found = {m for m in self.mentions if m.start > 1 and words[m.start - 1] == "=" and self.ends_entry(m.end)}
        for short in self.mentions:
            for full in self.mentions:
                gap = words[short.end : full.start]
                same = short is not full and isinstance(short.entry, Term) and isinstance(full.entry, Term)
                if not (same and short.entry.finding == full.entry.finding and short.end - short.start == 1):  # type: ignore[union-attr]
                    continue
                if short.end <= full.start and (gap == [] or (len(gap) == 1 and gap[0] in ",:=-")) and self.ends_entry(full.end):
                    found |= {short, full}
        return found

    def ends_entry(self, end: int) -> bool:
        """A glossary entry ends at a mark, a panel letter, another abbreviation or the end."""
        if end >= len(self.words):
            return True
        word = self.words[end]
        return word in ",;.)(" or len(word) == 1

    def place(self, mention: Found) -> tuple[str, str, str]:
        """Modality, laterality and lobes of a mention, as far as its sentence says."""
        low, high = self.clause(mention.start)
        sides, lobes = [], []
        modality = ""
        for found in self.places:
            entry = found.entry
            assert isinstance(entry, Context)
            if entry.kind == "modality" and (not modality or found.end <= mention.start):
                modality = entry.value
            elif low <= found.start < high and entry.kind == "laterality":
                sides.append(entry.value)
            elif low <= found.start < high and entry.kind == "lobe" and entry.value not in lobes:
                lobes.append(entry.value)
        laterality = "bilateral" if len(set(sides)) > 1 else (sides[0] if sides else "")
        return modality, laterality, ";".join(lobes)


def choose(before: Scoped | None, after: Scoped | None) -> Scoped | None:
    """Between a cue before the mention and one after it."""
    if before is None or after is None:
        return before or after
    first, second = before.cue.assertion, after.cue.assertion
    if first == "resolved" and second in ("present", "uncertain"):
        return after if second == "present" else before
    if first == "negated" and second != "resolved":
        return before
    return after if _STRENGTH[second or "present"] > _STRENGTH[first or "present"] else before


def report_terms(found: Sequence[Found]) -> list[Found]:
    """The terms that name a finding: the longest of each finding, without those an exclusion covers."""
    exclusions = [f for f in found if f.entry.kind == "exclude"]  # type: ignore[union-attr]
    by_finding: dict[str, list[Found]] = {}
    for item in found:
        term = item.entry
        if isinstance(term, Term) and term.kind == "report" and not any(_covers(x, item) for x in exclusions):
            by_finding.setdefault(term.finding, []).append(item)
    chosen = [item for items in by_finding.values() for item in {(f.start, f.end): f for f in longest(items)}.values()]
    return sorted(chosen, key=lambda f: (f.start, f.end))


def _covers(exclusion: Found, item: Found) -> bool:
    finding = exclusion.entry.finding  # type: ignore[union-attr]
    same = finding in ("", item.entry.finding)  # type: ignore[union-attr]
    return same and exclusion.start <= item.start and item.end <= exclusion.end


__all__ = ["CovidTerm", "Decision", "Mention", "QUESTION", "SentenceReader", "Words", "choose", "word_classes"]
