"""Metrics equal scikit-learn's, one class gives null, and findings cannot live off the flag."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as plain

from tests.made_records import AIRBR, GGO, KEYS, NAN, make_records, random_logits, random_records
from train.metrics import METRICS
from train.operating_point import OperatingPoint, Thresholds, choose_thresholds
from train.scores import score

HALF = Thresholds()


def scored(records: Any, logits: Any, threshold: Thresholds = HALF, bootstraps: int = 200) -> dict[str, Any]:
    found = score(records, logits, threshold=threshold, seed=0, bootstraps=bootstraps).as_json()
    return json.loads(json.dumps(found, allow_nan=False))  # strict JSON


def test_scores_of_the_flag_equal_scikit_learn() -> None:
    records = random_records()
    logits = random_logits(records)
    found = scored(records, logits, Thresholds(covid19=OperatingPoint(0.3)))["covid19"]
    actual, column = records.covid19 == 1, logits[:, 0].astype(float)
    called, probability = column >= 0.3, 1 / (1 + np.exp(-column))
    expected = {
        "auc": plain.roc_auc_score(actual, column),
        "average_precision": plain.average_precision_score(actual, column),
        "sensitivity": plain.recall_score(actual, called),
        "specificity": plain.recall_score(~actual, ~called),
        "precision": plain.precision_score(actual, called),
        "f1": plain.f1_score(actual, called),
        "accuracy": plain.accuracy_score(actual, called),
        "brier": plain.brier_score_loss(actual, probability),
        "log_loss": plain.log_loss(actual, probability),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert found["threshold"] == pytest.approx(1 / (1 + np.exp(-0.3)))
    for name in METRICS:
        assert found[f"{name}_low"] < found[name] < found[f"{name}_high"]


def test_scores_say_how_many() -> None:
    records = make_records([1, 1, 0, NAN], patients=["a", "a", "b", "c"])
    found = scored(records, np.zeros((4, 6)))
    flag = found["covid19"]
    assert (found["n_records"], flag["n"], flag["n_positive"], flag["n_negative"]) == (4, 3, 2, 1)
    assert (flag["n_patients"], flag["n_patients_positive"], flag["n_patients_negative"]) == (2, 1, 1)
    assert flag["confusion"] == {
        "true_positive": 2,
        "false_positive": 1,
        "false_negative": 0,
        "true_negative": 0,
    }


def test_scores_intervals_of_a_proportion_are_those_of_the_binomial() -> None:
    # 40 positives of 40 patients, 30 called: sensitivity .75 +- 1.96 sqrt(.1875 / 40) = .616 to .884
    logits = np.zeros((80, 6))
    logits[:, 0] = [1] * 30 + [-1] * 50
    found = scored(make_records([1] * 40 + [0] * 40), logits, bootstraps=10_000)["covid19"]
    assert (found["sensitivity_low"], found["sensitivity_high"]) == (
        pytest.approx(0.616, abs=0.015),
        pytest.approx(0.884, abs=0.015),
    )


def test_scores_a_missing_class_is_null_with_its_n() -> None:
    cells = [[1, NAN, NAN, NAN, NAN], [NAN] * 5, [NAN] * 5]
    found = scored(make_records([1, 1, 0], cells), np.arange(18.0).reshape(3, 6))
    missing = found["findings"][AIRBR]
    assert all(missing[name] is missing[f"{name}_low"] is missing[f"{name}_high"] is None for name in METRICS)
    assert (missing["n_positive"], missing["n_negative"], missing["calibration"]) == (0, 2, [])
    assert found["findings_mean"] == {"auc": 0.0, "n_findings": 1}


def test_scores_one_patient_of_a_class_has_a_value_but_no_interval() -> None:
    records = make_records([1, 1, 0, 0], patients=["a", "a", "b", "c"])
    logits = np.zeros((4, 6))
    logits[:, 0] = [2, -1, 0, 1]
    found = scored(records, logits)["covid19"]
    assert (found["auc"], found["auc_low"], found["auc_high"], found["resamples"]) == (0.5, None, None, 0)


def test_scores_an_output_that_repeats_the_flag_scores_nothing_on_findings() -> None:
    records = random_records(600)
    flag = records.covid19 * 4 - 2 + np.random.default_rng(0).normal(size=600) * 0.01
    found = scored(records, np.repeat(flag[:, None], 6, axis=1))
    ground_glass = found["findings"][GGO]
    assert found["covid19"]["auc"] == 1
    assert ground_glass["auc_low"] < 0.5 < ground_glass["auc_high"]
    assert all(found["flag_by_finding"][key]["auc"] == 1 for key in KEYS)  # what Fig. 6 of the paper shows


def test_scores_all_labelled_counts_controls_with_a_caption() -> None:
    cells = [[1, 0, 0, 0, 0], [0] * 5, [0] * 5, [NAN] * 5]
    records = make_records([1, 1, 0, 0], cells, captioned=[True, True, True, False])
    found = scored(records, np.zeros((4, 6)))
    assert (found["findings"][GGO]["n"], found["findings_all_labelled"][GGO]["n"]) == (2, 3)


def test_scores_temperature_changes_probabilities_only() -> None:
    records = random_records()
    logits = random_logits(records, gain=8)
    thresholds = choose_thresholds(records, logits)
    assert thresholds.calibration.temperature != 1
    plain_scores = scored(records, logits, Thresholds(covid19=thresholds.covid19))["covid19"]
    scaled = scored(records, logits, thresholds)["covid19"]
    for name in ("auc", "sensitivity", "f1", "auc_low"):
        assert scaled[name] == plain_scores[name]
    assert scaled["log_loss"] < plain_scores["log_loss"]


def test_scores_are_the_same_for_the_same_seed_whatever_the_order() -> None:
    records = random_records()
    logits = random_logits(records)
    order = np.random.default_rng(7).permutation(len(records))
    first, second = scored(records, logits), scored(records.take(order), logits[order])
    assert json.dumps(first["findings"]) == json.dumps(first["findings"])
    for name in ("auc_low", "average_precision_high", "f1_low"):
        assert second["covid19"][name] == pytest.approx(first["covid19"][name], abs=1e-7)


def test_scores_a_perfect_proportion_has_the_exact_bound_of_its_patients() -> None:
    # all positives called: with 4 patients the lower bound of 1 is .025^(1/4) = .398, however many images they have
    logits = np.zeros((12, 6))
    logits[:, 0] = [1] * 8 + [1, -1, -1, -1]
    patients = [f"p{number // 2}" for number in range(8)] + ["a", "b", "c", "d"]
    found = scored(make_records([1] * 8 + [0] * 4, patients=patients), logits)["covid19"]
    assert (found["sensitivity"], found["sensitivity_high"]) == (1.0, 1.0)
    assert found["sensitivity_low"] == pytest.approx(0.025 ** (1 / 4))
    assert found["specificity_low"] < 0.75 < found["specificity_high"]
