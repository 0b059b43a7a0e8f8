"""Networks to train and to keep: build, group the parameters, save, load."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from nlp.errors import CheckpointError, TrainingError
from nlp.lexicon import load_lexicon
from train.backbones import create_backbone
from train.network import ImageSettings, LesionAttentionNetwork
from train.run_folder import MODEL_FILE
from train.sealed import metadata, read_sealed, write_sealed
from train.weights import NONE, load_weights

__all__ = [
    "ImageSettings",
    "LesionAttentionNetwork",
    "build_model",
    "load_model",
    "parameter_groups",
    "save_model",
]

FORMAT = "1"
"""Of the description in a model file; a file with another one is refused."""


def build_model(
    backbone: str,
    *,
    finding_keys: Sequence[str],
    class_names: Sequence[str] = (),
    weights: str = "imagenet",
    dropout: float = 0.0,
    levels: int = 1,
    pooling: str = "mean",
    frozen_norm: bool = False,
    trained: str = "all",
    filled: bool = True,
    seed: int = 0,
    image_settings: ImageSettings | None = None,
    log: Callable[[str], None] | None = None,
) -> LesionAttentionNetwork:
    """A network to train: pretrained backbone, fresh heads. The same seed gives the same weights.

    Args:
        weights: "imagenet", "none" (random) or the path of a file (``train.weights``).
        levels, pooling, frozen_norm, trained: see ``Backbone`` and ``LesionAttentionNetwork``; random weights have
            nothing worth keeping, so that nothing is frozen with "none".
        filled: False leaves the weights random that a saved state will replace; what is frozen stays the same.
        log: is told what was loaded.

    Raises:
        TrainingError: there is no such backbone.
        WeightsError: the weights are missing or do not fit.
    """
    with _seeded(seed):
        body = create_backbone(backbone, levels=levels)
        network = LesionAttentionNetwork(
            body,
            finding_keys=finding_keys,
            dropout=dropout,
            image_settings=image_settings,
            pooling=pooling,
            frozen_norm=frozen_norm and weights != NONE,
            class_names=class_names,
        )
    said = load_weights(body, weights if filled else NONE)
    if weights != NONE:
        body.freeze(trained)
    if log:
        log(said)
    return network


def parameter_groups(
    model: LesionAttentionNetwork, *, learning_rate: float, weight_decay: float, backbone_rate: float = 1.0
) -> list[dict[str, Any]]:
    """Groups for a torch optimizer: matrices and kernels decay, biases and normalisation do not.

    Args:
        backbone_rate: factor on the learning rate of the backbone; the heads, which start from nothing, keep it whole.
    """
    groups = []
    for in_backbone, rate in ((True, learning_rate * backbone_rate), (False, learning_rate)):
        for is_matrix, decay in ((True, weight_decay), (False, 0.0)):
            members = [
                parameter
                for name, parameter in model.named_parameters()
                if parameter.requires_grad
                and name.startswith("backbone.") == in_backbone
                and (parameter.ndim > 1) == is_matrix
            ]
            groups.append({"params": members, "lr": rate, "weight_decay": decay})
    return groups


# ---- files


def save_model(
    model: LesionAttentionNetwork, path: Path, *, details: Mapping[str, str] | None = None
) -> None:
    """Write the network with all that is needed to use it, and its SHA-256 beside it; all or nothing.

    Args:
        path: ``model.safetensors`` of a run.
        details: more to keep with it, such as the version and the epoch; nothing here reads it.

    Raises:
        OutputError: disk full, folder read-only or the like.
    """
    tensors = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    description = {
        **(details or {}),
        "format": FORMAT,
        "backbone": model.backbone.name,
        "finding_keys": json.dumps(model.finding_keys),
        "class_names": json.dumps(model.class_names),
        "dropout": json.dumps(model.dropout.p),
        "levels": json.dumps(model.backbone.levels),
        "pooling": model.pooling,
        "image_settings": json.dumps(asdict(model.image_settings)),
    }
    write_sealed(path, save(tensors, metadata=description))


def load_model(path: Path, *, finding_keys: Sequence[str] | None = None) -> LesionAttentionNetwork:
    """The network of a run, in evaluation mode on the CPU.

    Args:
        path: the run's folder, or the model file itself.
        finding_keys: the order that the caller's findings have; by default that of the toolkit's lexicon.

    Raises:
        CheckpointError: the file is damaged, was not written by ``save_model``, or has other findings.
    """
    file = path / MODEL_FILE if path.is_dir() else path
    content = read_sealed(file)
    try:
        description = _description(content)
        model = _as_described(description)
        model.load_state_dict(load(content))
    except (TrainingError, SafetensorError, LookupError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise CheckpointError(f"{file} is no network of this toolkit: {reason}") from error
    expected = tuple(load_lexicon().finding_keys if finding_keys is None else finding_keys)
    if model.finding_keys != expected:
        raise CheckpointError(
            f"{file} was trained on the findings {', '.join(model.finding_keys)}; "
            f"here they are {', '.join(expected)}: use the lexicon of that run, or train anew"
        )
    return model.eval()


def _description(content: bytes) -> dict[str, str]:
    description = metadata(content)
    if description["format"] != FORMAT:
        raise ValueError(description["format"])
    return description


def _as_described(description: Mapping[str, str]) -> LesionAttentionNetwork:
    return LesionAttentionNetwork(
        create_backbone(description["backbone"], levels=json.loads(description["levels"])),
        finding_keys=json.loads(description["finding_keys"]),
        dropout=json.loads(description["dropout"]),
        image_settings=ImageSettings(**json.loads(description["image_settings"])),
        pooling=description["pooling"],
        class_names=json.loads(description.get("class_names", "[]")),  # older files have none
    )


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Random numbers of the CPU from a seed; afterwards the generator goes on as if nothing had been."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
