"""What an adjudicator sees of a record, as HTML: the sources side by side, and the caption with its mentions.

Everything from data is escaped. Colours mix with that of the text, so that they can be read on light and dark, and
words and signs say the same as colour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, cast

import sqlalchemy as sa

from annotate.adjudication_cases import TEXT_TITLE, Case, Column
from annotate.store_tables import MENTION
from nlp.entries import Lexicon
from nlp.explain import highlighted
from nlp.page import COVID_COLOUR, css_class
from nlp.schema import COVID

if TYPE_CHECKING:
    from nlp.assertion import Mention

CELL_WORDS: Mapping[str, str] = {"1": "present", "0": "absent", "-1": "uncertain", "": "not said"}
_SIGNS: Mapping[str, str] = {"1": "●", "0": "○", "-1": "◐", "": "–"}

_STYLE = """<style>
.sources { border-collapse: collapse; width: 100%; }
.sources th, .sources td { text-align: left; padding: .35rem .9rem .35rem .5rem; border: 0; vertical-align: top; }
.sources tr + tr > * { border-top: 1px solid color-mix(in srgb, currentColor 14%, transparent); }
.sources th[scope=row] { font-weight: 500; }
.sources td { white-space: nowrap; }
.sources .differs > * { background: color-mix(in srgb, #d9a400 16%, transparent); }
.sources .differs > th { font-weight: 700; box-shadow: inset 3px 0 0 #d9a400; }
.sources small { white-space: nowrap; margin-left: .5em; }
.sources .said-1 { font-weight: 700; }
.sources .said- { color: color-mix(in srgb, currentColor 78%, transparent); }
.sources td.comment { white-space: normal; overflow-wrap: anywhere; max-width: 18rem; font-style: italic; }
.sources .dot { display: inline-block; width: .65em; height: .65em; border-radius: 50%; margin-right: .5em; }
.words { white-space: pre-wrap; overflow-wrap: anywhere; max-height: 30vh; overflow-y: auto; line-height: 1.6; }
.words mark { background: var(--tint); color: inherit; border-bottom: 2px solid var(--finding); font-weight: 600;
  border-radius: .15em .15em 0 0; padding: 0 .1em; }
.words mark sup { color: var(--finding); font-size: .72em; font-weight: 700; margin-left: .15em; }
.words .negated, .words .resolved { text-decoration: line-through; text-decoration-thickness: 2px; }
.words .uncertain { text-decoration: underline wavy; text-underline-offset: .3em; }
.words .cue { border: 1px dashed color-mix(in srgb, currentColor 60%, transparent); border-radius: .2em; }
</style>"""


@dataclass(frozen=True)
class Name:
    """How a finding or covid19 is called on screen, and its colour."""

    key: str
    name: str
    colour: str


@dataclass(frozen=True)
class _Words:
    """A stored mention, with what ``nlp.explain.highlighted`` asks of one."""

    finding: str
    assertion: str
    start: int
    end: int
    term: str
    rule: str
    cue: str
    cue_start: int | None
    cue_end: int | None


def names(keys: Sequence[str], lexicon: Lexicon) -> tuple[Name, ...]:
    """The keys with their names; one that the lexicon lost keeps its bare name."""
    known = {finding.key: Name(finding.key, finding.name, finding.colour) for finding in lexicon.findings}
    known[COVID] = Name(COVID, "COVID-19", COVID_COLOUR)
    return tuple(known.get(key) or Name(key, key.replace("_", " "), "#6b7280") for key in keys)


def sources_html(case: Case, rows: Sequence[Name]) -> str:
    """The sources side by side; rows on which readers differ are marked."""
    heads = "".join(f'<th scope="col">{_title(column)}</th>' for column in case.columns)
    body = "".join(_row(case, name) for name in rows)
    notes = "".join(f'<td class="comment">{_note(column)}</td>' for column in case.columns)
    has_notes = any(column.comment or column.flagged for column in case.columns)
    last = f'<tr><th scope="row">Comment</th>{notes}</tr>' if has_notes else ""
    return (
        f'{_STYLE}<div style="overflow-x:auto"><table class="sources" aria-label="What each source says">'
        f'<thead><tr><th scope="col"></th>{heads}</tr></thead><tbody>{body}{last}</tbody></table></div>'
    )


def caption_html(connection: sa.Connection, case: Case, lexicon: Lexicon) -> str:
    """The caption with the text's mentions marked: struck through where negated, underlined where uncertain."""
    if not case.caption:
        return '<p class="words">This image has no caption.</p>'
    chosen = sa.select(MENTION).where(MENTION.c.record_id == case.record_id).order_by(MENTION.c.start)
    known = {name.key: name for name in names((COVID, *lexicon.finding_keys), lexicon)}
    words = [_words(row._mapping) for row in connection.execute(chosen) if row.finding in known]
    marked = highlighted(case.caption, cast("Sequence[Mention]", words), lexicon)
    rules = "".join(
        f".{css_class(name.key)} {{ --finding: color-mix(in srgb, {name.colour} 72%, currentColor);"
        f" --tint: color-mix(in srgb, {name.colour} 14%, transparent); }}"
        for name in known.values()
    )
    return f'{_STYLE}<style>{rules}</style><div class="words" tabindex="0">{marked}</div>'


def _title(column: Column) -> str:
    return escape(f"{column.title}: {column.annotator}" if column.annotator else column.title)


def _row(case: Case, name: Name) -> str:
    differs = name.key in case.differing
    cells = "".join(_cell(column, name.key) for column in case.columns)
    dot = f'<span class="dot" style="background:{escape(name.colour)}"></span>'
    said = "<small>≠ differ</small>" if differs else ""
    return (
        f'<tr class="{"differs" if differs else "same"}"><th scope="row">{dot}{escape(name.name)}{said}</th>'
        f"{cells}</tr>"
    )


def _cell(column: Column, key: str) -> str:
    cell = column.labels.get(key, "")
    if not column.labels:
        return f'<td class="said-">{"not read" if column.title == TEXT_TITLE else "skipped"}</td>'
    return f'<td class="said-{cell}">{_SIGNS[cell]} {CELL_WORDS[cell]}</td>'


def _note(column: Column) -> str:
    flag = "⚑ flagged " if column.flagged else ""
    return f"{flag}{escape(column.comment)}"


def _words(row: sa.RowMapping) -> _Words:
    details = row["details"]

    def place(name: str) -> int | None:
        return int(details[name]) if details.get(name) not in (None, "") else None

    return _Words(
        *(row["finding"], row["assertion"], row["start"], row["end"]),
        term=str(details.get("term") or ""),
        rule=str(details.get("rule") or ""),
        cue=str(details.get("cue") or ""),
        cue_start=place("cue_start"),
        cue_end=place("cue_end"),
    )
