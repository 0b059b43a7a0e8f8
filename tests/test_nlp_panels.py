"""Panels: labels in every written form, before and after their text, and letters that are no labels."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp.clauses import grammar_of
from nlp.lexicon import load_lexicon
from nlp.normalise import view
from nlp.panels import expand_letters, panels

NEVER = grammar_of(load_lexicon()).never_label


def letters_of(text: str) -> dict[str, str]:
    """Which letters the words GGO and clear of a text belong to (blank: shared by all panels)."""
    seen = view(text)
    stretches = panels(seen, NEVER)
    places = {word: seen.index(word) for word in ("GGO", "clear") if word in seen}
    return {
        word: next((panel.letters for panel in stretches if panel.start <= at < panel.end), "")
        for word, at in places.items()
    }


BEFORE = [
    ("(A) GGO. (B) clear.", "A", "B"),
    ("(a) GGO; (b) clear.", "A", "B"),
    ("(A)GGO(B)clear", "A", "B"),
    ("A. GGO. B. clear.", "A", "B"),
    ("A: GGO; B: clear.", "A", "B"),
    ("A) GGO. B) clear.", "A", "B"),
    ("a) GGO. b) clear.", "A", "B"),
    ("A, Axial CT with GGO. B, Coronal CT is clear.", "A", "B"),
    ("A Axial CT with GGO. B Coronal CT is clear.", "A", "B"),
    ("[A] GGO. [B] clear.", "A", "B"),
    ("(A–C) GGO. (D) clear.", "A;B;C", "D"),
    ("A-C: GGO. D: clear.", "A;B;C", "D"),
    ("(A to C) GGO. (D) clear.", "A;B;C", "D"),
    ("(A, B) GGO; (C, D) clear.", "A;B", "C;D"),
    ("(A & B) GGO. (C) clear.", "A;B", "C"),
    ("(A and B) GGO. (C and D) clear.", "A;B", "C;D"),
    ("a and b: GGO. c: clear.", "A;B", "C"),
    ("A, B, and D: GGO. C: clear.", "A;B;D", "C"),
    ("1A: GGO. 1B: clear.", "1A", "1B"),
    ("(1A) GGO. (1B) clear.", "1A", "1B"),
    ("Figure 1. (A) GGO. (B) clear.", "A", "B"),
    ("(Fig. 3A) GGO. (Fig. 3B) clear.", "3A", "3B"),
    ("(A1) GGO. (A2) clear.", "A1", "A2"),
    ("A1-A3: GGO. B1: clear.", "A1;A2;A3", "B1"),
    ("Panel A: GGO. Panel B: clear.", "A", "B"),
    ("Panel A shows GGO, panel B is clear.", "A", "B"),
    ("Panels A and B show GGO. Panel C is clear.", "A;B", "C"),
    ("(panel a) GGO. (panel b) clear.", "A", "B"),
    ("Image A: GGO. Image B: clear.", "A", "B"),
    ("Images A-C show GGO; images D-F are clear.", "A;B;C", "D;E;F"),
    ("In panel A, GGO. In panel B, clear lungs.", "A", "B"),
    ("In (a), GGO is seen. In (b), the lungs are clear.", "A", "B"),
    ("The lungs in (A) show GGO, those in (B) are clear.", "A", "B"),
    ("CT images: (A) GGO, (B) clear.", "A", "B"),
    ("CT images: (A) GGO, (B) and (C) clear lungs.", "A", "B;C"),
    ("(A, axial) GGO. (B, coronal) clear.", "A", "B"),
    ("(top panel) GGO; (bottom panel) clear.", "top", "bottom"),
    ("Top panel: GGO. Bottom panel: clear.", "top", "bottom"),
    ("Upper row, GGO. Lower row, clear.", "upper", "lower"),
    ("Left image: GGO. Right image: clear.", "left", "right"),
]
AFTER = [
    ("CT shows GGO (A) and clear lungs (B).", "A", "B"),
    ("CT shows GGO (a), clear lungs (b).", "A", "B"),
    ("CT shows GGO (A, B) and clear lungs (C–E).", "A;B", "C;D;E"),
    ("CT on admission shows GGO (A). Later CT is clear (B).", "A", "B"),
    ("CT shows GGO (A, arrow), then clear lungs (B).", "A", "B"),
    ("CT shows GGO (1A) and clear lungs (1B).", "1A", "1B"),
    ("GGO in both lungs (a-c). Later the lungs are clear (d).", "A;B;C", "D"),
    ("CT shows GGO (A, C) and clear lungs (B, D).", "A;C", "B;D"),
    ("CT shows GGO (upper row) and clear lungs (lower row).", "upper", "lower"),
]


@pytest.mark.parametrize(("text", "first", "second"), BEFORE)
def test_panels_a_label_before_its_text_is_read(text: str, first: str, second: str) -> None:
    assert letters_of(text) == {"GGO": first, "clear": second}


@pytest.mark.parametrize(("text", "first", "second"), AFTER)
def test_panels_a_label_after_its_text_is_read(text: str, first: str, second: str) -> None:
    assert letters_of(text) == {"GGO": first, "clear": second}


@pytest.mark.parametrize(
    "text",
    [
        "CT (A) and radiograph (B) show GGO.",
        "Axial (a) and coronal (b) CT with GGO.",
    ],
)
def test_panels_words_said_of_all_panels_are_shared_or_belong_to_all(text: str) -> None:
    assert letters_of(text)["GGO"] in ("", "A;B")


@pytest.mark.parametrize(
    "text", ["A man with fever: (A) GGO. (B) clear.", "A man with fever. A: GGO. B: clear."]
)
def test_panels_words_before_the_first_label_are_shared(text: str) -> None:
    seen = view(text)
    assert min(panel.start for panel in panels(seen, NEVER)) > seen.index("fever")


@pytest.mark.parametrize(
    "text",
    [
        "A chest CT shows GGO.",
        "A CT scan shows GGO. A nodule is absent.",
        "A 54-year-old man. A Chest CT was done.",
        "Figure 2. A woman with GGO.",
        "CT in hepatitis (B) shows GGO.",
        "Dissection of type (A) with GGO.",
        "Kerley B lines. Cough. C-reactive protein was high.",
        "Fever. D-dimer was high. GGO.",
        "GGO (arrow), (arrows), (5 mm), (left), (n = 3).",
        "GGO in the left lung, e.g. at the base (see below).",
        "",
    ],
)
def test_panels_other_letters_and_brackets_are_no_labels(text: str) -> None:
    assert panels(view(text), NEVER) == []


@pytest.mark.parametrize(
    ("label", "letters"),
    [
        ("A", "A"),
        ("b", "B"),
        ("A, B", "A;B"),
        ("A and B", "A;B"),
        ("C and D", "C;D"),
        ("a, b, and d", "A;B;D"),
        ("B-D", "B;C;D"),
        ("B-D and f", "B;C;D;F"),
        ("A to C", "A;B;C"),
        ("A/B or C", "A;B;C"),
        ("A1-A3", "A1;A2;A3"),
        ("A1-3", "A1;A2;A3"),
        ("1A", "1A"),
        ("1A-1C", "1A;1B;1C"),
        ("2a-d", "2A;2B;2C;2D"),
        ("A, A", "A"),
    ],
)
def test_panels_letters_of_a_label_are_written_out(label: str, letters: str) -> None:
    # a figure's number need not be repeated: 2a-d may read 2A;B;C;D
    found = expand_letters(label).split(";")
    wanted = letters.split(";")
    assert [part.lstrip("0123456789") for part in found] == [part.lstrip("0123456789") for part in wanted]


PIECES = st.sampled_from(
    (
        "(A) ", "(b)", "A. ", "B: ", "(A-C)", "(C and D)", "1A", "a and b: ", "(top panel) ", "Top panel: ", "Panel A ",
        "GGO ", "clear", ". ", ", ", "; ", "\n", "(", ")", "A chest CT ", "and ", "Fig. 2 ", "'", '"', "[A] ",
    )
)  # fmt: skip


@given(st.lists(st.one_of(PIECES, st.text(max_size=3)), max_size=15).map("".join))
def test_panels_stretches_lie_in_order_inside_the_text_and_never_overlap(text: str) -> None:
    stretches = panels(view(text), NEVER)
    for panel in stretches:
        assert 0 <= panel.start < panel.end <= len(text)
        assert panel.letters and all(panel.letters.split(";"))
    for first, second in itertools.pairwise(stretches):
        assert first.end <= second.start
