from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from train.pointing import mean_by_patient, peak, point


def test_pointing_equals_a_count_by_hand() -> None:
    attention = np.zeros((10, 10), np.float32)
    attention[2, 2], attention[2, 3], attention[8, 8] = 4, 3, 1
    mask = np.zeros((10, 10), bool)
    mask[2, 3:5] = True
    found = point(attention, mask, tolerance=1)
    assert (found.inside, found.near) == (False, True)
    assert found.energy == pytest.approx(3 / 8) and found.share == pytest.approx(0.02)
    assert found.iou == pytest.approx(1 / 3)  # attended: the two of 2 and more
    assert point(attention, mask, tolerance=0.5).near is False
    assert peak(attention) == (2, 2)


def test_pointing_of_an_empty_map_is_nowhere() -> None:
    mask = np.eye(4, dtype=bool)
    for empty in (np.zeros((4, 4), np.float32), np.full((4, 4), -1, np.float32)):
        found = point(empty, mask)
        assert (found.inside, found.near, found.energy, found.iou) == (False, False, 0, 0)


@given(
    arrays(np.float32, (6, 7), elements=st.floats(0, 100, width=32)),
    arrays(np.bool_, (6, 7)).filter(lambda mask: bool(mask.any())),
)
def test_pointing_stays_in_range_and_knows_no_scale(attention: np.ndarray, mask: np.ndarray) -> None:
    found = point(attention, mask)
    assert 0 <= found.energy <= 1 and 0 <= found.iou <= 1
    assert found.near or not found.inside
    doubled = point(attention * 2, mask)
    assert (found.inside, found.near, found.iou) == (doubled.inside, doubled.near, doubled.iou)
    everywhere = point(attention, np.ones_like(mask))
    assert everywhere.energy == pytest.approx(1 if attention.any() else 0)


def test_pointing_mean_has_an_interval_by_patient() -> None:
    few = mean_by_patient([1, 1, 0, 0], ["a", "a", "b", "b"])
    assert few.value == 0.5 and (few.interval.low, few.interval.high) == (0, 1)
    assert (few.images, few.patients) == (4, 2)
    assert mean_by_patient([1, 0], ["a", "a"]).interval.low is None
    assert mean_by_patient([], []).value is None
