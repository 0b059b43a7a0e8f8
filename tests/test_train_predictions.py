"""predictions.csv: written then read is identity; what breaks the schema is refused at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nlp.errors import ContractError, InputError, OutputError
from tests.made_records import KEYS, make_records, random_logits, random_records
from train.operating_point import OperatingPoint, Thresholds, choose_thresholds
from train.predictions import (
    Predictions,
    columns,
    joined,
    predict_records,
    read_predictions,
    write_predictions,
)


def equal(first: Predictions, second: Predictions) -> bool:
    texts = ("images", "patient_ids", "splits", "folds", "warnings", "finding_keys")
    arrays = ("logits", "probabilities", "called")
    return all(getattr(first, name) == getattr(second, name) for name in texts) and all(
        np.array_equal(getattr(first, name), getattr(second, name), equal_nan=True) for name in arrays
    )


def test_predictions_have_the_columns_of_the_contract() -> None:
    assert columns(["a", "b"]) == (
        *(
            "image",
            "patient_id",
            "split",
            "fold",
            "covid19_logit",
            "covid19_probability",
            "covid19_prediction",
        ),
        *("a_logit", "a_probability", "b_logit", "b_probability", "warning"),
    )


def test_predictions_written_then_read_are_the_same(tmp_path: Path) -> None:
    records = random_records(40)
    logits = random_logits(records)
    logits[3] = np.nan  # could not be read
    notes = ["", 'a "quoted", name', *[""] * 38]
    made = predict_records(
        records, logits, choose_thresholds(records.take(np.arange(3)), logits[:3]), warnings=notes
    )
    write_predictions(tmp_path / "p.csv", made)
    assert equal(read_predictions(tmp_path / "p.csv", KEYS), made)
    assert equal(read_predictions(tmp_path / "p.csv"), made)
    assert np.isnan(made.called[3])


def test_predictions_use_the_operating_point_and_the_temperature() -> None:
    records = make_records([1, 0])
    logits = np.array([[1.0] * 6, [0.5] * 6], dtype=np.float32)
    thresholds = Thresholds(covid19=OperatingPoint(0.75))
    object.__setattr__(thresholds.calibration, "temperature", 2.0)
    made = predict_records(records, logits, thresholds, fold=3)
    assert made.called.tolist() == [1, 0]
    assert made.probabilities[0].tolist() == pytest.approx([0.62246, *[0.73106] * 5], abs=1e-5)
    assert made.folds == ("3", "3")


def test_predictions_of_folds_are_joined_in_order() -> None:
    records = random_records(10)
    made = predict_records(records, random_logits(records), Thresholds())
    parts = [
        predict_records(records.take(rows), random_logits(records)[rows], Thresholds())
        for rows in (np.arange(4), np.arange(4, 10))
    ]
    assert equal(joined(parts), made)


def test_predictions_of_other_findings_are_refused(tmp_path: Path) -> None:
    records = make_records([1, 0])
    write_predictions(
        tmp_path / "p.csv", predict_records(records, np.zeros((2, 6), np.float32), Thresholds())
    )
    with pytest.raises(ContractError, match="predictions of these findings have"):
        read_predictions(tmp_path / "p.csv", KEYS[::-1])


def test_predictions_list_every_bad_cell(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    good = ["a.png", "p", "test", "", "1", "0.7", "1", "0", "0.5", ""]
    bad = [*good[:4], "high", *good[5:]]
    rows = [columns(["a"]), good, bad, good[:-1]]
    path.write_text("\n".join(",".join(row) for row in rows))
    with pytest.raises(ContractError) as caught:
        read_predictions(path)
    assert "row 3: covid19_logit must be a number or blank" in str(caught.value)
    assert "row 4: 9 cells where the header has 10" in str(caught.value)


def test_predictions_that_cannot_be_read_or_written_are_one_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read as UTF-8"):
        read_predictions(tmp_path / "none.csv")
    (tmp_path / "empty.csv").touch()
    with pytest.raises(ContractError, match="empty file"):
        read_predictions(tmp_path / "empty.csv")
    records = make_records([1, 0])
    with pytest.raises(OutputError):
        write_predictions(
            tmp_path / "no" / "p.csv", predict_records(records, np.zeros((2, 6), np.float32), Thresholds())
        )
