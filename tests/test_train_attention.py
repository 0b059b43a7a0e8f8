"""``train.attention`` and ``train.occlusion``: by hand, by brute force, and beside the usual libraries."""

from __future__ import annotations

import itertools
import warnings
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from nlp.errors import TrainingError
from nlp.lexicon import load_lexicon
from train.attention import METHODS, attend, gradcam, gradcam_plus_plus, with_mirror_images
from train.explain_settings import METHODS as OFFERED
from train.explain_settings import OCCLUSION
from train.model import LesionAttentionNetwork, build_model
from train.occlusion import occlude

KEYS = load_lexicon().finding_keys


def build(backbone: str = "resnet18", **options: object) -> LesionAttentionNetwork:
    model = build_model(backbone, finding_keys=KEYS, weights="none", **options)  # type: ignore[arg-type]
    return model.eval()


def images(count: int = 2, side: int = 64) -> Tensor:
    return torch.rand(count, 1, side, side, generator=torch.Generator().manual_seed(0))


def library(name: str) -> ModuleType:
    """A library that the maps are compared with; no dependency of the project."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name, reason=f"{name} is not installed; it is only compared with")


def test_attention_gradcam_plus_plus_equals_a_calculation_by_hand() -> None:
    maps = torch.tensor([[[[1.0, 2.0], [0.0, 1.0]], [[0.0, 3.0], [1.0, 0.0]]]])
    gradients = torch.tensor([[[[0.5, 0.0], [0.25, -1.0]], [[-0.5, 1.0], [0.0, 0.5]]]])
    # both maps add up to 4: alpha is 1 / (2 + 4 g), so 1/4 and 1/3, then 1/6 and 1/4
    first, second = 0.5 / 4 + 0.25 / 3, 1 / 6 + 0.5 / 4
    by_hand = first * maps[0, 0] + second * maps[0, 1]
    torch.testing.assert_close(gradcam_plus_plus(maps, gradients)[0], by_hand)
    mean = torch.tensor([-0.0625, 0.25])
    torch.testing.assert_close(
        gradcam(maps, gradients)[0], (mean[0] * maps[0, 0] + mean[1] * maps[0, 1]).clamp_min(0)
    )


def test_attention_short_form_is_the_published_one_where_gradients_are_large() -> None:
    generator = torch.Generator().manual_seed(1)
    maps = torch.rand(3, 5, 4, 4, generator=generator, dtype=torch.float64)
    gradients = torch.randn(3, 5, 4, 4, generator=generator, dtype=torch.float64)
    square, totals = gradients**2, maps.sum(dim=(2, 3), keepdim=True)
    alpha = square / (2 * square + totals * gradients**3)
    weights = (alpha * gradients.clamp_min(0)).sum(dim=(2, 3))
    published = torch.einsum("bc,bchw->bhw", weights, maps).clamp_min(0)
    torch.testing.assert_close(gradcam_plus_plus(maps, gradients), published)


def test_attention_keeps_small_gradients() -> None:
    maps, gradients = torch.rand(1, 4, 3, 3), torch.full((1, 4, 3, 3), 1e-6)
    torch.testing.assert_close(
        gradcam_plus_plus(maps, gradients)[0], maps[0].sum(0) * 9e-6 / 2, rtol=1e-4, atol=0
    )


def test_attention_offers_what_the_command_names() -> None:
    assert (*METHODS, OCCLUSION) == OFFERED


@pytest.mark.parametrize("levels", [1, 2])
@pytest.mark.parametrize("backbone", ["resnet18", "densenet121"])
def test_attention_equals_differentiating_the_whole_network(backbone: str, levels: int) -> None:
    model, batch = build(backbone, levels=levels), images()
    found = attend(model, batch, method="gradcam++")
    features = model.forward_features(batch)
    features.retain_grad()
    logits = model.forward_head(features)
    for column in range(logits.shape[1]):
        features.grad = None
        logits[:, column].sum().backward(retain_graph=True)
        plain = gradcam_plus_plus(features.detach(), features.grad)
        torch.testing.assert_close(found.maps[:, column], plain)
    torch.testing.assert_close(found.logits, logits.detach())
    assert found.maps.dtype == torch.float32 and (found.maps >= 0).all()
    frozen = attend(model.requires_grad_(False), batch, outputs=[2], method="gradcam++")
    torch.testing.assert_close(frozen.maps[:, 0], found.maps[:, 2])


@torch.no_grad()
def test_attention_weighs_the_maps_whose_means_are_pooled() -> None:
    model, batch = build(levels=2, pooling="mean_std"), images()
    features = model.forward_features(batch)
    maps = model.pooled_maps(features)
    # the standard deviation of pooling has a small number below its root
    torch.testing.assert_close(maps.mean(dim=(2, 3)), model.pool(features), rtol=1e-3, atol=4e-3)
    torch.testing.assert_close(build().pooled_maps(features), features)


@pytest.mark.parametrize("pooling", ["mean", "mean_std"])
@pytest.mark.parametrize("method", [*METHODS])
def test_attention_takes_two_levels_as_each_alone(method: str, pooling: str) -> None:
    """Coarse maps lie beside the finer ones, every cell four times with a quarter of the gradient."""
    model, batch = build(levels=2, pooling=pooling), images()
    features = model.forward_features(batch).detach()
    statistics = 2 if pooling == "mean_std" else 1
    weights = (model.primary.weight / model.pooled_std)[0].detach().view(statistics, -1)
    total = 0.0
    for maps, some in (
        (features[:, :256], weights[:, :256]),
        (features[:, 256:, ::2, ::2], weights[:, 256:]),
    ):
        mean, std = (
            maps.mean((2, 3), keepdim=True),
            (maps.var((2, 3), keepdim=True, correction=0) + 1e-5).sqrt(),
        )
        read = torch.stack([maps, (maps - mean) ** 2 / std][:statistics], dim=1)
        gradients = (some / maps[0, 0].numel())[None, :, :, None, None].expand_as(read)
        if method == "gradcam++":
            positive = gradients.clamp_min(0)
            gradients = positive / (2 + read.sum((3, 4), keepdim=True) * positive)
            summed = gradients.sum((3, 4), keepdim=True)
        else:
            summed = gradients.sum((3, 4), keepdim=True) / features[0, 0].numel()
        alone = (summed * read).sum((1, 2))[:, None]
        total = total + interpolate(alone, size=features.shape[2:], mode="nearest")[:, 0]
    found = attend(model, batch, outputs=[0], method=method).maps[:, 0]
    torch.testing.assert_close(found, _like(total.clamp_min(0), found, method))


def _like(expected: Tensor, found: Tensor, method: str) -> Tensor:
    """Grad-CAM takes the mean gradient, not the sum: the same map at another scale."""
    return expected if method == "gradcam++" else expected * (found.sum() / expected.sum())


@pytest.mark.parametrize("pooling", ["mean", "mean_std"])
def test_attention_by_gradcam_adds_up_to_the_logit_but_for_a_constant(pooling: str) -> None:
    model, batch = build(levels=2, pooling=pooling), images(3)
    with torch.no_grad():
        maps = model.pooled_maps(model.forward_features(batch))
        unrectified = (maps * model.primary.weight[0][None, :, None, None]).mean((2, 3)).sum(1)
        torch.testing.assert_close(
            model(batch)[:, 0] - unrectified, model.primary.bias.expand(3), rtol=0, atol=2e-2
        )


def test_attention_leaves_the_network_as_it_was() -> None:
    model = build().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    attend(model, images(), outputs=[0, 2])
    assert model.training and all(
        torch.equal(before[name], value) for name, value in model.state_dict().items()
    )
    assert all(parameter.grad is None for parameter in model.parameters())


def test_attention_of_mirror_images_is_mirrored() -> None:
    model, batch = build(), images()
    first = with_mirror_images(lambda some: attend(model, some), batch)
    second = with_mirror_images(lambda some: attend(model, some), batch.flip(-1))
    torch.testing.assert_close(first.maps, second.maps.flip(-1))
    torch.testing.assert_close(first.logits, second.logits)


# ---- occlusion


def brute_occlusion(model: nn.Module, image: Tensor, window: int, stride: int) -> Tensor:
    """(1 + F, H, W) by one pass for each square."""
    side = image.shape[-1]
    starts = sorted({*range(0, side - window + 1, stride), side - window})
    with torch.no_grad():
        whole = model(image[None])[0]
        lost, times = torch.zeros(len(whole), side, side), torch.zeros(side, side)
        for top, left in itertools.product(starts, starts):
            covered = image.clone()
            covered[:, top : top + window, left : left + window] = 0.25
            loss = whole - model(covered[None])[0]
            for row, column in itertools.product(range(top, top + window), range(left, left + window)):
                lost[:, row, column] += loss
                times[row, column] += 1
    return lost / times


@pytest.mark.parametrize(("window", "stride", "batch_size"), [(24, 16, 5), (32, 32, 64), (20, 13, 2)])
def test_occlusion_equals_brute_force(window: int, stride: int, batch_size: int) -> None:
    model, batch = build(), images()
    found = occlude(
        model, batch, window=window, stride=stride, fill=0.25, batch_size=batch_size, outputs=[0, 3]
    )
    for place in range(len(batch)):
        expected = brute_occlusion(model, batch[place], window, stride)[[0, 3]]
        torch.testing.assert_close(found.maps[place], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("window", "stride", "said"), [(65, 8, "1 to 64"), (0, 1, "1 to 64"), (16, 17, "never be covered")]
)
def test_occlusion_refuses_squares_that_cannot_cover(window: int, stride: int, said: str) -> None:
    with pytest.raises(TrainingError, match=said):
        occlude(build(), images(), window=window, stride=stride)


# ---- beside the usual libraries


class Scaled(nn.Module):
    """A network with larger heads: the library adds 1e-6 to what it divides by, in which squares of small gradients drown."""

    def __init__(self, model: LesionAttentionNetwork) -> None:
        super().__init__()
        self.model = model
        with torch.no_grad():
            for head in (model.primary, model.lesions):
                head.weight *= 3000

    def forward(self, batch: Tensor) -> Tensor:
        return self.model(batch)


@pytest.mark.parametrize(
    ("method", "name"),
    [("gradcam++", "GradCAMPlusPlus"), ("gradcam", "GradCAM")],
)
def test_attention_agrees_with_pytorch_grad_cam(method: str, name: str) -> None:
    cams = library("pytorch_grad_cam")
    targets = library("pytorch_grad_cam.utils.model_targets")
    network, batch = Scaled(build(backbone="resnet18")), images()
    found = attend(network.model, batch, method=method)
    with getattr(cams, name)(network, [network.model.backbone]) as theirs:
        for column in range(1 + len(KEYS)):
            maps = theirs(batch, [targets.ClassifierOutputTarget(column)] * len(batch))
            ours = interpolate(found.maps[:, column, None], size=(64, 64), mode="bilinear", antialias=False)[
                :, 0
            ].numpy()
            for one, other in zip(ours, maps, strict=True):
                if one.max() > 0:
                    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.98


def test_occlusion_agrees_with_captum() -> None:
    attr = library("captum.attr")
    model, batch = build(), images()
    found = occlude(model, batch, window=16, stride=16, outputs=[0, 2])
    for place, column in enumerate((0, 2)):
        theirs = attr.Occlusion(model).attribute(
            batch, sliding_window_shapes=(1, 16, 16), strides=(1, 16, 16), target=column, baselines=0
        )
        torch.testing.assert_close(found.maps[:, place], theirs[:, 0], rtol=1e-3, atol=1e-5)


def test_attention_agrees_with_captum() -> None:
    attr = library("captum.attr")
    model, batch = build("densenet121"), images()
    found = attend(model, batch, method="gradcam")
    for column in range(1 + len(KEYS)):
        theirs = attr.LayerGradCam(model, model.backbone).attribute(
            batch, target=column, relu_attributions=True
        )
        torch.testing.assert_close(found.maps[:, column], theirs[:, 0].detach(), rtol=1e-3, atol=1e-6)
