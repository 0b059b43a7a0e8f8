"""Entries: what the rows of the lexicon are, once read. Light: neither spaCy nor pandas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from nlp.phrases import Phrase, words_of
from nlp.schema import Assertion


@dataclass(frozen=True)
class Finding:
    """One lesion: a column of labels.csv."""

    key: str
    name: str
    abbreviation: str
    colour: str
    definition: str
    entails: tuple[str, ...]
    radlex: str
    dicom: str


@dataclass(frozen=True, eq=False)
class Term:
    """A way to write a finding (``kind`` report), or words that look like one and are not (exclude)."""

    finding: str
    term: str
    kind: Literal["report", "exclude"]
    fuzzy: bool
    assertion: Assertion | None
    chest: bool
    phrases: tuple[Phrase, ...] = field(repr=False)


@dataclass(frozen=True, eq=False)
class Cue:
    """Words that decide an assertion, or that stop or disarm such words.

    ``kind``: ``cue`` decides; ``pseudo`` looks like a cue and is none; ``terminate`` ends scopes;
    ``past`` says that a finding was seen before; ``discard`` takes a finding out of the report (a definition, a
    risk, an older examination that is only cited). ``reach`` limits the scope to so many words.
    """

    cue: str
    kind: Literal["cue", "pseudo", "terminate", "past", "discard"]
    assertion: Assertion | None
    direction: Literal["forward", "backward", "both", "closing", "answer"]
    reach: int | None
    rule: str
    phrases: tuple[Phrase, ...] = field(repr=False)


@dataclass(frozen=True, eq=False)
class Context:
    """Words that place a finding: modality, laterality, lobe, chest or outside of it."""

    kind: Literal["modality", "laterality", "lobe", "chest", "outside"]
    value: str
    phrases: tuple[Phrase, ...] = field(repr=False)


@dataclass(frozen=True, eq=False)
class CovidTerm:
    """COVID wording: the ``name`` of the disease, or words that settle a state beside or without it."""

    kind: str
    term: str
    phrases: tuple[Phrase, ...] = field(repr=False)


Entry = Term | Cue | Context | CovidTerm
"""A row with phrases that are looked for in a sentence."""


@dataclass(frozen=True)
class Section:
    """A report heading; ``reports`` is false where a finding named there is not one of this image.

    ``summary`` marks sections that sum up a body of findings (impression): they never follow an indication directly.
    ``patient`` is false where a disease named there says nothing of this patient either (comparison, abbreviations).
    """

    heading: str
    section: str
    reports: bool
    summary: bool
    patient: bool


@dataclass(frozen=True)
class Lexicon:
    """All rows, checked and expanded. ``version`` is a hash of the files' contents."""

    version: str
    findings: tuple[Finding, ...]
    terms: tuple[Term, ...]
    cues: tuple[Cue, ...]
    contexts: tuple[Context, ...]
    covid: tuple[CovidTerm, ...]
    sections: Mapping[str, Section]
    spellings: Mapping[str, Phrase]
    classes: Mapping[str, tuple[Phrase, ...]]
    abbreviations: Mapping[str, bool]
    never_fuzzy: frozenset[str]

    @cached_property
    def finding_keys(self) -> tuple[str, ...]:
        """Keys of the findings, in the order of their columns."""
        return tuple(finding.key for finding in self.findings)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All rows with phrases, in one fixed order."""
        return (*self.terms, *self.cues, *self.contexts, *self.covid)

    @cached_property
    def words(self) -> frozenset[str]:
        """Every word that occurs in a phrase of the lexicon."""
        written = (phrase for entry in self.entries for phrase in entry.phrases)
        members = (phrase for phrases in self.classes.values() for phrase in phrases)
        return frozenset(words_of((*written, *members)))
