"""Show what a trained network looks at: ``python -m train.explain runs/NAME PATH… --out DIR``.

For each image an overlay of every output, the maps as arrays, and a row per output in attention.csv: how sure, where
the strongest place is, how much of the map lies in the lungs and, where lesions are known, in them. A map shows where
a network looks, not that it is right. For research, not for diagnosis.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nlp.command import run_command
from nlp.errors import InputError, TrainingError
from train.dicom_window import LUNG, Window
from train.explain_settings import METHODS, OCCLUSION, Settings
from train.predict_targets import check_apart, check_folder
from train.progress import SILENT, Log
from train.summary import DISCLAIMER

if TYPE_CHECKING:
    from train.attention_rows import ImageRows


def explain(
    run: Path,
    paths: Sequence[Path],
    out: Path,
    *,
    settings: Settings | None = None,
    compare: Path | None = None,
    masks: Path | None = None,
    boxes: Path | None = None,
    full_arrays: bool = False,
    device: str = "auto",
    batch_size: int = 16,
    flips: bool | None = None,
    window: Window = LUNG,
    log: Log = SILENT,
) -> tuple[list[ImageRows], list[str]]:
    """Write overlays, arrays and attention.csv into a folder.

    Args:
        run: folder of a finished run.
        paths: images, and folders, whose image files at any depth are taken by name.
        out: the folder; made if needed. Files of the same images there are replaced.
        compare: folder of another run, a baseline, whose flag is shown beside this run's.
        masks: folder with ``<image stem>.<finding>.png``, where lesions are known to be.
        boxes: CSV file of boxes around lesions (``train.lesion_marks``).
        full_arrays: maps at the size of the images too, in the .npz files.
        flips: the mean of each image and its mirror image; None: as the run did.
        window: of CT slices in DICOM, in Hounsfield units.

    Returns:
        What was measured in each image that could be read, and what is wrong with the others.

    Raises:
        InputError: a run is unfinished, or a file cannot be read.
        CheckpointError: a network is damaged or has other findings.
        ImageError: no image is there, none can be read, or a mask does not fit.
        ContractError: the boxes break their contract.
        OutputError: the folder cannot be written to, holds such an image, or is that of a run.
    """
    from train.explain_files import write_explained
    from train.explainer import Explainer
    from train.image_forms import unreadable
    from train.image_paths import chosen_images
    from train.lesion_marks import Marks, read_boxes

    check_folder(out)
    _check_masks(masks)
    settings = settings or Settings()
    networks = [
        Explainer(each, settings, device=device, batch_size=batch_size, flips=flips, window=window)
        for each in ([run] if compare is None else [run, compare])
    ]
    keys = networks[0].network.model.finding_keys
    marks = Marks(keys, masks, read_boxes(boxes, keys) if boxes else {})
    chosen = chosen_images(paths, log)
    check_apart(out, [each.path for each in chosen])
    images = [each.path for each in chosen if not each.problem]
    measured, problems = write_explained(
        networks, images, marks, out, settings, full_arrays=full_arrays, log=log
    )
    problems = [*(each.problem for each in chosen if each.problem), *problems]
    if not measured:
        raise unreadable(problems, len(chosen))
    return measured, problems


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m train.explain runs/NAME PATH…``."""
    return run_command(_parser(), _command, arguments)


# ---- the command


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m train.explain",
        description="Show what a trained network looks at in images. For research, not for diagnosis.",
    )
    add, usual = parser.add_argument, Settings()
    add("run", type=Path, metavar="runs/NAME", help="folder of a finished run of train.run")
    add("paths", type=Path, nargs="+", metavar="PATH", help="images, or folders with images at any depth")
    add(
        "--out", type=Path, required=True, metavar="DIR", help="folder for overlays, arrays and attention.csv"
    )
    add("--method", choices=METHODS, default=usual.method, help=f"way to look (default: {usual.method})")
    add(
        "--compare",
        type=Path,
        metavar="runs/BASELINE",
        help="another run, whose flag is shown beside this one's",
    )
    add("--masks", type=Path, metavar="DIR", help="known lesions: <image stem>.<finding>.png")
    add(
        "--boxes",
        type=Path,
        metavar="FILE",
        help="known lesions: CSV with image, finding, left, top, right, bottom",
    )
    add(
        "--window",
        type=int,
        metavar="N",
        help=f"{OCCLUSION}: side of the square, pixels (default: {usual.window})",
    )
    add(
        "--stride",
        type=int,
        metavar="S",
        help=f"{OCCLUSION}: pixels between squares (default: {usual.stride})",
    )
    add(
        "--full-arrays",
        action="store_true",
        help="keep maps at the size of the images too, in the .npz files",
    )
    add("--device", default="auto", help="auto, cpu, cuda, cuda:1 … (default: auto)")
    add("--batch-size", type=int, default=16, metavar="N", help="images per step (default: 16)")
    add(
        "--flips",
        action=argparse.BooleanOptionalAction,
        help="the mean of each image and its mirror image (default: as the run did)",
    )
    return parser


def _command(options: argparse.Namespace) -> None:
    from train.attention_rows import summary

    if options.batch_size < 1:
        raise TrainingError(f"--batch-size {options.batch_size}: must be at least 1")
    measured, problems = explain(
        options.run,
        options.paths,
        options.out,
        settings=_settings(options),
        compare=options.compare,
        masks=options.masks,
        boxes=options.boxes,
        full_arrays=options.full_arrays,
        device=options.device,
        batch_size=options.batch_size,
        flips=options.flips,
        log=Log(sys.stderr),
    )
    if problems:
        print("\n".join([f"{len(problems)} images cannot be read:", *problems]), file=sys.stderr)
    print("\n".join(summary(measured)))
    print(f"{len(measured)} images explained, into {options.out}")
    print(DISCLAIMER)


def _settings(options: argparse.Namespace) -> Settings:
    given = {
        name: getattr(options, name) for name in ("window", "stride") if getattr(options, name) is not None
    }
    if given and options.method != OCCLUSION:
        raise TrainingError(
            f"--{' and --'.join(given)} belong to --method {OCCLUSION}, not to {options.method}"
        )
    return Settings(options.method, **given)


def _check_masks(masks: Path | None) -> None:
    if masks is not None and not masks.is_dir():
        raise InputError(f"{masks} cannot be read: there is no such folder of masks")


if __name__ == "__main__":
    sys.exit(main())
