"""``model_card.md`` of a run, after Mitchell et al. 2019, doi:10.1145/3287560.3287596."""

from __future__ import annotations

import re
from collections.abc import Iterator

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
from train.run_files import Run

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#])")


def model_card(run: Run) -> str:
    """The card as Markdown."""
    return "\n".join(_lines(run)) + "\n"


def _lines(run: Run) -> Iterator[str]:
    yield f"# Model card: {plain(run.name)}"
    yield "\n**For research, not for diagnosis.**\n"
    yield plain(question(run))
    yield "\n## Intended use\n"
    yield "Research on labels, training and shortcuts in chest CT. Not for patients, triage, screening or any decision"
    yield "about a person."
    yield "\n## How good it is\n"
    if sentence := shortcut_sentence(run):
        yield f"**{plain(sentence)}**\n"
    for table in (headline_table(run), shortcut_table(run), findings_table(run)):
        if table:
            yield from _markdown(table)
    yield from (f"- {plain(sentence)}" for sentence in few_patients(run))
    yield "\n## Data\n"
    yield from (f"- {plain(sentence)}" for sentence in image_warnings(run))
    for table in data_tables(run):
        yield from _markdown(table)
    yield "## Limits\n"
    yield from (f"- {plain(limit)}" for limit in LIMITS)
    yield "\n## How it was made\n"
    yield from _markdown(settings_table(run))
    yield "Use it with `python -m train.predict` and this folder, which holds the weights and the order of findings."


def plain(text: str) -> str:
    r"""Text that Markdown shows as it is.

    >>> plain("a|b <i>_c_")
    'a\\|b \\<i\\>\\_c\\_'
    """
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _markdown(table: Table) -> Iterator[str]:
    yield f"### {plain(table.title)}\n"
    for place, row in enumerate((table.header, *table.rows)):
        yield "| " + " | ".join(plain(cell) for cell in row) + " |"
        if place == 0:
            yield "|" + " --- |" * len(row)
    yield f"\n{plain(table.note)}\n" if table.note else ""
