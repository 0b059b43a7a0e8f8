from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from train.schedule import rate_factor


@given(
    st.sampled_from(["cosine", "onecycle", "constant"]),
    st.integers(1, 300),
    st.integers(0, 50),
    st.data(),
)
def test_schedule_is_a_share_of_the_highest_rate(
    schedule: str, total: int, warmup: int, data: st.DataObject
) -> None:
    step = data.draw(st.integers(0, total - 1))
    assert 0 <= rate_factor(schedule, step, total=total, warmup=warmup) <= 1


def optimizer() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)


def test_schedule_onecycle_is_that_of_pytorch() -> None:
    oracle_of = optimizer()
    oracle = torch.optim.lr_scheduler.OneCycleLR(oracle_of, 1.0, total_steps=40)
    for step in range(40):
        assert rate_factor("onecycle", step, total=40) == pytest.approx(oracle.get_last_lr()[0], abs=1e-6)
        oracle_of.step()
        if step < 39:
            oracle.step()


def test_schedule_cosine_is_that_of_pytorch() -> None:
    oracle_of = optimizer()
    oracle = torch.optim.lr_scheduler.CosineAnnealingLR(oracle_of, 20)
    for step in range(20):
        assert rate_factor("cosine", step, total=20) == pytest.approx(oracle.get_last_lr()[0], abs=1e-6)
        oracle_of.step()
        oracle.step()


def test_schedule_warmup_rises_in_even_steps() -> None:
    assert [rate_factor("constant", step, total=9, warmup=3) for step in range(5)] == [0.25, 0.5, 0.75, 1, 1]
