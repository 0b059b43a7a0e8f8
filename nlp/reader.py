"""The reader: from a text to everything that is said in it.

The fast path passes over text that cannot hold a finding and reads each distinct sentence once. ``Reader(lexicon, plain=True)`` does
neither, and tests compare the two on every text at hand.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from spacy.vocab import Vocab

from nlp.aggregate import EMPTY, Reading
from nlp.assertion import Mention, decide
from nlp.clauses import grammar_of
from nlp.covid import NAMING, CovidHit, covid_hits
from nlp.entries import Lexicon
from nlp.find import Finder
from nlp.fold import Folder
from nlp.normalise import view as make_view
from nlp.panels import panels
from nlp.place import LocalMention, covid_mentions, local_mention, move, panel_at, section_at
from nlp.segment import Heading, headings, sentences, times

_SENTENCES = 20_000
_CHUNKS = 100_000
"""How much is remembered before it is forgotten: about 40 MB in all."""


class SentenceReading(NamedTuple):
    """What one sentence says, wherever it stands."""

    mentions: tuple[LocalMention, ...]
    hits: tuple[CovidHit, ...]


_SHORT = 600
"""Characters from which it pays to look over the whole text before cutting it into sentences."""
_LOOK_BACK = 2_000
"""Characters around a mention in which its modality, and whether it is in the chest, are looked for."""
NOTHING = SentenceReading((), ())


class Reader:
    """Reads texts with one lexicon. Build once per process, never pickle; memory is bounded.

    Args:
        lexicon: what to recognise.
        plain: read every sentence anew and skip nothing; slow, for comparison.
    """

    def __init__(self, lexicon: Lexicon, *, plain: bool = False) -> None:
        self.lexicon = lexicon
        self.plain = plain
        self.folder = Folder(lexicon)
        self.finder = Finder(self.folder, Vocab())
        self.grammar = grammar_of(lexicon)
        self.anchors = self.folder.finding_anchors | self.folder.covid_anchors
        self.words = {
            kind: {p: c.value for c in lexicon.contexts if c.kind == kind for p in self.folder.phrases_of(c)}
            for kind in ("chest", "outside", "modality")
        }
        self.chest, self.outside = (
            frozenset(p[0] for p in self.words[kind] if len(p) == 1) for kind in ("chest", "outside")
        )
        self._sentences: dict[str, SentenceReading] = {}
        self._idle: set[str] = set()
        self._idle_covid: set[str] = set()
        self._chestless: set[str] = set()
        self._placeless: set[str] = set()
        self._modalities: dict[str, str] = {}

    def knowing(self, readings: Mapping[str, SentenceReading]) -> Reader:
        """The same reader, which remembers that sentences say this."""
        other = copy.copy(self)
        other._sentences = dict(readings)
        return other

    # ---- texts

    def read_text(self, text: str) -> Reading:
        """Everything the text says, with offsets into it as it is."""
        view = make_view(text)
        if not self.plain and len(view) > _SHORT and self.is_idle(view):
            return EMPTY
        ranges = sentences(view, self.lexicon.abbreviations)
        readings = [self.read_sentence(view[start:end]) for start, end in ranges]
        covid = any(hit.kind in NAMING for reading in readings for hit in reading.hits)
        if covid:
            for number, (start, end) in enumerate(ranges):
                if readings[number] is NOTHING:
                    readings[number] = self.read_covid(view[start:end])
        elif not any(reading.mentions for reading in readings):
            return EMPTY
        return self.assemble(text, view, ranges, readings, covid=covid)

    def is_idle(self, view: str) -> bool:
        """Whether no word of the text can be part of a finding's or COVID's name."""
        return self._only_idle(view, self._idle, self.anchors)

    def _only_idle(self, view: str, idle: set[str], wanted: frozenset[str]) -> bool:
        chunks = view.split()
        if idle.issuperset(chunks):
            return True
        if len(idle) > _CHUNKS:
            idle.clear()
        for chunk in chunks:
            if chunk not in idle:
                if self.folder.is_relevant(chunk, wanted):
                    return False
                idle.add(chunk)
        return True

    def read_sentence(self, sentence: str) -> SentenceReading:
        """The reading of a sentence, from memory where it was read before."""
        if self.plain:
            return self.read_alone(sentence)
        known = self._sentences.get(sentence)
        if known is None:
            known = NOTHING if self.is_idle(sentence) else self._store(sentence)
        return known

    def read_covid(self, sentence: str) -> SentenceReading:
        """Read a sentence without findings for what it adds to COVID ("PCR was positive.")."""
        if self._only_idle(sentence, self._idle_covid, self.folder.covid_words):
            return NOTHING
        return self._sentences.get(sentence) or self._store(sentence)

    def _store(self, sentence: str) -> SentenceReading:
        """Read and remember; when memory is full the older half is forgotten."""
        if len(self._sentences) >= _SENTENCES:
            for old in list(islice(self._sentences, _SENTENCES // 2)):
                del self._sentences[old]
        reading = self._sentences[sentence] = self.read_alone(sentence)
        return reading

    # ---- sentences

    def read_alone(self, sentence: str) -> SentenceReading:
        """What a sentence says by itself; nothing is remembered."""
        tokens = self.folder.tokens(sentence)
        covid = not self.folder.covid_words.isdisjoint(tokens.words)
        findings = not self.folder.finding_anchors.isdisjoint(tokens.words)
        if not covid and not findings:
            return NOTHING
        matches = self.finder.find(tokens, covid=covid, findings=findings)
        hits = tuple(covid_hits(tokens, matches.covid)) if covid else ()
        decided = decide(self.grammar, tokens.words, matches) if findings else ()
        mentions = tuple(local_mention(sentence, tokens, matches.places, d, clause) for d, clause in decided)
        return SentenceReading(mentions, hits) if mentions or hits else NOTHING

    # ---- from sentences to the text

    def assemble(
        self,
        text: str,
        view: str,
        ranges: Sequence[tuple[int, int]],
        readings: Sequence[SentenceReading],
        *,
        covid: bool,
    ) -> Reading:
        """Put the readings of the sentences in their places; COVID wording only where the text names COVID."""
        sections = headings(view, self.lexicon.sections)
        stretches = panels(view, self.grammar.never_label, ranges) if len(sections) < 2 else []
        kept: list[Mention] = []
        dropped: list[Mention] = []
        hits: list[tuple[str, CovidHit]] = []
        for (start, _), reading in zip(ranges, readings, strict=True):
            unnamed = any(not local.mention.modality for local in reading.mentions)
            modality = self.modality_before(view, start) if unnamed else ""
            for local in reading.mentions:
                at = start + local.mention.start
                section = section_at(sections, at) if sections else None
                panel = panel_at(stretches, at) if stretches else ""
                mention = move(
                    text, local.mention, start, panel, section.section if section else "", modality
                )
                reason = self.why_dropped(local, section, view, at)
                if reason:
                    dropped.append(mention._replace(rule=reason))
                else:
                    kept.append(mention)
            for hit in reading.hits if covid else ():
                at = start + hit.start
                section = section_at(sections, at) if sections else None
                if section is None or section.patient:
                    moved = hit._replace(start=at, end=start + hit.end)
                    hits.append((panel_at(stretches, at, of_patient=True) if stretches else "", moved))
        if hits:
            kept.extend(covid_mentions(text, hits))
        kept.sort(key=lambda m: (m.start, m.end, m.finding))
        letters = tuple(dict.fromkeys(letter for s in stretches for letter in s.letters.split(";")))
        dated = kept and not sections and len(letters) < 2
        shown = frozenset().union(*(times(view[start:end]) for start, end in ranges)) if dated else ()
        return Reading(tuple(kept), tuple(hits), letters, len(shown), tuple(dropped))

    def why_dropped(self, local: LocalMention, section: Heading | None, view: str, at: int) -> str:
        """The rule by which a mention is none of this image, or nothing."""
        if not local.reported:
            return local.mention.rule
        if section and not section.reports:
            return "section_not_reported"
        if not local.unplaced:
            return ""
        end = at + len(local.mention.text)
        around = f"{view[max(0, at - _LOOK_BACK) : at]} {view[end : end + _LOOK_BACK]}"
        return "outside_chest" if self.is_elsewhere(around) else ""

    def modality_before(self, view: str, position: int) -> str:
        """The modality named last before a character, so that "It shows ..." is known to speak of the CT."""
        for chunk in reversed(view[max(0, position - _LOOK_BACK) : position].split()):
            modality = self._modalities.get(chunk)
            if modality is None:
                if len(self._modalities) > _CHUNKS:
                    self._modalities.clear()
                modality = self._modalities[chunk] = self._modality_of(chunk)
            if modality:
                return modality
        return ""

    def _modality_of(self, chunk: str) -> str:
        words = self.folder.tokens(chunk).words
        named = self.words["modality"]
        runs = (
            tuple(words[i:j]) for i in range(len(words)) for j in range(i + 1, min(i + 3, len(words) + 1))
        )
        return next((named[run] for run in runs if run in named), "")

    def is_elsewhere(self, view: str) -> bool:
        """Whether the text speaks of bones, ovaries and the like, and nowhere of the chest."""
        in_chest = not self._only_idle(view, self._chestless, self.chest)
        return not in_chest and not self._only_idle(view, self._placeless, self.outside)
