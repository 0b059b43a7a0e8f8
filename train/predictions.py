"""predictions.csv: one schema everywhere, for a run, its folds, and images of anybody.

Numbers are written so that reading them back gives the same float32. A row without numbers belongs to a record that
could not be predicted; its ``warning`` says why. Findings alone are blank where the network did not learn them (mode
``baseline``).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nlp.column_names import listed_columns
from nlp.errors import ContractError, InputError
from nlp.schema import COVID
from nlp.write import replacing
from train.calibration import probability
from train.operating_point import Thresholds
from train.records import Records

FloatArray = NDArray[np.float32]

_BEFORE = ("image", "patient_id", "split", "fold")
_SHOWN = 20


@dataclass(frozen=True, eq=False)
class Predictions:
    """n rows and F findings.

    Attributes:
        images: the names in labels.csv, or the paths that were asked for.
        patient_ids, splits, folds: blank where unknown; a fold is the number, from 0, of the held-out part.
        logits: (n, 1 + F), the flag first; NaN where a record was not predicted, or a finding not learnt.
        probabilities: (n, 1 + F), 0 to 1; the flag's is after temperature scaling.
        called: (n,) 1 or 0: the flag at its operating point; NaN where a record was not predicted.
        warnings: what a reader must know of this row, or blank.
    """

    images: tuple[str, ...]
    patient_ids: tuple[str, ...]
    splits: tuple[str, ...]
    folds: tuple[str, ...]
    logits: FloatArray
    probabilities: FloatArray
    called: FloatArray
    warnings: tuple[str, ...]
    finding_keys: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.images)


def columns(finding_keys: Sequence[str]) -> tuple[str, ...]:
    """The columns of predictions.csv in order."""
    flag = (f"{COVID}_logit", f"{COVID}_probability", f"{COVID}_prediction")
    pairs = (f"{key}_{kind}" for key in finding_keys for kind in ("logit", "probability"))
    return (*_BEFORE, *flag, *pairs, "warning")


def predict_records(
    records: Records,
    logits: FloatArray,
    thresholds: Thresholds,
    *,
    fold: int | None = None,
    warnings: Sequence[str] | None = None,
) -> Predictions:
    """Rows for records and their logits, (n, 1 + F); ``fold`` is the number of the held-out part."""
    blank = ("",) * len(records)
    wide = logits.astype(np.float64)
    probabilities = probability(wide)
    probabilities[:, 0] = probability(wide[:, 0], thresholds.calibration.temperature)
    called = np.where(np.isnan(wide[:, 0]), np.nan, thresholds.covid19.calls(wide[:, 0]))
    return Predictions(
        images=records.images,
        patient_ids=records.patient_ids,
        splits=records.splits,
        folds=blank if fold is None else (str(fold),) * len(records),
        logits=logits.astype(np.float32),
        probabilities=probabilities.astype(np.float32),
        called=called.astype(np.float32),
        warnings=blank if warnings is None else tuple(warnings),
        finding_keys=records.finding_keys,
    )


def joined(parts: Sequence[Predictions]) -> Predictions:
    """Several sets of rows as one, in order; all must have the same findings."""
    chosen: dict[str, object] = {}
    for name in (field.name for field in fields(Predictions) if field.name != "finding_keys"):
        values = [getattr(part, name) for part in parts]
        chosen[name] = np.concatenate(values) if isinstance(values[0], np.ndarray) else sum(values, ())
    return replace(parts[0], **chosen)  # type: ignore[arg-type]


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write predictions.csv, complete or not at all.

    Raises:
        OutputError: it cannot be written; an old file is intact.
    """
    with replacing([path]) as [file]:
        file.write(csv_lines([columns(predictions.finding_keys)]))
        file.write(csv_lines(rows(predictions)))


def rows(predictions: Predictions) -> Iterator[list[str]]:
    """The rows of predictions.csv as text."""
    return (_row(predictions, place) for place in range(len(predictions)))


def csv_lines(cells: Iterable[Sequence[str]]) -> bytes:
    """Rows of cells as they stand in predictions.csv."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(cells)
    return text.getvalue().encode()


def read_predictions(path: Path, finding_keys: Sequence[str] | None = None) -> Predictions:
    """Read predictions.csv.

    Args:
        path: the file.
        finding_keys: what its findings must be, in order; None: whatever it has.

    Raises:
        InputError: the file cannot be read.
        ContractError: other columns, or cells that are no numbers; every one is listed.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as UTF-8 text: {error}") from error
    header, *rows = list(csv.reader(io.StringIO(text, newline=""))) or [[]]
    keys = _finding_keys(path, header, finding_keys)
    numbers, problems = _read_numbers(rows, header)
    if problems:
        more = f"\nand {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise ContractError("\n".join([f"{path}:", *problems[:_SHOWN]]) + more)
    images, patient_ids, splits, folds, warnings = (
        tuple(row[place] for row in rows) for place in (0, 1, 2, 3, -1)
    )
    pairs = np.arange(3, numbers.shape[1], 2)
    return Predictions(
        images=images,
        patient_ids=patient_ids,
        splits=splits,
        folds=folds,
        logits=numbers[:, [0, *pairs]],
        probabilities=numbers[:, [1, *(pairs + 1)]],
        called=numbers[:, 2],
        warnings=warnings,
        finding_keys=keys,
    )


def _row(predictions: Predictions, place: int) -> list[str]:
    texts = (predictions.images, predictions.patient_ids, predictions.splits, predictions.folds)
    pairs = np.stack([predictions.logits[place], predictions.probabilities[place]], axis=1)
    called = predictions.called[place]
    numbers = [_number(value) for value in pairs.ravel()]
    numbers.insert(2, "" if np.isnan(called) else str(int(called)))
    return [*(column[place] for column in texts), *numbers, predictions.warnings[place]]


def _number(value: np.float32) -> str:
    return "" if np.isnan(value) else str(value)  # the shortest text that gives the same float32


def _finding_keys(path: Path, header: Sequence[str], wanted: Sequence[str] | None) -> tuple[str, ...]:
    keys = tuple(name.removesuffix("_logit") for name in header[7:-1:2]) if wanted is None else tuple(wanted)
    if tuple(header) != (expected := columns(keys)):
        raise ContractError(
            f"{path} has the columns {listed_columns(header) or 'of an empty file'}; predictions of these findings have"
            f" {', '.join(expected)}"
        )
    return keys


def _read_numbers(rows: Sequence[Sequence[str]], header: Sequence[str]) -> tuple[FloatArray, list[str]]:
    """(n, 3 + 2 F) numbers from the fifth column on, and what is wrong, by row."""
    numbers = np.full((len(rows), len(header) - 5), np.nan, dtype=np.float32)
    problems = []
    for place, row in enumerate(rows):
        if len(row) != len(header):
            problems.append(f"row {place + 2}: {len(row)} cells where the header has {len(header)}")
            continue
        for column, cell in enumerate(row[4:-1]):
            try:
                numbers[place, column] = float(cell) if cell else np.nan
            except ValueError:
                problems.append(f"row {place + 2}: {header[column + 4]} must be a number or blank")
    return numbers, problems
