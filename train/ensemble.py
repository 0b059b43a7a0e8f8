"""One run or several, asked for the same images; rows come as soon as they are there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from train.image_paths import Chosen, unlabelled
from train.network import ImageSettings
from train.operating_point import OperatingPoint, Thresholds
from train.predictions import Predictions, predict_records
from train.predictor import Predictor
from train.ready import Ready, prepared
from train.records import FloatArray


class Ensemble:
    """The runs' networks; their mean speaks.

    Of several runs, the flag's logit is the mean of their calibrated logits and its threshold the mean of their
    thresholds on that scale; a finding's logit is the mean of theirs.
    """

    def __init__(self, members: Sequence[Predictor]) -> None:
        self.members = members
        self.finding_keys = members[0].model.finding_keys
        self.thresholds = _mean([each.thresholds for each in members])

    def predict(self, chosen: Sequence[Chosen]) -> Iterator[tuple[Predictions, list[str]]]:
        """Rows in order, some at a time, and what is wrong with those among them that cannot be read."""
        settings = list(dict.fromkeys(each.model.image_settings for each in self.members))
        streams = [prepared(chosen, each, window=self.members[0].window) for each in settings]
        size = min(each.batch_size for each in self.members)
        for start in range(0, len(chosen), size):
            part = chosen[start : start + size]
            found = {
                each: [next(stream) for _ in part] for each, stream in zip(settings, streams, strict=True)
            }
            yield self._rows(part, found)

    def _rows(
        self, part: Sequence[Chosen], found: Mapping[ImageSettings, Sequence[Ready]]
    ) -> tuple[Predictions, list[str]]:
        first = next(iter(found.values()))
        rows = [row for row, each in enumerate(first) if each.pixels is not None]
        logits = np.full((len(part), 1 + len(self.finding_keys)), np.nan, dtype=np.float32)
        warnings = [[each.warning] for each in first]
        if rows:
            logits[rows], said = self._mean_logits(found, rows)
            for row, each in zip(rows, said, strict=True):
                warnings[row] += each
        lines = ["; ".join(dict.fromkeys(filter(None, each))) for each in warnings]
        made = predict_records(unlabelled(part, self.finding_keys), logits, self.thresholds, warnings=lines)
        return made, [each.warning for each in first if each.pixels is None]

    def _mean_logits(
        self, found: Mapping[ImageSettings, Sequence[Ready]], rows: Sequence[int]
    ) -> tuple[FloatArray, list[list[str]]]:
        total, warnings = [], []
        for member in self.members:
            ready = found[member.model.image_settings]
            logits, said = member.predict(
                [pixels for row in rows if (pixels := ready[row].pixels) is not None]
            )
            if len(self.members) > 1:
                logits[:, 0] /= member.thresholds.calibration.temperature
            total.append(logits)
            warnings.append(said)
        mean: FloatArray = np.mean(total, axis=0, dtype=np.float32)
        return mean, [list(each) for each in zip(*warnings, strict=True)]


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
