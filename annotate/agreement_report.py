"""Agreement as text, JSON and CSV, and what each measure means in one sentence."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from annotate.agreement import PEOPLE, TEXT, PairRow, Report, Row
from annotate.agreement_statistics import Agreement, Measure
from annotate.agreement_tables import FEWEST_PATIENTS
from nlp.score_report import format_table
from nlp.write import replacing

MEASURES: Mapping[str, tuple[str, str]] = {
    "alpha": (
        "Krippendorff's α",
        "Agreement beyond chance of all annotators together, however many read a record: 1 is perfect, 0 is chance,"
        " below 0 worse than chance; Krippendorff asks for 0.80, and for 0.67 where conclusions may be tentative.",
    ),
    "kappa": (
        "Cohen's κ",
        "Agreement beyond chance of two annotators, each with her own habit of saying present; of more than two the"
        " mean over their pairs.",
    ),
    "raw": ("Raw agreement", "How often two readings of one record are the same, chance included."),
    "positive": (
        "Positive agreement",
        "Where one reading says present, how often the other does too: what counts for a rare finding.",
    ),
    "negative": (
        "Negative agreement",
        "Where one reading says absent, how often the other does too: nearly always high for a rare finding.",
    ),
}
"""Title and one sentence of each measure, in the order of the table."""

PREVALENCE = (
    "Share of readings that say present; where it is small, α and κ fall although people hardly differ."
)
CAUTIONS = (
    "Measured before adjudication: what annotators said while they could not see each other.",
    "Annotators see the text's labels first, so the text's agreement with them is not independent of it.",
    "In brackets the 95 % interval; patients are resampled, because images of one patient resemble each other."
    " Where all readings agree it is a point, however few they are.",
)


def as_text(report: Report) -> str:
    """The table as a person reads it in a terminal, with what each measure means."""
    rows = [row for row in report.rows if row.agreement.records]
    if not rows:
        return "Nobody has confirmed a record yet: there is nothing to compare."
    parts = []
    for of in (PEOPLE, TEXT):
        chosen = [row for row in rows if row.of == of]
        if chosen:
            parts += [f"Agreement of {of}", format_table([heading(of), *map(_cells, chosen)]), ""]
        elif of == PEOPLE:
            parts += ["No record has been read by two annotators: give records an overlap of 2.", ""]
    if report.pairs:
        parts += ["Pairs", format_table(_pair_rows(report)), ""]
    return "\n".join([*parts, *explanations(report)])


def heading(of: str) -> tuple[str, ...]:
    """Titles of the columns; the text has no α, which knows no sides."""
    titles = [title for name, (title, _) in MEASURES.items() if of == PEOPLE or name != "alpha"]
    return ("", "records", "patients", "differ", "prevalence", *titles)


def explanations(report: Report) -> Iterator[str]:
    """One sentence about each measure, and what to keep in mind."""
    yield from (f"{title}: {said}" for title, said in MEASURES.values())
    yield f"Prevalence: {PREVALENCE}"
    yield from CAUTIONS
    if report.late:
        yield (
            f"{report.late:,} {'reading was' if report.late == 1 else 'readings were'} made or changed after the record was settled; what the annotators had"
            " said before counts, if anything."
        )
    if any(0 < row.agreement.patients < FEWEST_PATIENTS for row in report.rows):
        yield "Where all records are of one patient there is no interval."


def named(measures: Agreement) -> Iterator[tuple[str, Measure]]:
    """The measures of an ``Agreement`` that apply, by name."""
    found = ((name, getattr(measures, name)) for name in MEASURES)
    yield from ((name, measure) for name, measure in found if measure is not None)


def as_json(report: Report) -> dict[str, Any]:
    """Everything; an undefined value is null, with the reason beside it."""
    return {
        "measured": "before adjudication",
        "annotators": list(report.annotators),
        "late_readings": report.late,
        "bootstrap": {"unit": "patient", "resamples": report.resamples, "seed": report.seed},
        "people": {row.key: _row_json(row) for row in report.rows if row.of == PEOPLE},
        "text": {row.key: _row_json(row) for row in report.rows if row.of == TEXT},
        "pairs": [_pair_json(pair) for pair in report.pairs],
    }


def write_json(report: Report, path: Path) -> None:
    """Write ``as_json``.

    Raises:
        OutputError: it cannot be written; an older one is intact.
    """
    _write(json.dumps(as_json(report), indent=1, ensure_ascii=False, allow_nan=False) + "\n", path)


def write_csv(report: Report, path: Path) -> None:
    """Write the rows of the table; a cell is blank where a measure is undefined, and ``undefined`` says why.

    Raises:
        OutputError: it cannot be written; an older one is intact.
    """
    rows = [{"finding": row.key, "of": row.of, **_flat(row)} for row in report.rows]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]) if rows else ["finding"])
    writer.writeheader()
    writer.writerows(rows)
    _write(text.getvalue(), path)


def _cells(row: Row) -> tuple[str, ...]:
    found = row.agreement
    counts = (f"{number:,}" for number in (found.records, found.patients, found.disagreed))
    share = "" if found.prevalence is None else f"{found.prevalence:.1%}"
    return (row.key, *counts, share, *(str(measure) for _, measure in named(found)))


def _pair_rows(report: Report) -> Iterator[tuple[str, ...]]:
    yield ("", "pair", "records", "differ", "Cohen's κ")
    for pair in sorted(report.pairs, key=lambda pair: report.keys.index(pair.key)):
        numbers = f"{pair.records:,}", f"{pair.disagreed:,}"
        yield (pair.key, f"{pair.first}, {pair.second or 'the text'}", *numbers, str(pair.kappa))


def _row_json(row: Row) -> dict[str, Any]:
    found = row.agreement
    counts = {"records": found.records, "patients": found.patients, "disagreed": found.disagreed}
    measures = {name: _measure_json(measure) for name, measure in named(found)}
    return {**counts, "prevalence": found.prevalence, **measures}


def _pair_json(pair: PairRow) -> dict[str, Any]:
    names = {"finding": pair.key, "first": pair.first, "second": pair.second}  # null: the text
    return {**names, "records": pair.records, "disagreed": pair.disagreed, "kappa": _measure_json(pair.kappa)}


def _measure_json(measure: Measure) -> dict[str, float | str | None]:
    if measure.value is None:
        return {"value": None, "undefined": measure.reason.removeprefix("undefined: ")}
    return {"value": measure.value, "low": measure.low, "high": measure.high}


def _flat(row: Row) -> dict[str, object]:
    found = row.agreement
    cells: dict[str, object] = {
        "records": found.records,
        "patients": found.patients,
        "disagreed": found.disagreed,
        "prevalence": found.prevalence,
    }
    reasons = []
    for name in MEASURES:
        measure = getattr(found, name) or Measure(None)
        cells |= {name: measure.value, f"{name}_low": measure.low, f"{name}_high": measure.high}
        reasons += [f"{name}: {measure.reason.removeprefix('undefined: ')}"] if measure.reason else []
    return {**cells, "undefined": "; ".join(reasons)}


def _write(text: str, path: Path) -> None:
    with replacing([path]) as [file]:
        file.write(text.encode())
