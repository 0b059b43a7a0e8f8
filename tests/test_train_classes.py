"""Named classes: a head, its loss and figures by hand; the channels of radiographs."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, confusion_matrix, roc_auc_score
from torch.nn.functional import cross_entropy

from nlp.errors import TrainingError
from tests.train_phantoms import KEYS, phantom_config, phantom_pixels, phantom_records
from tests.train_radiographs import write_radiographs
from train.augment import Augmentation, augment
from train.cache import load_images
from train.channels import as_channels
from train.class_results import add_classes
from train.class_scores import score_classes
from train.classes import check_classes, class_names, class_probabilities, class_targets
from train.config import recipe
from train.config_check import check
from train.folds import patient_folds
from train.loop import fit
from train.loss import class_loss
from train.model import build_model, load_model, save_model
from train.records import Records


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def with_classes(count: int = 36) -> Records:
    """Phantoms whose confirmed records are one class and whose controls are two, one of them unknown."""
    records = phantom_records(count)
    names = [("normal", "other")[n % 2] if flag == 0 else "covid" for n, flag in enumerate(records.covid19)]
    return replace(records, diagnoses=("", *names[1:]))


def test_classes_are_sorted_names_and_blanks_are_unknown() -> None:
    records = with_classes()
    names = class_names(records)
    targets = class_targets(records, names)
    assert names == ("covid", "normal", "other") and targets[0] == -1
    assert [names[place] for place in targets[1:]] == list(records.diagnoses[1:])


def test_classes_that_cannot_be_learnt_are_named_all_at_once() -> None:
    records = with_classes()
    check_classes(records)
    test = set(records.rows("test").tolist())
    torn = replace(records, diagnoses=tuple("other" if n in test else "covid" for n in range(len(records))))
    with pytest.raises(TrainingError) as error:
        check_classes(torn)
    assert "train is 'other'" in str(error.value) and "test is 'covid'" in str(error.value)
    with pytest.raises(TrainingError, match="two classes are the least"):
        check_classes(replace(records, diagnoses=("",) * len(records)))


def test_classes_loss_is_a_mean_over_known_and_masked_cells_get_no_gradient() -> None:
    logits = torch.randn(5, 3, requires_grad=True)
    classes = torch.tensor([0, 2, -1, 1, -1])
    loss = class_loss(logits, classes)
    assert loss.item() == pytest.approx(cross_entropy(logits[[0, 1, 3]], classes[[0, 1, 3]]).item())
    loss.backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None and (logits.grad[[2, 4]] == 0).all() and (logits.grad[0] != 0).any()
    assert class_loss(logits, torch.full((5,), -1)).item() == 0


def test_classes_scores_equal_scikit_learn() -> None:
    records = with_classes(60)
    names = class_names(records)
    targets = class_targets(records, names)
    logits = np.random.default_rng(0).normal(size=(60, 3)) + 1.5 * np.eye(3)[targets]
    found = score_classes(records, logits, names, seed=0, bootstraps=300)
    known, said, sure = targets[1:], logits[1:].argmax(axis=1), class_probabilities(logits)[1:]
    assert found["n"] == 59
    assert found["accuracy"] == pytest.approx(accuracy_score(known, said))
    assert found["macro_auc"] == pytest.approx(roc_auc_score(known, sure, multi_class="ovr"))
    assert found["confusion"]["counts"] == confusion_matrix(known, said).tolist()
    for place, name in enumerate(names):
        each = found["classes"][name]
        assert each["auc"] == pytest.approx(roc_auc_score(known == place, sure[:, place]))
        assert each["sensitivity"] == pytest.approx((said[known == place] == place).mean())
        assert each["brier"] == pytest.approx(((sure[:, place] - (known == place)) ** 2).mean())
        assert each["auc_low"] <= each["auc"] <= each["auc_high"]
    assert found["accuracy_low"] < found["accuracy"] < found["accuracy_high"]
    assert found["macro_auc_low"] < found["macro_auc"] < found["macro_auc_high"]


def test_classes_scores_of_one_class_are_null_with_their_n() -> None:
    records = with_classes()
    names = class_names(records)
    some = records.take(np.flatnonzero(np.array(records.diagnoses) == "covid").astype(np.int64))
    found = score_classes(some, np.zeros((len(some), 3)), names, seed=0, bootstraps=50)
    assert found["macro_auc"] is None and found["macro_auc_low"] is None and found["n"] == len(some)
    json.dumps(found, allow_nan=False)


def test_classes_out_of_fold_are_each_folds_own(tmp_path: Path) -> None:
    records = with_classes(48)
    names = class_names(records)
    folds = patient_folds(records, 2, seed=0)
    logits = np.random.default_rng(1).normal(size=(48, 3)).astype(np.float32)
    metrics: dict[str, Any] = {"val": {}, "test": {}, "out_of_fold": {}}
    add_classes(
        metrics,
        tmp_path,
        records,
        names,
        np.zeros_like(logits),
        [(fold, logits[fold.held_out]) for fold in folds],
        quality=np.full(48, np.nan),
        warnings=("",) * 48,
        seed=0,
        bootstraps=50,
    )
    found = {row["image"]: row for row in read_rows(tmp_path / "out_of_fold.diagnosis.csv")}
    assert len(found) == 48 and metrics["out_of_fold"]["diagnosis"]["n"] == 47
    for row, (image, said) in enumerate(zip(records.images, logits.argmax(axis=1), strict=True)):
        assert found[image]["prediction"] == names[said]
        assert row in folds[int(found[image]["fold"])].held_out
        assert found[image]["quality"] == ""


def test_classes_head_is_saved_in_its_order_and_leaves_other_networks_alone(tmp_path: Path) -> None:
    names = ("zebra", "ant")
    plain = build_model("test_resnet", finding_keys=KEYS, weights="none")
    model = build_model("test_resnet", finding_keys=KEYS, weights="none", class_names=names).eval()
    assert plain.classes is None and torch.equal(plain.primary.weight, model.primary.weight)
    save_model(model, tmp_path / "model.safetensors")
    again = load_model(tmp_path)
    images = torch.rand(2, 3, 64, 64)
    assert again.class_names == names and model.flags == 1 + len(KEYS)
    assert model(images).shape == (2, 1 + len(KEYS) + 2)
    assert torch.equal(model(images), again(images))


@pytest.mark.parametrize("head_start", [0, 1])
def test_classes_are_learnt_beside_the_flag(head_start: int) -> None:
    records = with_classes()
    config = phantom_config(
        classes="diagnosis", mode="baseline", epochs=6, head_start=head_start, select="loss", average=False
    )
    fitted = fit(
        config,
        phantom_pixels(records),
        records,
        train_rows=records.rows("train"),
        val_rows=records.rows("val"),
    )
    assert fitted.model.class_names == ("covid", "normal", "other")
    assert fitted.history[-1].train_loss < fitted.history[0].train_loss


def test_channels_are_what_opencv_says_and_keep_the_size() -> None:
    picture = (np.random.default_rng(0).random((64, 64)) * 255).astype(np.uint8)
    picture[:, 32:] //= 4
    assert np.array_equal(as_channels(picture, "grey"), picture[None])
    made = as_channels(picture, "cxr3")
    assert made.shape == (3, 64, 64) and made.dtype == np.uint8
    assert set(np.unique(made[0])) == set(np.unique(made[2])) == {0, 255}
    threshold = picture[made[0] == 255].min()
    assert (picture[made[0] == 0] < threshold).all()
    flat = as_channels(np.full((64, 64), 7, np.uint8), "cxr3")
    assert not flat[2].any()  # nothing is darker than its surroundings by the constant


def test_channels_are_augmented_alike() -> None:
    grey = (torch.rand(4, 1, 32, 32) * 255).byte()
    ranges = replace(Augmentation(), noise=0.0, blur=1.0, erase=0.3, degrade=2.0)

    def changed(pixels: torch.Tensor) -> torch.Tensor:
        return augment(pixels, ranges=ranges, size=32, generator=torch.Generator().manual_seed(1))

    one, three = changed(grey), changed(grey.expand(4, 3, 32, 32).contiguous())
    assert torch.allclose(three, one.expand(4, 3, 32, 32), atol=1e-6)


def test_channels_go_through_the_cache(tmp_path: Path) -> None:
    images, _ = write_radiographs(tmp_path, 3)
    paths = sorted(images.iterdir())
    settings = {"size": 32, "crop": "none", "cache": tmp_path / "cache"}
    first = load_images(paths, channels="cxr3", **settings)  # type: ignore[arg-type]
    again = load_images(paths, channels="cxr3", **settings)  # type: ignore[arg-type]
    grey = load_images(paths, **settings)  # type: ignore[arg-type]
    assert first.pixels.shape == (3, 3, 32, 32) and grey.pixels.shape == (3, 1, 32, 32)
    assert torch.equal(first.pixels, again.pixels) and np.isnan(again.confidence).all()


def test_config_segmented_and_segmenter_go_together() -> None:
    with pytest.raises(TrainingError, match="needs a segmenter"):
        check(recipe("cxr-ai"))
    with pytest.raises(TrainingError, match="makes no use of segmenter"):
        check(phantom_config(segmenter="runs/lungs"))
    with pytest.raises(TrainingError, match="go together"):
        load_images([Path("none.png")], size=32, crop="segmented")
