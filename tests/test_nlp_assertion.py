"""Decisions about single mentions: which cue, which rule, which scope."""

from __future__ import annotations

import pytest

from nlp.aggregate import of_panel

CONSOLIDATION = "consolidation"


def only(reader, text, finding=CONSOLIDATION):
    """The one mention of a finding."""
    (mention,) = [m for m in reader.read_text(text).mentions if m.finding == finding]
    return mention


@pytest.mark.parametrize(
    ("text", "assertion", "cue", "rule"),
    [
        ("No consolidation in the lungs.", "negated", "No", "negation_before"),
        ("Consolidation was not observed in the lung.", "negated", "not observed", "negation_after"),
        ("Consolidation: none.", "negated", "none", "answer"),
        ("Possible consolidation in the left lung.", "uncertain", "Possible", "hedge_before"),
        (
            "Consolidation cannot be excluded at the left base.",
            "uncertain",
            "cannot be excluded",
            "hedge_after",
        ),
        ("Atelectasis versus consolidation in the lung.", "uncertain", "versus", "versus"),
        ("Resolution of the right lung consolidation.", "resolved", "Resolution of", "resolution_before"),
        ("The lung consolidation is no longer seen.", "resolved", "no longer seen", "no_longer"),
        (
            "Consolidation of the lung has slightly decreased.",
            "present",
            "slightly decreased",
            "partial_after",
        ),
        ("Consolidation of the left lung.", "present", "", "stated"),
    ],
)
def test_assertion_names_its_cue_and_rule(shared_reader, text, assertion, cue, rule):
    mention = only(shared_reader, text)
    assert (mention.assertion, mention.rule) == (assertion, rule)
    assert cue in mention.cue
    assert (mention.cue == "") == (mention.cue_start is None)


def test_assertion_scope_holds_the_mention_and_ends_with_the_clause(shared_reader):
    text = "No effusion or consolidation, but nodules in the right lung."
    mention = only(shared_reader, text)
    scope = text[mention.scope_start : mention.scope_end]
    assert "consolidation" in scope
    assert "nodules" not in scope


@pytest.mark.parametrize(
    "text",
    [
        "No air bronchogram is seen within the consolidation.",
        "No air bronchogram in the consolidation.",
        "Consolidation in the lung without air bronchogram.",
    ],
)
def test_assertion_what_lies_around_a_negated_finding_is_taken_for_granted(shared_reader, text):
    assert only(shared_reader, text).assertion == "present"
    assert only(shared_reader, text, "air_bronchogram").assertion == "negated"


def test_assertion_a_hedge_inside_a_negation_is_a_negation(shared_reader):
    assert (
        only(shared_reader, "There is no pleural effusion or suspicious consolidation.").assertion
        == "negated"
    )
    assert only(shared_reader, "No evidence to suggest consolidation.").assertion == "negated"


def test_assertion_negated_now_and_seen_before_is_resolved(shared_reader):
    text = "The consolidation observed in the previous examination was not detected in the lung."
    assert only(shared_reader, text).rule == "seen_before_not_now"


def test_assertion_compared_with_an_earlier_examination_is_not_seen_before(shared_reader):
    assert (
        only(
            shared_reader, "Compared with the previous CT, consolidation is not observed in the lung."
        ).assertion
        == "negated"
    )


def test_assertion_an_earlier_examination_is_only_cited(shared_reader):
    reading = shared_reader.read_text("The previous CT showed consolidation. The lungs are now clear.")
    assert not reading.mentions
    assert [m.rule for m in reading.dropped] == ["not_reported"]


@pytest.mark.parametrize(
    "text",
    [
        "Follow-up CT. GGO, ground-glass opacity.",
        "GGO = ground-glass opacity; CT = computed tomography.",
        "Abbreviations: GGO, ground-glass opacities; LLL, left lower lobe.",
        "Lungs. CPP=crazy-paving pattern.",
    ],
)
def test_assertion_a_glossary_defines_and_does_not_report(shared_reader, text):
    assert not shared_reader.read_text(text).mentions


def test_assertion_an_abbreviation_in_brackets_is_reported(shared_reader):
    found = [
        m.assertion
        for m in shared_reader.read_text("Patchy ground-glass opacity (GGO) in both lungs.").mentions
    ]
    assert found == ["present", "present"]


@pytest.mark.parametrize(
    "text",
    [
        "Radiograph at seven months: good consolidation at the fracture site.",
        "Ovarian cyst with ground glass echogenicity.",
        "Fibrous dysplasia: ground glass appearance of the maxilla.",
        "She received consolidation chemotherapy.",
        "Region of interest: interlobular artery of the kidney.",
        "Thickening of the interventricular septum.",
        "Intralobular septal thickening in the right lung.",
    ],
)
def test_assertion_what_is_not_the_lung_is_not_reported(shared_reader, text):
    assert not [m for m in shared_reader.read_text(text).mentions if m.assertion == "present"]


def test_assertion_compound_leaves_the_consolidation_open(shared_reader):
    text = "Ground-glass consolidation of the left lower lobe."
    assert only(shared_reader, text, "ground_glass_opacity").assertion == "present"
    assert only(shared_reader, text).assertion == "uncertain"


def test_assertion_a_radiograph_does_not_deny_what_the_ct_shows(shared_reader):
    text = "Chest radiograph shows no consolidation. CT shows consolidation in the left lower lobe."
    first, second = [m for m in shared_reader.read_text(text).mentions if m.finding == CONSOLIDATION]
    assert (first.modality, first.assertion) == ("radiograph", "negated")
    assert (second.modality, second.assertion, second.laterality, second.lobe) == (
        "ct",
        "present",
        "left",
        "lower lobe",
    )


def test_assertion_a_lesion_word_never_decides_covid(shared_reader):
    text = "Bilateral peripheral ground-glass opacities with crazy paving, typical of viral pneumonia."
    assert of_panel(shared_reader.read_text(text), "").covid == "unstated"
