"""``train.head_start``: heads fitted to the features of the pretrained backbone, before any gradient reaches it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from torch import Tensor

from tests.train_phantoms import KEYS, phantom_pixels, phantom_records
from tests.train_phantoms import phantom_config as plain_config
from train.augment import plain
from train.config import Config
from train.head_start import start_heads
from train.inference import predict_logits
from train.loop import fit
from train.model import build_model
from train.network import LesionAttentionNetwork

RECORDS = phantom_records(48)
PIXELS = phantom_pixels(RECORDS)
TRAIN = RECORDS.rows("train")
CPU = torch.device("cpu")


def phantom_config(**settings: object) -> Config:
    return plain_config(**({"head_start": 4, "levels": 2, "pooling": "mean_std"} | settings))


def network(config: Config) -> LesionAttentionNetwork:
    return build_model(
        "test_resnet",
        finding_keys=KEYS,
        weights="none",
        levels=config.levels,
        pooling=config.pooling,
        seed=config.seed,
    )


def started(**settings: object) -> tuple[LesionAttentionNetwork, Config]:
    config = phantom_config(**settings)
    model = network(config)
    start_heads(config, model, PIXELS, RECORDS, TRAIN)
    return model.eval(), config


@torch.no_grad()
def features(model: LesionAttentionNetwork, pixels: Tensor) -> Tensor:
    return model.pool(model.forward_features(plain(pixels, size=32)))


def test_head_start_is_the_optimum_of_scikit_learn() -> None:
    model, config = started(head_start=1, head_ridge=3.0)
    found = features(model, PIXELS[TRAIN])
    torch.testing.assert_close(model.pooled_mean, found.mean(dim=0))
    standard = ((found - model.pooled_mean) / model.pooled_std).numpy()
    wanted = LogisticRegression(C=1 / config.head_ridge, max_iter=1000).fit(standard, RECORDS.covid19[TRAIN])
    logits = predict_logits(model, PIXELS[TRAIN], device=CPU)
    np.testing.assert_allclose(logits[:, 0], wanted.decision_function(standard), atol=1e-3)


def test_head_start_ranks_images_it_never_saw() -> None:
    model, _ = started(head_start=4)
    test = RECORDS.rows("test")
    logits = predict_logits(model, PIXELS[test], device=CPU)
    assert roc_auc_score(RECORDS.covid19[test], logits[:, 0]) > 0.9


def test_head_start_leaves_the_backbone_alone_and_repeats_itself() -> None:
    before = network(phantom_config()).backbone.state_dict()
    (one, _), (other, _) = started(head_start=3), started(head_start=3)
    assert all(torch.equal(value, before[name]) for name, value in one.backbone.state_dict().items())
    assert torch.equal(one.primary.weight, other.primary.weight)
    assert not torch.equal(one.primary.weight, started(head_start=3, seed=1)[0].primary.weight)


def test_head_start_in_mode_baseline_fits_the_flag_alone() -> None:
    fresh = network(phantom_config())
    model, _ = started(mode="baseline", head_start=1)
    assert torch.equal(model.lesions.weight, fresh.lesions.weight)
    assert not torch.equal(model.primary.weight, fresh.primary.weight)


def test_head_start_leaves_a_finding_of_one_kind_random() -> None:
    records = phantom_records(48)
    records.findings[:, 0] = 0
    records.findings[:, 1] = np.nan
    config = phantom_config(head_start=1)
    model, fresh = network(config), network(config)
    start_heads(config, model, PIXELS, records, TRAIN)
    assert torch.equal(model.lesions.weight[:2], fresh.lesions.weight[:2])
    assert not torch.equal(model.lesions.weight[2], fresh.lesions.weight[2])
    assert torch.isfinite(model.lesions.weight).all()


def test_head_start_is_part_of_training_from_a_weights_file(tmp_path: Path) -> None:
    """Such a training starts where the fit ends; one from random weights has no features to fit."""
    file = tmp_path / "weights.safetensors"
    source = network(phantom_config())
    save_file(
        {name: value.contiguous() for name, value in source.backbone.network.state_dict().items()}, file
    )
    settings = {"epochs": 1, "learning_rate": 1e-9, "average": False, "weights": str(file)}
    rows = {"train_rows": TRAIN, "val_rows": RECORDS.rows("val")}
    kept = fit(phantom_config(**settings), PIXELS, RECORDS, **rows).model  # type: ignore[arg-type]
    wanted, _ = started()
    torch.testing.assert_close(kept.primary.weight, wanted.primary.weight, atol=1e-5, rtol=1e-4)
    scratch = fit(phantom_config(epochs=1), PIXELS, RECORDS, **rows).model  # type: ignore[arg-type]
    assert torch.equal(scratch.pooled_std, torch.ones_like(scratch.pooled_std))


@pytest.mark.parametrize("pooling", ["mean", "mean_std"])
@pytest.mark.parametrize("levels", [1, 2])
def test_head_start_fits_every_form_of_features(levels: int, pooling: str) -> None:
    model, _ = started(levels=levels, pooling=pooling)
    assert model.primary.in_features == model.backbone.channels * (2 if pooling == "mean_std" else 1)
    assert np.isfinite(predict_logits(model, PIXELS, device=CPU)).all()
