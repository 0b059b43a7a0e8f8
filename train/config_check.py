"""Which settings of a run can be used: their types, their ranges, and what contradicts what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import Field, fields, replace
from typing import Any

from nlp.errors import TrainingError
from train.config import Config, recipe
from train.recipes import RECIPES

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


def check(config: Config) -> None:
    """Refuse settings out of range or in contradiction.

    Raises:
        TrainingError: with every problem.
    """
    if found := problems(config):
        raise TrainingError("\n".join(["the settings cannot be used:", *found]))


def problems(config: Config) -> list[str]:
    """Everything that is wrong with the settings, a line each."""
    return [*value_problems(config), *_contradictions(config)]


def unused(config: Config) -> Mapping[str, str]:
    """Settings that have no effect, each with what takes it away, such as ``mode = baseline``."""
    return {
        other: f"{name} = {value}"
        for (name, value), others in UNUSED_WITH.items()
        if str(getattr(config, name)) == value
        for other in others
    }


def without_unused(config: Config) -> Config:
    """Settings of the same training: those without effect are the recipe's, whatever they were."""
    usual = recipe(config.recipe)
    return replace(config, **{name: getattr(usual, name) for name in unused(config)})


def value_problems(config: Config) -> Iterator[str]:
    """What is of the wrong type, out of range or no choice, a line each."""
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
        return f"from {low:g} to {high:.10g}"
    if value == "":
        return "filled in"
    return None


def _contradictions(config: Config) -> Iterator[str]:
    if config.recipe not in RECIPES:
        return
    usual = recipe(config.recipe)
    for other, why in unused(config).items():
        if getattr(config, other) != getattr(usual, other):
            yield f"{why} makes no use of {other} = {getattr(config, other)}: leave one out"
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
