"""Augmentation: every image its own draw, each step within its range, none when switched off."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from nlp.errors import TrainingError
from train.augment import Augmentation, augment, plain

OFF = Augmentation.off()
ALL = Augmentation(blur=1.5, degrade=3, erase=0.3)
SIDE = 24
SOME = torch.randint(
    0, 256, (8, 1, SIDE, SIDE), dtype=torch.uint8, generator=torch.Generator().manual_seed(1)
)
SAME = SOME[:1].expand(64, -1, -1, -1)
STEPS: dict[str, dict[str, Any]] = {
    "scale": {"scale": (0.8, 1.2)},
    "rotation_degrees": {"rotation_degrees": 10},
    "shift": {"shift": 0.1},
    "flip": {"flip": 0.5},
    "brightness": {"brightness": 0.2},
    "contrast": {"contrast": (0.5, 1.5)},
    "gamma": {"gamma": (0.5, 2)},
    "noise": {"noise": 0.1},
    "blur": {"blur": 2},
    "degrade": {"degrade": 4},
    "erase": {"erase": 0.5},
}


def run(pixels: Tensor, ranges: Augmentation, *, seed: int = 0, size: int = SIDE) -> Tensor:
    return augment(pixels, ranges=ranges, size=size, generator=torch.Generator().manual_seed(seed))


def test_augment_off_is_plain() -> None:
    assert torch.equal(run(SOME, OFF), plain(SOME, size=SIDE))
    assert torch.equal(run(SOME, OFF, size=16), plain(SOME, size=16))


def test_augment_plain_is_the_bytes_over_255() -> None:
    assert torch.equal(plain(SOME, size=SIDE), SOME / 255)
    assert plain(SOME, size=16).shape == (8, 1, 16, 16)


def test_augment_every_setting_is_tested_and_explained() -> None:
    assert set(STEPS) == {item.name for item in fields(Augmentation)}
    assert all(item.metadata["help"] for item in fields(Augmentation))


@pytest.mark.parametrize("step", STEPS)
def test_augment_every_image_has_its_own_draw(step: str) -> None:
    made = run(SAME, replace(OFF, **STEPS[step]))
    distinct = len({row.numpy().tobytes() for row in made})
    assert distinct == 2 if step == "flip" else distinct > 50
    assert not torch.equal(made, plain(SAME, size=SIDE))


@pytest.mark.parametrize("step", STEPS)
def test_augment_same_generator_same_result(step: str) -> None:
    ranges = replace(OFF, **STEPS[step])
    assert torch.equal(run(SAME, ranges), run(SAME, ranges))
    assert not torch.equal(run(SAME, ranges), run(SAME, ranges, seed=1))


def test_augment_a_step_switched_off_leaves_the_others_as_they_were() -> None:
    both = run(SAME, replace(OFF, flip=0.5, brightness=0.2))
    flipped = run(SAME, replace(OFF, flip=0.5))
    shift = both - flipped
    inner = (both > 0) & (both < 1)
    for row, mask in zip(shift, inner, strict=True):
        assert row[mask].std() < 1e-5


def test_augment_flips_are_exact_mirrors() -> None:
    assert torch.equal(run(SOME, replace(OFF, flip=1)), plain(SOME, size=SIDE).flip(-1))
    mirrored = (run(SAME, replace(OFF, flip=0.5)) == plain(SAME, size=SIDE).flip(-1)).flatten(1).all(dim=1)
    assert 16 < mirrored.sum() < 48


@given(st.integers(0, 1000), st.sampled_from([0, 1, 128, 255]))
def test_augment_stays_in_range(seed: int, shade: int) -> None:
    made = run(torch.full((4, 1, 16, 16), shade, dtype=torch.uint8), ALL, seed=seed, size=16)
    assert made.dtype == torch.float32
    assert made.isfinite().all()
    assert made.min() >= 0
    assert made.max() <= 1


def test_augment_geometry_keeps_flat_images_flat() -> None:
    flat = torch.full((32, 1, 16, 16), 100, dtype=torch.uint8)
    moving = replace(OFF, scale=(0.5, 2), rotation_degrees=90, shift=0.3, blur=2, degrade=4, flip=0.5)
    torch.testing.assert_close(run(flat, moving, size=16), plain(flat, size=16))


def test_augment_moves_as_far_as_it_says() -> None:
    dot = torch.zeros((256, 1, 65, 65), dtype=torch.uint8)
    dot[:, :, 32, 32] = 255
    made = run(dot, replace(OFF, shift=0.1), size=65)
    places = torch.arange(65.0)
    weight = made / made.sum(dim=(2, 3), keepdim=True)
    for axis in (2, 3):
        moved = (weight.sum(dim=5 - axis) * places).sum(dim=-1) - 32
        assert 5.5 < moved.abs().max() < 6.6
        assert moved.mean().abs() < 1


def test_augment_scales_and_turns_as_far_as_it_says() -> None:
    bar = torch.zeros((256, 1, 65, 65), dtype=torch.uint8)
    bar[:, :, 22:43, 22:43] = 255
    area = run(bar, replace(OFF, scale=(0.8, 1.2)), size=65).mean(dim=(1, 2, 3)) / plain(bar, size=65).mean()
    assert 0.6 < area.min() < 0.7
    assert 1.35 < area.max() < 1.5
    quarter = torch.zeros((256, 1, 65, 65), dtype=torch.uint8)
    quarter[:, :, :, 32] = 255
    turned = run(quarter, replace(OFF, rotation_degrees=45), size=65)
    columns = turned[:, 0, 16].argmax(dim=1) - 32  # half way up: 16 pixels by the tangent of the angle
    assert 14 <= columns.abs().max() <= 17
    assert (columns > 0).any() and (columns < 0).any()


def test_augment_shades_within_their_ranges() -> None:
    grey = torch.full((256, 1, 8, 8), 128, dtype=torch.uint8)
    brighter = run(grey, replace(OFF, brightness=0.2), size=8).mean(dim=(1, 2, 3)) - 128 / 255
    assert brighter.abs().max() <= 0.2001
    assert brighter.min() < -0.18 < 0.18 < brighter.max()
    bent = run(grey, replace(OFF, gamma=(0.5, 2)), size=8)[:, 0, 0, 0].log() / torch.tensor(128 / 255).log()
    assert 0.499 < bent.min() < 0.55
    assert 1.9 < bent.max() < 2.001
    noise = run(grey, replace(OFF, noise=0.05), size=8).std(dim=(1, 2, 3))
    assert noise.min() < 0.01
    assert 0.04 < noise.max() < 0.07


def test_augment_contrast_leaves_the_mean() -> None:
    soft = (SAME // 4) + 96
    made, before = run(soft, replace(OFF, contrast=(0.5, 1.5))), plain(soft, size=SIDE)
    torch.testing.assert_close(made.mean(dim=(1, 2, 3)), before.mean(dim=(1, 2, 3)))
    factor = made.std(dim=(1, 2, 3)) / before.std(dim=(1, 2, 3))
    assert 0.49 < factor.min() < 0.6
    assert 1.4 < factor.max() < 1.51


@pytest.mark.parametrize("step", ["blur", "degrade"])
def test_augment_softens_and_keeps_the_mean(step: str) -> None:
    made, before = run(SAME, replace(OFF, **STEPS[step])), plain(SAME, size=SIDE)
    assert (made.std(dim=(1, 2, 3)) <= before.std(dim=(1, 2, 3)) + 1e-6).all()
    assert (made.mean(dim=(1, 2, 3)) - before.mean(dim=(1, 2, 3))).abs().max() < 0.02


def test_augment_erases_one_rectangle() -> None:
    made = run(SAME, replace(OFF, erase=0.5))
    changed = (made != plain(SAME, size=SIDE)).squeeze(1)
    rows, columns = changed.any(dim=2), changed.any(dim=1)
    assert (changed == rows[:, :, None] & columns[:, None]).float().mean() > 0.99
    assert rows.sum(dim=1).max() <= SIDE // 2 + 1


class NoWaiting(TorchDispatchMode):
    """Refuses what makes a device and its host wait for each other, and shapes that depend on data."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = str(func)
        assert not any(word in name for word in ("_local_scalar", "nonzero", "is_nonzero", "masked_select"))
        return func(*args, **(kwargs or {}))


def test_augment_never_waits_for_the_device() -> None:
    with NoWaiting():
        run(SOME, ALL)
        run(SOME, ALL, size=16)


def test_augment_impossible_ranges_are_named_all_at_once() -> None:
    with pytest.raises(TrainingError) as caught:
        Augmentation(scale=(1.2, 0.8), gamma=(0, 1), flip=2, noise=-1, degrade=0.5)
    lines = str(caught.value).splitlines()[1:]
    assert [line.split()[0] for line in lines] == ["scale", "flip", "gamma", "noise", "degrade"]


def test_augment_ranges_may_be_lists() -> None:
    assert Augmentation(scale=[0.9, 1.1]).scale == (0.9, 1.1)  # type: ignore[arg-type]
