"""``train.weights``: what loads gives the features of the library it came from; what does not fit names its keys."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
import timm
import torch
import torchvision
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torchvision.models import Weights

from nlp.errors import WeightsError
from train.backbone import Backbone
from train.backbones import create_backbone
from train.weights import load_weights

SMALL = "squeezenet1_1"
AT_HAND = {
    "resnet18": "resnet18_pqf_in1k.safetensors",
    "resnet50": "resnet50_pqf_in1k.safetensors",
    "squeezenet1_0": "squeezenet1_0_deepcomp_in1k.safetensors",
}


def images() -> Tensor:
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def random_state(network: nn.Module) -> dict[str, Tensor]:
    """A state in which no layer is like another, statistics of normalisation included."""
    generator = torch.Generator().manual_seed(1)
    state = network.state_dict()
    noise = {
        key: value * torch.empty_like(value).uniform_(0.9, 1.1, generator=generator)
        for key, value in state.items()
        if value.is_floating_point()
    }
    network.load_state_dict(state | noise)
    return {key: value.clone() for key, value in network.state_dict().items()}


@torch.no_grad()
def pooled(backbone: Backbone) -> Tensor:
    maps: Tensor = backbone.eval()(images())
    return maps.mean(dim=(2, 3))


# ---- files


@pytest.mark.parametrize("name", AT_HAND)
@torch.no_grad()
def test_weights_at_hand_give_the_logits_of_torchvision(shared: Path, name: str) -> None:
    file = shared / "weights" / AT_HAND[name]
    whole = torchvision.models.get_model(name, weights=None).eval()
    whole.load_state_dict(load_file(file))
    backbone = create_backbone(name).eval()
    assert "its classifier was left out" in load_weights(backbone, str(file))
    if name == "squeezenet1_0":
        assert torch.equal(backbone(images()), whole.get_submodule("features")(images()))
    else:
        torch.testing.assert_close(
            whole.get_submodule("fc")(pooled(backbone)), whole(images()), rtol=1e-4, atol=1e-4
        )


@pytest.mark.parametrize("name", ["efficientnet_b0", "densenet121", "resnet18"])
@torch.no_grad()
def test_weights_with_the_keys_of_timm_give_the_features_of_timm(tmp_path: Path, name: str) -> None:
    other: Any = timm.create_model(name).eval()
    save_file(random_state(other), tmp_path / "timm.safetensors")
    backbone = create_backbone(name)
    load_weights(backbone, str(tmp_path / "timm.safetensors"))
    expected = other.forward_head(other.forward_features(images()), pre_logits=True)
    torch.testing.assert_close(pooled(backbone), expected, rtol=1e-4, atol=1e-4)


def test_weights_with_the_old_keys_of_densenet_load(tmp_path: Path) -> None:
    whole = torchvision.models.get_model("densenet121", weights=None)
    pattern = re.compile(r"(denselayer\d+\.(?:norm|conv))([12])\.")
    old = {pattern.sub(r"\1.\2.", key): value for key, value in random_state(whole).items()}
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    save_file({k: v for k, v in old.items() if "tracked" not in k}, tmp_path / "old.safetensors")
    backbone = create_backbone("densenet121")
    load_weights(backbone, str(tmp_path / "old.safetensors"))
    for key, value in backbone.network.state_dict().items():
        if "tracked" not in key:
            assert torch.equal(value, whole.state_dict()[key])


@pytest.mark.parametrize("form", ["plain", "state_dict", "several GPUs", "ours"])
def test_weights_of_pytorch_files_load_in_every_usual_form(tmp_path: Path, form: str) -> None:
    state = random_state(torchvision.models.get_model(SMALL, weights=None))
    forms: Mapping[str, object] = {
        "plain": state,
        "state_dict": {"epoch": 3, "state_dict": state},
        "several GPUs": {f"module.{key}": value for key, value in state.items()},
        "ours": {"mean": torch.zeros(3)} | {f"backbone.network.{key}": value for key, value in state.items()},
    }
    torch.save(forms[form], tmp_path / "weights.pth")
    backbone = create_backbone(SMALL)
    said = load_weights(backbone, str(tmp_path / "weights.pth"))
    assert said.endswith("its classifier was left out (classifier.1.bias, classifier.1.weight)")
    assert all(torch.equal(value, state[key]) for key, value in backbone.network.state_dict().items())


def test_weights_of_another_network_are_refused_with_counts_and_keys(tmp_path: Path) -> None:
    state = random_state(torchvision.models.get_model(SMALL, weights=None))
    state["features.0.weight"] = state["features.0.weight"][:, :1].contiguous()
    del state["features.3.squeeze.bias"], state["features.3.squeeze.weight"]
    save_file(state | {"extra.weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError) as raised:
        load_weights(create_backbone(SMALL), str(tmp_path / "other.safetensors"))
    assert str(raised.value).splitlines() == [
        f"{tmp_path / 'other.safetensors'} does not fit {SMALL}:",
        "  2 missing: features.3.squeeze.weight, features.3.squeeze.bias",
        "  1 not known to the network: extra.weight",
        "  1 of another shape: features.0.weight (64, 1, 3, 3) for (64, 3, 3, 3)",
    ]


def test_weights_that_do_not_fit_change_nothing(tmp_path: Path) -> None:
    save_file(
        random_state(torchvision.models.get_model("resnet18", weights=None)), tmp_path / "r.safetensors"
    )
    backbone = create_backbone(SMALL)
    before = {key: value.clone() for key, value in backbone.network.state_dict().items()}
    with pytest.raises(WeightsError, match=r"52 missing|and \d+ more"):
        load_weights(backbone, str(tmp_path / "r.safetensors"))
    assert all(torch.equal(value, before[key]) for key, value in backbone.network.state_dict().items())


class Harmful:
    """What an untrusted file may hold: code that runs when it is read carelessly."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('the file was executed')",)


