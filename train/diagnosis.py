"""What a run says of one picture, ready to be shown: probabilities with what they were worth, maps, similar images."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from nlp.errors import ImageError
from nlp.schema import COVID
from train.calibration import frequency_interval
from train.classes import DIAGNOSIS, class_output
from train.explain_settings import Settings
from train.explainer import Explained, Explainer, Unreadable
from train.image_forms import FloatArray
from train.image_paths import Chosen
from train.map_places import box_in, on_image
from train.operating_point import Thresholds
from train.overlays import coloured, output_name
from train.run_folder import METRICS

SIMILAR = 4
_LONGEST = 1024
"""Pixels of the longer side of what is shown: a radiograph has ten times the pixels of any screen's third."""
_QUALITY = 92
_AT_ONCE = 4
"""Images between two steps of the progress bar."""


@dataclass(frozen=True)
class Frequency:
    """How often images with about this probability were positive: ``observed`` of ``n`` images, and its 95 % interval.

    A finding's are captioned COVID-19 images alone (``train.population``). ``observed`` is over images; its interval
    counts patients (``train.calibration.frequency_interval``). Runs made before the bins counted them
    have as many as the set of this output has for so many images.
    """

    observed: float
    low: float
    high: float
    n: int
    n_patients: int


@dataclass(frozen=True)
class Output:
    """One output of the network.

    Attributes:
        threshold: its operating point on the scale of ``probability``; None for a class, of which the most probable one
            is called.
    """

    key: str
    name: str
    probability: float
    threshold: float | None
    called: bool
    frequency: Frequency | None


@dataclass(frozen=True, eq=False)
class Reading:
    """One picture.

    Attributes:
        picture: (height, width) in [0, 1], as it was given.
        shown: the same, reduced where it is larger than a screen shows.
        outputs: the flag, then the findings and the named classes if the network learnt them.
        maps: (K, height, width) of ``shown``, where it looks for each output.
        warning: what is out of the ordinary, or blank.
        similar: names of the most similar training images, nearest first.
    """

    picture: FloatArray
    shown: FloatArray
    outputs: tuple[Output, ...]
    maps: FloatArray
    warning: str
    similar: tuple[str, ...]

    def overlay(self, place: int, opaque: float) -> bytes:
        """JPEG of the picture under the map of one output; ``opaque`` from 0 to 1."""
        return encoded(coloured(self.shown, self.maps[place], opaque=opaque))

    def plain(self) -> bytes:
        """PNG of the picture alone, in grey, with nothing of the file it came from."""
        return encoded(self.picture, form="PNG")


class Diagnosis:
    """A run with all that is known of how good its probabilities are."""

    def __init__(self, run: Path, *, device: str = "auto") -> None:
        self.explainer = Explainer(run, Settings(), device=device, batch_size=_AT_ONCE)
        self.explainer.warm()
        self.network = self.explainer.network
        self._classes = {class_output(name): name for name in self.network.model.class_names}
        self._metrics: Mapping[str, Any] = json.loads((run / METRICS).read_text(encoding="utf-8"))

    def read(self, chosen: Chosen) -> Reading:
        """What the run says of an image.

        Raises:
            ImageError: it cannot be read.
        """
        if chosen.problem:
            raise ImageError(chosen.problem)
        found = next(self.explainer.explain([chosen.path]))
        if isinstance(found, Unreadable):
            raise ImageError(found.reason)
        picture, explained = found
        (unlike,) = self.network.unlike(explained.features[np.newaxis])
        shown = _reduced(picture)
        box = box_in(explained.box, picture.shape, shown.shape)
        return Reading(
            picture=picture,
            shown=shown,
            outputs=self._outputs(explained),
            maps=on_image(explained.maps, box, shown.shape),
            warning="; ".join(filter(None, (explained.warning, unlike))),
            similar=tuple(self.network.similar(explained.features, SIMILAR)),
        )

    def _outputs(self, found: Explained) -> tuple[Output, ...]:
        points = _thresholds(self.network.thresholds)
        sure = {key: float(each) for key, each in zip(found.outputs, found.probabilities, strict=True)}
        most = max((sure[key] for key in self._classes), default=0.0)
        return tuple(
            Output(
                key=key,
                name=output_name(key),
                probability=probability,
                threshold=points.get(key),
                called=probability >= points.get(key, most),
                frequency=self._frequency(key, probability),
            )
            for key, probability in sure.items()
        )

    def _frequency(self, key: str, probability: float) -> Frequency | None:
        """That of the test records with the most similar probabilities; None where a class was missing."""
        test = self._metrics.get("test", {})
        classes = test.get(DIAGNOSIS, {}).get("classes", {})
        measured = (
            test.get(key) or test.get("findings", {}).get(key) or classes.get(self._classes.get(key)) or {}
        )
        bins, patients = measured.get("calibration") or [], measured.get("n_patients", 0)
        return frequency(bins, probability, patients_per_image=patients / (measured.get("n") or 1))


def frequency(
    bins: Sequence[Mapping[str, float]], probability: float, *, patients_per_image: float = 1.0
) -> Frequency | None:
    """What was observed in the bin (``train.calibration.Bin``) whose mean probability is nearest; None without bins.

    Args:
        patients_per_image: how many stand behind an image where a bin does not say.
    """
    if not bins:
        return None
    nearest = min(bins, key=lambda each: abs(each["probability"] - probability))
    count, observed = int(nearest["n"]), nearest["observed"]
    patients = int(nearest.get("n_patients", max(1, round(patients_per_image * count))))
    return Frequency(observed, *frequency_interval(observed, patients), count, patients)


def _reduced(picture: FloatArray) -> FloatArray:
    """At most ``_LONGEST`` pixels on its longer side."""
    height, width = picture.shape
    factor = _LONGEST / max(height, width)
    if factor >= 1:
        return picture
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BOX), dtype=np.float32)


def _thresholds(thresholds: Thresholds) -> dict[str, float]:
    """Operating points on the scale of the probabilities, by output."""
    saved = thresholds.as_json()
    points = {key: float(each["probability"]) for key, each in saved["findings"].items()}
    return {COVID: float(saved[COVID]["probability"]), **points}


def encoded(picture: FloatArray, *, form: str = "JPEG") -> bytes:
    """A picture in [0, 1], grey or coloured, as a file: JPEG, which takes a fiftieth of the time of PNG, or PNG."""
    content = io.BytesIO()
    pixels = Image.fromarray((np.clip(picture, 0, 1) * 255).round().astype(np.uint8))
    pixels.save(content, form, quality=_QUALITY)
    return content.getvalue()
