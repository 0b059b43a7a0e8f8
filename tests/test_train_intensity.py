"""Slices printed in different windows end on one scale."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from train.intensity import NORMALISATIONS, normalise

SLICE = np.random.default_rng(0).beta(2, 3, (40, 50)).astype(np.float32)


@pytest.mark.parametrize("how", NORMALISATIONS)
@given(st.integers(0, 99), st.sampled_from([(1, 1), (1, 7), (9, 9)]))
def test_intensity_stays_in_range_and_type(how: str, seed: int, shape: tuple[int, int]) -> None:
    image = np.random.default_rng(seed).random(shape, np.float32).round(seed % 3)
    made = normalise(image, how)
    assert made.dtype == np.float32
    assert made.shape == shape
    assert 0 <= made.min() <= made.max() <= 1


def test_intensity_none_changes_nothing() -> None:
    assert normalise(SLICE, "none") is SLICE


def test_intensity_percentile_undoes_a_linear_window() -> None:
    np.testing.assert_allclose(
        normalise(SLICE * 0.5 + 0.2, "percentile"), normalise(SLICE, "percentile"), atol=1e-5
    )


def test_intensity_percentile_ignores_letters() -> None:
    lettered = SLICE * 0.5
    lettered[:2, :5] = 1  # half a per cent of the pixels
    made = normalise(lettered, "percentile")
    assert np.percentile(made[2:], 98) > 0.9


def test_intensity_equalise_undoes_gamma_and_spreads_evenly() -> None:
    made, bent = normalise(SLICE, "equalise"), normalise(SLICE**0.7, "equalise")
    assert np.abs(made - bent).max() < 0.03
    np.testing.assert_allclose(np.quantile(made, [0.1, 0.5, 0.9]), [0.1, 0.5, 0.9], atol=0.02)


@pytest.mark.parametrize("how", NORMALISATIONS)
def test_intensity_flat_images_stay_flat(how: str) -> None:
    assert np.ptp(normalise(np.full((8, 8), 0.5, np.float32), how)) == 0
