"""Every setting of a training run with its meaning; files, flags and checks derive from here.

The module is light: ``python -m train.run --help`` shows these settings without loading torch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from nlp.errors import TrainingError
from train.explain_settings import METHODS, Settings

if TYPE_CHECKING:
    from train.augment import Augmentation

POOLINGS = ("mean", "mean_std")
CROPS = ("none", "lungs", "lungs_only", "segmented")


def _setting(
    default: object, meaning: str, choices: Sequence[str] = (), low: float = -math.inf, high: float = math.inf
) -> Any:
    return field(
        default=default, metadata={"help": meaning, "choices": tuple(choices), "low": low, "high": high}
    )


def _default_augmentation() -> Augmentation:
    from train.augment import Augmentation  # lazily: it loads torch

    return Augmentation()


@dataclass(frozen=True, kw_only=True)
class Config:
    """All that decides the weights of a network, apart from the data; the defaults are recipe ``ladnn``."""

    recipe: str = _setting(
        "ladnn",
        "named set of defaults, see RECIPES",
        ("ladnn", "head_start", "paper", "deep-covid", "cxr-ai"),
    )
    # the network
    backbone: str = _setting("densenet169", "torchvision's or timm's name")
    weights: str = _setting("imagenet", "imagenet, none, or a file of weights for the backbone")
    levels: int = _setting(2, "resolutions of feature maps that the heads read, from the last", low=1, high=2)
    pooling: str = _setting("mean_std", "of each feature map: mean, or standard deviation too", POOLINGS)
    frozen_norm: bool = _setting(False, "batch norm keeps the statistics of pretrained weights")
    trained: str = _setting("all", "layers of a pretrained backbone that learn", ("all", "last", "heads"))
    head_start: int = _setting(
        0, "views of each image that heads are fitted to first; 0: random", low=0, high=64
    )
    head_ridge: float = _setting(20.0, "ridge of that fit, per view; more keeps heads smaller", low=1e-6)
    views: int = _setting(
        0, "views of each image whose features are computed once and kept; 0: new ones", low=0, high=64
    )
    dropout: float = _setting(0.2, "share of pooled features dropped before the heads", low=0, high=0.95)
    # what is learnt
    mode: str = _setting("ladnn", "the flag with the findings, or the flag alone", ("ladnn", "baseline"))
    loss: str = _setting("joint", "joint BCE over known cells, or the published code's", ("joint", "paper"))
    primary_weight: float = _setting(5.0, "weight of the flag in the joint loss", low=0)
    lesion_weight: float = _setting(1.0, "weight of the findings' mean in the joint loss", low=0)
    positive_weights: bool = _setting(False, "weigh present cells of rare findings up")
    classes: str = _setting(
        "none", "column whose values, two or more, are told apart too", ("none", "diagnosis")
    )
    class_weight: float = _setting(1.0, "weight of the classes' cross-entropy beside the rest", low=0)
    label_smoothing: float = _setting(0.0, "targets become 1-s/2 and s/2", low=0, high=0.5)
    balance: bool = _setting(False, "draw confirmed and control records equally often")
    # what blank and uncertain cells mean, see docs of the contract
    uncertain: str = _setting("mask", "target of an uncertain cell", ("mask", "zero", "one"))
    not_mentioned: str = _setting("zero", "target of a blank cell beside a caption", ("zero", "mask"))
    controls_without_text: str = _setting("mask", "findings of controls without caption", ("mask", "zero"))
    # images
    image_size: int = _setting(256, "side of the square network input, pixels", low=32, high=2048)
    crop: str = _setting(
        "lungs", "whole slice, box of the lungs, all else black, or box by a segmenter (radiographs)", CROPS
    )
    segmenter: str = _setting("none", "folder of train.segment, for crop segmented")
    normalise: str = _setting("percentile", "grey levels inside the crop", ("percentile", "equalise", "none"))
    channels: str = _setting("grey", "grey levels, or Otsu, CLAHE and adaptive threshold", ("grey", "cxr3"))
    augmentation: Augmentation = field(
        default_factory=_default_augmentation, metadata={"help": "ranges of the random changes, a TOML table"}
    )
    # optimisation
    epochs: int = _setting(15, "passes over the training records", low=1, high=10_000)
    batch_size: int = _setting(32, "records per step, over all processes together", low=2, high=65_536)
    optimizer: str = _setting("adamw", "adamw, or adam with L2 as published", ("adamw", "adam"))
    learning_rate: float = _setting(3e-4, "highest rate of the schedule", low=1e-9, high=10)
    backbone_rate: float = _setting(1.0, "the backbone's rate as a share of the heads'", low=0, high=1)
    weight_decay: float = _setting(0.05, "decay of weights (not of biases and norms with adamw)", low=0)
    schedule: str = _setting("onecycle", "shape of the learning rate", ("cosine", "onecycle", "constant"))
    warmup_epochs: float = _setting(0.5, "linear start of cosine and constant, epochs", low=0)
    clip_norm: float = _setting(1.0, "longest gradient; 0 clips nothing", low=0)
    # what is kept
    select: str = _setting(
        "auc",
        "epoch kept, by val: AUC, loss, mean loss of 3, or the last",
        ("auc", "loss", "smooth", "last"),
    )
    patience: int = _setting(0, "stop after so many epochs without a better one; 0 never", low=0)
    average: bool = _setting(True, "average weights over steps too; kept only if better on val")
    average_decay: float = _setting(0.98, "what the average keeps at each step", low=0, high=0.99999)
    least_sensitivity: float = _setting(
        0.0, "sensitivity that the threshold has on val; 0: Youden's", low=0, high=1
    )
    test_flips: bool = _setting(True, "predict the mean of each image and its mirror image")
    attention: str = _setting(Settings().method, "how the report shows where the network looks", METHODS)
    # the run
    folds: int = _setting(0, "out-of-fold predictions over so many patient folds; 0 none", low=0, high=100)
    seed: int = _setting(0, "of weights, order, augmentation and dropout", low=0, high=2**31 - 1)
    device: str = _setting("auto", "auto, cpu, cuda, cuda:1 …")
    precision: str = _setting("auto", "auto: bfloat16 where in hardware", ("auto", "float32", "bfloat16"))
    deterministic: bool = _setting(False, "same bits from a GPU too, slower; a CPU always gives them")


RECIPES: Mapping[str, Mapping[str, Any]] = {
    "ladnn": {},
    # heads fitted first, all trained together a little: a tenth of the time, for a CPU or a first look
    "head_start": {
        "frozen_norm": True,
        "head_start": 4,
        "epochs": 3,
        "learning_rate": 3e-5,
        "schedule": "cosine",
    },
    # the published code's settings (Liu et al. 2020, LA-DNN), read from the code: the paper gives none
    "paper": {
        "loss": "paper",
        "levels": 1,
        "pooling": "mean",
        "image_size": 224,
        "test_flips": False,
        "dropout": 0.0,
        "crop": "none",
        "normalise": "none",
        "optimizer": "adam",
        "learning_rate": 5e-5,
        "weight_decay": 5e-4,
        "schedule": "constant",
        "warmup_epochs": 0.0,
        "clip_norm": 0.0,
        "select": "loss",
        "average": False,
        "augmentation": {"scale": (0.8, 1.2), "flip": 0.5},
    },
    # Minaee et al. 2020 (Deep-COVID, doi:10.1016/j.media.2020.101794); docs/deep_covid.md says what is whose
    "deep-covid": {
        "backbone": "resnet18",
        "levels": 1,
        "pooling": "mean",
        "frozen_norm": True,
        "trained": "heads",
        "views": 5,
        "dropout": 0.0,
        "mode": "baseline",
        "balance": True,
        "image_size": 224,
        "crop": "none",
        "normalise": "none",
        "epochs": 100,
        "batch_size": 20,
        "optimizer": "adam",
        "learning_rate": 1e-4,
        "weight_decay": 0.0,
        "schedule": "constant",
        "warmup_epochs": 0.0,
        "clip_norm": 0.0,
        "average": False,
        "test_flips": False,
        "attention": "occlusion",
        "augmentation": {"rotation_degrees": 10.0, "scale": (0.9, 1.1), "flip": 0.5, "noise": 0.02},
    },
    # COVID-19_CXR_AI: radiographs cut to segmented lungs, three channels, named classes; the rest is this toolkit's
    "cxr-ai": {
        "backbone": "resnet34",
        "mode": "baseline",
        "classes": "diagnosis",
        "crop": "segmented",
        "normalise": "none",
        "channels": "cxr3",
        "select": "loss",
    },
}
"""Differences from the defaults; an ``augmentation`` here is complete: what it leaves out is off."""

UNUSED_WITH: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("mode", "baseline"): ("lesion_weight", "positive_weights"),
    ("loss", "paper"): ("primary_weight", "lesion_weight", "positive_weights", "label_smoothing"),
    ("schedule", "onecycle"): ("warmup_epochs",),
    ("average", "False"): ("average_decay",),
    ("head_start", "0"): ("head_ridge",),
    ("classes", "none"): ("class_weight",),
    ("crop", "lungs"): ("segmenter",),
    ("crop", "lungs_only"): ("segmenter",),
    ("crop", "none"): ("segmenter",),
}
"""Settings that have no effect beside another: asking for both is a mistake, and refused."""


def recipe(name: str) -> Config:
    """The settings of a recipe.

    Raises:
        TrainingError: there is no such recipe.
    """
    if name not in RECIPES:
        raise TrainingError(f"there is no recipe {name!r}; choose one of {', '.join(RECIPES)}")
    given = dict(RECIPES[name])
    if "augmentation" in given:
        from train.augment import Augmentation

        given["augmentation"] = replace(Augmentation.off(), **given["augmentation"])
    return Config(**{"recipe": name, **given})


def check(config: Config) -> None:
    """Refuse settings out of range or in contradiction.

    Raises:
        TrainingError: with every problem.
    """
    if found := problems(config):
        raise TrainingError("\n".join(["the settings cannot be used:", *found]))


def problems(config: Config) -> list[str]:
    """Everything that is wrong with the settings, a line each."""
    return [*_value_problems(config), *_contradictions(config)]


def flag(name: str) -> str:
    """The command's option for a setting.

    >>> flag("learning_rate")
    '--learning-rate'
    """
    return "--" + name.replace("_", "-")


def _value_problems(config: Config) -> Iterator[str]:
    for each in fields(config):
        if each.name != "augmentation" and (problem := _value_problem(each, getattr(config, each.name))):
            yield f"{each.name} must be {problem}; found {getattr(config, each.name)!r}"


def _value_problem(each: Field[Any], value: object) -> str | None:
    """What the value must be and is not."""
    kinds = {"str": (str,), "bool": (bool,), "int": (int,), "float": (int, float)}[str(each.type)]
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        words = {"str": "a text", "bool": "true or false", "int": "a whole number", "float": "a number"}
        return words[str(each.type)]
    choices, low, high = (each.metadata[key] for key in ("choices", "low", "high"))
    if choices and value not in choices:
        return f"one of {', '.join(choices)}"
    if isinstance(value, int | float) and not (low <= value <= high):
        return f"from {low:g} to {high:g}"
    if value == "":
        return "filled in"
    return None


def _contradictions(config: Config) -> Iterator[str]:
    if config.recipe not in RECIPES:
        return
    usual = recipe(config.recipe)
    for (name, value), unused in UNUSED_WITH.items():
        if str(getattr(config, name)) != value:
            continue
        for other in unused:
            if getattr(config, other) != getattr(usual, other):
                yield f"{name} = {value} makes no use of {other} = {getattr(config, other)}: leave one out"
    if config.crop == "segmented" and config.segmenter == "none":
        yield "crop = segmented needs a segmenter: a folder made by python -m train.segment"
    if config.folds == 1:
        yield "folds must be 0 or at least 2; found 1"
    if config.loss == "joint" and not (config.primary_weight or config.lesion_weight):
        yield "primary_weight and lesion_weight are both 0: there is nothing to learn"
    if config.views and (config.trained != "heads" or not config.frozen_norm or config.weights == "none"):
        yield (
            f"views = {config.views} keeps features of a backbone that does not change: it needs trained = heads,"
            f" frozen_norm = true and pretrained weights; found {config.trained}, {str(config.frozen_norm).lower()} and"
            f" {config.weights}"
        )
