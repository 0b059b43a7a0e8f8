"""Boxes that people drew, as a table: what ``train.explain --boxes`` reads."""

from __future__ import annotations

import math

import pandas as pd

from annotate.decision_forms import Box
from annotate.export_data import Data
from nlp.schema import Column

BOX_COLUMNS = (
    Column("image", "path below the image folder"),
    Column("finding", "key of a finding whose label is 1"),
    Column("left", "first column of pixels, counted from 0 at the left of the upright image"),
    Column("top", "first row of pixels, counted from 0 at the top"),
    Column("right", "one past the last column of pixels"),
    Column("bottom", "one past the last row of pixels"),
)
_PRECISION = 3  # decimals of a pixel: less comes from counting in percent of the image, as Label Studio does


def boxes_table(data: Data) -> pd.DataFrame:
    """One row for each box of a finding that is labelled present, all cells text, by image.

    What was drawn between pixels is widened to whole ones. A box of a finding that was settled otherwise
    marks no known lesion, and is left out.
    """
    cells = data.table.set_index("image")
    rows = [
        (data.files.get(image, image), box.finding, *map(str, _whole(box)))
        for image, boxes in data.marks.boxes.items()
        for box in boxes
        if cells.at[image, box.finding] == "1"
    ]
    names = [column.name for column in BOX_COLUMNS]
    return pd.DataFrame(rows, columns=names, dtype=object).drop_duplicates(ignore_index=True)


def _whole(box: Box) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the smallest box of whole pixels around it."""
    left, top = (math.floor(round(side, _PRECISION)) for side in (box.left, box.top))
    right, bottom = (math.ceil(round(side, _PRECISION)) for side in (box.right, box.bottom))
    return left, top, max(right, left + 1), max(bottom, top + 1)
