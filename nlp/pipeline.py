"""The reader as spaCy components, for anyone's own pipeline.

>>> pipeline = build_pipeline()
>>> doc = pipeline("No consolidation; ground-glass opacity in the left lower lobe.")
>>> [(span.text, span.label_, span._.assertion, span._.cue) for span in doc.spans["findings"]]
[('consolidation', 'consolidation', 'negated', 'No'), ('ground-glass opacity', 'ground_glass_opacity', 'present', '')]

To add them to an existing pipeline, import this module and call ``pipeline.add_pipe("chest_findings")``. Both components read the
text of the Doc, so that any tokeniser will do; where a mention is part of a longer token (glued words), its span is that token and
``span._.mention`` holds the exact characters.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import spacy
from spacy.language import Language
from spacy.tokens import Doc, Span

from nlp.aggregate import of_panel, states
from nlp.clauses import grammar_of
from nlp.entries import Lexicon
from nlp.lexicon import load_lexicon
from nlp.normalise import view
from nlp.panels import panels
from nlp.reader import Reader
from nlp.schema import COVID
from nlp.segment import headings, sentences

MENTION_ATTRIBUTES = (
    "assertion", "cue", "rule", "term", "panel", "section", "modality", "laterality", "lobe", "match", "score",
)  # fmt: skip
"""What ``span._`` carries for each finding, beside ``span._.mention``."""


def build_pipeline(lexicon: Path | None = None) -> Language:
    """A blank English pipeline with both components.

    Args:
        lexicon: a lexicon folder; by default the one that comes with the toolkit.
    """
    pipeline = spacy.blank("en")
    config = {"lexicon": str(lexicon) if lexicon else None}
    pipeline.add_pipe("chest_segments", config=config)
    pipeline.add_pipe("chest_findings", config=config)
    return pipeline


_READERS: dict[str, Reader] = {}
"""By lexicon version, so that an edited lexicon is read anew."""


def _reader(folder: str | None) -> Reader:
    lexicon = load_lexicon(Path(folder) if folder else None)
    if lexicon.version not in _READERS:
        _READERS[lexicon.version] = Reader(lexicon)
    return _READERS[lexicon.version]


@Language.factory("chest_segments", default_config={"lexicon": None}, assigns=["doc.spans"])
def chest_segments(nlp: Language, name: str, lexicon: str | None) -> ChestSegments:
    """Spans ``sentences``, ``sections`` (labelled by section) and ``panels`` (labelled by letters)."""
    return ChestSegments(_reader(lexicon).lexicon)


@Language.factory(
    "chest_findings",
    default_config={"lexicon": None, "spans_key": "findings"},
    assigns=["doc.spans", "span._.assertion"],
)
def chest_findings(nlp: Language, name: str, lexicon: str | None, spans_key: str) -> ChestFindings:
    """Spans of the findings with their assertions; ``doc._.finding_states`` and ``doc._.covid19`` for the whole text."""
    return ChestFindings(_reader(lexicon), spans_key)


class ChestSegments:
    """Marks the stretches that scope is judged in."""

    def __init__(self, lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        self.never_label = grammar_of(lexicon).never_label

    def __call__(self, doc: Doc) -> Doc:
        """Add the span groups."""
        text = view(doc.text)
        ranges = sentences(text, self.lexicon.abbreviations)
        stretches = panels(text, self.never_label, ranges)
        doc.spans["sentences"] = list(_spans(doc, ((start, end, "") for start, end in ranges)))
        doc.spans["panels"] = list(_spans(doc, ((p.start, p.end, p.letters) for p in stretches)))
        starts = headings(text, self.lexicon.sections)
        ends = [*(heading.start for heading in starts[1:]), len(text)]
        doc.spans["sections"] = list(
            _spans(
                doc, ((h.start, end, h.section) for h, end in zip(starts, ends, strict=False) if h.section)
            )
        )
        return doc


class ChestFindings:
    """Finds and asserts. Holds a ``Reader``, which is built once per lexicon and process."""

    def __init__(self, reader: Reader, spans_key: str) -> None:
        self.reader = reader
        self.spans_key = spans_key
        for attribute in (*MENTION_ATTRIBUTES, "mention"):
            if not Span.has_extension(attribute):
                Span.set_extension(attribute, default=None)
        for attribute in ("finding_states", COVID):
            if not Doc.has_extension(attribute):
                Doc.set_extension(attribute, default=None)

    def __call__(self, doc: Doc) -> Doc:
        """Add the span group and the states of the text."""
        reading = self.reader.read_text(doc.text)
        found = []
        for mention in reading.mentions:
            for span in _spans(doc, [(mention.start, mention.end, mention.finding)]):
                for attribute in MENTION_ATTRIBUTES:
                    span._.set(attribute, getattr(mention, attribute))
                span._.mention = mention
                found.append(span)
        doc.spans[self.spans_key] = found
        record = of_panel(reading, "")
        doc._.finding_states = states(record.mentions, self.reader.lexicon.finding_keys)
        doc._.covid19 = record.covid
        return doc


def displacy_options(lexicon: Lexicon, spans_key: str = "findings") -> dict[str, object]:
    """Options for ``displacy.render(doc, style="span", options=...)``, in the colours of the findings."""
    colours = {finding.key: finding.colour for finding in lexicon.findings}
    return {"spans_key": spans_key, "colors": {**colours, COVID: "#d62728"}}


def _spans(doc: Doc, ranges: Iterator[tuple[int, int, str]] | list[tuple[int, int, str]]) -> Iterator[Span]:
    """Character ranges as spans of the Doc, widened to whole tokens."""
    for start, end, label in ranges:
        span = doc.char_span(start, end, label=label, alignment_mode="expand")
        if span is not None:
            yield span
