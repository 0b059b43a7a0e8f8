"""Where a network looks: maps of the flag and of every finding, from one pass through the backbone.

The feature maps are computed once; then only the heads are differentiated, once per output. Libraries differentiate
the whole network for each output, which gives the same gradients many times slower.

| method | how maps are weighed before they are added and rectified |
|---|---|
| ``gradcam++`` | Chattopadhay et al. 2018, doi:10.1109/WACV.2018.00097: what speaks for an output |
| ``gradcam`` | the mean gradient, Selvaraju et al. 2017, doi:10.1109/ICCV.2017.74: what speaks for it less what speaks against it |

What is weighed are the maps whose means the heads read (``LesionAttentionNetwork.pooled_maps``): the feature maps, and
for a standard deviation the squared distances from the mean. Of the feature maps alone the gradients of a standard
deviation add up to 0, so that Grad-CAM would not see it; and they are positive where a map is bright if its weight is,
and where it is dark if its weight is not, so that Grad-CAM++ would take every map to speak for every output. As the
heads are linear, ``gradcam`` before it is rectified adds up to the logit but for a constant (as in CAM, Zhou et al.
2016, doi:10.1109/CVPR.2016.319).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from train.explain_settings import Settings
from train.network import LesionAttentionNetwork


@dataclass(frozen=True, eq=False)
class Attention:
    """B images, K outputs.

    Attributes:
        logits: (B, 1 + F), of all outputs.
        maps: (B, K, h, w) float32 at the size of the feature maps, 0 and above, not scaled: only their shape is
            comparable between outputs.
        pooled: (B, P) float32, the features of the images themselves that the heads read.
    """

    logits: Tensor
    maps: Tensor
    pooled: Tensor


def attend(
    model: LesionAttentionNetwork,
    images: Tensor,
    *,
    method: str = Settings().method,
    outputs: Sequence[int] | None = None,
) -> Attention:
    """Logits and maps of some images; the network is left as it was.

    Args:
        images: (B, 1 or 3, H, W) from 0 to 1, as ``train.augment.plain`` gives them.
        method: a name in ``METHODS``.
        outputs: columns of the logits that maps are made of, in their order; None: all.
    """
    with evaluating(model):
        return _attend(model, images, METHODS[method], outputs)


def with_mirror_images(look: Callable[[Tensor], Attention], images: Tensor) -> Attention:
    """What ``look`` finds in images and their mirror images, as a mean; the maps of these are turned back."""
    found, mirrored = look(images), look(images.flip(-1))
    maps = (found.maps + mirrored.maps.flip(-1)) / 2
    return Attention((found.logits + mirrored.logits) / 2, maps, found.pooled)


def gradcam_plus_plus(maps: Tensor, gradients: Tensor) -> Tensor:
    """Maps (B, h, w) by the weights of Grad-CAM++.

    For the exponential of a logit with gradients g at feature maps A, whose higher derivatives are taken as 0, the
    weight of a map is the sum over its places of alpha times the positive part of g, where
    ``alpha = g² / (2 g² + ΣA · g³) = 1 / (2 + ΣA · g)``. The short form needs no small number added below, which in
    the long one drowns gradients of about its root. The formula is made for maps that are not negative; a map
    whose sum is (as may be where no ReLU follows) counts with a sum of 0, lest alpha lose its sign.

    Args:
        maps: (B, C, h, w).
        gradients: (B, C, h, w) of the logit.
    """
    totals = relu(maps.sum(dim=(2, 3), keepdim=True))
    positive = relu(gradients)
    weights = (positive / (2 + totals * positive)).sum(dim=(2, 3))
    return relu(torch.einsum("bc,bchw->bhw", weights, maps))


def gradcam(maps: Tensor, gradients: Tensor) -> Tensor:
    """Maps (B, h, w) by the mean gradient of each feature map; arguments as ``gradcam_plus_plus``."""
    return relu(torch.einsum("bc,bchw->bhw", gradients.mean(dim=(2, 3)), maps))


METHODS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "gradcam++": gradcam_plus_plus,
    "gradcam": gradcam,
}


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """The network in evaluation mode, afterwards as it was."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def _attend(
    model: LesionAttentionNetwork,
    images: Tensor,
    method: Callable[[Tensor, Tensor], Tensor],
    outputs: Sequence[int] | None,
) -> Attention:
    with torch.no_grad():
        features = model.forward_features(images).float()
        maps = model.pooled_maps(features)
    with torch.enable_grad():
        pooled = model.pool(features).requires_grad_()
        logits = model.forward_pooled(pooled)
        columns = range(logits.shape[1]) if outputs is None else outputs
        # an image's logit depends on its own features alone, so that one sum serves the whole batch
        gradients = [
            torch.autograd.grad(logits[:, column].sum(), pooled, retain_graph=True)[0] for column in columns
        ]
    # a mean hands its gradient to all places alike
    places = maps.shape[2] * maps.shape[3]
    found = [method(maps, (each / places)[:, :, None, None].expand_as(maps)) for each in gradients]
    return Attention(logits.detach(), torch.stack(found, dim=1), pooled.detach())
