"""A finished run that shows where it looks in images that it has never seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from nlp.schema import COVID
from train.attention import METHODS, Attention, attend, with_mirror_images
from train.augment import plain
from train.channels import COUNTS
from train.classes import class_output, class_probabilities
from train.config_file import read_run_config
from train.dicom_window import LUNG, Window
from train.explain_settings import OCCLUSION, Settings
from train.image_forms import FloatArray, read_grey
from train.image_paths import Chosen, unlabelled
from train.lung_parts import BoolArray
from train.lungs import Box
from train.map_places import on_image
from train.occlusion import occlude
from train.predictions import predict_records
from train.predictor import Predictor
from train.ready import Ready
from train.run_folder import CONFIG


@dataclass(frozen=True, eq=False)
class Explained:
    """One image and where a network looks in it, K outputs.

    Attributes:
        outputs: the flag, then the findings and the named classes if the network learnt them.
        logits: (K,).
        probabilities: (K,), as in predictions.csv.
        maps: (K, h, w) float32 as the method gives them, not scaled.
        features: (P,), what the heads read of the image itself.
        box: the part of the picture that the maps cover; what the network saw.
        shape: height and width of the picture.
        lungs: (height, width) true where the lungs are, as the run finds them; None where it does not.
    """

    path: Path
    outputs: tuple[str, ...]
    logits: FloatArray
    probabilities: FloatArray
    maps: FloatArray
    features: FloatArray
    box: Box
    shape: tuple[int, int]
    lungs: BoolArray | None
    warning: str

    def on_image(self) -> FloatArray:
        """(K, height, width): the maps over the whole picture, 0 outside of what the network saw."""
        return on_image(self.maps, self.box, self.shape)


@dataclass(frozen=True, eq=False)
class Unreadable:
    """An image that cannot be read, and why."""

    path: Path
    reason: str


class Explainer:
    """The network of a run, and how to look into it."""

    def __init__(
        self,
        run: Path,
        settings: Settings,
        *,
        device: str = "auto",
        batch_size: int = 16,
        flips: bool | None = None,
        window: Window = LUNG,
    ) -> None:
        self.name = run.resolve().name
        self.network = Predictor(run, device=device, batch_size=batch_size, flips=flips, window=window)
        model = self.network.model
        flag_only = read_run_config(run / CONFIG).mode == "baseline"
        learnt = () if flag_only else model.finding_keys
        classes = range(len(model.class_names))
        self.outputs = (COVID, *learnt, *map(class_output, model.class_names))
        self._columns = [*range(1 + len(learnt)), *(model.flags + place for place in classes)]
        self._look = self._way(settings)

    def explain(self, paths: Sequence[Path]) -> Iterator[tuple[FloatArray, Explained] | Unreadable]:
        """The picture, (height, width) in [0, 1], and its maps, for each path in order."""
        size = self.network.batch_size
        for start in range(0, len(paths), size):
            part = paths[start : start + size]
            found = list(self.network.prepared([Chosen(path) for path in part]))
            rows = [row for row, each in enumerate(found) if each.pixels is not None]
            made = dict(zip(rows, self._explained(part, found, rows), strict=True)) if rows else {}
            for row, path in enumerate(part):
                yield made[row] if row in made else Unreadable(path, found[row].warning)

    def warm(self) -> None:
        """Look at nothing once: the first pass chooses kernels, and nobody should wait for that with a picture."""
        settings = self.network.model.image_settings
        shape = (1, COUNTS[settings.channels], settings.size, settings.size)
        self._attention(torch.zeros(shape, dtype=torch.uint8))

    def _explained(
        self, paths: Sequence[Path], found: Sequence[Ready], rows: Sequence[int]
    ) -> Iterator[tuple[FloatArray, Explained]]:
        pixels = np.stack([found[row].pixels for row in rows])  # type: ignore[misc]
        attention = self._attention(torch.from_numpy(pixels))
        numbers = (attention.logits, attention.maps, attention.pooled)
        logits, maps, features = (each.cpu().numpy() for each in numbers)
        chosen, flags = [paths[row] for row in rows], self.network.model.flags
        known = unlabelled([Chosen(path) for path in chosen], self.network.model.finding_keys)
        sure = predict_records(known, logits[:, :flags], self.network.thresholds).probabilities
        classes = class_probabilities(logits[:, flags:]) if logits.shape[1] > flags else logits[:, flags:]
        probabilities = np.concatenate([sure, classes], axis=1, dtype=np.float32)
        for place, (row, path) in enumerate(zip(rows, chosen, strict=True)):
            picture = read_grey(path, window=self.network.window)
            height, width = picture.shape
            each = found[row]
            yield (
                picture,
                Explained(
                    path=path,
                    outputs=self.outputs,
                    logits=logits[place, self._columns],
                    probabilities=probabilities[place, self._columns],
                    maps=maps[place],
                    features=features[place],
                    box=each.box,
                    shape=(height, width),
                    lungs=self.network.lungs_of(picture),
                    warning=each.warning,
                ),
            )

    def _attention(self, pixels: torch.Tensor) -> Attention:
        side = self.network.model.image_settings.size
        images = plain(pixels.to(self.network.device), size=side).contiguous(
            memory_format=torch.channels_last
        )
        return with_mirror_images(self._look, images) if self.network.flips else self._look(images)

    def _way(self, settings: Settings) -> Callable[[torch.Tensor], Attention]:
        model, outputs = self.network.model, self._columns
        if settings.method in METHODS:
            return partial(attend, model, method=settings.method, outputs=outputs)
        assert settings.method == OCCLUSION
        return partial(
            occlude,
            model,
            window=settings.window,
            stride=settings.stride,
            outputs=outputs,
            batch_size=self.network.batch_size,
        )
