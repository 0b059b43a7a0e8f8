"""A trained segmenter at work: masks and boxes of any pictures."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from nlp.errors import ImageError
from nlp.write import replacing, writing
from train.image_forms import read_grey, unreadable
from train.image_paths import chosen_images
from train.lung_boxes import box_of, write_boxes
from train.lung_parts import BoolArray
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
    found, problems, seen = {}, [each.problem for each in chosen if each.problem], Counter[str]()
    for number, path in enumerate(paths, 1):
        try:
            picture = read_grey(path)
        except ImageError as error:
            problems.append(str(error))
            continue
        probability = model.probability(picture)
        found[path.as_posix()] = box_of(probability, (picture.shape[0], picture.shape[1]))
        seen[path.stem] += 1
        name = path.stem if seen[path.stem] == 1 else f"{path.stem}~{seen[path.stem]}"
        with replacing([out / f"{name}.png"]) as [file]:
            file.write(_png(lung_mask(probability, picture)))
        log.live(f"pictures segmented: {number:,} of {len(paths):,}")
    if found:  # else an older table stays
        write_boxes(out / BOXES, list(found), list(found.values()))
    if problems:
        raise unreadable(problems, len(chosen))
    return sum(each.used for each in found.values())


def _png(mask: BoolArray) -> bytes:
    """A mask as a picture, 0 and 255."""
    target = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8) * 255).save(target, "PNG")
    return target.getvalue()
