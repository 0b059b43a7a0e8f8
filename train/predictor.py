"""A finished run, ready for images that it has never seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from train.config_file import read_config
from train.devices import choose_device
from train.dicom_window import LUNG, Window
from train.inference import pooled_features, predict_with_features
from train.model import load_model
from train.neighbour_points import Neighbours, read_neighbours
from train.prepare import ByteArray
from train.records import FloatArray
from train.run_folder import CONFIG, METRICS
from train.saved_thresholds import read_thresholds

_BATCH_OF_CPU, _BATCH_OF_GPU = 8, 256
"""A CPU gains nothing from larger batches, and the first rows come sooner."""


class Predictor:
    """The network of a run with everything that decides what it says of an image."""

    def __init__(
        self,
        run: Path,
        *,
        device: str = "auto",
        batch_size: int | None = None,
        flips: bool | None = None,
        window: Window = LUNG,
    ) -> None:
        self.thresholds = read_thresholds(run / METRICS)
        self.device = choose_device(device)
        self.model = load_model(run).to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.neighbours: Neighbours | None = read_neighbours(run)
        self.batch_size = batch_size or (_BATCH_OF_CPU if self.device.type == "cpu" else _BATCH_OF_GPU)
        self.flips = read_config(run / CONFIG, {}).test_flips if flips is None else flips
        self.window = window

    def predict(self, pixels: list[ByteArray]) -> tuple[FloatArray, list[str]]:
        """Logits (n, 1 + F) of images that are ready, and what is out of the ordinary about each."""
        logits, features = predict_with_features(
            self.model,
            torch.from_numpy(np.stack(pixels)[:, np.newaxis]),
            device=self.device,
            flips=self.flips,
            size=self.model.image_settings.size,
        )
        warnings = self.neighbours.warnings(features) if self.neighbours else [""] * len(pixels)
        return logits, warnings

    def similar(self, pixels: ByteArray, count: int) -> list[str]:
        """The training images most like an image that is ready, nearest first; none where the run keeps none."""
        if self.neighbours is None:
            return []
        image = torch.from_numpy(pixels[np.newaxis, np.newaxis])
        size = self.model.image_settings.size
        return self.neighbours.nearest(pooled_features(self.model, image, np.arange(1), size=size), count)[0]
