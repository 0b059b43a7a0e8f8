"""A finished run, ready for images that it has never seen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from train.config_file import read_config
from train.devices import choose_device
from train.image_paths import prepared, unlabelled
from train.inference import predict_logits
from train.model import load_model
from train.predictions import Predictions, predict_records
from train.run_folder import CONFIG, METRICS
from train.saved_thresholds import read_thresholds


class Predictor:
    """The network of a run with everything that decides what it says of an image."""

    def __init__(self, run: Path, *, device: str, batch_size: int, flips: bool | None) -> None:
        self.thresholds = read_thresholds(run / METRICS)
        self.device = choose_device(device)
        self.model = load_model(run).to(self.device)
        self.batch_size = batch_size
        self.flips = read_config(run / CONFIG, {}).test_flips if flips is None else flips

    def predict(self, paths: Sequence[Path]) -> tuple[Predictions, list[str]]:
        """Rows for some images, and what is wrong with those that cannot be read."""
        found = prepared(paths, self.model.image_settings)
        rows = [row for row, each in enumerate(found) if each.pixels is not None]
        keys = self.model.finding_keys
        logits = np.full((len(paths), 1 + len(keys)), np.nan, dtype=np.float32)
        if rows:
            pixels = np.stack([found[row].pixels for row in rows])[:, np.newaxis]  # type: ignore[misc]
            logits[rows] = predict_logits(
                self.model,
                torch.from_numpy(pixels),
                device=self.device,
                batch_size=self.batch_size,
                flips=self.flips,
                size=self.model.image_settings.size,
            )
        warnings = [each.warning for each in found]
        made = predict_records(unlabelled(paths, keys), logits, self.thresholds, warnings=warnings)
        return made, [each.warning for each in found if each.pixels is None]
