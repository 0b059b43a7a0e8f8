"""A trained segmenter at work: masks and boxes of any pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from nlp.errors import ImageError
from nlp.write import replacing, writing
from train.image_forms import read_grey, unreadable
from train.image_paths import chosen_images, file_stems
from train.lung_boxes import box_of, write_boxes
from train.predict_targets import check_apart
from train.progress import SILENT, Log
from train.segmenter import load_segmenter, lung_mask

BOXES = "lungs.csv"


def find_lungs_in(segmenter: Path, images: Sequence[Path], out: Path, *, log: Log = SILENT) -> int:
    """Write a mask per picture, ``<stem>.png`` at its size, and lungs.csv with all boxes; how many boxes are used.

    Raises:
        CheckpointError: there is no sound segmenter.
        ImageError: pictures that cannot be read, all at once; the others are written.
        OutputError: the folder cannot be written to, holds such a picture, or is that of a run.
    """
    model, chosen = load_segmenter(segmenter), chosen_images(images, log)
    check_apart(out, [each.path for each in chosen])
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    paths = [each.path for each in chosen if not each.problem]
    found, problems = {}, [each.problem for each in chosen if each.problem]
    for number, (path, stem) in enumerate(file_stems(paths).items(), 1):
        try:
            picture = read_grey(path)
        except ImageError as error:
            problems.append(str(error))
            continue
        probability = model.probability(picture)
        found[path.as_posix()] = box_of(probability, (picture.shape[0], picture.shape[1]))
        mask = lung_mask(probability, picture).astype(np.uint8) * 255
        with replacing([out / f"{stem}.png"]) as [file]:
            Image.fromarray(mask).save(file, "PNG")
        log.live(f"pictures segmented: {number:,} of {len(paths):,}")
    if found:  # else an older table stays
        write_boxes(out / BOXES, list(found), list(found.values()))
    if problems:
        raise unreadable(problems, len(chosen))
    return sum(each.used for each in found.values())
