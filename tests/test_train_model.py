"""``train.model``, ``train.network``, ``train.sealed``: what a network computes, and how it is kept."""

from __future__ import annotations

import copy
import hashlib
import json
import random
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest
import torch
from safetensors.torch import save
from torch import Tensor

import nlp.write
from nlp.errors import CheckpointError, OutputError
from nlp.lexicon import load_lexicon
from train.model import (
    ImageSettings,
    LesionAttentionNetwork,
    build_model,
    load_model,
    parameter_groups,
    save_model,
)
from train.run_folder import MODEL_FILE
from train.sealed import read_sealed, seal_of, write_sealed

KEYS = load_lexicon().finding_keys
SMALL = "squeezenet1_1"


def build(seed: int = 0, *, backbone: str = SMALL, **options: object) -> LesionAttentionNetwork:
    return build_model(backbone, finding_keys=KEYS, weights="none", seed=seed, **options)  # type: ignore[arg-type]


def images(channels: int = 1, count: int = 2) -> Tensor:
    return torch.rand(count, channels, 64, 64, generator=torch.Generator().manual_seed(0))


# ---- what it computes


@torch.no_grad()
def test_model_pools_mean_and_standard_deviation_then_standardises() -> None:
    model = build(pooling="mean_std").eval()
    features = model.forward_features(images())
    mean, std = features.mean(dim=(2, 3)), features.var(dim=(2, 3), correction=0).add(1e-5).sqrt()
    pooled = model.pool(features)
    torch.testing.assert_close(pooled, torch.cat([mean, std], dim=1))
    model.pooled_mean.fill_(0.5)
    model.pooled_std.fill_(2.0)
    torch.testing.assert_close(model(images())[:, :1], model.primary((pooled - 0.5) / 2))


def test_model_with_frozen_norm_keeps_the_statistics_of_its_weights() -> None:
    def moved(frozen_norm: bool) -> bool:
        model = build(backbone="test_resnet")
        model.frozen_norm = frozen_norm
        before = {name: value.clone() for name, value in model.named_buffers()}
        model.train()(images())
        return any(not torch.equal(value, before[name]) for name, value in model.named_buffers())

    assert moved(False) and not moved(True)
    assert not build(backbone="test_resnet", frozen_norm=True).frozen_norm  # random weights have none to keep


@torch.no_grad()
def test_model_gives_the_flag_then_the_findings() -> None:
    model = build().eval()
    features = model.forward_features(images())
    assert features.shape[:2] == (2, model.backbone.channels)
    logits = model(images())
    assert logits.shape == (2, 1 + len(KEYS)) and model.finding_keys == KEYS
    assert torch.equal(logits, model.forward_head(features))
    pooled = features.mean(dim=(2, 3))
    assert torch.equal(logits[:, :1], model.primary(pooled))
    assert torch.equal(logits[:, 1:], model.lesions(pooled))


@torch.no_grad()
def test_model_takes_grey_for_three_equal_colours_and_normalises_itself() -> None:
    model = build().eval()
    coloured = images().expand(-1, 3, -1, -1)
    assert torch.equal(model(images()), model(coloured))
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    torch.testing.assert_close(model.forward_features(coloured), model.backbone((coloured - mean) / std))


@torch.no_grad()
def test_model_computes_its_heads_in_full_precision_under_autocast() -> None:
    model = build().eval()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        features = model.forward_features(images())
        logits = model.forward_head(features)
    assert (features.dtype, logits.dtype) == (torch.bfloat16, torch.float32)
    assert torch.equal(logits, model.forward_head(features.float()))


def test_model_differentiates_the_head_alone() -> None:
    model = build().eval()
    features = model.forward_features(images()).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(model.forward_head(features)[:, 2].sum(), features)
    cells = features.shape[2] * features.shape[3]
    expected = (model.lesions.weight[1] / cells).view(1, -1, 1, 1).expand_as(features)
    torch.testing.assert_close(gradient, expected)


def test_model_drops_features_in_training_only() -> None:
    model = build(dropout=0.5)
    features = torch.ones(1, model.backbone.channels, 2, 2)
    assert not torch.equal(model.forward_head(features), model.forward_head(features))
    assert torch.equal(model.eval().forward_head(features), model.forward_head(features))


@pytest.mark.parametrize("backbone", [SMALL, "resnet10t"])
def test_model_is_the_same_by_seed_and_leaves_the_generator_alone(backbone: str) -> None:
    torch.default_generator.manual_seed(7)
    before = torch.get_rng_state()
    first, second, other = (build(seed, backbone=backbone).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(value, second[key]) for key, value in first.items())
    for head in ("primary.weight", "lesions.weight"):
        assert not torch.equal(first[head], other[head])


def test_model_says_what_its_weights_are() -> None:
    said: list[str] = []
    build(log=said.append)
    assert said == [f"{SMALL} starts from random weights"]


def test_model_groups_its_parameters_for_an_optimizer() -> None:
    model = build(backbone="mobilenetv3_small_050")
    groups = parameter_groups(model, learning_rate=1e-3, weight_decay=0.05, backbone_rate=0.1)
    assert [(group["lr"], group["weight_decay"]) for group in groups] == [
        (pytest.approx(1e-4), 0.05),
        (pytest.approx(1e-4), 0.0),
        (1e-3, 0.05),
        (1e-3, 0.0),
    ]
    grouped = [id(parameter) for group in groups for parameter in group["params"]]
    trained = [id(parameter) for parameter in model.parameters() if parameter.requires_grad]
    assert len(grouped) == len(set(grouped)) and set(grouped) == set(trained)
    assert {id(parameter) for parameter in groups[2]["params"]} == {
        id(model.primary.weight),
        id(model.lesions.weight),
    }
    assert all(parameter.ndim == 1 for group in groups[1::2] for parameter in group["params"])


