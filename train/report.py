"""The report of a run: ``figures/*.png``, one self-contained ``report.html``, and ``model_card.md``.

The page needs no network and runs no script; everything shown is escaped. It holds no caption.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path

from nlp.write import replacing, writing
from train.html_page import figure_html, heading, html_page, table_html
from train.model_card import model_card
from train.pictures import Picture, pictures
from train.pictures_attention import RULE, attention_pictures
from train.records import Records
from train.report_classes import class_tables
from train.report_facts import LIMITS, data_tables, image_warnings, settings_table
from train.report_tables import (
    Table,
    cutoff_table,
    few_patients,
    findings_table,
    headline_table,
    question,
    shortcut_sentence,
    shortcut_table,
)
from train.run_files import Run, read_run

_PARTS = {"curves": "Curves", "findings": "Findings", "attention": "Where it looks", "data": "Data"}


def write_report(folder: Path, records: Records) -> None:
    """Write the figures, the page and the model card of a finished run into its folder.

    Args:
        folder: with config.toml, metrics.json, predictions.csv and history.csv.
        records: those the run was made of.

    Raises:
        InputError: a file of the run is missing or cannot be read.
        ContractError: the predictions are of other records or findings.
        OutputError: something cannot be written; older files are intact.
    """
    run = read_run(folder, records)
    made = (*pictures(run), *attention_pictures(folder, run))
    target = folder / "figures"
    with writing(target):
        target.mkdir(exist_ok=True)
    paths = [target / f"{picture.name}.png" for picture in made]
    contents = [*(picture.png for picture in made), page(run, made).encode(), model_card(run).encode()]
    with replacing([*paths, folder / "report.html", folder / "model_card.md"]) as files:
        for file, content in zip(files, contents, strict=True):
            file.write(content)


def page(run: Run, made: Sequence[Picture]) -> str:
    """The report as one HTML page."""
    return html_page(f"Run {run.name}", [*_beginning(run), *_parts(run, made), *_ending(run)])


def _beginning(run: Run) -> Iterator[str]:
    """What was asked, the headline, and the file alone beside it."""
    yield heading("What was asked")
    yield f"<p>{escape(question(run))}</p>"
    yield heading("How good it is")
    if sentence := shortcut_sentence(run):
        yield f'<p class="warn">{escape(sentence)}</p>'
    yield table_html(headline_table(run))
    if warnings := list(few_patients(run)):
        yield f'<p class="soft">{escape(" ".join(warnings))}</p>'
    if table := shortcut_table(run):
        yield f"<h3>{escape(table.title)}</h3>"
        yield table_html(table)


def _parts(run: Run, made: Sequence[Picture]) -> Iterator[str]:
    for part, title in _PARTS.items():
        if part == "attention" and not any(picture.part == part for picture in made):
            continue
        yield heading(title)
        if part == "attention":
            yield f"<p>{escape(RULE)}</p>"
        if part == "findings":
            yield from _findings(run)
            yield from _tables(class_tables(run))
        if part == "data":
            yield from _data(run)
        yield from (figure_html(picture) for picture in made if picture.part == part)
        if part == "curves" and (table := cutoff_table(run)):
            yield f"<h3>{escape(table.title)}</h3>"
            yield table_html(table)


def _findings(run: Run) -> Iterator[str]:
    table = findings_table(run)
    yield (
        table_html(table)
        if table
        else "<p>This run learnt the flag alone: the findings' outputs are untrained.</p>"
    )


def _data(run: Run) -> Iterator[str]:
    yield from (f"<p>{escape(sentence)}</p>" for sentence in image_warnings(run))
    yield from _tables(data_tables(run))


def _tables(tables: Iterable[Table]) -> Iterator[str]:
    for table in tables:
        yield f"<h3>{escape(table.title)}</h3>"
        yield table_html(table)


def _ending(run: Run) -> Iterator[str]:
    table = settings_table(run)
    yield heading(table.title)
    yield table_html(table, name="settings")
    yield heading("Limits")
    yield "<ul>" + "".join(f"<li>{escape(limit)}</li>" for limit in LIMITS) + "</ul>"
