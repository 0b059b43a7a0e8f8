"""The terms of the lexicon in a form that spaCy's own matchers can use, for other projects to read with.

The toolkit folds plurals, hyphens and spellings before it matches. Other projects match tokens, so plurals
and one-word spellings are exported as norms, hyphens and glued words as further phrases, gaps as patterns.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nlp.entries import Lexicon, Term
from nlp.phrases import Phrase, gap_size, has_gap, is_gap

_PLURALS = (
    ("ies", "y"),
    ("sses", "ss"),
    ("ches", "ch"),
    ("xes", "x"),
    ("ss", "ss"),
    ("us", "us"),
    ("is", "is"),
    ("s", ""),
)
_HYPHENATED = 4  # longest phrase of which every hyphenation is tried: 2 ** 3 forms


def export_terms(lexicon: Lexicon) -> dict[str, Any]:
    """``terms`` with finding, kind, assertion, phrases and patterns of each row; ``norms``; ``plurals``."""
    glued = _glued(lexicon)
    return {
        "terms": [_export(term, _needed(term, lexicon.terms), glued) for term in lexicon.terms],
        "norms": {written: meant[0] for written, meant in lexicon.spellings.items() if len(meant) == 1},
        "plurals": _PLURALS,
    }


def _export(term: Term, phrases: Sequence[Phrase], glued: Mapping[Phrase, Sequence[str]]) -> dict[str, Any]:
    plain = [phrase for phrase in phrases if not has_gap(phrase)]
    written = {
        text for phrase in plain for words in _respelled(phrase, glued) for text in _hyphenated(words, term)
    }
    return {
        "finding": term.finding,
        "kind": term.kind,
        "assertion": term.assertion or "",
        "phrases": sorted(written),
        "patterns": [_pattern(phrase) for phrase in phrases if has_gap(phrase)],
    }


def _needed(term: Term, terms: Sequence[Term]) -> Sequence[Phrase]:
    """Without phrases that hold a shorter one of the same meaning: they would change no state."""
    if term.kind == "exclude":
        return term.phrases
    alike = [other for other in terms if (other.finding, other.kind) == (term.finding, term.kind)]
    known = {phrase for other in alike if other.assertion == term.assertion for phrase in other.phrases}
    return [phrase for phrase in term.phrases if known.isdisjoint(_parts(phrase))]


def _parts(phrase: Phrase) -> Iterator[Phrase]:
    """Every shorter run of words of a phrase."""
    size = len(phrase)
    for start, end in itertools.combinations(range(size + 1), 2):
        if end - start < size:
            yield phrase[start:end]


def _glued(lexicon: Lexicon) -> Mapping[Phrase, Sequence[str]]:
    """Words that stand for several: ``groundglass`` by ``("ground", "glass")``."""
    found: dict[Phrase, list[str]] = defaultdict(list)
    for written, meant in lexicon.spellings.items():
        if len(meant) > 1:
            found[meant].append(written)
    return found


def _respelled(phrase: Phrase, glued: Mapping[Phrase, Sequence[str]]) -> Iterator[Phrase]:
    """The phrase itself, and with one part written as one word."""
    yield phrase
    for start, end in itertools.combinations(range(len(phrase) + 1), 2):
        for word in glued.get(phrase[start:end], ()):
            yield (*phrase[:start], word, *phrase[end:])


def _hyphenated(words: Phrase, term: Term) -> Iterator[str]:
    """With blanks; for terms that are reported also with every choice of hyphens."""
    few = term.kind == "report" and len(words) <= _HYPHENATED
    for joints in itertools.product((" ", "-") if few else (" ",), repeat=len(words) - 1):
        yield "".join(itertools.chain(*itertools.zip_longest(words, joints, fillvalue="")))


def _pattern(phrase: Phrase) -> list[dict[str, Any]]:
    pattern: list[dict[str, Any]] = []
    for word in phrase:
        if is_gap(word):
            pattern += [{"IS_PUNCT": False, "OP": "?"}] * gap_size(word)
        else:
            hyphen = [{"ORTH": "-", "OP": "?"}] if pattern else []
            pattern += [*hyphen, {"NORM": {"IN": word.split("|")}}]
    return pattern
