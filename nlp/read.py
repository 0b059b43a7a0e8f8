"""Read: rows of any table become records, and every row that cannot is rejected with a reason.

Nothing is repaired in silence: ids and captions stay as they are written, blanks at the ends of a
patient id are the one thing that is removed, and that is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nlp.column_names import column_name
from nlp.columns import Columns
from nlp.ids import MANGLED, NEW, REPEATED, SeenImages, made_up_patients
from nlp.roles import covid_cell
from nlp.schema import RECORD_COLUMNS
from nlp.tables import Rejected, Rows, Table, read_rows

BATCH_ROWS = 8192

WARNINGS: Mapping[str, str] = {
    "patient_made_up": "rows without a patient; images of one article or figure share a made-up id",
    "patient_trimmed": "rows whose patient id had blanks at an end; the blanks were removed",
    "image_blanks": "rows whose image name has blanks at an end; kept",
    "mangled": "rows with an id that a spreadsheet may have changed (1E+05, a date); kept",
    "no_suffix": "rows whose image name has no suffix such as .png; kept",
    "placeholder": "rows whose text is only NA, None or the like; kept as text",
    "broken": "rows whose text holds U+FFFD, where an earlier program lost a letter; kept",
}

_PLACEHOLDER = r"(?i)^\s*(n\.?/?a\.?|nan|none|null|nil|#n/a)\s*$"
_EDGE = r"^\s|\s$"
_SUFFIX = r"\.[A-Za-z0-9]{2,6}$"
DUPLICATE = "duplicate"
CHANGED_DUPLICATE = "the same image as an earlier row, with other content"


@dataclass(frozen=True)
class Warned:
    """How many rows a warning concerns, and the first of them."""

    count: int
    first: int


@dataclass(frozen=True)
class Batch:
    """Records that are ready to be labelled, and what else their rows gave."""

    records: pa.RecordBatch
    numbers: pa.Array
    """Row of each record."""
    rejected: list[Rejected]
    warnings: dict[str, Warned]
    done: float
    """Share of the file that has been read, 0 to 1."""

    @property
    def rows(self) -> int:
        """Rows of the input: each is a record or rejected."""
        return int(self.records.num_rows) + len(self.rejected)


@dataclass
class _Rows:
    """The rows that are still in: numbers, and one text array per column of a record."""

    numbers: pa.Array
    cells: dict[str, pa.Array]

    def keep(self, mask: pa.Array) -> None:
        self.numbers = self.numbers.filter(mask)
        self.cells = {name: cells.filter(mask) for name, cells in self.cells.items()}


def read_records(table: Table, columns: Columns, *, batch_rows: int = BATCH_ROWS) -> Iterator[Batch]:
    """Stream the table as record batches with the columns of ``nlp.schema.RECORD_COLUMNS``.

    All cells are text without nulls. ``image`` is unique over all batches and ``patient_id`` not blank.

    Raises:
        InputError: the file stops being readable.
    """
    seen = SeenImages()
    for rows in read_rows(table, columns.used, batch_rows=batch_rows):
        yield clean(rows, table, columns, seen)


def clean(rows: Rows, table: Table, columns: Columns, seen: SeenImages | None) -> Batch:
    """Turn rows into records; those that cannot be are rejected with a reason.

    Args:
        seen: images of earlier batches; None where somebody else looks for images that come twice.
    """
    kept = _Rows(pa.array(rows.numbers, pa.int64()), _cells(rows, columns))
    rejected = [*rows.rejected]
    rejected += _reject_blank_images(kept, _name(table, columns, "image"))
    rejected += _reject_unknown_covid(kept, _name(table, columns, "covid"))
    if seen is not None:
        rejected += _reject_seen(kept, _name(table, columns, "image"), seen)
    warnings = _warnings(kept)
    _complete_patients(kept)
    records = pa.record_batch({name: kept.cells[name] for name in RECORD_COLUMNS})
    return Batch(records, kept.numbers, sorted(rejected, key=lambda row: row.row), warnings, rows.done)


def _cells(rows: Rows, columns: Columns) -> dict[str, pa.Array]:
    roles = {"patient_id": "patient", "caption": "text", "covid19": "covid"}
    blank = pa.array([""] * len(rows.numbers), pa.string())
    indexes = {name: columns.choices.get(roles.get(name, name)) for name in RECORD_COLUMNS}
    found = {name: choice.index for name, choice in indexes.items() if choice and choice.index is not None}
    return {name: rows.columns[found[name]] if name in found else blank for name in RECORD_COLUMNS}


def _reject_blank_images(kept: _Rows, column: str) -> list[Rejected]:
    blank = pc.equal(pc.utf8_trim_whitespace(kept.cells["image"]), "")
    rejected = [Rejected(row, column, "no image id") for row in kept.numbers.filter(blank).to_pylist()]
    kept.keep(pc.invert(blank))
    return rejected


def _reject_unknown_covid(kept: _Rows, column: str) -> list[Rejected]:
    """Turn the COVID column into cells of the contract; the value of a bad cell is not repeated."""
    coded = kept.cells["covid19"].dictionary_encode()
    cells = pa.array([covid_cell(value) for value in coded.dictionary.to_pylist()], pa.string())
    kept.cells["covid19"] = cells.take(coded.indices)
    bad = pc.is_null(kept.cells["covid19"])
    reason = "not a COVID value; write 1, 0, -1 or blank (or confirmed, control, suspected, unstated)"
    ids = zip(kept.numbers.filter(bad).to_pylist(), kept.cells["image"].filter(bad).to_pylist(), strict=True)
    rejected = [Rejected(row, column, reason, image) for row, image in ids]
    kept.keep(pc.invert(bad))
    return rejected


def _reject_seen(kept: _Rows, column: str, seen: SeenImages) -> list[Rejected]:
    contents = pc.binary_join_element_wise(*kept.cells.values(), "\x1f")
    verdicts = seen.check(kept.cells["image"], contents)
    rejected = []
    for place in np.flatnonzero(verdicts != NEW).tolist():
        reason = DUPLICATE if verdicts[place] == REPEATED else CHANGED_DUPLICATE
        row, image = kept.numbers[place].as_py(), kept.cells["image"][place].as_py()
        rejected.append(Rejected(row, column, reason, image))
    kept.keep(pa.array(verdicts == NEW))
    return rejected


def _complete_patients(kept: _Rows) -> None:
    patients = pc.utf8_trim_whitespace(kept.cells["patient_id"])
    blank = pc.equal(patients, "")
    made_up = made_up_patients(kept.cells["image"], kept.cells["source"])
    kept.cells["patient_id"] = pc.if_else(blank, made_up, patients)
    kept.cells["flags"] = pc.if_else(blank, "patient_made_up", "")


def _warnings(kept: _Rows) -> dict[str, Warned]:
    image, patient, caption = (kept.cells[name] for name in ("image", "patient_id", "caption"))
    trimmed = pc.utf8_trim_whitespace(patient)
    matches = pc.match_substring_regex
    masks = {
        "patient_made_up": pc.equal(trimmed, ""),
        "patient_trimmed": pc.and_(pc.not_equal(trimmed, patient), pc.not_equal(trimmed, "")),
        "image_blanks": matches(image, _EDGE),
        "mangled": pc.or_(matches(image, MANGLED), matches(patient, MANGLED)),
        "no_suffix": pc.invert(matches(image, _SUFFIX)),
        "placeholder": matches(caption, _PLACEHOLDER),
        "broken": pc.match_substring(caption, "\ufffd"),
    }
    concerned = {name: kept.numbers.filter(mask) for name, mask in masks.items()}
    return {name: Warned(len(rows), rows[0].as_py()) for name, rows in concerned.items() if len(rows)}


def _name(table: Table, columns: Columns, role: str) -> str:
    index = columns.index(role)
    return "" if index is None else column_name(table.header, index)
