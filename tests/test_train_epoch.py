from __future__ import annotations

import numpy as np
import torch

from tests.train_phantoms import phantom_config, phantom_records
from train.epoch import epoch_order
from train.step import batches

RECORDS = phantom_records()


def test_epoch_an_epoch_holds_every_record_once_in_a_new_order() -> None:
    rows = RECORDS.rows("train")
    first, second = (epoch_order(phantom_config(), RECORDS.covid19, rows, epoch) for epoch in (0, 1))
    assert sorted(first.tolist()) == sorted(second.tolist()) == rows.tolist()
    assert first.tolist() != second.tolist()


def test_epoch_balance_draws_both_classes_evenly() -> None:
    covid19 = np.where(np.arange(4000) < 400, 1, 0).astype(np.float32)
    covid19[2000:] = np.nan
    order = epoch_order(phantom_config(balance=True), covid19, np.arange(4000), 0)
    drawn = covid19[order.numpy()]
    assert 0.45 < np.nanmean(drawn) < 0.55 and 0.45 < np.isnan(drawn).mean() < 0.55


def test_epoch_processes_share_each_step_and_a_last_single_record_is_left_out() -> None:
    order = torch.arange(33)
    assert [len(batch) for batch in batches(order, 16)] == [16, 16]
    shares = [list(batches(order, 16, rank=rank, world=2)) for rank in (0, 1)]
    together = [sorted(torch.cat(pair).tolist()) for pair in zip(*shares, strict=True)]
    assert together == [list(range(16)), list(range(16, 32))]
