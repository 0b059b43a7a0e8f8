"""The core: one pure function on an Arrow record batch, and the reader behind it.

``Reader.read_text`` reads one text; ``label_batch`` applies it to a batch and can be called by any engine (worker processes,
Spark's ``mapInArrow``). The fast path passes over text that cannot hold a finding and reads each distinct sentence once.
``Reader(lexicon, plain=True)`` does neither, and tests compare the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa
from spacy.vocab import Vocab

from nlp.aggregate import EMPTY, Reading, Record, of_panel, states
from nlp.assertion import Decision, Mention, SentenceReader, word_classes
from nlp.covid import CovidHit, covid_hits
from nlp.find import Finder, Found, Tokens
from nlp.lexicon import Context, Lexicon, Term
from nlp.normalise import view as make_view
from nlp.schema import COVID, COVID_CELL, MENTION_COLUMNS, STATE_CELL, Assertion, label_columns
from nlp.segment import Heading, Panel, headings, panels, sentences, times

_CACHE_LIMIT = 100_000
_HIT_ASSERTION: dict[str, Assertion] = {
    "name": "present",
    "confirm": "present",
    "suspect": "uncertain",
    "deny": "negated",
    "control": "negated",
}


class LocalMention(NamedTuple):
    """A mention with characters of its sentence; ``unplaced``: nothing in the sentence says that it is in the chest."""

    mention: Mention
    reported: bool
    unplaced: bool


class SentenceReading(NamedTuple):
    """What one sentence says, wherever it stands. ``modality`` is the last one it names."""

    mentions: tuple[LocalMention, ...]
    hits: tuple[CovidHit, ...]
    modality: str


class Labelled(NamedTuple):
    """Result of ``label_batch``: labels in the order of the records, and their mentions."""

    labels: pa.RecordBatch
    mentions: pa.RecordBatch


NOTHING = SentenceReading((), (), "")


class Reader:
    """Reads texts with one lexicon. Build once per process, never pickle; memory is bounded.

    Args:
        lexicon: what to recognise.
        plain: read every sentence anew and skip nothing; slow, for comparison.
    """

    def __init__(self, lexicon: Lexicon, *, plain: bool = False) -> None:
        self.lexicon = lexicon
        self.plain = plain
        self.finder = Finder(lexicon, Vocab())
        self.words = word_classes(lexicon)
        self.anchors = self.finder.finding_anchors | self.finder.covid_anchors
        self.modalities = {
            phrase[0] for c in lexicon.contexts if c.kind == "modality" for phrase in c.phrases if len(phrase) == 1
        }
        self.places = {
            kind: frozenset(p[0] for c in lexicon.contexts if c.kind == kind for p in c.phrases if len(p) == 1)
            for kind in ("chest", "outside")
        }
        self._sentences: dict[str, SentenceReading] = {}
        self._idle: set[str] = set()
        self._idle_covid: set[str] = set()

    # ---- texts

    def read_text(self, text: str) -> Reading:
        """Everything the text says, with offsets into it as it is."""
        view = make_view(text)
        if not self.plain and self.is_idle(view):
            return EMPTY
        ranges = sentences(view, self.lexicon.abbreviations)
        readings = [self.read_sentence(view[start:end]) for start, end in ranges]
        if any(reading.hits for reading in readings):
            for number, (start, end) in enumerate(ranges):
                if readings[number] is NOTHING:
                    readings[number] = self.read_covid(view[start:end])
        if not any(reading.mentions or reading.hits for reading in readings):
            return EMPTY
        return self.assemble(text, view, ranges, readings)

    def is_idle(self, view: str) -> bool:
        """Whether no word of the text can be part of a finding's or COVID's name."""
        return self._only_idle(view, self._idle, self.anchors)

    def _only_idle(self, view: str, idle: set[str], wanted: frozenset[str]) -> bool:
        chunks = view.split()
        if idle.issuperset(chunks):
            return True
        if len(idle) > _CACHE_LIMIT:
            idle.clear()
        for chunk in chunks:
            if chunk not in idle:
                if self.finder.is_relevant(chunk, wanted):
                    return False
                idle.add(chunk)
        return True

    def read_sentence(self, sentence: str) -> SentenceReading:
        """The reading of a sentence, from memory where it was read before."""
        if self.plain:
            return self._read(sentence)
        known = self._sentences.get(sentence)
        if known is None:
            known = self._store(sentence, NOTHING if self.is_idle(sentence) else self._read(sentence))
        return known

    def read_covid(self, sentence: str) -> SentenceReading:
        """Read a sentence without findings for what it adds to COVID ("PCR was positive.")."""
        if self._only_idle(sentence, self._idle_covid, self.finder.covid_words):
            return NOTHING
        return self._store(sentence, self._read(sentence))

    def _store(self, sentence: str, reading: SentenceReading) -> SentenceReading:
        if len(self._sentences) > _CACHE_LIMIT:
            self._sentences.clear()
        self._sentences[sentence] = reading
        return reading

    # ---- sentences

    def _read(self, sentence: str) -> SentenceReading:
        tokens = self.finder.tokens(sentence)
        covid = not self.finder.covid_words.isdisjoint(tokens.words)
        found = self.finder.find(tokens, covid=covid)
        hits = tuple(covid_hits(tokens, found)) if covid else ()
        reader = SentenceReader(self.words, tokens, found)
        mentions = tuple(self._local(sentence, tokens, reader, m, d) for m, d in reader.decide())
        modality = next((f.entry.value for f in reversed(reader.places) if _is(f, "modality")), "")  # type: ignore[union-attr]
        return SentenceReading(mentions, hits, modality) if mentions or hits or modality else NOTHING

    def _local(
        self, sentence: str, tokens: Tokens, reader: SentenceReader, found: Found, decision: Decision
    ) -> LocalMention:
        """A decided mention in characters of its sentence."""
        term = found.entry
        assert isinstance(term, Term)
        cue, places = decision.cue, reader.place(found)
        start, end = tokens.starts[found.start], tokens.ends[found.end - 1]
        cue_range = (tokens.starts[cue.start], tokens.ends[cue.end - 1]) if cue else (None, None)
        scope = (tokens.starts[cue.low], tokens.ends[cue.high - 1]) if cue and cue.low < cue.high else (None, None)
        scores = [tokens.scores[i] for i in range(found.start, found.end) if i in tokens.scores]
        mention = Mention(
            finding=term.finding,
            assertion=decision.assertion or "present",
            start=start,
            end=end,
            text=sentence[start:end],
            panel="",
            section="",
            modality=places[0],
            laterality=places[1],
            lobe=places[2],
            term=term.term,
            rule=decision.rule,
            cue=sentence[cue_range[0] : cue_range[1]] if cue else "",
            cue_start=cue_range[0],
            cue_end=cue_range[1],
            match="fuzzy" if scores else "exact",
            score=min(scores, default=100.0),
            scope_start=scope[0],
            scope_end=scope[1],
        )
        inside = [p for p in reader.places if _is(p, "chest") and not (found.start <= p.start < found.end)]
        return LocalMention(mention, decision.assertion is not None, term.chest and not inside)

    # ---- from sentences to the text

    def assemble(
        self, text: str, view: str, ranges: Sequence[tuple[int, int]], readings: Sequence[SentenceReading]
    ) -> Reading:
        """Move local mentions to their places in the text; add section, panel and modality."""
        sections = headings(view, self.lexicon.sections)
        stretches = panels(view) if len(sections) < 2 else []
        kept: list[Mention] = []
        dropped: list[Mention] = []
        hits: list[tuple[str, CovidHit]] = []
        modality = ""
        for (start, _), reading in zip(ranges, readings, strict=True):
            for local in reading.mentions:
                at = start + local.mention.start
                section = _section_at(sections, at, view) if sections else None
                panel = _panel_at(stretches, at) if stretches else ""
                mention = _moved(text, local.mention, start, panel, section.section if section else "", modality)
                if not local.reported:
                    dropped.append(mention)
                elif section and not section.reports:
                    dropped.append(mention._replace(rule="section_not_reported"))
                elif local.unplaced and self.is_elsewhere(view):
                    dropped.append(mention._replace(rule="outside_chest"))
                else:
                    kept.append(mention)
            for hit in reading.hits:
                moved = hit._replace(start=hit.start + start, end=hit.end + start)
                section = _section_at(sections, moved.start, view)
                if not (section and not section.reports and section.section in ("comparison", "glossary")):
                    panel = _panel_at([s for s in stretches if not s.subject], moved.start)
                    hits.append((panel, moved))
            modality = reading.modality or modality
        if hits:
            kept.extend(_covid_mentions(text, hits))
        kept.sort(key=_place)
        letters = dict.fromkeys(letter for stretch in stretches for letter in stretch.letters.split(";"))
        count = len(times(view)) if kept and not sections and len(letters) < 2 else 0
        return Reading(tuple(kept), tuple(hits), tuple(letters), count, tuple(dropped))

    def is_elsewhere(self, view: str) -> bool:
        """Whether the text speaks of bones, ovaries and the like, and nowhere of the chest."""
        chunks = set(view.split())
        if any(self.finder.is_relevant(chunk, self.places["chest"]) for chunk in chunks):
            return False
        return any(self.finder.is_relevant(chunk, self.places["outside"]) for chunk in chunks)


def _moved(text: str, local: Mention, offset: int, panel: str, section: str, modality: str) -> Mention:
    """A mention of a sentence, moved to its place in the text."""
    start, end = local.start + offset, local.end + offset
    cue_start = None if local.cue_start is None else local.cue_start + offset
    cue_end = None if local.cue_end is None else local.cue_end + offset
    return Mention(
        local.finding,
        local.assertion,
        start,
        end,
        text[start:end],
        panel,
        section,
        local.modality or modality,
        local.laterality,
        local.lobe,
        local.term,
        local.rule,
        "" if cue_start is None else text[cue_start:cue_end],
        cue_start,
        cue_end,
        local.match,
        local.score,
        None if local.scope_start is None else local.scope_start + offset,
        None if local.scope_end is None else local.scope_end + offset,
    )


def _place(mention: Mention) -> tuple[int, int, str]:
    return mention.start, mention.end, mention.finding


def _is(found: Found, kind: str) -> bool:
    return isinstance(found.entry, Context) and found.entry.kind == kind


def _section_at(sections: Sequence[Heading], position: int, view: str) -> Heading | None:
    """The section a character stands in; one that reports nothing ends with its sentence when nothing else ends it."""
    current: Heading | None = None
    last = True
    for heading in sections:
        if heading.start > position:
            last = False
            break
        current = heading
    if current and not current.reports and last:
        stop = view.find(". ", current.start)
        if 0 <= stop < position:
            return None
    return current


def _panel_at(stretches: Sequence[Panel], position: int) -> str:
    return next((s.letters for s in stretches if s.start <= position < s.end), "")


def _covid_mentions(text: str, hits: Sequence[tuple[str, CovidHit]]) -> list[Mention]:
    """The COVID wording as mentions; overlapping pieces become one, of the kind that says more than a name."""
    chosen: list[tuple[str, CovidHit]] = []
    if not any(hit.kind in ("name", "control") for _, hit in hits):
        return []
    for panel, hit in sorted(hits, key=lambda h: (h[1].kind == "name", h[1].start - h[1].end, h[1].start)):
        if hit.kind not in _HIT_ASSERTION:
            continue
        for number, (other_panel, other) in enumerate(chosen):
            if other.start < hit.end and hit.start < other.end:
                widest = other._replace(start=min(other.start, hit.start), end=max(other.end, hit.end))
                chosen[number] = (other_panel, widest)
                break
        else:
            chosen.append((panel, hit))
    return [
        Mention(
            COVID, _HIT_ASSERTION[hit.kind], hit.start, hit.end, text[hit.start : hit.end], panel, "", "", "", "", hit.term, f"covid_{hit.kind}",
            "", None, None, "exact", 100.0, None, None,
        )  # fmt: skip
        for panel, hit in chosen
    ]


# ---- batches


def label_batch(records: pa.RecordBatch, reader: Reader) -> Labelled:
    """Label a batch of records.

    Args:
        records: columns ``schema.RECORD_COLUMNS``, all text without nulls; ``covid19`` holds a cell value or a blank.
        reader: built once per process.

    Returns:
        ``labels`` with the columns of ``schema.label_columns``, row for row, and ``mentions`` with
        ``schema.MENTION_COLUMNS``, offsets as integers.
    """
    columns = {name: records.column(name).to_pylist() for name in records.schema.names}
    readings: dict[str, Reading] = {}
    rows: list[Record] = []
    for caption, panel in zip(columns["caption"], columns["panel"], strict=True):
        reading = readings.get(caption)
        if reading is None:
            reading = readings[caption] = reader.read_text(caption)
        rows.append(of_panel(reading, panel))
    return Labelled(_labels(columns, rows, reader.lexicon), _mentions(columns["image"], rows))


def _labels(columns: dict[str, list[str]], rows: Sequence[Record], lexicon: Lexicon) -> pa.RecordBatch:
    keys = lexicon.finding_keys
    cells: dict[str, list[str]] = {key: [] for key in keys}
    covid: list[str] = []
    flags: list[str] = []
    for number, record in enumerate(rows):
        found = states(record.mentions, keys)
        for key in keys:
            cells[key].append(STATE_CELL[found[key]])
        given = columns[COVID][number]
        said = COVID_CELL[record.covid]
        covid.append(given or said)
        row_flags = columns["flags"][number].split(";") if columns["flags"][number] else []
        if not columns["caption"][number].strip():
            row_flags.append("no_text")
        if record.ambiguous:
            row_flags.append("ambiguous_panel")
        if given and said and {given, said} == {"0", "1"}:
            row_flags.append("covid_conflict")
        flags.append(";".join(row_flags))
    count = len(rows)
    data = {
        **columns,
        COVID: covid,
        **cells,
        "review": ["auto"] * count,
        "split": [""] * count,
        "flags": flags,
        "lexicon_version": [lexicon.version] * count,
    }
    names = [column.name for column in label_columns(keys)]
    return pa.record_batch([pa.array(data[name], pa.string()) for name in names], names=names)


_MENTION_TYPES = {
    "start": pa.int32(),
    "end": pa.int32(),
    "cue_start": pa.int32(),
    "cue_end": pa.int32(),
    "score": pa.float64(),
}


def _mentions(images: Sequence[str], rows: Sequence[Record]) -> pa.RecordBatch:
    names = [column.name for column in MENTION_COLUMNS]
    mentions = [mention for record in rows for mention in record.mentions]
    fields = dict(zip(Mention._fields, zip(*mentions, strict=True), strict=True)) if mentions else {}
    columns = {"image": [image for image, record in zip(images, rows, strict=True) for _ in record.mentions], **fields}
    arrays = [pa.array(columns.get(name, ()), _MENTION_TYPES.get(name, pa.string())) for name in names]
    return pa.record_batch(arrays, names=names)
