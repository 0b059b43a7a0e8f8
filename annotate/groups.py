"""Who must stay together: patients, and patients that share an image, as groups with what they hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from annotate.balance import Amounts
from annotate.search import IntArray
from annotate.tables import read_table
from nlp.column_names import listed_columns
from nlp.errors import ContractError, InputError
from nlp.image_names import stem
from nlp.schema import COVID, SPLIT_VALUES

SETS: tuple[str, ...] = tuple(value for value in SPLIT_VALUES if value)
CLASSES = ("1", "0", "rest")
"""Of a patient: 1 where any record is, else 0 where any is; the rest are suspected or unstated."""

_LARGE_SOURCE = 0.05
_LISTED = 20


@dataclass(frozen=True)
class Groups:
    """Groups of patients, sorted by the first of their ids.

    Attributes:
        patients: the ids of each group, sorted.
        rows: the group of every row of the table; shape (n_rows,).
        labels: what ``amounts.values`` counts, as (kind, name): kinds are patients (per class), records
            (per class), finding (records where it is present) and source (records of a large one).
    """

    patients: tuple[tuple[str, ...], ...]
    rows: IntArray
    labels: tuple[tuple[str, str], ...]
    amounts: Amounts


def make_groups(
    table: pd.DataFrame,
    findings: Sequence[str],
    pairs: Sequence[tuple[str, str]] = (),
    *,
    again: bool = False,
) -> Groups:
    """Group the rows of a labelled table.

    Args:
        pairs: images that must stay in one set, such as near-duplicates.
        again: forget the splits that the table has.

    Raises:
        ContractError: groups that the table's splits tear apart; all are named.
    """
    ids, rows = np.unique(table["patient_id"].to_numpy(dtype=str), return_inverse=True)
    group_of = _join(len(ids), rows.reshape(-1), _places(table, pairs))
    members: list[list[str]] = [[] for _ in range(group_of.max() + 1)]
    for patient, group in zip(ids.tolist(), group_of.tolist(), strict=True):
        members[group].append(patient)
    of_rows = group_of[rows.reshape(-1)]
    patients = tuple(map(tuple, members))
    splits = pd.Series("", table.index) if again else table["split"]
    fixed = _fixed(splits, of_rows, patients)
    labels, values = _values(table, findings, ids, group_of, of_rows)
    kinds = np.array([kind for kind, _ in labels])
    strict = kinds == "patients"
    amounts = Amounts([each[0] for each in patients], values, fixed, strict | (kinds == "finding"), strict)
    return Groups(patients, of_rows, labels, amounts)


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """The columns ``image_a`` and ``image_b`` of a table such as near_duplicates.csv.

    Raises:
        InputError: it cannot be read or lacks one of them.
    """
    table = read_table(path)
    if missing := [name for name in ("image_a", "image_b") if name not in table.columns]:
        raise InputError(
            f"{path} lacks the columns {', '.join(missing)}; it has {listed_columns(list(table.columns))}"
        )
    return list(zip(table["image_a"], table["image_b"], strict=True))


def _places(table: pd.DataFrame, pairs: Sequence[tuple[str, str]]) -> IntArray:
    """The rows of both images of each pair, shape (n_pairs, 2); found by image, else by a stem of one row."""
    if not pairs:
        return np.empty((0, 2), dtype=np.int64)
    images = table["image"].tolist()
    stems = pd.Series([stem(name.rsplit("/", 1)[-1]) for name in images])
    unique = stems[~stems.duplicated(keep=False)]
    places = dict(zip(unique, unique.index, strict=True)) | {name: row for row, name in enumerate(images)}
    names = [name for pair in pairs for name in pair]
    found = [places.get(name, places.get(stem(name.rsplit("/", 1)[-1]))) for name in names]
    if unknown := sorted({name for name, row in zip(names, found, strict=True) if row is None}):
        more = f" and {len(unknown) - _LISTED:,} more" if len(unknown) > _LISTED else ""
        named = ", ".join(map(repr, unknown[:_LISTED]))
        raise ContractError(
            f"{len(unknown):,} images to keep together are not in the table: {named}{more}; "
            "take these rows out of the file, or split the table that has them"
        )
    return np.array(found, dtype=np.int64).reshape(-1, 2)


def _join(count: int, patient_of_row: IntArray, places: IntArray) -> IntArray:
    """The group of each patient, numbered in the order of the first patient."""
    left, right = patient_of_row[places].T
    links = coo_array((np.ones(len(left)), (left, right)), shape=(count, count))
    _, found = connected_components(links, directed=False)
    _, first = np.unique(found, return_index=True)
    group_of: IntArray = np.argsort(np.argsort(first))[found].astype(np.int64)
    return group_of


def _fixed(splits: pd.Series, of_rows: IntArray, patients: Sequence[Sequence[str]]) -> IntArray:
    fixed = np.full(len(patients), -1, dtype=np.int64)
    given = (
        pd.DataFrame({"group": of_rows, "split": splits.to_numpy()}).query("split != ''").drop_duplicates()
    )
    fixed[given["group"]] = [SETS.index(value) for value in given["split"]]
    torn = given.groupby("group")["split"].agg(list)
    torn = torn[torn.str.len() > 1]
    if len(torn):
        lines = [
            f"  {', '.join(patients[group])}: {' and '.join(sorted(values, key=SETS.index))}"
            for group, values in torn.items()
        ]
        raise ContractError(
            "\n".join([f"{len(torn):,} patients (or groups that share images) lie in several sets:", *lines])
            + "\nmend the split column, or divide everything anew with --again"
        )
    return fixed


def _values(
    table: pd.DataFrame, findings: Sequence[str], ids: np.ndarray, group_of: IntArray, of_rows: IntArray
) -> tuple[tuple[tuple[str, str], ...], IntArray]:
    """The amounts of each group, shape (n_groups, n_amounts), and what they count."""
    classes = patient_classes(table)
    columns: dict[tuple[str, str], IntArray] = {}
    count = int(group_of.max()) + 1
    for name in CLASSES:
        columns["patients", name] = np.bincount(group_of[classes[ids].to_numpy() == name], minlength=count)
    for name in CLASSES:
        columns["records", name] = np.bincount(of_rows[record_classes(table) == name], minlength=count)
    for key in findings:
        columns["finding", key] = np.bincount(of_rows[table[key] == "1"], minlength=count)
    shares = table["source"].value_counts(normalize=True)
    for name in sorted(shares[shares >= _LARGE_SOURCE].index):
        if name and len(shares) > 1:
            columns["source", name] = np.bincount(of_rows[table["source"] == name], minlength=count)
    kept = {label: column for label, column in columns.items() if column.any()}
    return tuple(kept), np.stack(list(kept.values()), axis=1).astype(np.int64)


def patient_classes(table: pd.DataFrame) -> pd.Series:
    """The class of each patient, by id."""
    rank = pd.Series(record_classes(table).map(CLASSES.index).to_numpy(), table["patient_id"].to_numpy())
    return rank.groupby(level=0).min().map(lambda place: CLASSES[place])


def record_classes(table: pd.DataFrame) -> pd.Series:
    return table[COVID].where(table[COVID].isin(["1", "0"]), "rest")
