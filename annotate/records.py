"""What every conversion shares: blank cells filled in, image names made paths, and the summary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pyarrow as pa

from nlp.ids import made_up_patients
from nlp.image_names import IMAGE_SUFFIXES, find_images
from nlp.schema import CELL_VALUES, COVID, label_columns
from nlp.score_report import format_table

_SHOWN = 20


@dataclass(frozen=True)
class Converted:
    """A table of the contract, and what had to be said on the way."""

    table: pd.DataFrame
    notes: list[str] = field(default_factory=list)


def complete(table: pd.DataFrame, findings: Sequence[str]) -> pd.DataFrame:
    """All columns of the contract in their order; patients made up where blank, flags set, review ``auto``."""
    names = [column.name for column in label_columns(findings)]
    table = table.assign(**{name: "" for name in names if name not in table.columns})
    blank = table["patient_id"] == ""
    images, sources = (pa.array(table[name].tolist(), pa.string()) for name in ("image", "source"))
    patients = table["patient_id"].mask(
        blank, pd.Series(made_up_patients(images, sources).to_pylist(), table.index)
    )
    made_up = blank.map({True: "patient_made_up", False: ""})
    no_text = (table["caption"].str.strip() == "").map({True: "no_text", False: ""})
    flags = [";".join(filter(None, pair)) for pair in zip(made_up, no_text, strict=True)]
    return table.assign(patient_id=patients, flags=flags, review="auto")[names]


def use_paths(table: pd.DataFrame, images: Path) -> tuple[pd.DataFrame, list[str]]:
    """Replace image names by paths below the image folder; notes name the image files that have no row.

    Raises:
        ImageError: lists every name without a file or with several.
    """
    found = find_images(table["image"].tolist(), images)
    paths = [path.relative_to(images).as_posix() for path in found]
    files = (path for path in images.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file())
    extra = sorted({path.relative_to(images).as_posix() for path in files} - set(paths))
    more = f" and {len(extra) - _SHOWN:,} more" if len(extra) > _SHOWN else ""
    note = f"image files without a row, left out: {len(extra):,} ({', '.join(extra[:_SHOWN])}{more})"
    return table.assign(image=paths), [note] if extra else []


def summary(table: pd.DataFrame, findings: Sequence[str]) -> str:
    """Records and patients in all, per class and split; then the cells of each finding."""
    sizes = [("", "records", "patients"), _sizes("all", table)]
    for name in (COVID, "split"):
        sizes += [_sizes(f"{name} {value or 'blank'}", rows) for value, rows in table.groupby(name)]
    cells = [("", *(value or "blank" for value in CELL_VALUES))]
    for key in findings:
        cells.append((key, *(f"{int((table[key] == value).sum()):,}" for value in CELL_VALUES)))
    return f"{format_table(sizes)}\n\n{format_table(cells)}"


def _sizes(name: str, rows: pd.DataFrame) -> tuple[str, ...]:
    return name, f"{len(rows):,}", f"{rows['patient_id'].nunique():,}"
