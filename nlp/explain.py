"""Explain: which words made which label, in a terminal or on a page.

``explain_text`` shows one text with its mentions, cues and scopes; ``write_html`` highlights many
captions. Both show what was read and decide nothing themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from nlp.page import COVID_COLOUR, PAGE_END, codes, css_class, page_start
from nlp.schema import COVID, COVID_CELL, STATE_CELL, State, record_state
from nlp.write import replacing

if TYPE_CHECKING:
    from nlp.aggregate import Reading, Record
    from nlp.assertion import Mention
    from nlp.batch import Reader
    from nlp.entries import Finding, Lexicon

_WIDTH, _NEAR = 100, 20
_STRIKE = ("negated", "resolved")

Span = tuple[int, int]


def explain_text(text: str, reader: Reader, *, colour: bool = False) -> str:
    """Show every mention in a text with the term, rule, cue and scope behind it, then the states.

    Mentions that do not count, such as those of the history section, come last with the rule that says so.

    Under each line of text ``=`` marks the mention, ``^`` its cue and ``.`` the rest of the cue's scope.

    Args:
        colour: use ANSI colours, for a terminal.
    """
    reading = reader.read_text(text)
    lexicon = reader.lexicon
    blocks = [_block(text, mention, lexicon, colour) for mention in _in_order(reading.mentions)]
    for mention in _in_order(reading.dropped):
        blocks.append(f"not counted: {_block(text, mention, lexicon, colour)}")
    return "\n\n".join([*(blocks or ["no finding is mentioned"]), _states(reading, lexicon, colour)])


def write_html(path: Path, captions: Iterable[tuple[str, str, Reading | Record]], lexicon: Lexicon) -> None:
    """Write one page with every caption highlighted; captions are taken one at a time.

    Args:
        captions: image, caption and what was read in it; a ``Record`` where the image has a panel of its own.

    Raises:
        OutputError: the page cannot be written; an older one is intact.
    """
    with replacing([path]) as (handle,):
        handle.write(page_start(lexicon).encode())
        for image, caption, reading in captions:
            handle.write(_article(image, caption, reading, lexicon).encode(errors="replace"))
        handle.write(PAGE_END.encode())


def highlighted(caption: str, mentions: Sequence[Mention], lexicon: Lexicon) -> str:
    """The caption as HTML: mentions coloured and coded, cues framed; without tags it is the caption."""
    short = codes(lexicon)
    spans = [(mention.start, mention.end) for mention in mentions]
    spans += [cue for mention in mentions if (cue := _cue(mention))]
    cuts = sorted({0, len(caption), *(edge for span in spans for edge in span)})
    return "".join(_piece(caption[low:high], low, high, mentions, short) for low, high in pairwise(cuts))


def _in_order(mentions: Iterable[Mention]) -> list[Mention]:
    return sorted(mentions, key=lambda mention: (mention.start, mention.end))


def _block(text: str, mention: Mention, lexicon: Lexicon, colour: bool) -> str:
    """One mention: headline, the text around it, marks under it, and why."""
    place = ", ".join(filter(None, _places(mention)))
    name = _painted(mention.finding, mention.finding, mention.assertion, lexicon, colour)
    headline = f"{name}: {mention.assertion}" + (f"  ({place})" if place else "")
    shown, marks = _marked(text, mention)
    because = f"rule {mention.rule}" + (f", cue {_flat(mention.cue)!r}" if mention.cue else "")
    found = f"term {mention.term!r}, {mention.match}"
    found += f" ({mention.score:.0f})" if mention.match == "fuzzy" else ""
    return "\n".join([headline, f"   {shown}", f"   {marks}", f"   {found}; {because}"])


def _places(mention: Mention) -> tuple[str, ...]:
    panel = f"panel {mention.panel}" if mention.panel else ""
    lobes = mention.lobe.replace(";", ", ")
    section = f"section {mention.section}" if mention.section else ""
    return panel, section, mention.modality, mention.laterality, lobes


def _marked(text: str, mention: Mention) -> tuple[str, str]:
    """The text around a mention and the line of marks under it."""
    marked = [(".", _scope(mention)), ("^", _cue(mention)), ("=", (mention.start, mention.end))]
    edges = [edge for _, span in marked if span for edge in span]
    low = _whole_word(text, max(0, min(edges) - 20, mention.start - _WIDTH), -1)
    high = _whole_word(text, min(len(text), max(edges) + 20, low + 2 * _WIDTH), 1)
    low, high = (0 if low < _NEAR else low), (len(text) if len(text) - high < _NEAR else high)
    marks = [" "] * (high - low)
    for sign, span in marked:
        for place in range(*span) if span else ():
            if low <= place < high:
                marks[place - low] = sign
    before, after = ("… " if low else ""), (" …" if high < len(text) else "")
    return f"{before}{_flat(text[low:high]).rstrip()}{after}", (" " * len(before) + "".join(marks)).rstrip()


def _whole_word(text: str, place: int, step: int) -> int:
    """Move on until ``place`` cuts no word."""
    while 0 < place < len(text) and text[place - 1].isalnum() and text[place].isalnum():
        place += step
    return place


def _flat(text: str) -> str:
    """One character for each character, none of which moves the cursor or speaks to the terminal."""
    return "".join(character if character.isprintable() else " " for character in text)


def _states(reading: Reading, lexicon: Lexicon, colour: bool) -> str:
    """The state of every finding that is mentioned, and of COVID, with the value of its cell."""
    lines = ["states"]
    for finding, state in _mentioned(reading, lexicon):
        name = _painted(finding.key, finding.key, state, lexicon, colour)
        lines.append(f"   {name}: {state} ({STATE_CELL[state]})")
    lines.append(f"   {COVID}: {reading.covid} ({COVID_CELL[reading.covid] or 'blank'})")
    if reading.ambiguous:
        lines.append("   the text has several panels or dates; these are the states of all together")
    return "\n".join(lines)


def _mentioned(reading: Reading | Record, lexicon: Lexicon) -> list[tuple[Finding, State]]:
    """The findings that are mentioned, each with its state over all its mentions."""
    states = [
        (finding, record_state(m.assertion for m in reading.mentions if m.finding == finding.key))
        for finding in lexicon.findings
    ]
    return [(finding, state) for finding, state in states if state != "not_mentioned"]


def _painted(text: str, finding: str, state: str, lexicon: Lexicon, colour: bool) -> str:
    """The text in the finding's colour, struck through or underlined as its state asks."""
    if not colour:
        return text
    shade = next((each.colour for each in lexicon.findings if each.key == finding), COVID_COLOUR)
    red, green, blue = (int(shade[i : i + 2], 16) for i in (1, 3, 5))
    style = "9;" if state in _STRIKE else "4;" if state == "uncertain" else ""
    return f"\x1b[{style}1;38;2;{red};{green};{blue}m{text}\x1b[0m"


