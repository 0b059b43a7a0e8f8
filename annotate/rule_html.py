"""The words behind a change, as HTML: the caption as the edited lexicon reads it, and why, before and after.

Everything from data is escaped. Words say what colour says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from annotate.rule_changes import Change
from nlp.explain import highlighted
from nlp.page import COVID_COLOUR, css_class
from nlp.schema import COVID

if TYPE_CHECKING:
    from nlp.assertion import Mention
    from nlp.entries import Lexicon
    from nlp.reader import Reader

CELL_WORDS: Mapping[str, str] = {"1": "present", "0": "absent", "-1": "uncertain", "": "not mentioned"}

_STYLE = """<style>
.rule-words { white-space: pre-wrap; overflow-wrap: anywhere; max-height: 14rem; overflow-y: auto; line-height: 1.6; }
.rule-words mark { background: var(--tint); color: inherit; border-bottom: 2px solid var(--finding);
  font-weight: 600; border-radius: .15em .15em 0 0; padding: 0 .1em; }
.rule-words mark sup { color: var(--finding); font-size: .72em; font-weight: 700; margin-left: .15em; }
.rule-words .negated, .rule-words .resolved { text-decoration: line-through; text-decoration-thickness: 2px; }
.rule-words .uncertain { text-decoration: underline wavy; text-underline-offset: .3em; }
.rule-words .cue { border: 1px dashed color-mix(in srgb, currentColor 60%, transparent); border-radius: .2em; }
.rule-why { margin: .4rem 0 0; padding-left: 1.2rem; font-size: .875rem; overflow-wrap: anywhere; }
</style>"""


def style(lexicon: Lexicon) -> str:
    """The style of the captions; once per page. Colours mix with that of the text, for light and dark."""
    colours = [(finding.key, finding.colour) for finding in lexicon.findings] + [(COVID, COVID_COLOUR)]
    rules = "".join(
        f".rule-words .{css_class(key)} {{ --finding: color-mix(in srgb, {escape(colour)} 72%, currentColor);"
        f" --tint: color-mix(in srgb, {escape(colour)} 14%, transparent); }}"
        for key, colour in colours
    )
    return f"{_STYLE}<style>{rules}</style>"


def evidence_html(change: Change, caption: str, panel: str, old: Reader, new: Reader) -> str:
    """The caption as the new lexicon reads it, and for each changed cell the words before and after."""
    from nlp.aggregate import of_panel

    before, after = (of_panel(reader.read_text(caption), panel).mentions for reader in (old, new))
    reasons = "".join(
        f"<li>{escape(line)}</li>" for key in change.cells for line in _reasons(key, before, after)
    )
    marked = highlighted(caption, after, new.lexicon)
    return f'<div class="rule-words" tabindex="0">{marked}</div><ul class="rule-why">{reasons}</ul>'


def cells_text(change: Change, names: Mapping[str, str]) -> str:
    """The changed cells in words: ``Consolidation: absent → present``."""
    return " · ".join(
        f"{names.get(key, key)}: {CELL_WORDS[before]} → {CELL_WORDS[after]}"
        for key, (before, after) in change.cells.items()
    )


def people_text(change: Change, names: Mapping[str, str]) -> str:
    """What people say of the keys on which the text would come to contradict them."""
    return " · ".join(
        f"{names.get(key, key)}: {_said(change.people[key])}, the text would say {CELL_WORDS[change.cells[key][1]]}"
        for key in change.contradicts
    )


def _said(cells: Sequence[str]) -> str:
    if len(cells) == 1:
        return f"a person says {CELL_WORDS[cells[0]]}"
    return "people say " + " and ".join(CELL_WORDS[cell] for cell in cells)


def _reasons(key: str, before: Sequence[Mention], after: Sequence[Mention]) -> list[str]:
    """The mentions of a finding that only one of the two lexicons reads, or that they read differently."""
    was, becomes = ({_why(m) for m in mentions if m.finding == key} for mentions in (before, after))
    lines = [f"before: {line}" for line in sorted(was - becomes)]
    return lines + [f"then: {line}" for line in sorted(becomes - was)]


def _why(mention: Mention) -> str:
    cue = f" because of “{mention.cue}”" if mention.cue else ""
    fuzzy = f", misspelt ({mention.score:.0f} of 100 alike)" if mention.match == "fuzzy" else ""
    return (
        f"“{mention.text}” {mention.assertion}{cue}; term {mention.term}{fuzzy}; rule {mention.rule};"
        f" {mention.finding}"
    )
