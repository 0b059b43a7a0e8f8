"""Every setting of a training run with its meaning; files, flags and checks derive from here.

The module is light: ``python -m train.run --help`` shows these settings without loading torch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from nlp.errors import TrainingError
from train.explain_settings import METHODS, Settings
from train.recipes import RECIPES

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

    recipe: str = _setting("ladnn", "named set of defaults, see docs/training.md", tuple(RECIPES))
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
    lesion_weight: float = _setting(5.0, "weight of the findings' mean in the joint loss", low=0)
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


def flag(name: str) -> str:
    """The command's option for a setting.

    >>> flag("learning_rate")
    '--learning-rate'
    """
    return "--" + name.replace("_", "-")