def _cue(mention: Mention) -> Span | None:
    if mention.cue_start is None or mention.cue_end is None:
        return None
    return mention.cue_start, mention.cue_end


def _scope(mention: Mention) -> Span | None:
    if mention.scope_start is None or mention.scope_end is None:
        return None
    return mention.scope_start, mention.scope_end


def _piece(text: str, low: int, high: int, mentions: Sequence[Mention], short: Mapping[str, str]) -> str:
    """A stretch of text that no mention or cue begins or ends in."""
    inside = [mention for mention in mentions if mention.start <= low and high <= mention.end]
    html = escape(text)
    cues = filter(None, map(_cue, mentions))
    if any(start <= low and high <= end for start, end in cues):
        html = f'<span class="cue">{html}</span>'
    for assertion in sorted({mention.assertion for mention in inside if mention.finding != COVID}):
        html = f'<span class="{assertion}">{html}</span>'
    for mention in inside:
        code = f"<sup>{escape(short[mention.finding])}</sup>" if high == mention.end else ""
        title = escape(_why(mention), quote=True)
        html = f'<mark class="{css_class(mention.finding)}" title="{title}">{html}{code}</mark>'
    return html


def _why(mention: Mention) -> str:
    cue = f", cue “{mention.cue}”" if mention.cue else ""
    return f"{mention.finding}: {mention.assertion}; rule {mention.rule}{cue}; term {mention.term}"


def _article(image: str, caption: str, reading: Reading | Record, lexicon: Lexicon) -> str:
    mentions = _in_order(reading.mentions)
    reasons = "".join(
        f"<li>{escape(caption[mention.start : mention.end])}: {escape(_why(mention))}</li>"
        for mention in mentions
    )
    why = f"<details><summary>why</summary><ol>{reasons}</ol></details>\n" if reasons else ""
    text = highlighted(caption, mentions, lexicon) if caption else '<span class="soft">no text</span>'
    return (
        f"<article>\n<h2>{escape(image)}</h2>\n{_chips(reading, lexicon)}"
        f'<p class="caption">{text}</p>\n{why}</article>\n'
    )


def _chips(reading: Reading | Record, lexicon: Lexicon) -> str:
    """The record's states in words."""
    items = [
        f'<li class="{css_class(finding.key)}"><span class="code">{escape(finding.abbreviation)}</span> '
        f"{state}</li>"
        for finding, state in _mentioned(reading, lexicon)
    ]
    if reading.covid != "unstated":
        items.append(
            f'<li class="{css_class(COVID)}"><span class="code">COVID-19</span> {reading.covid}</li>'
        )
    return f'<ul class="states">{"".join(items)}</ul>\n' if items else ""
