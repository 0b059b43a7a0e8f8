"""The lung segmenter: a U-Net on any encoder of segmentation-models-pytorch, kept in one file.

Ronneberger et al. 2015, doi:10.1007/978-3-319-24574-4_28. Weights come by ``train.weights``, as for every network here:
the library itself never downloads.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import segmentation_models_pytorch as smp
import timm
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from nlp.errors import CheckpointError, TrainingError, WeightsError
from train.backbone import IMAGENET_MEAN, IMAGENET_STD
from train.backbones import create_backbone
from train.image_forms import FloatArray
from train.intensity import normalise
from train.lung_parts import BoolArray
from train.sealed import metadata, read_sealed, write_sealed
from train.segment_settings import SEGMENTER, SegmentSettings
from train.weights import NONE, load_weights

SCALE = "percentile"
"""Grey levels of every picture before it is segmented, see ``train.intensity``."""
FORMAT = "1"
_STAGES, _LEAST_WIDTH = 5, 16
_OF_TIMM = "tu-"


class Segmenter(nn.Module):
    """Grey pictures in, logits of lung out.

    Attributes:
        size: side of the square that pictures are stretched to.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, encoder: str, *, width: int, size: int) -> None:
        super().__init__()
        self.encoder, self.width, self.size = encoder, width, size
        widths = [max(_LEAST_WIDTH, width >> stage) for stage in range(_STAGES)]
        self.network = smp.Unet(encoder, encoder_weights=None, decoder_channels=widths)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, 1, S, S) of images (B, 1, S, S) from 0 to 1."""
        logits: Tensor = self.network((images - self.mean) / self.std)
        return logits

    @torch.inference_mode()
    def probability(self, picture: FloatArray) -> FloatArray:
        """How sure each place is lung, (size, size) from 0 to 1, of a picture (height, width) in [0, 1]."""
        pixels = torch.from_numpy(square(normalise(picture, SCALE), self.size))
        device = self.mean.device
        found: FloatArray = self(pixels[None, None].to(device)).sigmoid()[0, 0].float().cpu().numpy()
        return found


def square(picture: FloatArray, size: int) -> FloatArray:
    """A picture stretched to a square, as the segmenter sees it."""
    resized = Image.fromarray(picture).resize((size, size), Image.Resampling.BILINEAR)
    return np.array(resized, dtype=np.float32)


def lung_mask(probability: FloatArray, picture: FloatArray) -> BoolArray:
    """Where lung is more likely than not, in the shape of the picture."""
    size = picture.shape[1], picture.shape[0]
    lungs: BoolArray = np.asarray(Image.fromarray(probability).resize(size, Image.Resampling.BILINEAR)) > 0.5
    return lungs


def build_segmenter(settings: SegmentSettings, *, log: Callable[[str], None] | None = None) -> Segmenter:
    """A segmenter to train. The same seed gives the same weights.

    Raises:
        TrainingError: there is no such encoder.
        WeightsError: the weights are missing or do not fit.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(settings.seed)
        model = _new(settings.encoder, width=settings.width, size=settings.size)
    said = f"{settings.encoder} starts from random weights"
    if settings.weights != NONE:
        said = _fill_encoder(model, settings)
    if log:
        log(said)
    return model


def save_segmenter(model: Segmenter, folder: Path) -> None:
    """Write ``segmenter.safetensors`` with all that is needed to use it, and its SHA-256 beside it.

    Raises:
        OutputError: disk full, folder read-only or the like.
    """
    tensors = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    shape = {"encoder": model.encoder, "width": model.width, "size": model.size}
    write_sealed(folder / SEGMENTER, save(tensors, metadata={"format": FORMAT, "shape": json.dumps(shape)}))


def load_segmenter(path: Path) -> Segmenter:
    """The segmenter of a folder of ``train.segment`` or of a run, in evaluation mode on the CPU.

    Raises:
        CheckpointError: the file is missing, damaged, or no segmenter.
    """
    file = path / SEGMENTER if path.is_dir() else path
    content = read_sealed(file)
    try:
        description = metadata(content)
        if description["format"] != FORMAT:
            raise ValueError(f"format {description['format']}")
        model = _new(**json.loads(description["shape"]))
        model.load_state_dict(load(content))
    except (TrainingError, SafetensorError, LookupError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise CheckpointError(f"{file} is no lung segmenter of this toolkit: {reason}") from error
    return model.eval()


def _new(encoder: str, *, width: int, size: int) -> Segmenter:
    try:
        if encoder.startswith(_OF_TIMM) and not timm.is_model(encoder.removeprefix(_OF_TIMM)):
            raise KeyError(encoder)  # timm would ask the network for what is called hf_hub:…
        return Segmenter(encoder, width=width, size=size)
    except (KeyError, ValueError) as error:
        known = "resnet18, resnet34, resnet50, densenet121, tu-<name of timm>"
        raise TrainingError(
            f"segmentation-models-pytorch has no encoder {encoder!r}; it has {known} and others"
        ) from error


def _fill_encoder(model: Segmenter, settings: SegmentSettings) -> str:
    """Weights of a backbone of the same name into the encoder."""
    backbone = create_backbone(settings.encoder)
    said = load_weights(backbone, settings.weights)
    given, wanted = backbone.network.state_dict(), model.network.encoder.state_dict()
    if given.keys() != wanted.keys():
        raise WeightsError(
            f"the weights of {settings.encoder} do not fit the encoder of segmentation-models-pytorch;"
            " choose a ResNet, or --weights none"
        )
    model.network.encoder.load_state_dict(given)
    return said
