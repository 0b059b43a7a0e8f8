"""Records: labels.csv of the contract as arrays to train and measure with, each row with its image file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nlp.entries import Finding
from nlp.errors import TrainingError
from nlp.image_names import find_images
from nlp.lexicon import load_lexicon
from nlp.schema import COVID, SPLIT_VALUES, label_columns
from train.label_rows import LabelRow, listed, read_label_rows

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

Uncertain = Literal["mask", "zero", "one"]
NotMentioned = Literal["zero", "mask"]
ControlsWithoutText = Literal["mask", "zero"]

SPLITS = tuple(split for split in SPLIT_VALUES if split)
SPLIT_COMMAND = "python -m annotate.split labelled.csv -o labelled.csv"
_CELL_NUMBERS = {"1": 1.0, "0": 0.0, "-1": -1.0, "": np.nan}


@dataclass(frozen=True, eq=False)
class Records:
    """n records and F findings, in the order of ``finding_keys``.

    Attributes:
        covid19: (n,) 1 or 0; NaN is masked: suspected, unclear or unstated.
        findings: (n, F) targets after the policies, 1 or 0; NaN is masked.
        finding_cells: (n, F) the cells as they stand: 1, 0, -1, NaN for blank.
        captioned: (n,) whether the record has a text.
    """

    images: tuple[str, ...]
    paths: tuple[Path, ...]
    patient_ids: tuple[str, ...]
    sources: tuple[str, ...]
    diagnoses: tuple[str, ...]
    splits: tuple[str, ...]
    covid19: FloatArray
    findings: FloatArray
    finding_cells: FloatArray
    captioned: BoolArray
    finding_keys: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: IntArray) -> Records:
        """These rows, in this order; a row may come twice."""
        chosen: dict[str, object] = {}
        for name in (field.name for field in fields(self) if field.name != "finding_keys"):
            values = getattr(self, name)
            chosen[name] = values[rows] if isinstance(values, np.ndarray) else tuple(values[i] for i in rows)
        return replace(self, **chosen)  # type: ignore[arg-type]

    def rows(self, split: str) -> IntArray:
        """Numbers of the records of one set, ascending."""
        return np.flatnonzero(np.array(self.splits, dtype=object) == split).astype(np.int64)


def read_records(
    table: Path,
    images: Path,
    *,
    uncertain: Uncertain = "mask",
    not_mentioned: NotMentioned = "zero",
    controls_without_text: ControlsWithoutText = "mask",
    lexicon: Path | None = None,
) -> Records:
    """Read labels.csv and find every image.

    Args:
        table: UTF-8 CSV with the columns of ``nlp.schema.label_columns``, in any order; others are ignored.
        images: the folder that the names in ``image`` are below.
        uncertain: what -1 becomes for a finding; the flag's -1 is always masked.
        not_mentioned: what a blank becomes where a caption was read and no person confirmed the record.
        controls_without_text: what a blank becomes for controls (``covid19`` 0) without a caption; "zero" takes
            them as free of lesions.
        lexicon: folder of the lexicon that made the labels; by default the toolkit's own.

    Raises:
        InputError: the table cannot be read.
        ImageError: images cannot be found; every miss is listed.
        ContractError: rows break the contract; every breach is listed with its row.
    """
    kinds = load_lexicon(lexicon).findings
    keys = tuple(kind.key for kind in kinds)
    rows = read_label_rows(table, label_columns(keys))
    cells = np.array([[_CELL_NUMBERS[row[key]] for key in keys] for row in rows], dtype=np.float32)
    flags = np.array([_CELL_NUMBERS[row[COVID]] for row in rows], dtype=np.float32)
    captioned = np.array([bool(row["caption"].strip()) for row in rows])
    reviewed = np.array([row["review"] != "auto" for row in rows])
    absent = np.where(captioned, not_mentioned == "zero", (flags == 0) & (controls_without_text == "zero"))
    targets = _targets(cells, kinds, absent=absent, reviewed=reviewed, uncertain=uncertain)
    names = _column(rows, "image")
    return Records(
        images=names,
        paths=tuple(find_images(names, images)),
        patient_ids=_column(rows, "patient_id"),
        sources=_column(rows, "source"),
        diagnoses=_column(rows, "diagnosis"),
        splits=_column(rows, "split"),
        covid19=np.where(flags < 0, np.nan, flags).astype(np.float32),
        findings=targets,
        finding_cells=cells,
        captioned=captioned,
        finding_keys=keys,
    )


def check_trainable(records: Records, *, sets: Sequence[str] = SPLITS) -> None:
    """Stop before training on records that no honest figure can come from.

    Args:
        sets: the sets that must be there, each with confirmed cases and controls.

    Raises:
        TrainingError: blank splits, a set that is missing or has one class, a patient in two sets; all at once,
            with the command that mends them.
    """
    torn = list(_shared_patients(records))
    problems = [*_blank_splits(records), *_set_problems(records, sets), *torn]
    if not problems:
        return
    heading = "these records cannot be trained on:"
    again = " --again" if torn else ""  # only a split made anew brings torn patients together
    mend = f"A split by patient with both classes in every set comes from: {SPLIT_COMMAND}{again}"
    if not {0, 1} <= set(records.covid19.tolist()):
        mend = "The table itself has only one class; add records with covid19 = 1 and with covid19 = 0"
    raise TrainingError(f"{listed(heading, problems)}\n{mend}")


# ---- what a cell means


def _targets(
    cells: FloatArray,
    kinds: Sequence[Finding],
    *,
    absent: BoolArray,
    reviewed: BoolArray,
    uncertain: Uncertain,
) -> FloatArray:
    """Targets of every cell, (n, F); blanks of the rows in ``absent`` (n,) are 0.

    A text that names a finding need not name what the finding is made of: such blanks are unknown, not absent.
    A person who confirmed the record saw the image, so what is left blank there is absent.
    """
    entailed = (cells == 1).astype(np.int64) @ _entailments(kinds) > 0
    zero = reviewed[:, None] | (absent[:, None] & ~entailed)
    targets = np.where(np.isnan(cells) & zero, 0.0, cells)
    in_doubt = {"mask": np.nan, "zero": 0.0, "one": 1.0}[uncertain]
    return np.where(cells == -1, in_doubt, targets).astype(np.float32)


def _entailments(kinds: Sequence[Finding]) -> IntArray:
    """(F, F): 1 where the finding of the row entails that of the column, at once or by way of others."""
    direct = np.array([[other.key in kind.entails for other in kinds] for kind in kinds], dtype=np.int64)
    itself = np.eye(len(kinds), dtype=np.int64)
    reached = np.linalg.matrix_power(np.minimum(direct + itself, 1), len(kinds)) > 0
    return reached.astype(np.int64) - itself


def _column(rows: Sequence[LabelRow], name: str) -> tuple[str, ...]:
    return tuple(row[name] for row in rows)


# ---- what no network can be trained on


def _blank_splits(records: Records) -> Iterator[str]:
    blank = [image for image, split in zip(records.images, records.splits, strict=True) if not split]
    if blank:
        yield f"{len(blank)} of {len(records)} records have no split, the first is {blank[0]!r}"


def _set_problems(records: Records, sets: Sequence[str]) -> Iterator[str]:
    if not any(records.splits):
        return  # said already
    for split in sets:
        flags = records.covid19[records.rows(split)]
        if not len(flags):
            yield f"no record is in the set {split}"
        for value, name in ((1, "confirmed COVID-19 (covid19 = 1)"), (0, "control (covid19 = 0)")):
            if len(flags) and not np.any(flags == value):
                yield f"the set {split} has no {name}, records: {len(flags)}"


def _shared_patients(records: Records) -> Iterator[str]:
    """A patient that a network has seen in training is no test of it."""
    first: dict[str, str] = {}
    torn: dict[str, set[str]] = {}
    for patient, split in zip(records.patient_ids, records.splits, strict=True):
        if split and first.setdefault(patient, split) != split:
            torn.setdefault(patient, {first[patient]}).add(split)
    for patient, found in torn.items():
        yield f"patient {patient!r} is in several sets: {', '.join(s for s in SPLITS if s in found)}"
