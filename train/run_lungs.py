"""What a run keeps of the segmenter that cut its images: the segmenter itself, and every box."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from train.cache import Images
from train.lung_boxes import LungBox, write_boxes
from train.run_folder import LUNGS
from train.sealed import read_sealed, write_sealed
from train.segment_settings import SEGMENTER


def keep_lungs(out: Path, segmenter: Path, names: Sequence[str], images: Images) -> None:
    """Copy the segmenter into the run, which must not depend on another folder, and write lungs.csv.

    Raises:
        CheckpointError: the segmenter was damaged meanwhile.
        OutputError: the folder cannot be written to.
    """
    write_sealed(out / SEGMENTER, read_sealed(segmenter / SEGMENTER))
    boxes = [
        LungBox((int(top), int(left), int(bottom), int(right)), float(confidence), used=not whole)
        for (top, left, bottom, right), confidence, whole in zip(
            images.boxes, images.confidence, images.whole, strict=True
        )
    ]
    write_boxes(out / LUNGS, names, boxes)
