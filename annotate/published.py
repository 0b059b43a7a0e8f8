"""The published COVID-CT and LA-DNN files as records of the contract.

``{train,val,test}_meta.csv`` say which images there are, their split, flag and lesions; the MetaInfo tables
(``annotate.metainfo``) add patients, articles and captions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from annotate.metainfo import About, article, image_names, one_column, read_about, read_raw
from annotate.records import Converted, complete, use_paths
from nlp.entries import Finding
from nlp.errors import ContractError
from nlp.image_names import stem
from nlp.schema import COVID

SPLIT_FILES: Mapping[str, str] = {split: f"{split}_meta.csv" for split in ("train", "val", "test")}
COVID_MARK = "CVD19"


def read_published(folder: Path, findings: Sequence[Finding], *, images: Path | None = None) -> Converted:
    """Every image of the three split files, once, with what all tables say of it.

    A lesion that is marked is 1; one that is not was not mentioned: blank. An image whose flag is not
    marked is a control.

    Args:
        images: image folder; names become paths below it. Without it they stay as published.

    Raises:
        InputError: a file is missing or lacks a column.
        ContractError: a cell is no mark.
        ImageError: images without a file.
    """
    parts = [_split_rows(folder / name, split, findings) for split, name in SPLIT_FILES.items()]
    listed = pd.concat(parts, ignore_index=True)
    listed.index += 2  # row numbers as a spreadsheet will show them
    about, notes = read_about(folder)
    known = [about.get(name) or about.get(stem(name)) for name in listed["image"]]
    unknown = [name for name, found in zip(listed["image"], known, strict=True) if found is None]
    if unknown:
        notes.append(f"images without a row in a MetaInfo table, kept: {len(unknown)} ({', '.join(unknown)})")
    said = [found or About(source=article(name)) for found, name in zip(known, listed["image"], strict=True)]
    table = listed.assign(
        patient_id=[each.patient for each in said],
        source=[each.source for each in said],
        caption=[each.caption for each in said],
    )
    table = complete(table, [finding.key for finding in findings])
    if images is not None:
        table, unlisted = use_paths(table, images)
        notes += unlisted
    return Converted(table, notes)


def _split_rows(path: Path, split: str, findings: Sequence[Finding]) -> pd.DataFrame:
    """The rows of one split file: image, split, flag and lesions as cells of the contract."""
    table = read_raw(path)
    one_column(path, table, COVID_MARK)
    flag = [mark or "0" for mark in _marks(path, table, COVID_MARK)]
    lesions = {finding.key: _marks(path, table, finding.abbreviation) for finding in findings}
    return pd.DataFrame({"image": image_names(table), COVID: flag, **lesions, "split": split}, dtype=object)


def _marks(path: Path, table: pd.DataFrame, name: str) -> list[str]:
    """1 where a cell repeats its column's name (or holds 1), else blank; all blank without such a column."""
    if name not in table.columns:
        return [""] * len(table)
    cells = table[name].str.strip()
    if len(wrong := cells[~cells.isin(["", name, "1"])]):
        rows = ", ".join(map(str, wrong.index[:10]))
        raise ContractError(f"{path}: column {name} must hold {name}, 1 or blank; it does not in rows {rows}")
    return ["1" if cell else "" for cell in cells]
