"""The contract between the steps: columns, states, cell values and flags.

Everything else (validation, the docs table, screen options, reading and writing) derives from here.
The module is light: it imports neither spaCy nor torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

Assertion = Literal["present", "negated", "uncertain", "resolved"]
State = Literal["present", "uncertain", "resolved", "negated", "not_mentioned"]
CovidState = Literal["confirmed", "control", "suspected", "unstated"]

ASSERTIONS: tuple[Assertion, ...] = get_args(Assertion)
STATES: tuple[State, ...] = get_args(State)
"""Strongest first: the state of a record is the first that one of its mentions has."""

STATE_CELL: Mapping[str, str] = {
    "present": "1",
    "uncertain": "-1",
    "resolved": "0",
    "negated": "0",
    "not_mentioned": "",
}
COVID_CELL: Mapping[str, str] = {"confirmed": "1", "suspected": "-1", "control": "0", "unstated": ""}
COVID_ASSERTION: Mapping[str, Assertion] = {
    "confirmed": "present",
    "suspected": "uncertain",
    "control": "negated",
}
COVID = "covid19"

CELL_VALUES = ("1", "0", "-1", "")
REVIEW_VALUES = ("auto", "confirmed", "adjudicated")
SPLIT_VALUES = ("train", "val", "test", "")
FLAGS: Mapping[str, str] = {
    "ambiguous_panel": "several panels or dates, and no letter that says which one this image is",
    "covid_conflict": "the text contradicts the COVID column; the column was kept",
    "no_text": "the caption is blank",
    "patient_made_up": "the input had no patient; records of one figure share a made-up id",
}


@dataclass(frozen=True)
class Column:
    """One column of a table: what it holds and which values it allows (None: any text)."""

    name: str
    meaning: str
    values: tuple[str, ...] | None = None
    required: bool = False

    def problem(self, value: str) -> str | None:
        """Say what is wrong with a cell, or None."""
        if self.required and not value:
            return f"{self.name} is blank but must have a value"
        if self.values is not None and value not in self.values:
            allowed = ", ".join(v or "blank" for v in self.values)
            return f"{self.name} must be one of {allowed}; found {value!r}"
        return None


NORMAL_DIAGNOSES = ("normal", "healthy", "no finding", "no findings")
"""What ``diagnosis`` says of a control without disease, in lower case; any other name is a disease."""

_BEFORE = (
    Column("image", "path below the image folder; unique", required=True),
    Column("patient_id", "the unit that a split never cuts", required=True),
    Column("source", "DOI, article or site; blank if unknown"),
    Column("panel", "letter or letters of the sub-figure, or blank"),
    Column("caption", "the text, unaltered; may be blank"),
    Column(COVID, "1 confirmed, 0 control, -1 suspected or unclear, blank unstated", CELL_VALUES),
    Column("diagnosis", "free class name (normal, pneumonia, lung cancer) or blank"),
)
_AFTER = (
    Column("review", "auto, confirmed by a person, or adjudicated", REVIEW_VALUES),
    Column("split", "train, val, test or blank", SPLIT_VALUES),
    Column("flags", "semicolon-joined: " + ", ".join(FLAGS)),
    Column("lexicon_version", "hash of the lexicon that made the labels"),
)
_FINDING_MEANING = "1 present, 0 negated or resolved, -1 uncertain, blank not mentioned"

RECORD_COLUMNS: tuple[str, ...] = (*(column.name for column in _BEFORE), "flags")
"""What the reader hands to the core: one row per record, all text, ``covid19`` already a cell value."""

MENTION_COLUMNS: tuple[Column, ...] = (
    Column("image", "the record's image", required=True),
    Column("finding", "key of lexicon/findings.csv, or covid19", required=True),
    Column("assertion", "what the text says of this mention", ASSERTIONS),
    Column("start", "first character, 0-based, into the unaltered caption", required=True),
    Column("end", "one past the last character", required=True),
    Column("text", "caption[start:end]", required=True),
    Column("panel", "letters of the sub-figure the words belong to, or blank"),
    Column("section", "report section (findings, impression, comparison), or blank"),
    Column("modality", "ct, radiograph, ultrasound, mri, pet, or blank"),
    Column("laterality", "left, right, bilateral, or blank"),
    Column("lobe", "semicolon-joined lobes or zones, or blank"),
    Column("term", "the lexicon term that matched", required=True),
    Column("rule", "the rule that decided the assertion", required=True),
    Column("cue", "the words that decided it, or blank"),
    Column("cue_start", "first character of the cue in the caption, or blank"),
    Column("cue_end", "one past the cue's last character, or blank"),
    Column("match", "exact or fuzzy", ("exact", "fuzzy")),
    Column("score", "similarity of a fuzzy match, 0 to 100; 100 when exact"),
)


def label_columns(findings: Sequence[str]) -> tuple[Column, ...]:
    """The columns of labels.csv for these finding keys, in order."""
    cells = (Column(key, _FINDING_MEANING, CELL_VALUES) for key in findings)
    return (*_BEFORE, *cells, *_AFTER)


def record_state(assertions: Iterable[str]) -> State:
    """The state of a record and finding from the assertions of its mentions.

    >>> record_state(["negated", "resolved"])
    'resolved'
    >>> record_state([])
    'not_mentioned'
    """
    seen = set(assertions)
    return next((state for state in STATES if state in seen), "not_mentioned")


def row_problems(row: Mapping[str, str], columns: Sequence[Column]) -> list[str]:
    """Every breach of the contract in one row, as sentences; empty when the row is good."""
    missing = [f"column {column.name} is missing" for column in columns if column.name not in row]
    if missing:
        return missing
    found = [column.problem(row[column.name]) for column in columns]
    unknown = [
        f"flags holds {flag!r}; known flags are {', '.join(FLAGS)}"
        for flag in row.get("flags", "").split(";")
        if flag and flag not in FLAGS
    ]
    return [problem for problem in found if problem] + unknown
