"""Segment: sentences, report sections and dates."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp.entries import Lexicon
from nlp.lexicon import load_lexicon
from nlp.normalise import view
from nlp.segment import headings, sentences, times

LEXICON = load_lexicon()
"""For the properties, which take no fixtures."""


def cut(text: str) -> list[str]:
    """The words of each sentence of a text, without bullets."""
    seen = view(text)
    ranges = sentences(seen, LEXICON.abbreviations)
    return [words for start, end in ranges if (words := seen[start:end].strip(' \n\x1e-*"'))]


PIECES = st.sampled_from(
    (
        "GGO", "no change", "Dr. Who", "Fig. 2", "e.g. ", ". ", ".", "? ", "!", "\n", "\n\n", "\r\n", " - ", "• ", '" ',
        "FINDINGS:", "Impression", ": ", "(A) ", "; ", "-\n", "  ", "\t", "\\n", "3.5 mm", "'", "1. ",
    )
)  # fmt: skip
TEXTS = st.lists(st.one_of(PIECES, st.text(max_size=4)), max_size=20).map("".join)


@given(TEXTS)
def test_segment_sentences_cover_the_text_without_gap_or_overlap(text: str) -> None:
    seen = view(text)
    ranges = sentences(seen, LEXICON.abbreviations)
    assert "".join(seen[start:end] for start, end in ranges) == seen
    assert all(start < end for start, end in ranges)
    assert all(first[1] == second[0] for first, second in itertools.pairwise(ranges))


def test_segment_sentences_cover_every_text_at_hand(corpus: tuple[str, ...]) -> None:
    for text in corpus:
        seen = view(text)
        ranges = sentences(seen, LEXICON.abbreviations)
        assert "".join(seen[start:end] for start, end in ranges) == seen


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("GGO is seen. No change.", ["GGO is seen.", "No change."]),
        ("Is it GGO? It is! Good.", ["Is it GGO?", "It is!", "Good."]),
        ("GGO (left). (B) Clear.", ["GGO (left).", "(B) Clear."]),
        ('He wrote "GGO." Then he left.', ['He wrote "GGO.', "Then he left."]),
        ("No GGO.Consolidation is seen.", ["No GGO.", "Consolidation is seen."]),
        ("No GGO.(B) Consolidation.", ["No GGO.", "(B) Consolidation."]),
        ("There is no. 3 is new.", ["There is no. 3 is new."]),
        ("", []),
        ("   ", []),
    ],
)
def test_segment_a_sentence_ends_at_its_mark(text: str, expected: list[str]) -> None:
    assert cut(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "GGO (Fig. 2) is seen.",
        "Dr. Who saw GGO vs. Consolidation.",
        "Opacities, e.g. GGO, i.e. Haze.",
        "Lee et al. Described GGO.",
        "On Jan. 20 the lungs were clear.",
        "A 3.5 mm nodule at approx. 2.0 cm.",
    ],
)
def test_segment_an_abbreviation_ends_no_sentence(text: str) -> None:
    assert cut(text) == [text]


def test_segment_a_month_or_no_at_the_end_ends_its_sentence() -> None:
    assert cut("CT was done in Jan. It showed GGO.") == ["CT was done in Jan.", "It showed GGO."]
    assert cut("Is there GGO? No. There is consolidation.")[1:] == ["No.", "There is consolidation."]


def test_segment_a_hard_wrap_ends_no_sentence() -> None:
    text = "The report was typed with a margin at seventy characters, so that\nConsolidation opens a line."
    assert len(cut(text)) == 1
    assert len(cut("There is no\nconsolidation.")) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Lungs: clear\nHeart: normal", ["Lungs: clear", "Heart: normal"]),
        ("No GGO\nConsolidation on the left", ["No GGO", "Consolidation on the left"]),
        ("No GGO\n\nconsolidation", ["No GGO", "consolidation"]),
        ("- no GGO\n- consolidation", ["no GGO", "consolidation"]),
        ("* no GGO\n* consolidation", ["no GGO", "consolidation"]),
        ("1. no GGO\n2. consolidation", ["1. no GGO", "2. consolidation"]),
        ("1) no GGO\n2) consolidation", ["1) no GGO", "2) consolidation"]),
        ("• No GGO • Consolidation", ["No GGO", "Consolidation"]),
        ("• no GGO • consolidation", ["no GGO", "consolidation"]),
        ('Lungs: " no GGO " consolidation', ["Lungs:", "no GGO", "consolidation"]),
    ],
)
def test_segment_lines_and_bullets_are_sentences(text: str, expected: list[str]) -> None:
    assert cut(text) == expected


def test_segment_a_quoted_word_is_no_bullet() -> None:
    assert len(cut('The so-called "crazy paving" sign and "white lung" are seen.')) == 1


# ---- sections


def sections_of(text: str, lexicon: Lexicon) -> list[tuple[str, bool]]:
    """Section and whether it reports, at each ``@`` of a text."""
    found = headings(view(text), lexicon.sections)
    marks = [place for place, character in enumerate(text) if character == "@"]
    before = [[h for h in found if h.start <= mark] for mark in marks]
    return [(hs[-1].section, hs[-1].reports) if hs else ("", True) for hs in before]


@pytest.mark.parametrize(
    "text",
    [
        "INDICATION: cough @.\nTECHNIQUE: thin slices @.\nFINDINGS: @ GGO.\nIMPRESSION: @ GGO.",
        "Indication: cough @. Technique: thin slices @. Findings: @ GGO. Impression: @ GGO.",
        "INDICATION\ncough @\n\nTECHNIQUE\nthin slices @\n\nFINDINGS\n@ GGO\n\nIMPRESSION\n@ GGO",
    ],
)
def test_segment_sections_are_read_in_every_layout(text: str, lexicon: Lexicon) -> None:
    expected = [("indication", False), ("technique", False), ("findings", True), ("impression", True)]
    assert sections_of(text, lexicon) == expected


@pytest.mark.parametrize(
    "heading",
    ["Indication", "Clinical history", "Comparison", "Technique", "Recommendation", "Abbreviations"],
)
def test_segment_a_section_that_reports_nothing_says_so(heading: str, lexicon: Lexicon) -> None:
    ((_, reports),) = sections_of(f"{heading}: GGO @ of the left lung.", lexicon)
    assert not reports


def test_segment_a_silent_section_ends_with_its_line_without_another_heading(lexicon: Lexicon) -> None:
    text = "History: GGO @ in May.\nThere is consolidation @ now."
    assert sections_of(text, lexicon) == [("history", False), ("", True)]


def test_segment_a_silent_section_does_not_silence_an_unknown_heading(lexicon: Lexicon) -> None:
    assert sections_of("Indication: cough @. Zebra stripes: GGO @.", lexicon)[1] == ("", True)


def test_segment_a_caption_has_no_sections(lexicon: Lexicon) -> None:
    assert headings("CT of the findings at day 3: GGO in the indication group.", lexicon.sections) == []


def test_segment_nothing_of_a_silent_section_is_reported(states_of: Callable[..., dict[str, str]]) -> None:
    text = "INDICATION: consolidation?\nCOMPARISON: CT with crazy paving.\nFINDINGS: No GGO."
    assert states_of(text) == {"ground_glass_opacity": "negated"}


# ---- dates


@pytest.mark.parametrize(
    "text",
    [
        "GGO on January 20, consolidation on February 3.",
        "GGO on 20 Jan; consolidation on 3rd Feb.",
        "Day 3: GGO. Day 9: consolidation.",
        "GGO on the 3rd day, consolidation on the 9th day.",
        "20.01.2020: GGO. 03.02.2020: consolidation.",
        "1/20/2020: GGO. 2/3/2020: consolidation.",
        "2020-01-20: GGO. 2020-02-03: consolidation.",
    ],
)
def test_segment_dates_shown_are_told_apart(text: str) -> None:
    assert len(times(text)) == 2


@pytest.mark.parametrize(
    "text",
    ["GGO, compared with the CT dated 20 Jan.", "GGO in a man born 1.2.1950.", "GGO; previous CT (Jan 20) was clear.", "GGO of 5 mm."],
)  # fmt: skip
def test_segment_a_date_only_cited_is_not_shown(text: str) -> None:
    assert times(text) == set()


def test_segment_the_same_date_counts_once() -> None:
    assert times("Day 3: GGO. On day  3 also consolidation.") == {"day 3"}
