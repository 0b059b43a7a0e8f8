"""What a division looks like: a table of what each set holds, and sentences about what it could not do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from annotate.balance import counts, measure
from annotate.groups import CLASSES, SETS, patient_classes, record_classes
from nlp.score_report import format_table

if TYPE_CHECKING:
    from annotate.split import Division


def composition(table: pd.DataFrame, findings: Sequence[str]) -> str:
    """Patients and records per class, and records with each finding, in each set."""
    columns = [*SETS, *([""] if (table["split"] == "").any() else [])]
    patients = table.drop_duplicates(["patient_id", "split"])
    of_patients = patients["patient_id"].map(patient_classes(table))
    of_records = record_classes(table)
    lines = [("", *(name or "no split" for name in columns), "all")]
    lines += _lines("patients", patients["split"], of_patients, columns)
    lines += _lines("records", table["split"], of_records, columns)
    for key in findings:
        lines.append(_line(f"records with {key}", table["split"][table[key] == "1"], columns))
    return format_table(lines)


def sentences(division: Division) -> Iterator[str]:
    """How even the division is, who stayed, and what is missing where."""
    distance = measure(division.groups.amounts, division.sets, division.ratios)
    joined = sum(len(patients) > 1 for patients in division.groups.patients)
    if joined:
        yield f"groups of patients that share images and were kept together: {joined:,}"
    if division.kept:
        yield f"patients that had a set already and stay in it: {division.kept:,} (--again divides everything anew)"
    yield from uncovered(division)
    if distance.strict == distance.relative == 0:
        yield "every count is its target, rounded up or down"
    else:
        proven = "no division is more even" if division.optimal else "a more even division may exist"
        patients = f"{distance.strict:g} patients are" if distance.strict else "no patient is"
        yield (
            f"{patients} beyond the ratios' whole numbers; images and findings are off theirs by "
            f"{distance.relative:.2%} in all; {proven}"
        )


def absent(table: pd.DataFrame, findings: Sequence[str]) -> Iterator[str]:
    """Findings and classes that a set of the table lacks while another has them."""
    used = [name for name in SETS if (table["split"] == name).any()]
    holders = {f"covid19 {name}": record_classes(table) == name for name in CLASSES}
    holders |= {key: table[key] == "1" for key in findings}
    for what, rows in holders.items():
        held = set(table["split"][rows])
        missing = [name for name in used if name not in held]
        if held and missing:
            yield f"no record with {what} in {' and '.join(missing)}"


def uncovered(division: Division) -> Iterator[str]:
    """What is missing in a set that should have it, and why."""
    groups = division.groups
    in_sets = counts(groups.amounts, division.sets, len(SETS))
    for row, (kind, name) in enumerate(groups.labels):
        used = zip(SETS, division.ratios, in_sets[row], strict=True)
        missing = [chosen for chosen, share, count in used if share and not count]
        if groups.amounts.covered[row] and missing:
            what = f"patient of covid19 {name}" if kind == "patients" else f"record with {name}"
            holders = int((groups.amounts.values[:, row] > 0).sum())
            yield f"no {what} in {' and '.join(missing)}: {_why(holders, division)}"


def _why(holders: int, division: Division) -> str:
    needed = sum(share > 0 for share in division.ratios)
    if holders < needed:
        return f"only {holders} {'group' if holders == 1 else 'groups'} of patients {'has' if holders == 1 else 'have'} it"
    earlier = "earlier splits stay as they are (--again divides everything anew)"
    return f"{holders} groups of patients have it, but {earlier if division.kept else 'they hold other rare findings too'}"


def _lines(
    title: str, splits: pd.Series, classes: pd.Series, columns: Sequence[str]
) -> Iterator[tuple[str, ...]]:
    for name in CLASSES:
        if (classes == name).any():
            yield _line(f"{title}, covid19 {name}", splits[classes == name], columns)


def _line(title: str, splits: pd.Series, columns: Sequence[str]) -> tuple[str, ...]:
    numbers = [int((splits == name).sum()) for name in columns]
    return (title, *(f"{number:,}" for number in numbers), f"{sum(numbers):,}")
