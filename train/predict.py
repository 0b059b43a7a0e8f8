"""What a trained network says of anybody's images: ``python -m train.predict runs/NAME PATH… -o predictions.csv``.

Images go through what the run's own went through; probabilities and thresholds are those its val chose.
For research, not for diagnosis.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nlp.command import run_command
from nlp.errors import OutputError
from nlp.write import replacing
from train.progress import SILENT, Log
from train.run_folder import CLASSES, OUT_OF_FOLD, PREDICTIONS
from train.summary import DISCLAIMER

if TYPE_CHECKING:
    from train.class_predictions import ClassPredictions

CHUNK = 256
"""Images in memory at one time."""


@dataclass(frozen=True)
class Predicted:
    """What came of the images that were asked for: counts, and the reason for each that could not be read."""

    images: int
    positive: int
    problems: tuple[str, ...]


def predict(
    run: Path,
    paths: Sequence[Path],
    out: Path,
    *,
    device: str = "auto",
    batch_size: int = 64,
    flips: bool | None = None,
    heatmaps: Path | None = None,
    log: Log = SILENT,
) -> Predicted:
    """Predict images and write them as predictions.csv, a row each in the order of the paths.

    Args:
        run: folder of a finished run.
        paths: images, and folders, whose image files at any depth are taken by name.
        out: the table; an image that cannot be read has blank numbers and its reason in ``warning``. A network with
            named classes writes their table beside it, ``<out>.diagnosis.csv``.
        batch_size: images per step of the network; ``CHUNK`` or so many are in memory.
        flips: the mean of each image and its mirror image; None: as the run did.
        heatmaps: folder for overlays of what the network looks at, see ``train.explain``; made if needed.

    Raises:
        InputError: the run is unfinished, or a file of it cannot be read.
        CheckpointError: its network is damaged or has other findings.
        ImageError: no image is there, or none can be read; then nothing is written.
        OutputError: the table cannot be written.
    """
    from train.class_predictions import class_table
    from train.explain import check_folder, explain
    from train.image_forms import unreadable
    from train.image_paths import chosen_images
    from train.predictions import columns, csv_lines, rows
    from train.predictor import Predictor

    _check_target(run, out)
    if heatmaps is not None:
        check_folder(heatmaps)
    network = Predictor(run, device=device, batch_size=batch_size, flips=flips)
    images = chosen_images(paths, log)
    problems: list[str] = []
    classes: list[ClassPredictions] = []
    positive = 0
    with replacing([out]) as [file]:
        file.write(csv_lines([columns(network.model.finding_keys)]))
        for start, part in _chunks(images, max(CHUNK, batch_size)):
            found = network.predict(part)
            file.write(csv_lines(rows(found.predictions)))
            positive += int((found.predictions.called == 1).sum())
            problems += found.problems
            classes += [found.classes] if found.classes else []
            log.live(f"images predicted: {start + len(part):,} of {len(images):,}")
        if len(problems) == len(images):
            raise unreadable(problems, len(images))
    if classes:
        with replacing([classes_beside(out)]) as [file]:
            file.write(class_table(classes))
    if heatmaps is not None:
        explain(run, images, heatmaps, device=device, flips=flips, log=log)
    return Predicted(len(images), positive, tuple(problems))


def classes_beside(out: Path) -> Path:
    """Where the table of classes of a table of predictions stands."""
    return out.with_name(f"{out.stem}.{CLASSES}")


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m train.predict runs/NAME PATH…``."""
    return run_command(_parser(), _command, arguments)


# ---- the command


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m train.predict",
        description="Predict images by a trained network. For research, not for diagnosis.",
    )
    add = parser.add_argument
    add("run", type=Path, metavar="runs/NAME", help="folder of a finished run of train.run")
    add("paths", type=Path, nargs="+", metavar="PATH", help="images, or folders with images at any depth")
    add(
        "-o",
        "--output",
        type=Path,
        default=Path(PREDICTIONS),
        metavar="FILE",
        help="default: predictions.csv",
    )
    add(
        "--heatmaps",
        type=Path,
        metavar="DIR",
        help="draw what the network looks at, into DIR; more ways: train.explain",
    )
    add("--device", default="auto", help="auto, cpu, cuda, cuda:1 … (default: auto)")
    add("--batch-size", type=_count, default=64, metavar="N", help="images per step (default: 64)")
    add(
        "--flips",
        action=argparse.BooleanOptionalAction,
        help="the mean of each image and its mirror image (default: as the run did)",
    )
    return parser


def _command(options: argparse.Namespace) -> None:
    found = predict(
        options.run,
        options.paths,
        options.output,
        device=options.device,
        batch_size=options.batch_size,
        flips=options.flips,
        heatmaps=options.heatmaps,
        log=Log(sys.stderr),
    )
    if found.problems:
        heading = (
            f"{len(found.problems)} of {found.images} images cannot be read; their rows have no numbers:"
        )
        print("\n".join([heading, *found.problems]), file=sys.stderr)
    read = found.images - len(found.problems)
    print(f"{read} images predicted, {found.positive} of them called COVID-19, into {options.output}")
    print(DISCLAIMER)


def _count(text: str) -> int:
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} must be at least 1")
    return int(text)


# ---- the work


def _check_target(run: Path, out: Path) -> None:
    if not out.resolve().parent.is_dir():
        raise OutputError(f"{out} cannot be written: there is no folder {out.parent}")
    if out.resolve() in [(run / name).resolve() for name in (PREDICTIONS, OUT_OF_FOLD)]:
        raise OutputError(f"{out} belongs to the run: choose another name with -o")


def _chunks(paths: Sequence[Path], size: int) -> Iterator[tuple[int, Sequence[Path]]]:
    return ((start, paths[start : start + size]) for start in range(0, len(paths), size))


if __name__ == "__main__":
    sys.exit(main())
