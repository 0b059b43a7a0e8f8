"""Weights to start from: those published for ImageNet, none, or a file.

Nothing is downloaded unless "imagenet" is asked for and the file is not in the cache yet. Where there is no internet,
``--weights FILE`` takes a file that was brought along.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
import torchvision
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from nlp.errors import WeightsError
from train.backbone import Backbone
from train.backbones_torchvision import TORCHVISION

IMAGENET, NONE = "imagenet", "none"
_SHOWN = 5
_OLD_DENSENET = re.compile(r"(.*denselayer\d+\.(?:norm|conv))\.([12]\.\w+)")
"""``norm.1.weight`` in the published files is ``norm1.weight`` in the network."""
_OWN_PREFIX = "backbone.network."
_COMMON_CLASSIFIERS = ("fc", "classifier", "head", "pre_logits")


def load_weights(backbone: Backbone, weights: str) -> str:
    """Fill the backbone and say in a sentence with what.

    Args:
        weights: "imagenet" (torchvision's first set, which the papers used, or timm's default), "none" to leave the
            random ones, or the path of a safetensors or PyTorch file whose keys are torchvision's or timm's.

    Raises:
        WeightsError: nothing to be had under that name, no such file, damaged, or made for another network.
    """
    if weights == NONE:
        return f"{backbone.name} starts from random weights"
    if weights != IMAGENET:
        return _load_file(backbone, Path(weights))
    state = _torchvision_state(backbone) if backbone.name in TORCHVISION else _timm_state(backbone)
    _fill(backbone, state, f"the ImageNet weights of {backbone.name}")
    return f"{backbone.name} starts from ImageNet weights"


# ---- published weights


def _torchvision_state(backbone: Backbone) -> Mapping[str, Tensor]:
    published = torchvision.models.get_model_weights(backbone.name)["IMAGENET1K_V1"]
    file = Path(torch.hub.get_dir()) / "checkpoints" / published.url.rsplit("/", 1)[-1]
    _check_cached(file)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # results alone go to stdout
            state: Mapping[str, Tensor] = torch.hub.load_state_dict_from_url(
                published.url, progress=sys.stderr.isatty(), check_hash=True, weights_only=True
            )
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise WeightsError(_not_at_hand(backbone, str(file), str(file.parent), error)) from error
    return state


def _check_cached(file: Path) -> None:
    """The name ends in the beginning of the file's hash, which torch compares after a download only."""
    stated = file.stem.rsplit("-", 1)[-1]
    if file.is_file() and not hashlib.sha256(file.read_bytes()).hexdigest().startswith(stated):
        raise WeightsError(
            f"{file} is damaged: its SHA-256 does not begin with {stated}; delete it and try again"
        )


def _timm_state(backbone: Backbone) -> Mapping[str, Tensor]:
    import timm  # only here: ``train.backbones`` says why

    try:
        donor = timm.create_model(backbone.name, pretrained=True, num_classes=0)
    except (OSError, RuntimeError, ValueError) as error:
        config = timm.get_pretrained_cfg(backbone.name)
        source = getattr(config, "hf_hub_id", None) or getattr(config, "url", None) or "timm knows of none"
        cache = os.environ.get("HF_HOME", str(Path.home() / ".cache" / "huggingface"))
        raise WeightsError(_not_at_hand(backbone, source, cache, error)) from error
    return dict(donor.state_dict())


def _not_at_hand(backbone: Backbone, file: str, cache: str, error: Exception) -> str:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return (
        f"the ImageNet weights of {backbone.name} are not at hand and could not be downloaded ({reason}).\n"
        f"  file:   {file}\n  cache:  {cache}\n"
        "Put the file into the cache, or give a file with --weights FILE (safetensors or .pth); "
        "--weights none starts from random weights"
    )


# ---- a file


def _load_file(backbone: Backbone, path: Path) -> str:
    state = _plain_keys(_read(path))
    left_out = _fill(backbone, state, str(path))
    said = f"; its classifier was left out ({', '.join(left_out[:_SHOWN])})" if left_out else ""
    return f"{backbone.name} starts from {path}{said}"


def _read(path: Path) -> Mapping[str, Tensor]:
    if not path.is_file():
        raise WeightsError(f"there is no weights file {path}; --weights takes {IMAGENET}, {NONE} or a file")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, OSError, RuntimeError, EOFError, ValueError) as error:
        # the reason is not repeated: torch's own advises to load the file unsafely
        kind = "safetensors" if path.suffix == ".safetensors" else "PyTorch state"
        raise WeightsError(
            f"{path} cannot be read as a {kind} file: it is damaged or something else"
        ) from error
    if isinstance(state, Mapping):
        state = next(
            (state[key] for key in ("state_dict", "model") if isinstance(state.get(key), Mapping)), state
        )
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise WeightsError(f"{path} holds no table of tensors; save the network's state_dict()")
    return state


def _plain_keys(state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Keys as the bare network has them, from a network of ours, one that ran on several GPUs, or an old file."""
    if any(key.startswith(_OWN_PREFIX) for key in state):
        state = {key: value for key, value in state.items() if key.startswith(_OWN_PREFIX)}
    bare = {key.removeprefix("module.").removeprefix(_OWN_PREFIX): value for key, value in state.items()}
    return {_OLD_DENSENET.sub(r"\1\2", key): value for key, value in bare.items()}


# ---- into the network


def _fill(backbone: Backbone, state: Mapping[str, Tensor], origin: str) -> list[str]:
    """Load what belongs to the backbone; the keys of the classifier that were left out."""
    wanted = backbone.network.state_dict()
    heads = tuple(f"{name}." for name in (*backbone.classifiers, *_COMMON_CLASSIFIERS))
    left_out = sorted(key for key in state if key not in wanted and key.startswith(heads))
    given = {key: value for key, value in state.items() if key not in left_out}
    if not given.keys() & wanted.keys():
        given = _renamed(backbone, given)
    counters = {key for key in wanted if key.endswith("num_batches_tracked")}  # older files have none
    given = {key: wanted[key] for key in counters} | given
    problems = _differences(wanted, given)
    if problems:
        raise WeightsError(f"{origin} does not fit {backbone.name}:\n" + "\n".join(problems))
    backbone.network.load_state_dict(given)
    return left_out


def _renamed(backbone: Backbone, given: dict[str, Tensor]) -> dict[str, Tensor]:
    """Torchvision's keys for timm's of the same network; as they are where there is none.

    Both libraries build the same layers in the same order, so keys are paired by place; shapes are compared later.
    """
    import timm  # only here: ``train.backbones`` says why

    if not timm.is_model(backbone.name):
        return given
    with torch.device("meta"):
        other: nn.Module = timm.create_model(backbone.name, num_classes=0)
    theirs, ours = list(other.state_dict()), list(backbone.network.state_dict())
    if len(theirs) != len(ours) or not set(given) <= set(theirs):
        return given
    names = dict(zip(theirs, ours, strict=True))
    return {names[key]: value for key, value in given.items()}


def _differences(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> list[str]:
    shapes = [
        f"{key} {tuple(given[key].shape)} for {tuple(wanted[key].shape)}"
        for key in wanted
        if key in given and given[key].shape != wanted[key].shape
    ]
    found = (
        ("missing", [key for key in wanted if key not in given]),
        ("not known to the network", [key for key in given if key not in wanted]),
        ("of another shape", shapes),
    )
    return [f"  {len(keys)} {what}: {_some(keys)}" for what, keys in found if keys]


def _some(keys: Sequence[str]) -> str:
    more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    return ", ".join(keys[:_SHOWN]) + more
