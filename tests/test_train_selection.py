from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.train_phantoms import phantom_config, phantom_pixels, phantom_records
from train.inference import predict_logits
from train.model import build_model
from train.selection import EpochRow, Judge, best_epoch, exhausted, write_history

CPU = torch.device("cpu")
RECORDS = phantom_records()
PIXELS = phantom_pixels(RECORDS)


def row(epoch: int, loss: float, auc: float, averaged_auc: float = np.nan) -> EpochRow:
    averaged = np.nan if np.isnan(averaged_auc) else loss
    return EpochRow(epoch, 1, 1, loss, auc, 1e-3, 1, averaged, averaged_auc)


@pytest.mark.parametrize(
    ("select", "best"),
    [("auc", (2, False)), ("loss", (4, False)), ("smooth", (5, False)), ("last", (5, False))],
)
def test_selection_keeps_the_epoch_that_val_prefers(select: str, best: tuple[int, bool]) -> None:
    figures = [(0.9, 0.7), (0.8, 0.9), (0.6, 0.9 - 1e-9), (0.2, 0.8), (0.5, 0.8)]
    history = [row(number, *each) for number, each in enumerate(figures, start=1)]
    assert best_epoch(phantom_config(select=select), history) == best


def test_selection_averaged_weights_are_kept_only_if_val_says_so() -> None:
    config = phantom_config()
    assert best_epoch(config, [row(1, 0.5, 0.8, 0.8)]) == (1, False)
    assert best_epoch(config, [row(1, 0.5, 0.8, 0.81)]) == (1, True)


def test_selection_patience_ends_a_training_that_no_longer_gets_better() -> None:
    history = [row(1, 0.5, 0.9), row(2, 0.5, 0.8), row(3, 0.5, 0.8)]
    assert exhausted(phantom_config(patience=2), history)
    assert not exhausted(phantom_config(patience=3), history)
    assert not exhausted(phantom_config(), history)


def test_selection_val_of_one_class_has_no_auc() -> None:
    controls = RECORDS.take(np.flatnonzero(RECORDS.covid19 == 0))
    judge = Judge(phantom_config(), PIXELS[: len(controls)], controls, CPU, None)
    loss, auc = judge(build_model("test_resnet", finding_keys=controls.finding_keys, weights="none"))
    assert loss > 0 and np.isnan(auc)


def test_selection_flips_give_the_mean_of_both_images() -> None:
    model = build_model("test_resnet", finding_keys=RECORDS.finding_keys, weights="none")
    plain, mirrored = (predict_logits(model, pixels, device=CPU) for pixels in (PIXELS, PIXELS.flip(-1)))
    both = predict_logits(model, PIXELS, device=CPU, flips=True, batch_size=5)
    assert np.allclose(both, (plain + mirrored) / 2, atol=1e-5) and model.training


def test_selection_history_is_written_with_blanks_for_what_was_not_measured(tmp_path: Path) -> None:
    write_history([row(1, 0.5, 0.75), row(2, 0.25, np.nan, 0.5)], tmp_path / "history.csv")
    with (tmp_path / "history.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["epoch"], first["val_loss"], first["val_auc"], first["averaged_val_auc"]) == (
        "1",
        "0.5",
        "0.75",
        "",
    )
    assert (second["val_auc"], second["averaged_val_auc"]) == ("", "0.5")
