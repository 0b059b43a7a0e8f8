"""Rows alone teach the reader: a synonym, a cue, a whole finding, without a line of Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from nlp.batch import Reader, label_batch
from nlp.entries import Lexicon
from nlp.lexicon import load_lexicon

Grown = Callable[[Mapping[str, Sequence[str]]], Reader]
PHRASES = [  # as a radiologist may type it into terms.csv, and as a report may write it
    ("tree-in-bud", "tree-in-bud"),
    ("tree-in-bud", "tree in bud"),
    ("signet ring", "signet-ring"),
    ("Wabenlunge", "wabenlunge"),
    ("wool ball", "Wool Ball"),
    ("pneumatocele", "pneumatoceles"),
    ("lymphoceles", "lymphocele"),
    ("Hampton's hump", "Hampton's hump"),
    ("type 2 haloing", "type 2 haloing"),
    ("glass/marble lung", "glass/marble lung"),
]


@pytest.fixture(scope="session")
def grown(grow_lexicon: Callable[..., Path]) -> Grown:
    """``grown({"terms.csv": [row, ...]})``: a reader of our lexicon with these rows added."""
    return lambda rows: Reader(load_lexicon(grow_lexicon(rows)))


def found(reader: Reader, text: str) -> list[tuple[str, str, str]]:
    return [(m.finding, m.assertion, m.text) for m in reader.read_text(text).mentions]


@pytest.fixture(scope="module")
def phrase_reader(grown: Grown) -> Reader:
    terms = dict.fromkeys(term for term, _ in PHRASES)
    rows = [f"consolidation,{term},report,no,,yes," for term in terms]
    return grown({"terms.csv": rows})


@pytest.mark.parametrize(("term", "text"), PHRASES)
def test_lexicon_a_new_phrase_is_found_whatever_its_case_hyphens_and_plurals(
    phrase_reader: Reader, term: str, text: str
) -> None:
    assert found(phrase_reader, f"There is {text} here.") == [("consolidation", "present", text)]


def test_lexicon_a_synonym_is_one_row(grown: Grown, shared_reader: Reader) -> None:
    text = "Cotton-wool veils are no longer seen."
    assert found(shared_reader, text) == []
    reader = grown({"terms.csv": ["ground_glass_opacity,cotton wool veil,report,no,,yes,"]})
    assert found(reader, text) == [("ground_glass_opacity", "resolved", "Cotton-wool veils")]


def test_lexicon_a_whole_finding_is_rows_and_becomes_a_column(
    grown: Grown, make_batch: Callable[..., pa.RecordBatch], lexicon: Lexicon
) -> None:
    rows = {
        "findings.csv": ["pneumatocele,Pneumatocele,Pnc,#00aa00,A thin-walled space filled with gas,,,"],
        "terms.csv": ["pneumatocele,pneumatocele,report,yes,,yes,", "pneumatocele,thin walled air cyst,report,no,,yes,"],
    }  # fmt: skip
    reader = grown(rows)
    captions = [
        "Several pneumatoceles.",
        "No pneumatocele.",
        "Possible thin-walled air cysts.",
        "GGO. Pneumatocelle?",
    ]
    labels, mentions = label_batch(make_batch(captions), reader)
    assert labels.column("pneumatocele").to_pylist() == ["1", "0", "-1", "-1"]
    assert labels.column("ground_glass_opacity").to_pylist() == ["", "", "", "1"]
    assert mentions.column("match").to_pylist() == ["exact"] * 4 + ["fuzzy"]
    assert set(labels.column("lexicon_version").to_pylist()) == {reader.lexicon.version} != {lexicon.version}


def test_lexicon_an_exclusion_a_cue_and_a_heading_are_one_row_each(grown: Grown) -> None:
    rows = {
        "terms.csv": ["consolidation,cheese consolidation,exclude,no,,no,"],
        "cues.csv": ["bereft of,cue,negated,forward,,,"],
        "sections.csv": ["gossip,indication,no,"],
    }
    reader = grown(rows)
    assert found(reader, "Cheese consolidation was tasted.") == []
    assert found(reader, "Lungs bereft of consolidation.") == [("consolidation", "negated", "consolidation")]
    assert found(reader, "GOSSIP: consolidation.\nFINDINGS: GGO.") == [
        ("ground_glass_opacity", "present", "GGO")
    ]


def test_lexicon_of_two_rows_with_the_same_words_the_first_is_named(grown: Grown) -> None:
    rows = [f"consolidation,{term},report,no,,yes," for term in ("wool ball", "wool ball|globe", "yarn")]
    for order in (rows, [*rows[2:], *rows[:2]], rows[1::-1]):
        (mention,) = grown({"terms.csv": order}).read_text("A wool ball is seen.").mentions
        assert mention.term == next(row for row in order if "ball" in row).split(",")[1]
