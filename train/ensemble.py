"""One run or several, asked for the same images; rows come as soon as they are there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nlp.errors import CheckpointError
from train.class_predictions import ClassPredictions
from train.classes import joint_class_logits
from train.config_file import read_run_config
from train.image_paths import Chosen, unlabelled
from train.operating_point import OperatingPoint, Thresholds
from train.predictions import Predictions, predict_records
from train.predictor import Predictor
from train.ready import Ready
from train.records import FloatArray
from train.run_folder import CONFIG

_FIRST = 8
"""The first step has this part of the images of a later one."""


@dataclass(frozen=True, eq=False)
class Found:
    """Rows for some images.

    Attributes:
        classes: None where the networks know no named classes.
        problems: what is wrong with the images that cannot be read.
    """

    predictions: Predictions
    classes: ClassPredictions | None
    problems: list[str]


class Ensemble:
    """The runs' networks; their mean speaks.

    Of several runs, the flag's logit is the mean of their calibrated logits and its threshold the mean of their
    thresholds on that scale; a finding's logit is the mean of those that learnt it, NaN where none did; a named class's
    probability is the mean of theirs.

    Raises:
        CheckpointError: the runs know other classes than each other.
    """

    def __init__(self, members: Sequence[Predictor]) -> None:
        self.members = members
        model = members[0].model
        self.finding_keys, self.class_names, self.flags = model.finding_keys, model.class_names, model.flags
        self.thresholds = _mean([each.thresholds for each in members])
        self._taught = [read_run_config(each.run / CONFIG).mode != "baseline" for each in members]
        _check_classes(members)

    def predict(self, chosen: Sequence[Chosen]) -> Iterator[Found]:
        """Rows in order, some at a time; at first few, so that somebody who waits sees them soon."""
        streams = {each.preparation: each.prepared(chosen) for each in self.members}
        size = min(each.batch_size for each in self.members)
        start, step = 0, max(1, size // _FIRST)
        while start < len(chosen):
            part = chosen[start : start + step]
            yield self._rows(part, {how: [next(stream) for _ in part] for how, stream in streams.items()})
            start, step = start + step, min(size, 2 * step)

    def _rows(self, part: Sequence[Chosen], found: Mapping[Any, Sequence[Ready]]) -> Found:
        first = next(iter(found.values()))
        rows = [row for row, each in enumerate(first) if each.pixels is not None]
        logits = np.full((len(part), self.flags + len(self.class_names)), np.nan, dtype=np.float32)
        warnings = [[each.warning] for each in first]
        if rows:
            logits[rows], said = self._mean_logits(found, rows)
            for row, each in zip(rows, said, strict=True):
                warnings[row] += each
        lines = ["; ".join(dict.fromkeys(filter(None, each))) for each in warnings]
        records = unlabelled(part, self.finding_keys)
        classes = None
        if self.class_names:
            quality = np.fmin.reduce([[each.confidence for each in ready] for ready in found.values()])
            of_classes, blank = logits[:, self.flags :], ("",) * len(part)
            classes = ClassPredictions(records, self.class_names, of_classes, quality, lines, blank)
        made = predict_records(records, logits[:, : self.flags], self.thresholds, warnings=lines)
        return Found(made, classes, [each.warning for each in first if each.pixels is None])

    def _mean_logits(
        self, found: Mapping[Any, Sequence[Ready]], rows: Sequence[int]
    ) -> tuple[FloatArray, list[list[str]]]:
        each_logits, warnings = [], []
        for member in self.members:
            ready = found[member.preparation]
            logits, said = member.predict(
                [pixels for row in rows if (pixels := ready[row].pixels) is not None]
            )
            if len(self.members) > 1:
                logits[:, 0] /= member.thresholds.calibration.temperature
            each_logits.append(logits)
            warnings.append(said)
        mean: FloatArray = np.mean(each_logits, axis=0, dtype=np.float32)
        if not all(self._taught):
            known = [
                each[:, 1 : self.flags]
                for each, taught in zip(each_logits, self._taught, strict=True)
                if taught
            ]
            mean[:, 1 : self.flags] = np.mean(known, axis=0) if known else np.nan
        if self.class_names and len(self.members) > 1:
            mean[:, self.flags :] = joint_class_logits([logits[:, self.flags :] for logits in each_logits])
        return mean, [list(each) for each in zip(*warnings, strict=True)]


def _check_classes(members: Sequence[Predictor]) -> None:
    if len({each.model.class_names for each in members}) > 1:
        known = [f"  {each.run}: {', '.join(each.model.class_names) or 'none'}" for each in members]
        raise CheckpointError("\n".join(["the runs of an ensemble must know the same classes:", *known]))


def _mean(thresholds: Sequence[Thresholds]) -> Thresholds:
    if len(thresholds) == 1:
        return thresholds[0]
    rule = f"mean of {len(thresholds)} runs"
    flag = [each.covid19.logit / each.calibration.temperature for each in thresholds]
    findings = {
        key: OperatingPoint(float(np.mean([each.findings[key].logit for each in thresholds])), rule)
        for key in thresholds[0].findings
    }
    return Thresholds(OperatingPoint(float(np.mean(flag)), rule), findings)
