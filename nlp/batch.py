"""The core: one pure function on an Arrow record batch.

Any engine can call it: worker processes, Spark's ``mapInArrow``. All state is in the ``Reader``, which only remembers.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import pyarrow as pa

from nlp.aggregate import Record, of_panel, states
from nlp.assertion import Mention
from nlp.entries import Lexicon
from nlp.reader import Reader
from nlp.schema import COVID, COVID_CELL, MENTION_COLUMNS, STATE_CELL, label_columns

__all__ = ["Labelled", "Reader", "collector_paused", "label_batch"]


class Labelled(NamedTuple):
    """Result of ``label_batch``: labels in the order of the records, and their mentions."""

    labels: pa.RecordBatch
    mentions: pa.RecordBatch


def label_batch(records: pa.RecordBatch, reader: Reader) -> Labelled:
    """Label a batch of records.

    Args:
        records: columns ``schema.RECORD_COLUMNS``, all text without nulls; ``covid19`` holds a cell value or a blank.
        reader: built once per process.

    Returns:
        ``labels`` with the columns of ``schema.label_columns``, row for row, and ``mentions`` with
        ``schema.MENTION_COLUMNS``, offsets as integers.
    """
    columns = {name: records.column(name).to_pylist() for name in records.schema.names}
    with collector_paused():
        read: dict[tuple[str, str], Record] = {}
        rows = [
            read.get(key) or read.setdefault(key, of_panel(reader.read_text(key[0]), key[1]))
            for key in zip(columns["caption"], columns["panel"], strict=True)
        ]
        return Labelled(_labels(columns, rows, reader.lexicon), _mentions(columns["image"], rows))


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause Python's search for reference cycles: reading makes none, and looking for them took a fifth of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _labels(columns: dict[str, list[str]], rows: Sequence[Record], lexicon: Lexicon) -> pa.RecordBatch:
    keys = lexicon.finding_keys
    cells: dict[str, list[str]] = {key: [] for key in keys}
    covid: list[str] = []
    flags: list[str] = []
    for number, record in enumerate(rows):
        found = states(record.mentions, keys)
        for key in keys:
            cells[key].append(STATE_CELL[found[key]])
        given = columns[COVID][number]
        said = COVID_CELL[record.covid]
        covid.append(given or said)
        row_flags = columns["flags"][number].split(";") if columns["flags"][number] else []
        if not columns["caption"][number].strip():
            row_flags.append("no_text")
        if record.ambiguous:
            row_flags.append("ambiguous_panel")
        if given and said and {given, said} == {"0", "1"}:
            row_flags.append("covid_conflict")
        flags.append(";".join(row_flags))
    count = len(rows)
    data = {
        **columns,
        COVID: covid,
        **cells,
        "review": ["auto"] * count,
        "split": [""] * count,
        "flags": flags,
        "lexicon_version": [lexicon.version] * count,
    }
    names = [column.name for column in label_columns(keys)]
    return pa.record_batch([pa.array(data[name], pa.string()) for name in names], names=names)


_MENTION_TYPES = {
    "start": pa.int32(),
    "end": pa.int32(),
    "cue_start": pa.int32(),
    "cue_end": pa.int32(),
    "score": pa.float64(),
}


def _mentions(images: Sequence[str], rows: Sequence[Record]) -> pa.RecordBatch:
    names = [column.name for column in MENTION_COLUMNS]
    mentions = [mention for record in rows for mention in record.mentions]
    fields = dict(zip(Mention._fields, zip(*mentions, strict=True), strict=True)) if mentions else {}
    columns = {
        "image": [image for image, record in zip(images, rows, strict=True) for _ in record.mentions],
        **fields,
    }
    arrays = [pa.array(columns.get(name, ()), _MENTION_TYPES.get(name, pa.string())) for name in names]
    return pa.record_batch(arrays, names=names)
