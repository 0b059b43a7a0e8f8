"""Learn where lungs are in radiographs, or find them: ``python -m train.segment IMAGES MASKS --out DIR``.

Pictures and masks in; a folder out with the segmenter, its settings, Dice and IoU on patients that it never saw, and a
sheet of its worst, middle and best. ``--apply RUN IMAGES`` writes masks and boxes instead. For research, not for
diagnosis.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from nlp.command import run_command
from nlp.errors import OutputError, TrainingError
from train.progress import SILENT, Log
from train.run_folder import CONFIG, METRICS
from train.segment_settings import SEGMENTER, SegmentSettings
from train.summary import DISCLAIMER

_HELP = {
    "encoder": "of segmentation-models-pytorch, such as resnet18",
    "weights": "imagenet, none, or a file of weights for the encoder",
    "width": "channels of the decoder's first stage",
    "size": "side of the square input, pixels",
    "epochs": "passes over the training pictures",
    "batch_size": "pictures per step",
    "learning_rate": "highest rate of the schedule",
    "holdout": "share of pictures, by whole patients, for the test",
    "seed": "of weights, division, order and changes",
}


def segment(
    images: Path,
    masks: Path,
    out: Path,
    settings: SegmentSettings,
    *,
    patients: Path | None = None,
    force: bool = False,
    device: str = "auto",
    bootstraps: int = 10_000,
    log: Log = SILENT,
) -> dict[str, Any]:
    """Train a segmenter, measure it on held-out patients, and write its folder.

    Args:
        images: folder of pictures.
        masks: folder with a mask of the same stem and size for each; lung is brighter than half.
        patients: CSV with image and patient_id; None: by the files' names (``train.patient_names``).
        force: replace the segmenter in ``out``; a run of ``train.run`` is never replaced.

    Returns:
        What metrics.json holds.

    Raises:
        ToolkitError: pictures, masks, patients, settings or weights that cannot be used; a message each.
    """
    from train.lung_pairs import divide, read_pairs
    from train.segment_fit import fit_segmenter
    from train.segment_results import write_segmented

    if _is_run(out):
        raise TrainingError(f"{out} holds a run of train.run, which would be lost: choose another --out")
    if (out / SEGMENTER).exists() and not force:
        raise TrainingError(f"{out} holds a segmenter: choose another --out, or --force to replace it")
    pairs = read_pairs(images, masks, size=settings.size, patients=patients)
    train, val, test = divide(pairs.patients, settings.holdout, seed=settings.seed)
    log(
        f"{len(pairs)} pictures of {len(set(pairs.patients))} patients: {len(train)} train, {len(val)} val, {len(test)} test"
    )
    model, history = fit_segmenter(settings, pairs, train_rows=train, val_rows=val, device=device, log=log)
    sets = {"train": train, "val": val, "test": test}
    return write_segmented(out, settings, model, pairs, sets, history, bootstraps=bootstraps)


def _is_run(out: Path) -> bool:
    """Whether a network was, or is being, trained there: its settings and figures have the names of the segmenter's."""
    if not (out / CONFIG).exists():
        return (out / METRICS).exists()
    try:
        settings = tomllib.loads((out / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return True
    return "encoder" not in settings


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m train.segment IMAGES MASKS --out DIR``."""
    return run_command(_parser(), _command, arguments)


# ---- the command


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m train.segment",
        description="Learn where lungs are in radiographs, or find them by --apply. For research, not for diagnosis.",
    )
    add = parser.add_argument
    add("images", type=Path, metavar="IMAGES", help="folder of pictures")
    add(
        "masks",
        type=Path,
        nargs="?",
        metavar="MASKS",
        help="folder of their lung masks, of the same stem and size",
    )
    add(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder for the segmenter, or for masks and boxes",
    )
    add(
        "--apply",
        type=Path,
        metavar="RUN",
        help="find the lungs by the segmenter in this folder; no MASKS then",
    )
    add("--patients", type=Path, metavar="FILE", help="CSV: image, patient_id (default: by the files' names)")
    add("--force", action="store_true", help="replace the segmenter in --out")
    add("--device", default="auto", help="auto, cpu, cuda, cuda:1 … (default: auto)")
    group = parser.add_argument_group("settings")
    for each in fields(SegmentSettings):
        kind = {"str": str, "int": int, "float": float}[str(each.type)]
        flag, text = "--" + each.name.replace("_", "-"), f"{_HELP[each.name]} (default: {each.default})"
        group.add_argument(flag, type=kind, metavar="X", dest=f"setting_{each.name}", help=text)
    return parser


def _command(options: argparse.Namespace) -> None:
    from train.segment_apply import BOXES, find_lungs_in
    from train.segment_results import said

    if options.out.exists() and not options.out.is_dir():
        raise OutputError(f"{options.out} is a file; give the name of a folder")
    if (options.masks is None) == (options.apply is None):
        raise TrainingError("give MASKS to learn from, or --apply RUN to find lungs: one of the two")
    log = Log(sys.stderr)
    if options.apply:
        used = find_lungs_in(options.apply, [options.images], options.out, log=log)
        print(f"{options.out / BOXES}: {used} boxes are sure enough to be used")
    else:
        given = {each.name: getattr(options, f"setting_{each.name}") for each in fields(SegmentSettings)}
        settings = SegmentSettings(**{name: value for name, value in given.items() if value is not None})
        metrics = segment(
            options.images,
            options.masks,
            options.out,
            settings,
            patients=options.patients,
            force=options.force,
            device=options.device,
            log=log,
        )
        print("\n".join([*said(metrics), f"written: {options.out}"]))
    print(DISCLAIMER)


if __name__ == "__main__":
    sys.exit(main())
