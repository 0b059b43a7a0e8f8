"""Texts for measuring speed, made of real ones.

Rates depend on how often sentences repeat, so there are three sets: captions in which no sentence occurs
twice, captions recombined from real sentences, and long reports recombined from real sentences.
"""

from __future__ import annotations

import itertools
import random
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from nlp.lexicon import load_lexicon

REPORT_CHARACTERS = 2000
LONG_TEXT = 1000
_BOUNDARY = re.compile(r"(?<=[.!?])['\"\]]*\s+(?=[A-Z(\[])|\n+")
_WORD = re.compile(r"[^\W\d_]+")
_NUMBER = re.compile(r"(?<![\w-])\d+")  # not that of COVID-19


def sentences(text: str) -> list[str]:
    """A rough cut: after a full stop before a capital letter, and at line ends."""
    return [part for part in (part.strip(" []'\"") for part in _BOUNDARY.split(text)) if part]


def recombined_captions(captions: Sequence[str], count: int, seed: int = 0) -> list[str]:
    """Captions of sentences drawn at random, each as many as a real caption has."""
    generator = random.Random(seed)
    cut = [parts for caption in captions if (parts := sentences(caption))]
    pool = [sentence for parts in cut for sentence in parts]
    return [" ".join(generator.choices(pool, k=len(generator.choice(cut)))) for _ in range(count)]


def recombined_reports(texts: Sequence[str], count: int, seed: int = 0) -> list[str]:
    """Reports of about 2,000 characters, of sentences drawn at random from the long texts."""
    generator = random.Random(seed)
    pool = [sentence for text in texts if len(text) >= LONG_TEXT for sentence in sentences(text)]
    return [_report(pool, generator) for _ in range(count)]


def _report(pool: Sequence[str], generator: random.Random) -> str:
    parts: list[str] = []
    length = 0
    while length < REPORT_CHARACTERS:
        parts.append(generator.choice(pool))
        length += len(parts[-1]) + 1
    return "\n".join(parts)


def distinct_captions(captions: Sequence[str], count: int, seed: int = 0) -> list[str]:
    """Captions in which every sentence occurs once, also when numbers and case are disregarded.

    Each is a real sentence in which numbers are replaced by numbers and some words by real words of the
    same ending; words of the lexicon stay, so that as many findings, cues and panels occur as before.
    """
    generator = random.Random(seed)
    cut = [parts for caption in captions if (parts := sentences(caption))]
    pool = [sentence for parts in cut for sentence in parts]
    fresh = _distinct(pool, _Words(captions), generator)
    return [" ".join(next(fresh) for _ in generator.choice(cut)) for _ in range(count)]


def _distinct(pool: Sequence[str], words: _Words, generator: random.Random) -> Iterator[str]:
    """Vary a drawn sentence until it is new: first by exchanging words, then by inserting some."""
    seen: set[str] = set()
    while True:
        drawn = generator.choice(pool)
        for attempt in itertools.count():
            sentence = words.vary(drawn, min(0.9, 0.2 + attempt / 10), generator, inserted=attempt // 5)
            key = re.sub(r"\d+", "0", sentence.casefold())
            if key not in seen:
                seen.add(key)
                yield sentence
                break


class _Words:
    """The words of real texts by their ending, without those of the lexicon."""

    def __init__(self, texts: Iterable[str]) -> None:
        known = load_lexicon().words
        found = {word.lower() for text in texts for word in _WORD.findall(text) if len(word) > 3}
        self._by_ending: Mapping[str, list[str]] = defaultdict(list)
        for word in sorted(found):
            if word not in known and word.removesuffix("s") not in known:
                self._by_ending[word[-2:]].append(word)
        self._all = [word for words in self._by_ending.values() for word in words]

    def vary(self, sentence: str, share: float, generator: random.Random, *, inserted: int = 0) -> str:
        """Replace all numbers and a share of the words, and insert some words between others."""
        numbered = _NUMBER.sub(lambda match: _number(match.group(), generator), sentence)
        varied = _WORD.sub(lambda match: self._other(match.group(), share, generator), numbered)
        parts = varied.split(" ")
        for _ in range(inserted):
            parts.insert(generator.randint(0, len(parts) - 1), generator.choice(self._all))
        return " ".join(parts)

    def _other(self, word: str, share: float, generator: random.Random) -> str:
        alike = self._by_ending.get(word[-2:].lower(), [])
        if word.lower() not in alike or generator.random() > share:
            return word
        other = generator.choice(alike)
        return other.capitalize() if word[0].isupper() else other


def _number(digits: str, generator: random.Random) -> str:
    """A day, a year, or any number of as many digits."""
    if len(digits) <= 2:
        return str(generator.randint(1, 28))
    if len(digits) == 4:
        return str(generator.randint(2005, 2022))
    return str(generator.randint(10 ** (len(digits) - 1), 10 ** len(digits) - 1))
