"""The report of a run: ``figures/*.png``, one self-contained ``report.html``, and ``model_card.md``.

The page needs no network and runs no script; everything shown is escaped. It holds no caption.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path

from nlp.write import replacing, writing
from train.model_card import model_card
from train.pictures import Picture, pictures
from train.pictures_attention import RULE, attention_pictures
from train.records import Records
from train.report_classes import class_tables
from train.report_facts import LIMITS, data_tables, image_warnings, settings_table
from train.report_tables import (
    Table,
    few_patients,
    findings_table,
    headline_table,
    question,
    shortcut_sentence,
    shortcut_table,
)
from train.run_files import Run, read_run

DISCLAIMER = "For research, not for diagnosis."

_STYLE = """
:root { color-scheme: light dark; --paper: #ffffff; --ink: #1b1f24; --soft: #59636e; --line: #d5dbe1; --warn: #8a4b00; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14181d; --ink: #e8ecf0; --soft: #a3adb8; --line: #38414b; --warn: #f0b35a; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 64rem; padding: 1.5rem 1rem 3rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.6 system-ui, "Segoe UI", "Noto Sans", sans-serif; }
h1 { font-size: 1.5rem; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .5rem; padding-top: .8rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.4rem 0 .3rem; }
p { max-width: 46rem; margin: .4rem 0; }
.soft, figcaption { color: var(--soft); font-size: .875rem; }
.warn { color: var(--warn); font-weight: 600; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; margin: .4rem 0; }
th, td { text-align: left; padding: .25rem .9rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; }
.settings td { overflow-wrap: anywhere; }
figure { margin: 1.2rem 0; max-width: 45rem; }
img { display: block; width: 100%; height: auto; background: #ffffff; padding: .5rem; border: 1px solid var(--line);
  border-radius: .3rem; }
"""
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
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    title = f"Run {run.name}"
    body = "\n".join([*_beginning(run), *_parts(run, made), *_ending(run)])
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<header>\n<h1>{escape(title)}</h1>\n"
        f'<p class="warn">{escape(DISCLAIMER)}</p>\n</header>\n<main>\n{body}\n</main>\n</body>\n</html>\n'
    )


def _beginning(run: Run) -> Iterator[str]:
    """What was asked, the headline, and the file alone beside it."""
    yield _heading("What was asked")
    yield f"<p>{escape(question(run))}</p>"
    yield _heading("How good it is")
    if sentence := shortcut_sentence(run):
        yield f'<p class="warn">{escape(sentence)}</p>'
    yield _table(headline_table(run))
    if warnings := list(few_patients(run)):
        yield f'<p class="soft">{escape(" ".join(warnings))}</p>'
    if table := shortcut_table(run):
        yield f"<h3>{escape(table.title)}</h3>"
        yield _table(table)


def _parts(run: Run, made: Sequence[Picture]) -> Iterator[str]:
    for part, heading in _PARTS.items():
        if part == "attention" and not any(picture.part == part for picture in made):
            continue
        yield _heading(heading)
        if part == "attention":
            yield f"<p>{escape(RULE)}</p>"
        if part == "findings":
            yield from _findings(run)
            yield from _tables(class_tables(run))
        if part == "data":
            yield from _data(run)
        yield from (_figure(picture) for picture in made if picture.part == part)


def _findings(run: Run) -> Iterator[str]:
    table = findings_table(run)
    yield (
        _table(table)
        if table
        else "<p>This run learnt the flag alone: the findings' outputs are untrained.</p>"
    )


def _data(run: Run) -> Iterator[str]:
    yield from (f"<p>{escape(sentence)}</p>" for sentence in image_warnings(run))
    yield from _tables(data_tables(run))


def _tables(tables: Iterable[Table]) -> Iterator[str]:
    for table in tables:
        yield f"<h3>{escape(table.title)}</h3>"
        yield _table(table)


def _ending(run: Run) -> Iterator[str]:
    table = settings_table(run)
    yield _heading(table.title)
    yield _table(table, name="settings")
    yield _heading("Limits")
    yield "<ul>" + "".join(f"<li>{escape(limit)}</li>" for limit in LIMITS) + "</ul>"


def _heading(text: str) -> str:
    return f"<h2>{escape(text)}</h2>"


def _table(table: Table, name: str = "") -> str:
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in table.header)
    rows = "".join(
        f'<tr><th scope="row">{escape(first)}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in rest)
        + "</tr>\n"
        for first, *rest in table.rows
    )
    kind = f' class="{escape(name, quote=True)}"' if name else ""
    note = f'<p class="soft">{escape(table.note)}</p>' if table.note else ""
    return f'<div class="scroll"><table{kind}>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>{note}'


def _figure(picture: Picture) -> str:
    data = base64.b64encode(picture.png).decode()
    return (
        f'<figure id="{escape(picture.name, quote=True)}">\n<h3>{escape(picture.title)}</h3>\n'
        f'<img alt="{escape(f"{picture.title}. {picture.words}", quote=True)}" src="data:image/png;base64,{data}">\n'
        f"<figcaption>{escape(picture.words)}</figcaption>\n</figure>"
    )
