"""COVID: what a text says of this patient's disease, and never what a lesion seems to say."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from nlp.batch import Reader
from nlp.entries import Lexicon
from nlp.schema import COVID, COVID_ASSERTION

CovidOf = Callable[..., str]
with (Path(__file__).parent / "cases" / "covid.csv").open(encoding="utf-8", newline="") as _file:
    CASES = [tuple(row) for row in csv.reader(_file)][1:]


@pytest.mark.parametrize(("text", "state", "why"), CASES)
def test_covid_states_and_their_traps(covid_of: CovidOf, text: str, state: str, why: str) -> None:
    assert covid_of(text) == state, why


@pytest.mark.parametrize(("text", "state", "why"), CASES)
def test_covid_case_and_spacing_change_nothing(covid_of: CovidOf, text: str, state: str, why: str) -> None:
    assert covid_of(text.upper()) == state, why
    assert covid_of(text.replace(" ", "  ")) == state, why


@pytest.mark.parametrize(("text", "state", "why"), [case for case in CASES if case[1] != "control"])
def test_covid_an_unrelated_sentence_changes_nothing(
    covid_of: CovidOf, text: str, state: str, why: str
) -> None:
    for other in ("The heart is of normal size.", "No pleural effusion.", "The kidneys are small."):
        assert covid_of(f"{text} {other}") == state, why
        assert covid_of(f"{other} {text}") == state, why


def test_covid_no_finding_ever_implies_it(covid_of: CovidOf, lexicon: Lexicon) -> None:
    names = [finding.name for finding in lexicon.findings]
    for first, second in itertools.permutations(names, 2):
        assert covid_of(f"Confirmed, typical {first} with possible {second}; no control CT.") == "unstated"


def test_covid_findings_do_not_change_what_is_said_of_it(covid_of: CovidOf, lexicon: Lexicon) -> None:
    for name in (finding.name for finding in lexicon.findings):
        for verb in ("shows", "shows no", "possibly shows"):
            assert covid_of(f"A man with confirmed COVID-19. CT {verb} {name}.") == "confirmed"


# ---- the wording is reported among the mentions


@pytest.mark.parametrize(
    ("text", "assertion", "words"),
    [
        ("CT of a man with COVID-19.", "present", "COVID-19"),
        ("A man with confirmed COVID-19.", "present", "confirmed COVID-19"),
        ("Suspected COVID-19.", "uncertain", "Suspected COVID-19"),
        ("COVID-19 cannot be excluded.", "uncertain", "COVID-19 cannot be excluded"),
        ("Negative for COVID-19.", "negated", "Negative for COVID-19"),
        ("CT of a healthy volunteer.", "negated", "healthy volunteer"),
    ],
)
def test_covid_wording_is_a_mention_that_carries_its_words(
    shared_reader: Reader, text: str, assertion: str, words: str
) -> None:
    (mention,) = [m for m in shared_reader.read_text(text).mentions if m.finding == COVID]
    assert mention.assertion == assertion
    assert words in mention.text
    assert text[mention.start : mention.end] == mention.text


@pytest.mark.parametrize(("text", "state", "why"), CASES)
def test_covid_every_stated_state_can_be_traced_to_words(
    shared_reader: Reader, text: str, state: str, why: str
) -> None:
    reading = shared_reader.read_text(text)
    said = {m.assertion for m in reading.mentions if m.finding == COVID}
    if state == "unstated":
        assert not said, why
    else:
        assert COVID_ASSERTION[state] in said, why


# ---- panels


def test_covid_a_control_panel_beside_a_patient_is_a_control(covid_of: CovidOf) -> None:
    text = "(A) A man with COVID-19 and GGO. (B) A healthy control."
    assert covid_of(text, "A") == "confirmed"
    assert covid_of(text, "B") == "control"


def test_covid_another_disease_in_its_own_panel_is_a_control(covid_of: CovidOf) -> None:
    text = "COVID-19 and influenza pneumonia compared. (A) COVID-19: GGO. (B) Influenza pneumonia: consolidation."
    assert covid_of(text, "A") == "confirmed"
    assert covid_of(text, "B") == "control"


def test_covid_said_for_all_panels_holds_for_each(covid_of: CovidOf) -> None:
    text = "A man with COVID-19 confirmed by PCR. (A) GGO on day 3. (B) Consolidation on day 9."
    assert {covid_of(text, panel) for panel in ("A", "B", "")} == {"confirmed"}


def test_covid_in_the_comparison_is_not_said_of_this_patient(covid_of: CovidOf) -> None:
    assert covid_of("COMPARISON: CT of a COVID-19 patient.\nFINDINGS: GGO.") == "unstated"
