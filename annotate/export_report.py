"""What an export tells the person who asked for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from annotate.export_boxes import boxes_table
from annotate.export_data import Data


def export_lines(
    data: Data, files: Sequence[Path], escaped: Mapping[str, Mapping[str, int]], *, boxes: bool
) -> Iterator[str]:
    """Counts, what is not settled yet, and the files that were written.

    Args:
        escaped: cells that got apostrophes, by file name and column.
        boxes: a table of boxes was asked for.
    """
    review = data.table["review"].value_counts().sort_index()
    yield f"records: {len(data.table):,} ({', '.join(f'{name} {count:,}' for name, count in review.items())})"
    if data.unsettled:
        cells = sum(map(len, data.unsettled.values()))
        yield (
            f"cells on which annotators disagree and nobody has settled: {cells:,} of {len(data.unsettled):,}"
            " records; they are -1, and the manifest names them"
        )
    if data.unsplit:
        yield f"patients without a set: {data.unsplit:,} (annotate.split or the app's split page gives them one)"
    if boxes:
        yield f"boxes: {_box_words(data)}"
    for name, columns in escaped.items():
        said = ", ".join(f"{column} {count:,}" for column, count in columns.items()) or "none"
        yield f"{name}: cells with an apostrophe against formulas: {said}"
    yield f"written: {', '.join(map(str, files))}"


def _box_words(data: Data) -> str:
    drawn, kept = sum(map(len, data.marks.boxes.values())), len(boxes_table(data))
    left_out = f" of {drawn:,}; the others repeat one, or their finding is not labelled present"
    return f"{kept:,}{left_out if kept < drawn else ''}"
