"""The flags of ``python -m train.predict``; light, so that ``--help`` waits for no torch."""

from __future__ import annotations

import argparse
from pathlib import Path

from train.dicom_window import LUNG
from train.run_folder import PREDICTIONS


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m train.predict",
        description="Predict images by trained networks. For research, not for diagnosis.",
        epilog="Every image has a row; one that cannot be read has its reason in the column warning. "
        "Exit code 0 if any could be read.",
    )
    add = made.add_argument
    add("run", type=Path, metavar="runs/NAME", help="folder of a finished run of train.run")
    add(
        "paths",
        type=Path,
        nargs="+",
        metavar="PATH",
        help="images, DICOM files, zip archives, or folders with such at any depth",
    )
    add(
        "-o",
        "--output",
        type=Path,
        default=Path(PREDICTIONS),
        metavar="FILE",
        help="table, .csv or .jsonl (default: predictions.csv)",
    )
    add(
        "--ensemble",
        type=Path,
        action="append",
        default=[],
        metavar="runs/OTHER",
        help="another run, whose mean with the first is taken; may be given again",
    )
    add(
        "--heatmaps",
        type=Path,
        metavar="DIR",
        help="draw what the first network looks at, into DIR; more ways: train.explain",
    )
    add("--device", default="auto", help="auto, cpu, cuda, cuda:1 … (default: auto)")
    add("--batch-size", type=_count, metavar="N", help="images per step (default: what suits the device)")
    add(
        "--flips",
        action=argparse.BooleanOptionalAction,
        help="the mean of each image and its mirror image (default: as the run did)",
    )
    add(
        "--window",
        type=float,
        nargs=2,
        default=(LUNG.centre, LUNG.width),
        metavar=("CENTRE", "WIDTH"),
        help=f"of CT slices in DICOM, Hounsfield units (default: {LUNG.centre:g} {LUNG.width:g})",
    )
    add(
        "--patient-key",
        type=Path,
        metavar="FILE",
        help="secret that makes names of DICOM patients, made if it is not there (default: new names every time)",
    )
    return made


def _count(text: str) -> int:
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} must be at least 1")
    return int(text)
