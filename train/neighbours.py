"""Give a finished run its neighbours: ``python -m train.neighbours runs/NAME labelled.csv --images DIR``.

With them ``train.predict`` warns of images unlike those the run was trained on, and the Diagnose page shows the most
similar ones. ``train.run`` keeps them by itself; this is for runs made before.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nlp.command import run_command
from nlp.errors import ContractError
from train.progress import SILENT, Log
from train.run_folder import CONFIG

if TYPE_CHECKING:
    from torch import Tensor

    from train.neighbour_points import Neighbours
    from train.network import LesionAttentionNetwork
    from train.records import Records


def add_neighbours(
    run: Path,
    table: Path,
    images: Path,
    *,
    device: str = "auto",
    cache: Path | None = None,
    log: Log = SILENT,
) -> Neighbours:
    """Fit the neighbours of a run to the table it was trained on, and keep them in its folder.

    Args:
        table: labelled.csv with the split that the run had.
        images: folder that the image names are below.
        cache: folder for decoded images.

    Raises:
        InputError, ContractError, ImageError, CheckpointError: table, images or run cannot be used.
        OutputError: the folder cannot be written to.
    """
    from train.config_file import read_run_config
    from train.devices import choose_device
    from train.distributed import Ranks
    from train.model import load_model
    from train.prepare import SEGMENTED
    from train.stages import read_data

    model = load_model(run).to(choose_device(device))
    config = read_run_config(run / CONFIG)
    if config.crop == SEGMENTED:  # the run has its own copy; the folder it came from may be gone
        config = replace(config, segmenter=str(run))
    records, loaded = read_data(table, images, config, cache, log, Ranks())
    _check_split(run, records)
    return keep_neighbours(run, model, loaded.pixels, records)


def keep_neighbours(run: Path, model: LesionAttentionNetwork, pixels: Tensor, records: Records) -> Neighbours:
    """Fit neighbours to train, their limit to val, and write them into the folder of the run.

    Args:
        pixels: (n_records, C, S, S) uint8.

    Raises:
        OutputError: the folder cannot be written to.
    """
    from train.inference import pooled_features
    from train.neighbour_points import fit_neighbours, write_neighbours

    train, val = (records.rows(split) for split in ("train", "val"))
    size = model.image_settings.size
    features = [pooled_features(model, pixels, rows, size=size) for rows in (train, val)]
    made = fit_neighbours([records.images[row] for row in train], *features)
    write_neighbours(made, run)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m train.neighbours runs/NAME labelled.csv``."""
    return run_command(_parser(), _command, arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m train.neighbours",
        description="Keep with a finished run what its training images look like, so that unlike ones are told.",
    )
    add = parser.add_argument
    add("run", type=Path, metavar="runs/NAME", help="folder of a finished run of train.run")
    add("table", type=Path, metavar="labelled.csv", help="the labels it was trained on, with their split")
    add("--images", type=Path, required=True, metavar="DIR", help="folder with the images")
    add("--device", default="auto", help="auto, cpu, cuda, cuda:1 … (default: auto)")
    add("--cache", type=Path, metavar="DIR", help="decoded images are kept here (default: nowhere)")
    return parser


def _command(options: argparse.Namespace) -> None:
    made = add_neighbours(
        options.run,
        options.table,
        options.images,
        device=options.device,
        cache=options.cache,
        log=Log(sys.stderr),
    )
    print(f"{len(made.images)} training images kept in {options.run}; far is beyond {made.limit:.3f}")


def _check_split(run: Path, records: Records) -> None:
    """Refuse another table: the limit is good for nothing if val was trained on."""
    from train.predictions import read_predictions
    from train.run_folder import PREDICTIONS

    then = read_predictions(run / PREDICTIONS, records.finding_keys)
    before = dict(zip(then.images, then.splits, strict=True))
    changed = [
        image
        for image, split in zip(records.images, records.splits, strict=True)
        if before.get(image) != split
    ]
    if changed:
        raise ContractError(
            f"{run} was trained on another table: {len(changed)} images were not in the set they have now, the first is "
            f"{changed[0]!r}; give the table of its training"
        )


if __name__ == "__main__":
    sys.exit(main())
