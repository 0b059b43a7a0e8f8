"""What Spark's workers do with record batches: rows become records, records become labels with their mentions.

Plain functions on Arrow, in a module of their own: workers import it by name, so that the reader each of them
builds stays for its next task.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from nlp.batch import Reader, label_batch
from nlp.columns import Columns
from nlp.read import clean
from nlp.schema import RECORD_COLUMNS
from nlp.tables import Rows, Table, as_text

if TYPE_CHECKING:
    from nlp.entries import Lexicon

PLACE = ("file", "row")
"""Where a row stands: the file's path, and its number in the file from 1."""
REASON = ("column", "reason")
"""Why a row is rejected; blank for records."""


def raw_name(index: int) -> str:
    """How a column of the input is called on its way to ``clean_batches``, whatever its own name."""
    return f"c{index}"


def clean_batches(
    batches: Iterable[pa.RecordBatch], table: Table, columns: Columns
) -> Iterator[pa.RecordBatch]:
    """Records and rejected rows; images that come twice are not looked for.

    Args:
        batches: ``raw_name`` of every used column, and ``PLACE``.

    Yields:
        ``PLACE``, ``REASON`` and ``RECORD_COLUMNS``; of a rejected row only the image.
    """
    for batch in batches:
        cells = {index: as_text(table, index, batch.column(raw_name(index))) for index in columns.used}
        made = clean(Rows([*range(batch.num_rows)], cells, [], 0.0), table, columns, None)
        rejected = {
            "column": [row.column for row in made.rejected],
            "reason": [row.reason for row in made.rejected],
            "image": [row.image for row in made.rejected],
        }
        yield _placed(batch, made.numbers, {name: made.records.column(name) for name in RECORD_COLUMNS})
        yield _placed(batch, pa.array([row.row for row in made.rejected], pa.int64()), rejected)


def label_batches(batches: Iterable[pa.RecordBatch], lexicon: Lexicon) -> Iterator[pa.RecordBatch]:
    """Labels of records, with a last column ``mentions``: a list of structures for each."""
    reader = _READERS.get(lexicon.version) or _READERS.setdefault(lexicon.version, Reader(lexicon))
    for batch in batches:
        labels, mentions = label_batch(batch.select(list(RECORD_COLUMNS)), reader)
        yield labels.append_column("mentions", _nested(labels.column("image"), mentions))


def empty_input(columns: Columns) -> pa.RecordBatch:
    """No row, as ``clean_batches`` takes them: what it makes of it tells the columns of its result."""
    names = [*map(raw_name, columns.used), *PLACE]
    return pa.record_batch(
        [pa.array([], pa.int64() if name == "row" else pa.string()) for name in names], names
    )


def no_records() -> pa.RecordBatch:
    """No record, as ``label_batches`` takes them."""
    return pa.record_batch({name: pa.array([], pa.string()) for name in RECORD_COLUMNS})


_READERS: dict[str, Reader] = {}
"""By the version of the lexicon: one per process, built at its first batch."""


def _placed(batch: pa.RecordBatch, rows: pa.Array, cells: dict[str, Any]) -> pa.RecordBatch:
    """The cells beside the places of their rows; columns that are not there are blank."""
    blank = pa.array([""] * len(rows), pa.string())
    texts = {name: pa.array(cells.get(name, blank), pa.string()) for name in (*REASON, *RECORD_COLUMNS)}
    places = {"file": batch.column("file").cast(pa.string()), "row": batch.column("row").cast(pa.int64())}
    return pa.record_batch({**{name: cells.take(rows) for name, cells in places.items()}, **texts})


def _nested(images: pa.Array, mentions: pa.RecordBatch) -> pa.Array:
    """The mentions of each image as a list; they stand in the order of the images, each of which comes once."""
    counts = Counter(mentions.column("image").to_pylist())
    offsets = pa.array(accumulate((counts[image] for image in images.to_pylist()), initial=0), pa.int32())
    names = [name for name in mentions.schema.names if name != "image"]
    structures = pa.StructArray.from_arrays([mentions.column(name) for name in names], names)
    return pa.ListArray.from_arrays(offsets, structures)
