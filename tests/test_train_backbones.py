"""``train.backbones``: what holds for every backbone, at the smallest image that all of them take."""

from __future__ import annotations

import pytest
import torch
import torchvision
from torch import Tensor, nn

from nlp.errors import TrainingError
from train.backbone import SMALLEST_IMAGE, Backbone
from train.backbones import create_backbone
from train.backbones_torchvision import TORCHVISION

TIMM = ("resnet10t", "convnext_atto", "mobilenetv3_small_050", "vit_tiny_patch16_224")
CHANNELS = {"vgg16": 512, "resnet18": 512, "resnet50": 2048, "densenet121": 1024, "densenet161": 2208}
CHANNELS |= {"densenet169": 1664, "efficientnet_b0": 1280, "efficientnet_b1": 1280, "squeezenet1_0": 512}
CHANNELS |= {"squeezenet1_1": 512, "vgg16_bn": 512}
SMALL = ("densenet121", "efficientnet_b0", "resnet18", "squeezenet1_1")


def images(count: int = 2, size: int = SMALLEST_IMAGE) -> Tensor:
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", [*TORCHVISION, *TIMM])
def test_backbones_give_finite_maps_and_every_parameter_a_gradient(name: str) -> None:
    backbone = create_backbone(name)
    maps = backbone(images())
    assert maps.ndim == 4 and maps.shape[:2] == (2, backbone.channels)
    assert backbone.channels == CHANNELS.get(name, backbone.channels)
    maps.square().sum().backward()
    for key, parameter in backbone.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), key


@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1", "densenet121", "efficientnet_b0", "resnet10t"])
@torch.no_grad()
def test_backbones_of_two_levels_add_the_finer_maps_before_the_last(name: str) -> None:
    torch.manual_seed(0)
    one = create_backbone(name).eval()
    two = create_backbone(name, levels=2).eval()
    two.network.load_state_dict(one.network.state_dict())
    last, both = one(images(size=128)), two(images(size=128))
    finer = both.shape[1] - last.shape[1]
    assert both.shape[2] > last.shape[2] and finer > 0
    shrunk = torch.nn.functional.adaptive_avg_pool2d(both[:, finer:], 1)
    if both.shape[2] == 2 * last.shape[2]:
        torch.testing.assert_close(shrunk, torch.nn.functional.adaptive_avg_pool2d(last, 1))


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "efficientnet_b0", "resnet10t"])
def test_backbones_train_the_layers_asked_for(name: str) -> None:
    def learning(trained: str) -> list[str]:
        backbone = create_backbone(name)
        backbone.freeze(trained)
        assert backbone.training
        return [key for key, value in backbone.named_parameters() if value.requires_grad]

    everything, last = learning("all"), learning("last")
    assert learning("heads") == [] and 0 < len(last) < len(everything)
    assert everything[-len(last) :] == last  # the layers nearest to the heads


def test_backbones_freeze_only_what_follows_the_maps() -> None:
    """A parameter that waits for a gradient in vain stops training on several GPUs."""

    def frozen(name: str) -> set[str]:
        return {
            key for key, value in create_backbone(name).network.named_parameters() if not value.requires_grad
        }

    assert frozen("resnet10t") == frozen("resnet18") == set()
    assert frozen("mobilenetv3_small_050") == {"conv_head.weight", "conv_head.bias"}


def test_backbones_of_the_papers_are_there() -> None:
    assert set(TORCHVISION) == set(CHANNELS)


def test_backbones_leave_statistics_alone_when_created() -> None:
    backbone = create_backbone("resnet18")
    assert backbone.training and int(backbone.network.get_submodule("bn1").num_batches_tracked) == 0  # type: ignore[arg-type]


def whole_maps(name: str, network: nn.Module) -> Tensor:
    """What torchvision's own forward pass hands to its pooling, seen by a hook."""
    seen: list[Tensor] = []
    pooling = network.get_submodule("classifier" if name == "squeezenet1_1" else "avgpool")
    pooling.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].clone()))
    network.eval()(images())
    return seen[-1]


@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1", "efficientnet_b0"])
@torch.no_grad()
def test_backbones_compute_what_torchvision_pools(name: str) -> None:
    whole = torchvision.models.get_model(name, weights=None)
    backbone = create_backbone(name).eval()
    backbone.network.load_state_dict(whole.state_dict(), strict=False)
    assert torch.equal(backbone(images()), whole_maps(name, whole))


@torch.no_grad()
def test_backbones_of_the_densenet_family_end_after_the_last_relu() -> None:
    whole = torchvision.models.get_model("densenet121", weights=None).eval()
    backbone = create_backbone("densenet121").eval()
    backbone.network.load_state_dict(whole.state_dict(), strict=False)
    pooled = backbone(images()).mean(dim=(2, 3))
    torch.testing.assert_close(whole.classifier(pooled), whole(images()))


@pytest.mark.parametrize("name", SMALL)
def test_backbones_do_not_overwrite_the_last_layer(name: str) -> None:
    """A heat map of DenseNet is wrong where a ReLU in place has overwritten what the last layer gave."""
    backbone = create_backbone(name).eval()
    last = [
        module for module in backbone.network.modules() if isinstance(module, nn.Conv2d | nn.BatchNorm2d)
    ][-1]
    seen: list[tuple[Tensor, Tensor]] = []
    if name == "densenet121":
        last.register_forward_hook(lambda _, __, output: seen.append((output, output.clone())))
    maps = backbone(images())
    kept = maps.clone()
    maps.mean(dim=(2, 3)).sum().backward()
    assert torch.equal(maps, kept)
    assert all(torch.equal(output, copy) for output, copy in seen)


def test_backbones_name_the_nearest() -> None:
    with pytest.raises(TrainingError, match=r"no backbone 'densnet169'; near it: .*densenet169"):
        create_backbone("densnet169")
    with pytest.raises(TrainingError, match=r"near it: vgg16, .*resnet18"):
        create_backbone("???")


def test_backbones_of_one_size_say_so() -> None:
    backbone = create_backbone("levit_128s")
    assert backbone.only_size == 224 and backbone.channels == 384
    with pytest.raises(TrainingError, match="224x224 only, not 64x96"):
        backbone(torch.zeros(1, 3, 64, 96))


def test_backbones_without_maps_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def tokens_only(network: nn.Module, images: Tensor) -> Tensor:
        raise NotImplementedError

    monkeypatch.setattr("train.backbones_timm._timm_maps", tokens_only)
    with pytest.raises(TrainingError, match="resnet10t gives no feature maps"):
        create_backbone("resnet10t")


def test_backbones_normalise_as_their_weights_expect() -> None:
    found: Backbone = create_backbone("vit_tiny_patch16_224")
    assert found.mean == (0.5, 0.5, 0.5) and create_backbone("squeezenet1_1").mean[0] == 0.485
