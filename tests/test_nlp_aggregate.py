"""Aggregate: which statements count for a record with a panel letter, and for one without."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pytest

from nlp.aggregate import EMPTY, Reading, of_panel, states
from nlp.assertion import Mention
from nlp.batch import Reader, label_batch
from nlp.schema import COVID

States = Callable[..., dict[str, str]]
TWO = "Chest CT of a man with fever and septal thickening. (A) Day 3: GGO. (B) Day 9: no GGO; consolidation."


def mention(finding: str, assertion: str, panel: str = "") -> Mention:
    blank = dict.fromkeys(Mention._fields, "")
    return Mention(**{**blank, "finding": finding, "assertion": assertion, "panel": panel})  # type: ignore[arg-type]


def reading(*mentions: Mention, panels: tuple[str, ...] = (), times: int = 0) -> Reading:
    return Reading(mentions, (), panels, times, ())


def test_aggregate_states_take_the_strongest_mention_and_leave_the_rest_unmentioned() -> None:
    mentions = [
        mention("a", "negated"),
        mention("a", "uncertain"),
        mention("b", "resolved"),
        mention("b", "negated"),
    ]
    assert states(mentions, ["a", "b", "c"]) == {"a": "uncertain", "b": "resolved", "c": "not_mentioned"}


def test_aggregate_covid_wording_is_no_finding() -> None:
    assert states([mention(COVID, "present")], ["a"]) == {"a": "not_mentioned"}


# ---- with a letter


def test_aggregate_a_letter_takes_its_own_panel_and_the_shared_text(states_of: States) -> None:
    shared = {"septal_thickening": "present"}
    assert states_of(TWO, "A") == {**shared, "ground_glass_opacity": "present"}
    assert states_of(TWO, "B") == {**shared, "ground_glass_opacity": "negated", "consolidation": "present"}


def test_aggregate_without_a_letter_the_union_counts(states_of: States) -> None:
    union = {"septal_thickening": "present", "ground_glass_opacity": "present", "consolidation": "present"}
    assert states_of(TWO) == union


@pytest.mark.parametrize("letter", ["A", "a", "1A", "A ", " a"])
def test_aggregate_a_letter_is_known_in_every_spelling(states_of: States, letter: str) -> None:
    assert states_of("(A) GGO. (B) Consolidation.", letter) == {"ground_glass_opacity": "present"}
    assert states_of("(1A) GGO. (1B) Consolidation.", letter) == {"ground_glass_opacity": "present"}


@pytest.mark.parametrize("letters", ["A;B", "A, B", "A-B", "A and B", "a&b"])
def test_aggregate_a_record_of_several_panels_takes_them_all(states_of: States, letters: str) -> None:
    text = "(A) GGO. (B) Consolidation. (C) Crazy paving. (D) Air bronchogram."
    assert states_of(text, letters) == {"ground_glass_opacity": "present", "consolidation": "present"}


@pytest.mark.parametrize(
    ("panel", "finding"),
    [
        ("A", "ground_glass_opacity"),
        ("B", "ground_glass_opacity"),
        ("C", "consolidation"),
        ("D", "consolidation"),
    ],
)
@pytest.mark.parametrize("text", ["(A, B) GGO. (C, D) Consolidation.", "(A and B) GGO. (C and D) Consolidation.", "(A–B) GGO. (C–D) Consolidation."])  # fmt: skip
def test_aggregate_a_label_of_several_letters_counts_for_each(
    states_of: States, text: str, panel: str, finding: str
) -> None:
    assert states_of(text, panel) == {finding: "present"}


@pytest.mark.parametrize("panel", ["A", "B"])
@pytest.mark.parametrize(
    "text",
    ["Axial (A) and coronal (B) CT show GGO.", "CT (A) and radiograph (B) with GGO."],
)  # fmt: skip
def test_aggregate_a_statement_about_all_panels_counts_for_each(
    states_of: States, text: str, panel: str
) -> None:
    assert states_of(text, panel) == {"ground_glass_opacity": "present"}


def test_aggregate_a_letter_the_caption_does_not_name_takes_the_union_and_is_flagged(
    shared_reader: Reader,
) -> None:
    record = of_panel(shared_reader.read_text(TWO), "F")
    assert record.mentions == of_panel(shared_reader.read_text(TWO), "").mentions
    assert record.ambiguous


def test_aggregate_a_place_may_stand_for_a_letter(states_of: States) -> None:
    text = "Top panel: GGO. Bottom panel: consolidation."
    assert states_of(text, "top") == {"ground_glass_opacity": "present"}
    assert states_of(text, "Bottom") == {"consolidation": "present"}


# ---- when a record cannot know what is its own


@pytest.mark.parametrize(
    ("text", "ambiguous"),
    [
        ("GGO in the left lung.", False),
        ("(A) GGO. (B) Consolidation.", True),
        ("GGO (A) and consolidation (B).", True),
        ("(A, B) GGO.", True),
        ("(A) GGO in the left lung.", False),
        ("GGO on day 3; consolidation on day 9.", True),
        ("GGO on January 20, less on February 3.", True),
        ("GGO on day 3.", False),
        ("GGO on day 3, compared with the CT dated January 20.", False),
        ("A chest CT with GGO.", False),
        ("FINDINGS: GGO since day 3. IMPRESSION: GGO on day 9.", False),
        ("", False),
    ],
)
def test_aggregate_several_panels_or_dates_without_a_letter_are_ambiguous(
    shared_reader: Reader, text: str, ambiguous: bool
) -> None:
    assert of_panel(shared_reader.read_text(text), "").ambiguous is ambiguous


def test_aggregate_a_letter_that_the_caption_names_is_never_ambiguous(shared_reader: Reader) -> None:
    assert not of_panel(shared_reader.read_text(TWO), "A").ambiguous
    assert not of_panel(shared_reader.read_text("(A) GGO on day 3. (B) GGO on day 9."), "B").ambiguous


def test_aggregate_only_a_caption_without_letters_asks_for_its_dates() -> None:
    dated = reading(mention("a", "present"), times=2)
    assert of_panel(dated, "").ambiguous
    assert not of_panel(reading(mention("a", "present", "A"), panels=("A",), times=1), "").ambiguous


def test_aggregate_nothing_read_is_nothing_said() -> None:
    record = of_panel(EMPTY, "A")
    assert (record.mentions, record.covid, record.ambiguous) == ((), "unstated", False)


def test_aggregate_the_flag_stands_in_the_labels(
    make_batch: Callable[..., pa.RecordBatch], shared_reader: Reader
) -> None:
    labels = label_batch(make_batch([TWO, TWO, TWO], panel=["", "A", "F"]), shared_reader).labels
    assert labels.column("flags").to_pylist() == ["ambiguous_panel", "", "ambiguous_panel"]
    assert labels.column("panel").to_pylist() == ["", "A", "F"]


def test_aggregate_a_mentions_panel_is_that_of_its_words(shared_reader: Reader) -> None:
    panels = {m.text: m.panel for m in shared_reader.read_text(TWO).mentions}
    assert panels == {"septal thickening": "", "GGO": "B", "consolidation": "B"}
    first = next(m for m in shared_reader.read_text(TWO).mentions if m.text == "GGO")
    assert first.panel == "A"
