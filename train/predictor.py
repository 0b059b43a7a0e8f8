"""A finished run, ready for images that it has never seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from train.config_file import read_run_config
from train.devices import choose_device
from train.dicom_window import LUNG, Window
from train.image_paths import Chosen
from train.inference import predict_with_features
from train.lung_parts import BoolArray
from train.lungs import lungs_of
from train.model import load_model
from train.neighbour_points import Neighbours, read_neighbours
from train.prepare import SEGMENTED, ByteArray
from train.ready import Ready, prepared
from train.records import FloatArray
from train.run_folder import CONFIG, METRICS
from train.saved_thresholds import read_thresholds
from train.sealed import seal_of
from train.segment_settings import SEGMENTER

_BATCH_OF_CPU, _BATCH_OF_GPU = 8, 256
"""A CPU gains nothing from larger batches, and the first rows come sooner."""


class Predictor:
    """The network of a run with everything that decides what it says of an image.

    Attributes:
        preparation: equal where two runs see the same pixels of every image.
    """

    def __init__(
        self,
        run: Path,
        *,
        device: str = "auto",
        batch_size: int | None = None,
        flips: bool | None = None,
        window: Window = LUNG,
    ) -> None:
        self.run = run
        self.thresholds = read_thresholds(run / METRICS)
        self.device = choose_device(device)
        self.model = load_model(run).to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.neighbours: Neighbours | None = read_neighbours(run)
        self.batch_size = batch_size or (_BATCH_OF_CPU if self.device.type == "cpu" else _BATCH_OF_GPU)
        self.flips = read_run_config(run / CONFIG).test_flips if flips is None else flips
        self.window = window
        self._segmenter, seal = None, ""
        if self.model.image_settings.crop == SEGMENTED:
            from train.segmenter import load_segmenter  # lazily: few runs need it

            self._segmenter, seal = load_segmenter(run), seal_of(run / SEGMENTER).read_text(encoding="ascii")
        self.preparation = (self.model.image_settings, window, seal)

    def prepared(self, chosen: Sequence[Chosen]) -> Iterator[Ready]:
        """Images as the network takes them, in order, made ready while the caller works."""
        settings = self.model.image_settings
        return prepared(chosen, settings, segmenter=self._segmenter, window=self.window)

    def lungs_of(self, picture: FloatArray) -> BoolArray | None:
        """(height, width) true where the run's segmenter, or the search in slices, sees lungs; None where none are."""
        if self._segmenter is None:
            return lungs_of(picture)
        from train.segmenter import lung_mask

        mask = lung_mask(self._segmenter.probability(picture), picture)
        return mask if mask.any() else None

    def predict(self, pixels: list[ByteArray]) -> tuple[FloatArray, list[str]]:
        """Logits (n, 1 + F + K) of images that are ready, and what is out of the ordinary about each."""
        logits, features = predict_with_features(
            self.model,
            torch.from_numpy(np.stack(pixels)),
            device=self.device,
            flips=self.flips,
            size=self.model.image_settings.size,
        )
        return logits, self.unlike(features)

    def unlike(self, features: FloatArray) -> list[str]:
        """What is out of the ordinary about images with these pooled features, (n, P); blank for others."""
        return self.neighbours.warnings(features) if self.neighbours else [""] * len(features)

    def similar(self, features: FloatArray, count: int) -> list[str]:
        """The training images most like one with these pooled features, (P,), nearest first; none where the run keeps none."""
        return self.neighbours.nearest(features[np.newaxis], count)[0] if self.neighbours else []
