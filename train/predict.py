"""What trained networks say of anybody's images: ``python -m train.predict runs/NAME PATH… -o predictions.csv``.

Images go through what the run's own went through; probabilities and thresholds are those its val chose.
For research, not for diagnosis.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nlp.command import duration, run_command
from nlp.errors import TrainingError
from nlp.write import replacing
from train.dicom_window import LUNG, Window
from train.predict_options import parser
from train.predict_targets import check_apart, check_folder, check_tables
from train.progress import SILENT, Log
from train.run_folder import CLASSES
from train.summary import DISCLAIMER

if TYPE_CHECKING:
    from train.ensemble import Ensemble
    from train.image_paths import Chosen


@dataclass(frozen=True)
class Predicted:
    """What came of the images that were asked for: counts, and the reason for each that could not be read."""

    images: int
    positive: int
    warned: int
    problems: tuple[str, ...]


def predict(
    runs: Path | Sequence[Path],
    paths: Sequence[Path],
    out: Path,
    *,
    device: str = "auto",
    batch_size: int | None = None,
    flips: bool | None = None,
    heatmaps: Path | None = None,
    window: Window = LUNG,
    patient_key: Path | None = None,
    log: Log = SILENT,
) -> Predicted:
    """Predict images and write them as predictions.csv or .jsonl, a row each in the order of the paths.

    Args:
        runs: folder of a finished run, or of several, whose mean is taken (``train.ensemble``).
        paths: images, DICOM files, zip archives, and folders, whose image files at any depth are taken by name.
        out: the table; an image that cannot be read has blank numbers and its reason in ``warning``; findings that no
            run learnt are blank. Networks with
            named classes write their table beside it, ``<out>.diagnosis.csv``.
        batch_size: images per step of the network; None: what suits the device.
        flips: the mean of each image and its mirror image; None: as each run did.
        heatmaps: folder for overlays of what the first network looks at, see ``train.explain``; made if needed.
        window: of CT slices in DICOM, in Hounsfield units.
        patient_key: see ``train.patient_key``.

    Raises:
        InputError: a run is unfinished, or a file of it cannot be read.
        CheckpointError: its network is damaged, or has other findings or classes.
        ImageError: no image is there, or none can be read; then nothing is written.
        OutputError: the table cannot be written, or a result would replace an image or a file of a run.
    """
    from train.ensemble import Ensemble
    from train.image_paths import chosen_images
    from train.patient_key import patient_key as key_of
    from train.prediction_lines import line_writer
    from train.predictor import Predictor

    folders = [runs] if isinstance(runs, Path) else list(runs)
    line_writer(out)
    check_tables([out, classes_beside(out)], paths)
    if heatmaps is not None:
        check_folder(heatmaps)
    networks = Ensemble(
        [Predictor(run, device=device, batch_size=batch_size, flips=flips, window=window) for run in folders]
    )
    chosen = chosen_images(paths, log, key=key_of(patient_key))
    if heatmaps is not None:
        check_apart(heatmaps, [each.path for each in chosen])
    found = write_rows(networks, chosen, out, log)
    if heatmaps is not None:
        from train.explain import explain  # with all that draws

        images = [each.path for each in chosen if not each.problem]
        explain(folders[0], images, heatmaps, device=device, flips=flips, window=window, log=log)
    return found


def classes_beside(out: Path) -> Path:
    """Where the table of classes of a table of predictions stands."""
    return out.with_name(f"{out.stem}.{CLASSES}")


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m train.predict runs/NAME PATH…``."""
    return run_command(parser(), _command, arguments)


def _command(options: argparse.Namespace) -> None:
    centre, width = options.window
    if width <= 0:
        raise TrainingError(f"--window {centre:g} {width:g}: the width must be above 0")
    found = predict(
        [options.run, *options.ensemble],
        options.paths,
        options.output,
        device=options.device,
        batch_size=options.batch_size,
        flips=options.flips,
        heatmaps=options.heatmaps,
        window=Window(centre, width),
        patient_key=options.patient_key,
        log=Log(sys.stderr),
    )
    if found.problems:
        heading = (
            f"{len(found.problems)} of {found.images} images cannot be read; their rows have no numbers:"
        )
        print("\n".join([heading, *found.problems]), file=sys.stderr)
    read = found.images - len(found.problems)
    print(f"{read} images predicted, {found.positive} of them called COVID-19, into {options.output}")
    if found.warned:
        print(f"{found.warned} of them are out of the ordinary: see the column warning")
    print(DISCLAIMER)


def write_rows(networks: Ensemble, chosen: Sequence[Chosen], out: Path, log: Log = SILENT) -> Predicted:
    """Write the rows of all images, some at a time; the files take their places at the very end.

    Raises:
        ImageError: none can be read.
        OutputError: the table cannot be written.
    """
    from train.class_predictions import class_lines
    from train.image_forms import unreadable
    from train.prediction_lines import line_writer

    lines = line_writer(out)
    problems: list[str] = []
    positive = warned = done = 0
    began = time.monotonic()
    with replacing([out, *([classes_beside(out)] if networks.class_names else [])]) as files:
        for found in networks.predict(chosen):
            rows, first = found.predictions, done == 0
            written = [lines(rows, first), *([class_lines(found.classes, first)] if found.classes else [])]
            for file, content in zip(files, written, strict=True):
                file.write(content)
                file.flush()  # whoever looks at the draft sees what is done
            done += len(rows)
            positive += int((rows.called == 1).sum())
            warned += sum(map(bool, rows.warnings)) - len(found.problems)
            problems += found.problems
            left = (time.monotonic() - began) / done * (len(chosen) - done)
            log.live(f"images predicted: {done:,} of {len(chosen):,}, about {duration(left)} left")
        if len(problems) == len(chosen):
            raise unreadable(problems, len(chosen))
    return Predicted(len(chosen), positive, warned, tuple(problems))


if __name__ == "__main__":
    sys.exit(main())
