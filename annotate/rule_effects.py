"""Effects: what a lexicon can do to a label, and in what two lexicons differ.

A label follows from how the written words are folded, which entries of the lexicon stand in a sentence, and a few
lists: word classes, headings, abbreviations. Which of two equal entries is named as a mention's term is no label.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from nlp.entries import Context, CovidTerm, Cue, Entry, Lexicon, Term
from nlp.mend import Part
from nlp.phrases import Phrase, has_gap, words_of
from nlp.reader import Reader

_EARLIER = "earlier_examination"
"""The one rule whose name decides (``nlp.assertion``); the others are only told."""


@dataclass(frozen=True, eq=False)
class Effects:
    """What the lexicon of a reader can do to a label."""

    reader: Reader

    @property
    def lexicon(self) -> Lexicon:
        """The lexicon."""
        return self.reader.lexicon

    @cached_property
    def entries(self) -> Mapping[tuple[Hashable, tuple[Phrase, ...]], Entry]:
        """The entries by their meaning and phrases, in their order."""
        return {(meaning(entry), entry.phrases): entry for entry in self.lexicon.entries}

    @cached_property
    def gapped(self) -> Sequence[tuple[Hashable, Phrase]]:
        """The folded phrases with gaps and their meanings, in the order in which they are tried."""
        named = ((said, self.folded(entry)) for (said, _), entry in self.entries.items())
        return [(said, phrase) for said, phrases in named for phrase in sorted(filter(has_gap, phrases))]

    @cached_property
    def folding(self) -> tuple[object, ...]:
        """All that the folding of a word follows from."""
        lexicon = self.lexicon
        terms = [(term.kind, term.fuzzy, term.phrases) for term in lexicon.terms]
        anchors = self.reader.folder.covid_anchors  # glued words are split at these, too
        return lexicon.words, lexicon.spellings, lexicon.never_fuzzy, terms, anchors

    @cached_property
    def ties(self) -> frozenset[Phrase]:
        """Phrases of several entries, of which the first decides."""
        known = self.reader.finder.entries.items()
        tied = ((phrase, [entry for _, entry in found]) for phrase, found in known if len(found) > 1)
        return frozenset(phrase for phrase, entries in tied if not _order_is_idle(entries))

    @cached_property
    def contexts(self) -> frozenset[tuple[Phrase, Hashable]]:
        """The folded phrases that place a finding, and what each means."""
        return frozenset(_meanings(self, self.lexicon.contexts))

    @cached_property
    def around(self) -> frozenset[str]:
        """The folded words that are looked for around a sentence, too."""
        return frozenset(words_of(phrase for phrase, _ in self.contexts))

    def fold(self, word: str) -> tuple[Part, ...]:
        """The folded words inside a written one."""
        return self.reader.folder.fold(word)

    def folded(self, entry: Entry) -> frozenset[Phrase]:
        """The phrases of an entry in folded words."""
        return self.reader.folder.phrases_of(entry)

    def found(self, phrase: Phrase) -> list[Hashable]:
        """The meanings of a phrase without gaps, in the order in which they are found."""
        return [meaning(entry) for _, entry in self.reader.finder.entries.get(phrase, ())]


def changed_phrases(old: Effects, new: Effects) -> dict[Phrase, set[str]]:
    """Folded phrases that came, went or mean something else, with the kinds of their entries."""
    if _plurals_differ(old, new):  # phrases that nobody touched are folded otherwise
        before, after = old.entries, new.entries
    else:
        before = {key: entry for key, entry in old.entries.items() if key not in new.entries}
        after = {key: entry for key, entry in new.entries.items() if key not in old.entries}
    found: dict[Phrase, set[str]] = defaultdict(set)
    for phrase, said in _meanings(old, before.values()) ^ _meanings(new, after.values()):
        found[phrase].add(said[0])
    for phrase in old.ties:
        if old.found(phrase) != new.found(phrase):
            found[phrase].add("cue")
            found[phrase].add("term")
    return found


def reordered(old: Effects, new: Effects) -> bool:
    """Whether phrases with gaps that both lexicons have stand in another order: it decides between two that fit."""
    before, after = old.gapped, new.gapped
    both = set(before) & set(after)
    return before != after and [each for each in before if each in both] != [
        each for each in after if each in both
    ]


def changed_classes(old: Reader, new: Reader) -> set[str]:
    """Folded words that a class of the grammar gained or lost."""
    return set().union(*(before ^ after for before, after in zip(old.grammar, new.grammar, strict=True)))


def changed_pieces(old: Reader, new: Reader) -> set[str]:
    """Unfolded text: headings, abbreviations with their full stop, words that stand before no panel's letter."""
    headings = old.lexicon.sections.items() ^ new.lexicon.sections.items()
    stops = old.lexicon.abbreviations.items() ^ new.lexicon.abbreviations.items()
    words = old.grammar.never_label ^ new.grammar.never_label
    return {heading for heading, _ in headings} | {f"{word}." for word, _ in stops} | words


def meaning(entry: Entry) -> tuple[str, Hashable]:
    """What of an entry reaches a label; the row's own wording does not, and ``fuzzy`` acts by the folding alone."""
    match entry:
        case Term():
            return "term", (entry.kind, entry.finding, entry.assertion, entry.chest)
        case Cue():
            earlier = entry.rule == _EARLIER
            return "cue", (entry.kind, entry.assertion, entry.direction, entry.reach, earlier)
        case Context():
            return "context", (entry.kind, entry.value)
        case CovidTerm():
            return "covid", entry.kind


def _meanings(effects: Effects, entries: Iterable[Entry]) -> set[tuple[Phrase, tuple[str, Hashable]]]:
    return {(phrase, meaning(entry)) for entry in entries for phrase in effects.folded(entry)}


def _plurals_differ(old: Effects, new: Effects) -> bool:
    words = old.lexicon.words, new.lexicon.words
    fold, fold_anew = (effects.reader.folder.singular for effects in (old, new))
    return words[0] != words[1] and any(fold(word) != fold_anew(word) for word in words[0] & words[1])


def _order_is_idle(entries: Sequence[Entry]) -> bool:
    """Whether it does not matter which of several entries of one phrase comes first."""
    told: dict[str, set[Hashable]] = defaultdict(set)
    for entry in entries:
        if isinstance(entry, Term) and entry.kind == "report":
            told[f"term {entry.finding}"].add((entry.assertion, entry.chest))
        elif isinstance(entry, Cue) and entry.kind == "cue":
            told["cue"].add(entry.assertion)
    return all(len(said) == 1 for said in told.values())
