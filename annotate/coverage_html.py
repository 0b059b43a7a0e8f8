"""The bars of the split page: a table in HTML, one row per amount and one bar per set.

A bar is as long as the number in relation to its target, which is the tick. Colours mix with that of the text, so
that they are readable on light and dark; a word says what is off, so that colour is never alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from annotate.coverage import Amount, Held
from annotate.groups import SETS

_FULL = 1.3  # targets that fit into a bar's track
_PLAIN = "#5b8def"
_SIGNS = {"": "✓", "missing": "✕", "below": "▼", "above": "▲", "left out": "▲"}

_STYLE = """<style>
.coverage { width: 100%; table-layout: fixed; border-collapse: collapse; font-variant-numeric: tabular-nums; }
.coverage th, .coverage td { text-align: left; padding: .3rem 1rem .3rem 0; vertical-align: top; border: 0; }
.coverage tr + tr > * { border-top: 1px solid color-mix(in srgb, currentColor 12%, transparent); }
.coverage th[scope=row] { font-weight: 500; hyphens: auto; overflow-wrap: break-word; }
.coverage small { display: block; opacity: .8; font-weight: 400; }
.coverage .dot { display: inline-block; width: .7em; height: .7em; border-radius: 50%; margin-right: .5em; }
.coverage .track { position: relative; height: .55rem; border-radius: 3px; margin-top: .3rem;
  background: color-mix(in srgb, currentColor 14%, transparent); }
.coverage .bar { height: 100%; border-radius: 3px; }
.coverage .tick { position: absolute; top: -3px; bottom: -3px; width: 2px; background: currentColor; }
.coverage .numbers { display: flex; flex-wrap: wrap; justify-content: space-between; column-gap: .5rem; }
.coverage .off { font-weight: 600; }
</style>"""


def coverage_html(amounts: Sequence[Amount], caption: str) -> str:
    """The table; everything from data is escaped.

    Args:
        caption: what a screen reader says first of the table.
    """
    heading = "".join(f'<th scope="col">{name}</th>' for name in SETS)
    rows = "".join(_row(amount) for amount in amounts)
    return (
        f'{_STYLE}<table class="coverage" lang="en" aria-label="{escape(caption)}">'
        f'<colgroup><col style="width:31%"></colgroup><thead><tr><td></td>{heading}</tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _row(amount: Amount) -> str:
    colour = f"color-mix(in srgb, {escape(amount.colour or _PLAIN)} 75%, currentColor)"
    dot = f'<span class="dot" style="background:{colour}"></span>' if amount.colour else ""
    reason = f"<small>{escape(amount.reason)}</small>" if amount.reason else ""
    title = f"{dot}{escape(amount.title)}<small>{amount.total:,} in all</small>{reason}"
    cells = "".join(f"<td>{_cell(held, colour)}</td>" for held in amount.sets)
    return f'<tr><th scope="row">{title}</th>{cells}</tr>'


def _cell(held: Held, colour: str) -> str:
    aim = f"{held.low:,}" if held.low == held.high else f"{held.low:,}–{held.high:,}"
    word = f" {held.word}" if held.word else ""
    said = f'<span class="{"off" if held.word else "on"}">{_SIGNS[held.word]} {held.number:,}{word}</span>'
    length = min(1.0, held.number / held.target / _FULL) if held.target else float(held.number > 0)
    bar = f'<div class="bar" style="width:{length:.1%};background:{colour}"></div>'
    tick = f'<div class="tick" style="left:{1 / _FULL:.1%}"></div>' if held.target else ""
    numbers = f'<div class="numbers">{said} <small>target {aim}</small></div>'
    return f'{numbers}<div class="track">{bar}{tick}</div>'