def test_model_can_be_copied() -> None:
    """Averaging of weights keeps a copy."""
    model = build(backbone="resnet10t").eval()
    assert torch.equal(copy.deepcopy(model)(images()), model(images()))


# ---- how it is kept


@pytest.mark.parametrize("backbone", [SMALL, "resnet10t"])
@torch.no_grad()
def test_model_saved_and_loaded_is_the_same(tmp_path: Path, backbone: str) -> None:
    settings = ImageSettings(size=96, crop="none", normalise="equalise")
    model = build(3, backbone=backbone, dropout=0.3, image_settings=settings)
    model = model.to(memory_format=torch.channels_last)
    model(images())  # statistics of normalisation move
    save_model(model, tmp_path / MODEL_FILE, details={"epoch": "4"})
    for place in (tmp_path, tmp_path / MODEL_FILE):
        loaded = load_model(place)
        assert not loaded.training and loaded.image_settings == settings and loaded.dropout.p == 0.3
        assert loaded.finding_keys == KEYS and loaded.backbone.name == backbone
        assert all(torch.equal(value, loaded.state_dict()[key]) for key, value in model.state_dict().items())
        loaded = loaded.to(memory_format=torch.channels_last)  # another layout adds in another order
        assert torch.equal(loaded(images()), model.eval()(images()))


def test_model_file_passes_sha256sum(tmp_path: Path) -> None:
    save_model(build(), tmp_path / MODEL_FILE)
    assert seal_of(tmp_path / MODEL_FILE).name == "model.safetensors.sha256"
    command = ["sha256sum", "--check", "--strict", "model.safetensors.sha256"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 0


def test_model_file_with_a_flipped_bit_is_refused(tmp_path: Path) -> None:
    file = tmp_path / MODEL_FILE
    save_model(build(), file)
    good = file.read_bytes()
    places = random.Random(0)
    for _ in range(50):
        damaged = bytearray(good)
        damaged[places.randrange(len(good))] ^= 1 << places.randrange(8)
        file.write_bytes(damaged)
        with pytest.raises(CheckpointError) as raised:
            load_model(tmp_path)
    message = str(raised.value)
    assert str(file) in message
    assert all(hashlib.sha256(content).hexdigest() in message for content in (good, bytes(damaged)))


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_bytes(file.read_bytes()[:-1]),
        lambda file: file.write_bytes(b""),
        lambda file: seal_of(file).unlink(),
        lambda file: seal_of(file).write_bytes(b""),
        lambda file: seal_of(file).write_bytes(b"\xff\xfe"),
        lambda file: file.unlink(),
    ],
    ids=["truncated", "empty", "no hash", "empty hash", "no text", "no file"],
)
def test_model_file_incomplete_is_refused(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    save_model(build(), tmp_path / MODEL_FILE)
    damage(tmp_path / MODEL_FILE)
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        load_model(tmp_path)


def test_model_with_other_findings_is_refused(tmp_path: Path) -> None:
    save_model(build(), tmp_path / MODEL_FILE)
    turned = tuple(reversed(KEYS))
    with pytest.raises(CheckpointError, match=rf"on the findings {KEYS[0]}, .*here they are {KEYS[-1]}, "):
        load_model(tmp_path, finding_keys=turned)
    assert load_model(tmp_path, finding_keys=KEYS).finding_keys == KEYS


GOOD = {
    "format": "1",
    "backbone": SMALL,
    "finding_keys": json.dumps(KEYS),
    "dropout": "0",
    "levels": "1",
    "pooling": "mean",
}
GOOD |= {"image_settings": json.dumps({"size": 64, "crop": "none", "normalise": "none"})}


@pytest.mark.parametrize(
    "change",
    [
        {"format": "2"},
        {"backbone": "resnet10t"},
        {"backbone": "none such"},
        {"finding_keys": "["},
        {"finding_keys": '["consolidation"]'},
        {"image_settings": '{"colour": 1}'},
    ],
    ids=str,
)
def test_model_file_of_another_kind_is_refused(tmp_path: Path, change: dict[str, str]) -> None:
    tensors = build().state_dict()
    file = tmp_path / MODEL_FILE
    write_sealed(file, save(tensors, metadata=GOOD))
    load_model(file)
    write_sealed(file, save(tensors, metadata=GOOD | change))
    with pytest.raises(CheckpointError, match="is no network of this toolkit"):
        load_model(file)
    for content in (b"", b"\xff" * 64, save(tensors)):
        write_sealed(file, content)
        with pytest.raises(CheckpointError, match="is no network of this toolkit"):
            load_model(file)


@pytest.mark.parametrize("writes", range(4))
def test_sealed_file_is_good_wherever_writing_is_cut_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    file = tmp_path / "state"
    write_sealed(file, b"oldest")
    write_sealed(file, b"old")
    left = iter(range(writes))

    def full(handle: BinaryIO) -> None:
        if next(left, None) is None:
            raise OSError(28, "No space left on device")
        flush(handle)

    flush = nlp.write.flush_to_disk
    monkeypatch.setattr("nlp.write.flush_to_disk", full)
    if writes < 3:
        with pytest.raises(OutputError, match="No space left"):
            write_sealed(file, b"new")
    else:
        write_sealed(file, b"new")
    assert read_sealed(file) == (b"old" if writes < 2 else b"new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state", "state.sha256"]
    file.write_bytes(b"oldest")
    with pytest.raises(CheckpointError, match="is damaged or was changed"):
        read_sealed(file)
