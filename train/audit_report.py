"""The report of an audit: one ``report.html`` and a table for each part. It holds no caption."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path

from nlp.write import replacing, writing
from train.audit import Audit
from train.audit_data import COVERAGE_COLUMNS, SHARED_COLUMNS
from train.audit_pictures import pair_pictures
from train.audit_tables import (
    contradiction_table,
    coverage_table,
    pairs_table,
    shared_table,
    shortcuts_table,
    source_sentence,
    summary_table,
    suspects_table,
)
from train.audit_text import COLUMNS as CONTRADICTION_COLUMNS
from train.audit_text import contradiction_rows
from train.html_page import figure_html, heading, html_page, table_html
from train.label_errors import COLUMNS as SUSPECT_COLUMNS
from train.label_errors import suspect_rows
from train.near_duplicates import CERTAIN, POSSIBLE, pair_rows
from train.near_duplicates import COLUMNS as PAIR_COLUMNS
from train.predictions import csv_lines
from train.report_tables import Table
from train.shortcut import Shortcut

SHORTCUT_COLUMNS = ("features", "meaning", "model", "auc", "auc_low", "auc_high", "n_positive", "n_negative")

LIMITS = (
    "A pair of near duplicates is certain where the details of both pictures agree nearly everywhere: the median local"
    f" correlation is at least {CERTAIN}. From {POSSIBLE} on it is possible: mostly the next slice of one"
    " examination. Mirrored copies are not found.",
    "A caption of several panels may be right about the figure and wrong about the image: contradictions with such"
    " texts are for a person to settle.",
    "A suspected label is one that networks find unlikely, and networks err; look before you change it.",
    "The file alone is measured on the whole table out of fold. A low AUC does not prove that there is no shortcut.",
)

Rows = Iterable[Sequence[str]]


def write_audit(found: Audit, out: Path) -> tuple[Path, ...]:
    """Write the page and the tables into a folder, which is made if needed; their paths.

    Tables of what was skipped are not written.

    Raises:
        OutputError: something cannot be written; older files are intact.
        ImageError: an image of a pair can no longer be read.
    """
    files = {"report.html": page(found).encode()}
    for name, columns, rows in _tables(found):
        files[name] = csv_lines([columns]) + csv_lines(rows)
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    paths = tuple(out / name for name in files)
    with replacing(paths) as handles:
        for handle, content in zip(handles, files.values(), strict=True):
            handle.write(content)
    return paths


def page(found: Audit) -> str:
    """The report as one HTML page."""
    return html_page("Audit of labelled images", _body(found))


def _body(found: Audit) -> Iterator[str]:
    yield heading("In short")
    yield table_html(summary_table(found))
    yield from _sentences(found.skipped, "soft")
    yield heading("Near duplicates")
    yield from _part(pairs_table(found), "No two pictures show the same slice.")
    yield from (figure_html(picture) for picture in pair_pictures(found.records, found.pairs))
    yield heading("Patients and sources across sets")
    yield from _part(shared_table(found), "No patient and no source lies in two sets.")
    yield from _sentences([source_sentence(found.records)], "")
    if found.shortcuts:
        yield heading("What the files alone say")
        yield table_html(shortcuts_table(found))
    yield heading("What each set covers")
    yield table_html(coverage_table(found))
    if found.contradictions is not None:
        yield heading("Labels against texts")
        yield from _part(contradiction_table(found), "No label contradicts its text.")
    if found.suspects is not None:
        yield heading("Suspected label errors")
        yield from _part(suspects_table(found), "No label is suspect.")
    yield heading("Limits")
    yield "<ul>" + "".join(f"<li>{escape(limit)}</li>" for limit in LIMITS) + "</ul>"


def _part(table: Table, nothing: str) -> Iterator[str]:
    yield table_html(table) if table.rows else f"<p>{escape(nothing)}</p>"


def _sentences(sentences: Iterable[str], name: str) -> Iterator[str]:
    yield from (f'<p class="{name}">{escape(sentence)}</p>' for sentence in sentences if sentence)


def _tables(found: Audit) -> Iterator[tuple[str, Sequence[str], Rows]]:
    records = found.records
    for name, certain in (("near_duplicates.csv", True), ("possible_duplicates.csv", False)):
        pairs = [pair for pair in found.pairs if pair.certain is certain]
        yield name, PAIR_COLUMNS, pair_rows(records, pairs)
    yield "shared_between_sets.csv", SHARED_COLUMNS, (each.row for each in found.shared)
    yield "coverage.csv", COVERAGE_COLUMNS, (each.row for each in found.cells)
    if found.shortcuts:
        yield "shortcuts.csv", SHORTCUT_COLUMNS, map(_shortcut_row, found.shortcuts)
    if found.contradictions is not None:
        rows = contradiction_rows(records, found.contradictions)
        yield "contradictions.csv", CONTRADICTION_COLUMNS, rows
    if found.suspects is not None:
        yield "label_errors.csv", SUSPECT_COLUMNS, suspect_rows(records, found.suspects)


def _shortcut_row(shortcut: Shortcut) -> tuple[str, ...]:
    output = shortcut.sets["out_of_fold"]
    area = output.metrics["auc"]
    figures = ("" if value is None else f"{value:.4f}" for value in (area.value, area.low, area.high))
    counts = map(str, (output.n_positive, output.n_negative))
    return (shortcut.group, shortcut.meaning, shortcut.model, *figures, *counts)
