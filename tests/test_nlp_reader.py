"""The reader: exact places in the unaltered text, and a fast path that reads what the plain one reads."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nlp.reader
from nlp.batch import Reader
from nlp.entries import Lexicon
from nlp.schema import ASSERTIONS, COVID

Generated = st.SearchStrategy[str]


@settings(max_examples=300)
@given(data=st.data())
def test_reader_every_mention_and_cue_is_cut_from_the_unaltered_text(
    shared_reader: Reader, generated: Generated, data: st.DataObject
) -> None:
    text = data.draw(generated)
    reading = shared_reader.read_text(text)
    for mention in (*reading.mentions, *reading.dropped):
        assert text[mention.start : mention.end] == mention.text != ""
        assert (
            mention.finding in (*shared_reader.lexicon.finding_keys, COVID)
            and mention.assertion in ASSERTIONS
        )
        assert (mention.match == "exact") == (mention.score == 100)
        if mention.cue:
            assert text[mention.cue_start : mention.cue_end] == mention.cue
        else:
            assert mention.cue_start is mention.cue_end is None
        if mention.scope_start is not None and mention.scope_end is not None:
            assert 0 <= mention.scope_start < mention.scope_end <= len(text)
            assert mention.scope_start < mention.end and mention.start < mention.scope_end


@settings(max_examples=300)
@given(data=st.data())
def test_reader_the_fast_path_reads_what_the_plain_path_reads(
    shared_reader: Reader, plain_reader: Reader, generated: Generated, data: st.DataObject
) -> None:
    text = data.draw(generated)
    assert shared_reader.read_text(text) == plain_reader.read_text(text)


def test_reader_the_fast_path_agrees_on_every_text_at_hand(
    shared_reader: Reader, plain_reader: Reader, corpus: tuple[str, ...]
) -> None:
    differing = [
        n for n, text in enumerate(corpus) if shared_reader.read_text(text) != plain_reader.read_text(text)
    ]
    assert differing == []


def test_reader_the_fast_path_agrees_on_recombined_texts(
    shared_reader: Reader, plain_reader: Reader, corpus: tuple[str, ...]
) -> None:
    dice = random.Random(0)
    for _ in range(200):
        text = " ".join(dice.choice(corpus) for _ in range(3))[dice.randrange(40) :]
        assert shared_reader.read_text(text) == plain_reader.read_text(text)


def test_reader_a_forgetful_reader_reads_the_same(
    lexicon: Lexicon, shared_reader: Reader, corpus: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in ("_SENTENCES", "_CHUNKS"):
        monkeypatch.setattr(nlp.reader, limit, 1)
    forgetful = Reader(lexicon)
    for text in corpus[:40]:
        assert forgetful.read_text(text) == shared_reader.read_text(text)


# ---- where a finding is


@pytest.mark.parametrize(
    ("text", "laterality", "lobe"),
    [
        ("GGO in the left lower lobe.", "left", "lower lobe"),
        ("Right-sided consolidation.", "right", ""),
        ("Bilateral GGO.", "bilateral", ""),
        ("GGO in both lungs.", "bilateral", ""),
        ("GGO in the right and left lungs.", "bilateral", ""),
        ("GGO in the right upper and middle lobes.", "right", "upper lobe;middle lobe"),
        ("GGO of the RUL.", "right", "upper lobe"),
        ("Consolidation of the lingula.", "", "lingula"),
        ("Peripheral GGO at the left base.", "left", "peripheral;basal"),
        ("GGO.", "", ""),
        ("GGO on the left; the right lung is clear.", "left", ""),
        ("The right lung is clear. GGO on the left.", "left", ""),
    ],
)
def test_reader_side_and_lobe_are_those_the_clause_states(
    shared_reader: Reader, text: str, laterality: str, lobe: str
) -> None:
    (mention,) = shared_reader.read_text(text).mentions
    assert (mention.laterality, mention.lobe) == (laterality, lobe)


@pytest.mark.parametrize(
    ("text", "modalities"),
    [
        ("CT shows GGO.", ["ct"]),
        ("GGO on the chest radiograph.", ["radiograph"]),
        ("Chest x-ray: consolidation. HRCT: GGO.", ["radiograph", "ct"]),
        ("A chest CT was done. It shows GGO.", ["ct"]),
        ("GGO.", [""]),
    ],
)
def test_reader_modality_is_the_one_named_last(
    shared_reader: Reader, text: str, modalities: list[str]
) -> None:
    assert [mention.modality for mention in shared_reader.read_text(text).mentions] == modalities


def test_reader_one_modality_never_speaks_for_the_other(shared_reader: Reader) -> None:
    found = shared_reader.read_text("The radiograph shows no consolidation. CT shows consolidation.").mentions
    assert [(m.modality, m.assertion) for m in found] == [("radiograph", "negated"), ("ct", "present")]


def test_reader_section_is_the_one_the_words_stand_in(shared_reader: Reader) -> None:
    reading = shared_reader.read_text("INDICATION: GGO?\nFINDINGS: GGO.\nIMPRESSION: Consolidation.")
    assert [(m.text, m.section) for m in reading.mentions] == [
        ("GGO", "findings"),
        ("Consolidation", "impression"),
    ]
    assert [(m.text, m.section) for m in reading.dropped] == [("GGO", "indication")]


@pytest.mark.parametrize(
    "text",
    [
        "Consolidation of the femur three months after osteotomy.",
        "Ovarian cyst with ground-glass opacity on MRI.",
    ],
)
def test_reader_outside_the_chest_is_dropped_but_traceable(shared_reader: Reader, text: str) -> None:
    reading = shared_reader.read_text(text)
    assert reading.mentions == ()
    assert shared_reader.read_text(f"{text} The lung shows consolidation.").mentions != ()
