"""``train.loss``: expected numbers are worked out by hand beside each case."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import grad
from torch.nn.functional import binary_cross_entropy

from train.loss import baseline_loss, joint_loss, paper_loss, positive_weights

NAN = math.nan
LN2 = math.log(2)
LN4_3 = math.log(4 / 3)
LOG3 = math.log(3)
"""sigmoid(ln 3) = 3/4: its error is ln(4/3) where the target is 1 and ln 4 where it is 0."""
LN4 = math.log(4)


def tensor(*rows: object) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


LOGITS = tensor([0.0, LOG3, 0.0], [LOG3, -LOG3, LOG3], [-LOG3, 0.0, LOG3])
FLAGS = tensor(1.0, 1.0, 0.0)
FINDINGS = tensor([1.0, 0.0], [0.0, NAN], [NAN, NAN])
even_loss = partial(joint_loss, primary_weight=1.0, lesion_weight=1.0)
PRIMARY = (LN2 + LN4_3 + LN4_3) / 3
LESIONS = (LN4_3 + LN2 + LN4_3) / 3  # three known cells: 1 at ln 3, 0 at 0, 0 at -ln 3


def test_loss_joint_is_the_weighted_mean_of_two_means_over_known_cells() -> None:
    found = joint_loss(LOGITS, FLAGS, FINDINGS, primary_weight=3.0, lesion_weight=1.0)
    assert found.shape == ()
    assert found.item() == pytest.approx((3 * PRIMARY + LESIONS) / 4, rel=1e-12)


def test_loss_joint_weighs_present_cells_of_rare_findings() -> None:
    found = even_loss(LOGITS, FLAGS, FINDINGS, positive_weight=tensor(4.0, 9.0))
    # of the known cells one is present: the first finding of the first image
    assert found.item() == pytest.approx((PRIMARY + (4 * LN4_3 + LN2 + LN4_3) / 3) / 2, rel=1e-12)


def test_loss_joint_smooths_both_targets() -> None:
    found = even_loss(tensor([LOG3, LOG3]), tensor(1.0), tensor([0.0]), label_smoothing=0.2)
    # targets .9 and .1 at probability 3/4
    flag, lesion = 0.9 * LN4_3 + 0.1 * LN4, 0.1 * LN4_3 + 0.9 * LN4
    assert found.item() == pytest.approx((flag + lesion) / 2, rel=1e-12)


def test_loss_joint_leaves_out_a_masked_flag_but_not_the_lesions_of_its_image() -> None:
    found = even_loss(LOGITS, tensor(NAN, 1.0, NAN), FINDINGS)
    assert found.item() == pytest.approx((LN4_3 + LESIONS) / 2, rel=1e-12)


def test_loss_without_lesion_weight_is_the_baseline() -> None:
    baseline = baseline_loss(LOGITS, FLAGS)
    assert baseline.item() == pytest.approx(PRIMARY, rel=1e-12)
    assert torch.equal(baseline, joint_loss(LOGITS, FLAGS, FINDINGS, primary_weight=7.0, lesion_weight=0.0))
    assert torch.equal(
        baseline, joint_loss(LOGITS, FLAGS, FINDINGS * NAN, primary_weight=1.0, lesion_weight=0.0)
    )


def test_loss_of_the_paper_by_hand() -> None:
    # image 1 has a present finding: 5 ln 2 + (ln 4/3 + ln 2); images 2 and 3 have none: their lesion cells are off
    expected = ((5 * LN2 + LN4_3 + LN2) + 5 * LN4_3 + 5 * LN4_3) / 6 / 3
    full = torch.nan_to_num(FINDINGS, nan=0.0)
    assert paper_loss(LOGITS, FLAGS, full).item() == pytest.approx(expected, rel=1e-12)
    assert paper_loss(LOGITS, FLAGS, FINDINGS).item() == pytest.approx(expected, rel=1e-12)


def published(logits: Tensor, covid19: Tensor, findings: Tensor) -> Tensor:
    """The published arithmetic, image by image: a sigmoid, then BCELoss, which cuts logarithms off at -100."""
    total = torch.zeros(())
    for row, flag, cells in zip(torch.sigmoid(logits), covid19, findings, strict=True):
        lesions = binary_cross_entropy(row[1:], cells, reduction="sum") if cells.sum() > 0 else 0
        total = total + (5 * binary_cross_entropy(row[0], flag) + lesions) / 6
    return total / len(logits)


@pytest.mark.parametrize("seed", range(5))
def test_loss_of_the_paper_equals_sigmoid_and_bce_of_the_published_code(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = 8 * torch.randn(32, 6, generator=generator, dtype=torch.float64)
    targets = (torch.rand(32, 6, generator=generator) < 0.2).double()
    covid19, findings = targets[:, 0], targets[:, 1:]
    found = paper_loss(logits, covid19, findings)
    assert found.item() == pytest.approx(published(logits, covid19, findings).item(), rel=1e-9)


def test_loss_of_the_paper_keeps_its_gradient_where_the_published_code_loses_it() -> None:
    logits = torch.tensor([[200.0, 0.0]], requires_grad=True)
    lost, kept = (
        grad(loss(logits, torch.zeros(1), torch.zeros(1, 1)), logits)[0][0, 0]
        for loss in (published, paper_loss)
    )
    assert lost.item() == 0.0
    assert kept.item() == pytest.approx(5 / 6)


LOSSES: tuple[Callable[[Tensor, Tensor, Tensor], Tensor], ...] = (
    even_loss,
    lambda logits, *targets: joint_loss(
        logits,
        *targets,
        positive_weight=tensor(3.0, 5.0).to(logits.device),
        label_smoothing=0.1,
        primary_weight=2.0,
        lesion_weight=1.0,
    ),
    lambda logits, covid19, _: baseline_loss(logits, covid19),
    paper_loss,
)
CASES = pytest.mark.parametrize("loss", LOSSES, ids=("joint", "weighted", "baseline", "paper"))


@CASES
def test_loss_has_the_gradient_of_finite_differences(loss: Callable[..., Tensor]) -> None:
    logits = LOGITS.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: loss(x, FLAGS, FINDINGS), (logits,))


@CASES
def test_loss_gives_masked_cells_no_gradient_at_all(loss: Callable[..., Tensor]) -> None:
    logits = LOGITS.clone().requires_grad_()
    flags = tensor(NAN, 1.0, 0.0)
    (slope,) = grad(loss(logits, flags, FINDINGS), logits)
    masked = torch.isnan(torch.cat([flags[:, None], FINDINGS], dim=1))
    assert torch.all(slope[masked] == 0)
    assert slope[1, 0] != 0 and slope[2, 0] != 0


@CASES
def test_loss_of_an_all_masked_batch_is_zero_with_zero_gradient(loss: Callable[..., Tensor]) -> None:
    logits = LOGITS.clone().requires_grad_()
    found = loss(logits, FLAGS * NAN, FINDINGS * NAN)
    assert found.item() == 0.0 and torch.all(grad(found, logits)[0] == 0)


@CASES
@pytest.mark.parametrize("size", [1e4, -1e4])
def test_loss_stays_finite_at_extreme_logits(loss: Callable[..., Tensor], size: float) -> None:
    logits = torch.full((3, 3), size, requires_grad=True)
    found = loss(logits, FLAGS.float(), FINDINGS.float())
    assert torch.isfinite(found) and torch.isfinite(grad(found, logits)[0]).all()


@CASES
@given(seed=st.integers(0, 2**31))
def test_loss_does_not_depend_on_the_order_of_images(loss: Callable[..., Tensor], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = 4 * torch.randn(9, 3, generator=generator, dtype=torch.float64)
    cells = torch.tensor([0.0, 1.0, NAN], dtype=torch.float64)
    targets = cells[torch.randint(0, 3, (9, 3), generator=generator)]
    order = torch.randperm(9, generator=generator)
    plain = loss(logits, targets[:, 0], targets[:, 1:])
    mixed = loss(logits[order], targets[order, 0], targets[order, 1:])
    assert mixed.item() == pytest.approx(plain.item(), rel=1e-12, abs=1e-15)


@CASES
def test_loss_never_asks_the_device_for_a_value(loss: Callable[..., Tensor]) -> None:
    """A tensor of the device "meta" has no values to ask for."""
    found = loss(LOGITS.to("meta"), FLAGS.to("meta"), FINDINGS.to("meta"))
    assert found.shape == ()


def test_loss_positive_weights_are_absent_over_present_within_limits() -> None:
    column = {
        "even": [1, 1, 0, 0],
        "one in four": [1, 0, 0, 0],
        "common": [1, 1, 1, 0],
        "masked": [1, NAN, 0, 0],
        "never": [0, 0, 0, 0],
    }
    cells = np.array(list(column.values()), dtype=np.float32).T
    found = positive_weights(cells, largest=2.5)
    assert found.dtype == torch.float32
    assert dict(zip(column, found.tolist(), strict=True)) == {
        "even": 1.0,
        "one in four": 2.5,  # 3, cut off
        "common": 1.0,  # 1/3, never below 1
        "masked": 2.0,
        "never": 1.0,
    }
