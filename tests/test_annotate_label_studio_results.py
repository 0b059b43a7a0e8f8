"""``annotate.label_studio_results``: what annotations of Label Studio say, whoever configured the project."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from annotate.decision_forms import Box
from annotate.label_studio_results import Said, finding_names, read_result
from nlp.lexicon import load_lexicon

FINDINGS = load_lexicon().findings
KEYS = tuple(finding.key for finding in FINDINGS)
GGO, CSLD = KEYS[:2]
NAMES = finding_names(FINDINGS)
CAPTION = "🫁 No ground-glass;\nconsolidation."


def read(*parts: dict[str, Any], size: tuple[int, int] | None = None) -> Said:
    return read_result(list(parts), NAMES, CAPTION, lambda: size)


def chosen(block: str, *choices: str) -> dict[str, Any]:
    return {"type": "choices", "from_name": block, "to_name": "image", "value": {"choices": list(choices)}}


def span(start: int, end: int, label: str, text: str | None = None, name: str = "a") -> dict[str, Any]:
    value = {"start": start, "end": end, "labels": [label]} | ({"text": text} if text else {})
    return {"id": name, "type": "labels", "from_name": "mention", "to_name": "caption", "value": value}


def said_of(name: str, assertion: str) -> dict[str, Any]:
    return {"id": name, "type": "choices", "value": {"start": 0, "end": 1, "choices": [assertion]}}


def rectangle(*percent: float, label: str = GGO, **about: Any) -> dict[str, Any]:
    x, y, width, height = percent
    value = {"x": x, "y": y, "width": width, "height": height, "rotation": 0, "rectanglelabels": [label]}
    return {"type": "rectanglelabels", "value": value | about.pop("value", {}), **about}


@pytest.mark.parametrize("name", [GGO, FINDINGS[0].name, FINDINGS[0].abbreviation, GGO.upper()])
def test_label_studio_results_take_a_finding_by_any_of_its_names(name: str) -> None:
    assert read(chosen(name, "Absent")).labels == {GGO: "0"}
    assert read(chosen("findings", name, CSLD)).labels == {GGO: "1", CSLD: "1"}


def test_label_studio_results_read_covid_comment_and_uncertainty() -> None:
    said = read(
        chosen("covid19", "suspected"),
        chosen(CSLD, "uncertain"),
        {"type": "textarea", "value": {"text": ["first", "second"]}},
    )
    assert said.labels == {"covid19": "-1", CSLD: "-1"} and said.comment == "first\nsecond"


def test_label_studio_results_spans_stand_where_their_words_are() -> None:
    at = CAPTION.index("ground")
    said = read(span(at, at + 12, GGO, "ground-glass"), said_of("a", "negated"))
    (mention,) = said.mentions
    assert (mention["start"], mention["end"], mention["assertion"]) == (at, at + 12, "negated")
    assert CAPTION[mention["start"] : mention["end"]] == "ground-glass" == mention["term"]
    assert said.labels == {GGO: "0"}


def test_label_studio_results_know_the_utf_16_offsets_of_early_versions() -> None:
    at = CAPTION.index("ground")
    (mention,) = read(span(at + 1, at + 13, GGO, "ground-glass")).mentions
    assert (mention["start"], mention["end"]) == (at, at + 12)


def test_label_studio_results_read_line_breaks_as_label_studio_writes_them() -> None:
    start, end = CAPTION.index("glass"), CAPTION.index("dation")
    assert read(span(start, end, CSLD, "glass;\\nconsoli")).mentions
    assert read(span(start, end, CSLD, "glass; consoli")).mentions


@pytest.mark.parametrize(
    "part",
    [span(5, 9, GGO, "other words"), span(9, 5, GGO), span(0, 10_000, GGO), span(0, 3, "tumour")],
)
def test_label_studio_results_refuse_spans_that_do_not_fit(part: dict[str, Any]) -> None:
    problems = read(part).problems
    assert len(problems) == 1
    assert "glass" not in problems[0] and "other words" not in problems[0]  # no text of a report


def test_label_studio_results_boxes_are_pixels_inside_the_image() -> None:
    said = read(rectangle(25, 50, 50, 80, original_width=200, original_height=100))
    assert said.boxes == [Box(GGO, 50, 50, 150, 100)] and said.labels == {GGO: "1"}
    assert read(rectangle(0, 0, 100, 100), size=(64, 32)).boxes == [Box(GGO, 0, 0, 64, 32)]
    assert "original_width" in read(rectangle(0, 0, 1, 1)).problems[0]
    assert "rotation" in read(rectangle(0, 0, 1, 1, value={"rotation": 5}), size=(9, 9)).problems[0]
    assert "outside" in read(rectangle(100, 0, 1, 1), size=(9, 9)).problems[0]


def test_label_studio_results_choices_come_before_boxes_and_boxes_before_spans() -> None:
    at = CAPTION.index("ground")
    spoken = span(at, at + 12, GGO, "ground-glass"), said_of("a", "negated")
    box = rectangle(0, 0, 50, 50, original_width=10, original_height=10)
    assert read(*spoken, box).labels == {GGO: "1"}
    assert read(*spoken, box, chosen(GGO, "uncertain")).labels == {GGO: "-1"}


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ([chosen(GGO, "maybe")], "allowed is present, uncertain, absent"),
        ([chosen("quality", "good")], "allowed is a finding of the lexicon"),
        ([chosen(GGO, "present", "absent")], f"several choices for {GGO}"),
        ([{"type": "brushlabels", "value": {}}], "'brushlabels' has no place"),
        ([{"type": "choices"}], "no list of parts"),
        ([span(0, 1, GGO), said_of("a", "unclear")], "one of present, negated"),
    ],
)
def test_label_studio_results_name_what_has_no_place(parts: Sequence[dict[str, Any]], words: str) -> None:
    (problem,) = read(*parts).problems
    assert words in problem
