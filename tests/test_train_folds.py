from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import recall_score, roc_auc_score

from nlp.errors import TrainingError
from tests.train_phantoms import phantom_records
from train.calibration import Calibration
from train.folds import patient_folds, score_folds
from train.operating_point import OperatingPoint, Thresholds
from train.predictions import joined, predict_records


@settings(max_examples=25)
@given(count=st.integers(48, 120), folds=st.integers(2, 5), seed=st.integers(0, 99))
def test_folds_hold_every_record_out_once_and_never_cut_a_patient(count: int, folds: int, seed: int) -> None:
    records = phantom_records(count)
    patients = np.array(records.patient_ids)
    found = patient_folds(records, folds, seed=seed)
    assert sorted(np.concatenate([fold.held_out for fold in found])) == list(range(count))
    for fold in found:
        parts = [set(patients[rows]) for rows in (fold.train, fold.val, fold.held_out)]
        assert sum(map(len, parts)) == len(set(patients))
        assert sum(len(rows) for rows in (fold.train, fold.val, fold.held_out)) == count
        assert abs(records.covid19[fold.held_out].mean() - 0.5) < 0.3


def test_folds_are_the_same_for_the_same_seed() -> None:
    records = phantom_records(80)
    first, again, other = (
        [fold.held_out.tolist() for fold in patient_folds(records, 4, seed=seed)] for seed in (1, 1, 2)
    )
    assert first == again != other


def test_folds_take_records_with_an_unknown_flag_along() -> None:
    records = phantom_records(80)
    covid19 = np.where(np.arange(80) < 8, np.nan, records.covid19).astype(np.float32)
    found = patient_folds(replace(records, covid19=covid19), 4, seed=0)
    assert sum(len(fold.held_out) for fold in found) == 80


def test_folds_too_few_patients_are_refused() -> None:
    with pytest.raises(TrainingError, match=r"9 folds need 9 confirmed patients at least; there are 4"):
        patient_folds(phantom_records(16), 9, seed=0)


def test_folds_are_scored_as_their_predictions_say() -> None:
    """Each fold has its own threshold and temperature; the table of predictions gives the same figures."""
    records = phantom_records(80)
    folds = patient_folds(records, 3, seed=0)
    generator = np.random.default_rng(0)
    logits, thresholds = [], []
    for number, fold in enumerate(folds):
        found = generator.normal(size=(len(fold.held_out), 1 + len(records.finding_keys)))
        found[:, 0] += 2 * records.covid19[fold.held_out] + number
        logits.append(found.astype(np.float32))
        points = {key: OperatingPoint(logit=0.1 * number) for key in records.finding_keys}
        thresholds.append(Thresholds(OperatingPoint(logit=1.0 + number), points, Calibration(1.0 + number)))
    scores = score_folds(records, folds, logits, thresholds, seed=0, bootstraps=50)
    table = joined(
        [
            predict_records(records.take(fold.held_out), found, point, fold=number)
            for number, (fold, found, point) in enumerate(zip(folds, logits, thresholds, strict=True))
        ]
    )
    truth = records.take(np.concatenate([fold.held_out for fold in folds])).covid19
    metrics = scores.covid19.metrics
    assert metrics["auc"].value == pytest.approx(roc_auc_score(truth, table.probabilities[:, 0]), abs=1e-6)
    assert metrics["sensitivity"].value == pytest.approx(recall_score(truth, table.called))
    assert metrics["brier"].value == pytest.approx(
        ((table.probabilities[:, 0] - truth) ** 2).mean(), abs=1e-6
    )
    assert table.images == tuple(records.images[row] for fold in folds for row in fold.held_out)
