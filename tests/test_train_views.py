"""Kept features: trained on as images would be, stopped and resumed alike, and the recipe that lives of them."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from sklearn.metrics import roc_auc_score

import train.run
from nlp.errors import TrainingError
from tests.train_phantoms import phantom_config, phantom_pixels, phantom_records, write_phantoms
from train.augment import Augmentation, augment, plain
from train.config import Config
from train.config_check import check
from train.inference import predict_logits
from train.loop import Fitted, fit
from train.model import build_model
from train.progress import SILENT
from train.signals import Stopped
from train.views import pooled_views, training_inputs

CPU = torch.device("cpu")
RECORDS = phantom_records(48)
PIXELS = phantom_pixels(RECORDS)
TRAIN, VAL = RECORDS.rows("train"), RECORDS.rows("val")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a backbone that already sees the phantoms' square."""
    file = tmp_path_factory.mktemp("weights") / "backbone.safetensors"
    body = fit(phantom_config(epochs=6), PIXELS, RECORDS, train_rows=TRAIN, val_rows=VAL).model.backbone
    save_file({name: value.contiguous() for name, value in body.network.state_dict().items()}, file)
    return file


@pytest.fixture
def config(weights: Path) -> Callable[..., Config]:
    """Settings of a frozen backbone."""
    usual = {"weights": str(weights), "trained": "heads", "frozen_norm": True, "views": 3, "average": False}
    return lambda **settings: phantom_config(**(usual | settings))


def fitted(config: Config, **options: object) -> Fitted:
    return fit(config, PIXELS, RECORDS, train_rows=TRAIN, val_rows=VAL, **options)  # type: ignore[arg-type]


def test_views_learn_what_images_teach(config: Callable[..., Config]) -> None:
    """Without random changes, kept features are the plain training by another way."""
    still = {"augmentation": Augmentation.off(), "epochs": 3, "dropout": 0.0}
    kept, anew = fitted(config(views=1, **still)), fitted(config(views=0, **still))
    for name, tensor in anew.model.state_dict().items():
        torch.testing.assert_close(kept.model.state_dict()[name], tensor, atol=1e-5, rtol=1e-4)
    for one, other in zip(kept.history, anew.history, strict=True):
        assert one.val_loss == pytest.approx(other.val_loss, abs=1e-5) and one.val_auc == other.val_auc


def test_views_are_records_of_their_own_and_the_backbone_stays(config: Callable[..., Config]) -> None:
    settings = config(epochs=8, learning_rate=1e-2, balance=True)
    steps: list[int] = []
    found = fitted(settings, after_step=steps.append)
    assert len(steps) == 8 * -(-3 * len(TRAIN) // settings.batch_size)
    start = build_model("test_resnet", finding_keys=RECORDS.finding_keys, weights=settings.weights)
    before = start.backbone.state_dict()
    assert all(torch.equal(value, before[name]) for name, value in found.model.backbone.state_dict().items())
    test = RECORDS.rows("test")
    logits = predict_logits(found.model, PIXELS[test], device=CPU)
    assert roc_auc_score(RECORDS.covid19[test], logits[:, 0]) > 0.9


def test_views_are_the_image_its_mirror_image_and_draws_of_the_seed(config: Callable[..., Config]) -> None:
    settings = config()
    model = build_model("test_resnet", finding_keys=RECORDS.finding_keys, weights=settings.weights).eval()
    inputs = training_inputs(settings, model, PIXELS, RECORDS, TRAIN, VAL, SILENT)
    assert inputs.records.images == tuple(RECORDS.images[row] for row in TRAIN) * 3
    assert inputs.rows.tolist() == list(range(3 * len(TRAIN))) and len(inputs.val) == len(VAL)
    images = plain(PIXELS[TRAIN], size=32)
    drawn = augment(
        PIXELS[TRAIN], ranges=settings.augmentation, size=32, generator=torch.Generator().manual_seed(0)
    )
    with torch.no_grad():
        for found, seen in zip(inputs.train.chunk(3), (images, images.flip(3), drawn), strict=True):
            torch.testing.assert_close(found, model.pool(model.forward_features(seen)))
    again = pooled_views(settings, model, PIXELS, TRAIN, views=3)
    assert torch.equal(inputs.train, again)
    assert not torch.equal(again, pooled_views(config(seed=1), model, PIXELS, TRAIN, views=3))


@pytest.mark.parametrize("views", [0, 2])
def test_views_stopped_and_resumed_are_bit_identical(
    config: Callable[..., Config], tmp_path: Path, views: int
) -> None:
    """Also without kept features: what is frozen is frozen after a stop too."""
    settings = config(views=views, epochs=3, dropout=0.3, balance=True, average=True)
    unbroken = fitted(settings)

    def ring(done: int) -> None:
        if done == 5:
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(Stopped):
        fitted(settings, folder=tmp_path, after_step=ring)
    resumed = fitted(settings, folder=tmp_path, resume=True)
    other = resumed.model.state_dict()
    assert all(torch.equal(value, other[name]) for name, value in unbroken.model.state_dict().items())
    assert resumed.best_epoch == unbroken.best_epoch


@pytest.mark.parametrize("settings", [{"trained": "all"}, {"frozen_norm": False}, {"weights": "none"}])
def test_views_need_a_backbone_that_does_not_change(
    config: Callable[..., Config], settings: dict[str, object]
) -> None:
    with pytest.raises(TrainingError, match="views = 3 keeps features"):
        check(config(**settings))


def test_views_recipe_from_phantoms_to_report(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train.run, "run", partial(train.run.run, bootstraps=200))
    table, out = write_phantoms(tmp_path / "phantoms", RECORDS), tmp_path / "run"
    arguments = [str(table), "--images", str(table.parent / "images"), "--out", str(out)]
    small = ["--backbone", "test_resnet", "--image-size", "32", "--epochs", "5", "--learning-rate", "0.01"]
    assert train.run.main([*arguments, "--recipe", "deep-covid", "--weights", str(weights), *small]) == 0
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["training"]["recipe"] == "deep-covid" and metrics["test"]["covid19"]["auc"] > 0.9
    text = (out / "report.html").read_text()
    assert "Method: occlusion" in text and "Sensitivity and specificity at each cut-off" in text
    assert all(f'id="{name}"' in text for name in ("groups", "confusion", "roc", "attention-1"))
    rows = metrics["test"]["covid19"]["cutoffs"]
    assert np.all(np.diff([row["sensitivity"] for row in rows]) <= 0)
