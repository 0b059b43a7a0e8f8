"""A finished run, ready for images that it has never seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from train.class_predictions import ClassPredictions
from train.config_file import read_config
from train.devices import choose_device
from train.image_forms import FloatArray
from train.image_paths import Ready, prepared, unlabelled
from train.inference import predict_logits
from train.lung_parts import BoolArray
from train.lungs import lungs_of
from train.model import load_model
from train.predictions import Predictions, predict_records
from train.prepare import SEGMENTED
from train.run_folder import CONFIG, METRICS
from train.saved_thresholds import read_thresholds
from train.segmenter import load_segmenter, lung_mask


@dataclass(frozen=True, eq=False)
class Found:
    """Rows for some images.

    Attributes:
        classes: None where the network knows no named classes.
        problems: what is wrong with the images that cannot be read.
    """

    predictions: Predictions
    classes: ClassPredictions | None
    problems: list[str]


class Predictor:
    """The network of a run with everything that decides what it says of an image."""

    def __init__(self, run: Path, *, device: str, batch_size: int, flips: bool | None) -> None:
        self.thresholds = read_thresholds(run / METRICS)
        self.device = choose_device(device)
        self.model = load_model(run).to(self.device)
        self._segmenter = None
        if self.model.image_settings.crop == SEGMENTED:
            self._segmenter = load_segmenter(run)
        self.batch_size = batch_size
        self.flips = read_config(run / CONFIG, {}).test_flips if flips is None else flips

    def prepared(self, paths: Sequence[Path]) -> list[Ready]:
        """Images as the network takes them."""
        return prepared(paths, self.model.image_settings, self._segmenter)

    def lungs_of(self, picture: FloatArray) -> BoolArray | None:
        """(height, width) true where the run's segmenter, or the search in slices, sees lungs; None where none are."""
        if self._segmenter is None:
            return lungs_of(picture)
        mask = lung_mask(self._segmenter.probability(picture), picture)
        return mask if mask.any() else None

    def predict(self, paths: Sequence[Path]) -> Found:
        """What the network says of some images."""
        found = self.prepared(paths)
        rows = [row for row, each in enumerate(found) if each.pixels is not None]
        keys, names, flags = self.model.finding_keys, self.model.class_names, self.model.flags
        logits = np.full((len(paths), flags + len(names)), np.nan, dtype=np.float32)
        if rows:
            pixels = np.stack([found[row].pixels for row in rows])  # type: ignore[misc]
            logits[rows] = predict_logits(
                self.model,
                torch.from_numpy(pixels),
                device=self.device,
                batch_size=self.batch_size,
                flips=self.flips,
                size=self.model.image_settings.size,
            )
        warnings, records = [each.warning for each in found], unlabelled(paths, keys)
        quality = np.array([each.confidence for each in found])
        return Found(
            predict_records(records, logits[:, :flags], self.thresholds, warnings=warnings),
            ClassPredictions(records, names, logits[:, flags:], quality, warnings, ("",) * len(paths))
            if names
            else None,
            [each.warning for each in found if each.pixels is None],
        )