def test_weights_files_that_are_damaged_or_harmful_are_refused(tmp_path: Path) -> None:
    backbone = create_backbone(SMALL)
    good = tmp_path / "good.safetensors"
    save_file(random_state(torchvision.models.get_model(SMALL, weights=None)), good)
    (tmp_path / "short.safetensors").write_bytes(good.read_bytes()[:-100])
    (tmp_path / "short.pth").write_bytes(b"PK\x03\x04")
    (tmp_path / "empty.pth").touch()
    torch.save({"state_dict": Harmful()}, tmp_path / "harmful.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    for name, message in (
        ("none.pth", "there is no weights file"),
        ("short.safetensors", "cannot be read as a safetensors file"),
        ("short.pth", "cannot be read as a PyTorch state file"),
        ("empty.pth", "cannot be read as a PyTorch state file"),
        ("harmful.pth", "cannot be read as a PyTorch state file"),
        ("list.pth", "holds no table of tensors"),
    ):
        with pytest.raises(WeightsError, match=message):
            load_weights(backbone, str(tmp_path / name))


# ---- published weights


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, dict[str, Tensor]]:
    """A file in torch's cache in place of the published one, and what is in it; there is no internet."""
    state = random_state(torchvision.models.get_model(SMALL, weights=None))
    torch.save(state, tmp_path / "weights.pth")
    digest = hashlib.sha256((tmp_path / "weights.pth").read_bytes()).hexdigest()
    file = tmp_path / "hub" / "checkpoints" / f"{SMALL}-{digest[:8]}.pth"
    file.parent.mkdir(parents=True)
    (tmp_path / "weights.pth").rename(file)
    published = Weights(url=f"https://weights.invalid/{file.name}", transforms=list, meta={})

    def unreachable(*_: object, **__: object) -> None:
        raise URLError("Name or service not known")

    monkeypatch.setattr("torchvision.models.get_model_weights", lambda _: {"IMAGENET1K_V1": published})
    monkeypatch.setattr("torch.hub.download_url_to_file", unreachable)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return file, state


def test_weights_of_imagenet_load_from_the_cache_offline(
    cached: tuple[Path, dict[str, Tensor]], capsys: pytest.CaptureFixture[str]
) -> None:
    backbone = create_backbone(SMALL)
    assert load_weights(backbone, "imagenet") == f"{SMALL} starts from ImageNet weights"
    assert all(torch.equal(value, cached[1][key]) for key, value in backbone.network.state_dict().items())
    assert capsys.readouterr().out == ""


def test_weights_of_imagenet_not_at_hand_name_file_cache_and_flag(
    cached: tuple[Path, dict[str, Tensor]], capsys: pytest.CaptureFixture[str]
) -> None:
    file, _ = cached
    file.unlink()
    with pytest.raises(WeightsError) as raised:
        load_weights(create_backbone(SMALL), "imagenet")
    message = str(raised.value)
    assert str(file) in message and "--weights FILE" in message and "Name or service not known" in message
    assert capsys.readouterr().out == ""


def test_weights_in_the_cache_that_are_damaged_are_refused(cached: tuple[Path, dict[str, Tensor]]) -> None:
    file, _ = cached
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(WeightsError, match="is damaged: its SHA-256 does not begin with"):
        load_weights(create_backbone(SMALL), "imagenet")


def test_weights_of_timm_not_at_hand_name_their_source(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = create_backbone("resnet10t")

    def unreachable(*_: object, **__: object) -> None:
        raise FileNotFoundError("no connection")

    monkeypatch.setattr("timm.create_model", unreachable)
    with pytest.raises(WeightsError, match=r"(?s)no connection.*timm/resnet10t.*--weights FILE"):
        load_weights(backbone, "imagenet")


def test_weights_of_every_paper_backbone_are_published_and_named() -> None:
    from train.backbones_torchvision import TORCHVISION

    for name in TORCHVISION:
        published = torchvision.models.get_model_weights(name)["IMAGENET1K_V1"]
        assert re.fullmatch(r".*-[0-9a-f]{8}\.pth", published.url), name


def test_weights_none_changes_nothing() -> None:
    backbone = create_backbone(SMALL)
    before = {key: value.clone() for key, value in backbone.network.state_dict().items()}
    assert "random" in load_weights(backbone, "none")
    assert all(torch.equal(value, before[key]) for key, value in backbone.network.state_dict().items())
