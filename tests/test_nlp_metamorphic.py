"""What must not change, and what must, when a text is changed: every finding in every pattern and disguise."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

import pytest

from nlp.aggregate import of_panel, states
from nlp.batch import Reader
from nlp.lexicon import load_lexicon

CASES = Path(__file__).parent / "cases"
FORMS = {
    "ground_glass_opacity": (
        "ground-glass opacity",
        "GGO",
        "ground glass opacities",
        "frosted glass shadow",
        "ground-glas opacity",
    ),
    "consolidation": (
        "consolidation",
        "consolidations",
        "airspace consolidation",
        "consolidative opacity",
        "consolidaton",
    ),
    "crazy_paving": (
        "crazy-paving pattern",
        "crazy paving",
        "paving stone sign",
        "cobblestone pattern",
        "crazypaving",
    ),
    "air_bronchogram": (
        "air bronchogram",
        "air-bronchograms",
        "air bronchogram sign",
        "airbronchogram",
        "air bronchgram",
    ),
    "septal_thickening": (
        "interlobular septal thickening",
        "septal thickening",
        "thickening of the interlobular septa",
        "Kerley B lines",
        "interlobualr septal thickening",
    ),
}
UNRELATED = (
    "The heart is not enlarged.",
    "A small hiatal hernia is possible.",
    "Pleural effusion has completely resolved.",
    "No enlarged lymph nodes were observed.",
    "The trachea is midline.",
)
PATTERNS = [
    tuple(row) for row in csv.reader((CASES / "patterns.csv").read_text(encoding="utf-8").splitlines())
][1:]
GRID = [
    pytest.param(template, state, finding, form, id=f"{number}-{form}")
    for number, (template, state, _) in enumerate(PATTERNS, start=2)
    for finding, forms in FORMS.items()
    for form in forms
]


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(load_lexicon())


def write(template: str, form: str) -> str:
    """The template with a finding in it, beginning with a capital."""
    text = template.replace("{f}", form)
    return text[0].upper() + text[1:]


def state(reader: Reader, text: str, finding: str, panel: str = "") -> str:
    record = of_panel(reader.read_text(text), panel)
    return states(record.mentions, reader.lexicon.finding_keys)[finding]


@pytest.mark.parametrize(("template", "expected", "finding", "form"), GRID)
def test_metamorphic_every_finding_in_every_pattern(reader, template, expected, finding, form):
    text = write(template, form)
    assert state(reader, text, finding) == expected, text


@pytest.mark.parametrize(("template", "expected", "phenomenon"), PATTERNS)
def test_metamorphic_an_unrelated_sentence_changes_nothing(reader, template, expected, phenomenon):
    for finding, forms in FORMS.items():
        text = write(template, forms[0])
        for other in UNRELATED:
            assert (
                state(
                    reader,
                    f"{text.rstrip('.?')}. {other}" if text[-1] == "." else f"{text}\n{other}",
                    finding,
                )
                == expected
            )
            if phenomenon != "section":
                assert state(reader, f"{other} {text}", finding) == expected, f"{other} {text}"


@pytest.mark.parametrize(("template", "expected", "phenomenon"), PATTERNS)
def test_metamorphic_case_and_spacing_change_nothing(reader, template, expected, phenomenon):
    for finding, forms in FORMS.items():
        text = write(template, forms[0])
        for variant in (text.upper(), text.replace(" ", "  "), f"['{text}']", text.replace("-", "\u2010")):
            assert state(reader, variant, finding) == expected, variant
        for wrapped in (text.replace(" ", "\n", 1), text.replace(" in ", "\nin ")):
            if "\n- " not in wrapped:  # that would be a bullet
                assert state(reader, wrapped, finding) == expected, wrapped


def test_metamorphic_sentences_may_be_reordered(reader):
    parts = (
        "No consolidation.",
        "Possible crazy paving in the left lung.",
        "GGO is seen in both lungs.",
        "Air bronchogram was not observed.",
    )
    seen = {
        tuple(states(reader.read_text(" ".join(order)).mentions, reader.lexicon.finding_keys).values())
        for order in itertools.permutations(parts)
    }
    assert seen == {("present", "negated", "uncertain", "negated", "not_mentioned")}


@pytest.mark.parametrize(
    "letters",
    [("(A) ", "(B) "), ("A. ", "B. "), ("a, ", "b, "), ("Panel A: ", "Panel B: "), ("1A: ", "1B: ")],
)
@pytest.mark.parametrize(("template", "expected", "phenomenon"), [p for p in PATTERNS if p[2] != "section"])
def test_metamorphic_another_panel_changes_nothing(reader, template, expected, phenomenon, letters):
    first, second = letters
    for finding, forms in FORMS.items():
        text = write(template, forms[0])
        other = "consolidation" if finding != "consolidation" else "crazy paving"
        closed = text if text[-1] in ".?" else f"{text}."
        caption = f"Figure 2. {first}{closed} {second}Bilateral {other} of the lungs."
        assert state(reader, caption, finding, "A") == expected, caption
        assert state(reader, caption, finding, "B") == "not_mentioned", caption


def test_metamorphic_two_findings_keep_their_own_states(reader):
    pairs = itertools.permutations(FORMS, 2)
    for (one, other), (template, expected, _) in itertools.product(
        pairs, [p for p in PATTERNS if p[2] in ("before", "after", "plain")]
    ):
        text = f"{write(template, FORMS[one][0])} CT shows {FORMS[other][0]} in both lungs."
        assert (state(reader, text, one), state(reader, text, other)) == (expected, "present"), text
