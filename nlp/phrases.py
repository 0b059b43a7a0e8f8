"""Phrases: the small language in which the lexicon writes terms and cues.

=============  ==================================================
``word``       this word, in any case; plurals and hyphens are folded
``a|b``        either word
``@class``     any word or phrase of that class in ``words.csv``
``slot?``      may be left out
``<3>``        a gap of up to three words, not across punctuation or a negation
=============  ==================================================
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from nlp.normalise import TOKEN

Phrase = tuple[str, ...]
"""Words in order. Where the row has a gap, it stands as ``<n>`` and alternatives as ``a|b|c``."""

MAX_PHRASES = 20_000
_GAP = re.compile(r"<(\d)>")
_SLOT = re.compile(r"(@?[^\s|?@<>]+(\|@?[^\s|?@<>]+)*)(\?)?")


@lru_cache(maxsize=20_000)
def is_gap(slot: str) -> bool:
    """Whether a slot of a phrase is a gap."""
    return _GAP.fullmatch(slot) is not None


def gap_size(slot: str) -> int:
    """How many words a gap may stand for; 0 where the slot is no gap."""
    match = _GAP.fullmatch(slot)
    return int(match.group(1)) if match else 0


def has_gap(phrase: Phrase) -> bool:
    """Whether any slot of the phrase is a gap."""
    return any(map(is_gap, phrase))


def words_of(phrases: Iterable[Phrase]) -> set[str]:
    """The words of phrases, without gaps."""
    slots = {slot for phrase in phrases for slot in phrase}
    return {word for slot in slots if not is_gap(slot) for word in slot.split("|")}


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


def expand(
    text: str, classes: Mapping[str, tuple[Phrase, ...]], spellings: Mapping[str, Phrase]
) -> tuple[Phrase, ...]:
    """Write a phrase out as the word sequences it stands for.

    >>> expand("no|without sign? of", {}, {})
    (('no', 'of'), ('no', 'sign', 'of'), ('without', 'of'), ('without', 'sign', 'of'))

    Raises:
        ValueError: saying what is wrong with the text.
    """
    if not text.strip():
        raise ValueError("is blank")
    gapped = _GAP.search(text) is not None
    slots = [_slot(slot, classes, spellings) for slot in text.lower().split()]
    slots = [_merged(options) if gapped else list(dict.fromkeys(options)) for options in slots]
    size = math.prod(len(options) for options in slots)
    if size > MAX_PHRASES:
        raise ValueError(f"expands to {size} phrases; split the row (the limit is {MAX_PHRASES})")
    joined = {tuple(itertools.chain.from_iterable(choice)) for choice in itertools.product(*slots)} - {()}
    if any(is_gap(phrase[0]) or is_gap(phrase[-1]) for phrase in joined):
        raise ValueError("a gap cannot stand first or last")
    if not joined:
        raise ValueError("says nothing: every word of it is left out before matching")
    return tuple(sorted(joined))


def _slot(
    slot: str, classes: Mapping[str, tuple[Phrase, ...]], spellings: Mapping[str, Phrase]
) -> list[Phrase]:
    """The options of one slot."""
    if is_gap(slot):
        return [(slot,)]
    match = _SLOT.fullmatch(slot)
    if not match:
        raise ValueError(f"cannot read {slot!r}; the phrase language is described in docs/lexicon.md")
    options: list[Phrase] = []
    for option in match.group(1).split("|"):
        if not option.startswith("@"):
            options.append(_words(option, spellings))
        elif option[1:] in classes:
            options.extend(classes[option[1:]])
        else:
            raise ValueError(
                f"no class {option!r} in words.csv; the classes are {', '.join(sorted(classes))}"
            )
    return [*options, ()] if match.group(3) else options


def _words(option: str, spellings: Mapping[str, Phrase]) -> Phrase:
    """A word as texts are cut and folded: hyphens read through, possessives dropped, spellings replaced."""
    if option in spellings:
        return spellings[option]
    words: list[str] = []
    for token in TOKEN.findall(option):
        word = token.split("'")[0]
        if word and (word != "-" or option == "-"):
            words.extend(spellings.get(word, (word,)))
    return tuple(words)


def _merged(options: list[Phrase]) -> list[Phrase]:
    """The single words of a slot as one alternative ``a|b|c``, so that phrases with gaps stay few."""
    single = sorted({option[0] for option in options if len(option) == 1})
    return ([("|".join(single),)] if single else []) + [option for option in options if len(option) != 1]
