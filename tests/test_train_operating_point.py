"""Thresholds are chosen on val by a stated rule, and say when there was no choice."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp.errors import TrainingError
from tests.made_records import AIRBR, GGO, NAN, make_records, random_logits, random_records
from train.operating_point import choose_thresholds, operating_point


def test_operating_point_lies_half_way_between_neighbours() -> None:
    point = operating_point(np.array([False, False, True, True]), np.array([-2.0, -1.0, 2.0, 3.0]))
    assert (point.logit, point.rule, point.n_positive, point.n_negative) == (0.5, "youden", 2, 2)


def test_operating_point_takes_the_most_even_of_equally_good_thresholds() -> None:
    # sensitivity + specificity is 5/3 above -1 (1 and 2/3) and above 1 (2/3 and 1): as even; and 4/3 between
    positive = np.array([False, False, True, False, True, True])
    point = operating_point(positive, np.array([-3.0, -2, -1, 0, 1, 2]))
    assert point.logit in (-1.5, 0.5)


def test_operating_point_with_a_wanted_sensitivity() -> None:
    positive = np.array([True, False, True, False, True, True])
    logits = np.array([-3.0, -2, -1, 0, 1, 2])
    assert operating_point(positive, logits, sensitivity=0.75).logit == -1.5
    assert operating_point(positive, logits, sensitivity=1).logit == -3.0
    assert operating_point(positive, logits, sensitivity=0.5).rule == "sensitivity>=0.5"


@given(
    st.lists(st.tuples(st.booleans(), st.integers(-4, 4)), min_size=2, max_size=30),
    st.one_of(st.none(), st.floats(0.05, 1)),
)
def test_operating_point_is_as_good_as_any_threshold(
    rows: list[tuple[bool, int]], wanted: float | None
) -> None:
    positive, logits = (np.array(column) for column in zip(*rows, strict=True))
    point = operating_point(positive, logits.astype(float), sensitivity=wanted)
    if point.rule == "default":
        return
    gains = []
    for at in [*np.unique(logits) - 0.5, 9.0]:
        called = logits >= at
        right, passed = called[positive].mean(), (~called)[~positive].mean()
        if wanted is None or right >= wanted - 1e-12:
            gains.append(passed if wanted else right + passed)
    called = point.calls(logits.astype(float))
    right, passed = called[positive].mean(), (~called)[~positive].mean()
    assert (passed if wanted else right + passed) == pytest.approx(max(gains))
    assert wanted is None or right >= wanted - 1e-12


def test_operating_point_falls_back_to_one_half_and_says_why() -> None:
    lacking = operating_point(np.ones(3, dtype=bool), np.arange(3.0))
    assert (lacking.logit, lacking.rule, lacking.n_negative) == (0.0, "default", 0)
    assert "val lacks a class" in lacking.note
    useless = operating_point(np.array([True, False]), np.array([-1.0, 1.0]))
    assert (useless.logit, useless.rule) == (0.0, "default") and "chance" in useless.note


def test_thresholds_of_findings_come_from_captioned_positives() -> None:
    cells = [[1, NAN, NAN, NAN, NAN], [NAN] * 5, [NAN] * 5, [NAN] * 5]
    records = make_records([1, 1, 0, 0], cells)
    logits = np.zeros((4, 6), np.float32)
    logits[:, 1] = [2, 1, 9, 9]  # the controls do not count
    found = choose_thresholds(records, logits)
    assert found.findings[GGO].logit == 1.5
    assert (found.findings[AIRBR].rule, found.findings[AIRBR].n_positive) == ("default", 0)


def test_thresholds_as_json_are_strict_and_on_both_scales() -> None:
    records = random_records()
    thresholds = choose_thresholds(records, random_logits(records, gain=6))
    found = json.loads(json.dumps(thresholds.as_json(), allow_nan=False))
    temperature = found["calibration"]["temperature"]
    assert temperature != 1
    at = 1 / (1 + np.exp(-found["covid19"]["logit"] / temperature))
    assert found["covid19"]["probability"] == pytest.approx(at)
    assert set(found["findings"]) == set(records.finding_keys)


def test_thresholds_refuse_logits_that_do_not_fit() -> None:
    records = make_records([1, 0])
    with pytest.raises(TrainingError, match=r"shape \(2, 5\); these records and findings need \(2, 6\)"):
        choose_thresholds(records, np.zeros((2, 5)))
    with pytest.raises(TrainingError, match=r"1 of 2 records .* the first is 'image-001.png'"):
        choose_thresholds(records, np.array([[0.0] * 6, [NAN] * 6]))
