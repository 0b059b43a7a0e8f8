"""Segment: sentences, report sections, caption panels and dates of a text.

All functions take a view (``nlp.normalise``) and return character ranges of it, which are those of the unaltered text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from nlp.lexicon import Section

_BOUNDARY = re.compile(
    r"""[.!?\n"](?:(?<=[.!?])[)\]"']*(?:\s+(?=[A-Z0-9(\["'*+-])|(?=[A-Z][a-z]|\())|(?<=\s")\s+|(?<=\n))"""
)
_STARTS_ITEM = re.compile(r"[ \t]*(?:[-*+\u2022]\s|\d{1,2}[.)]\s|[A-Z][A-Za-z/ &,-]{1,40}:|\Z|\n)")
_WRAP_WIDTH = 55
_LONGEST_ABBREVIATION = 8
_NAME = re.compile(r"[A-Za-z][A-Za-z/&, -]*\Z")
_LONGEST_HEADING = 48
_HEADING_LINE = re.compile(r"^[ \t]*([A-Za-z][A-Za-z/&, -]{1,45}?)[ \t]*(?:\.(?=\s)|$)", re.MULTILINE)
_OTHER_HEADING = re.compile(r"[.?!]\s+[A-Za-z][A-Za-z/ -]{1,40}:")


class Heading(NamedTuple):
    """A report section that starts at a character."""

    start: int
    section: str
    reports: bool


class Panel(NamedTuple):
    """A stretch of text that belongs to sub-figures; ``letters`` joined by ``;``.

    ``subject`` tells that the stretch opens a sentence whose later parts belong to other panels: who is shown is said here for all.
    """

    start: int
    end: int
    letters: str
    subject: bool = False


def sentences(view: str, abbreviations: Mapping[str, bool]) -> list[tuple[int, int]]:
    """Ranges of the sentences, in order; together they cover every visible character."""
    ranges = []
    start = 0
    for match in _BOUNDARY.finditer(view):
        at = match.start()
        mark = view[at]
        if mark == "." and _is_abbreviation(view, start, at, match.end(), abbreviations):
            continue
        if mark == "\n" and not _ends_line(view, start, at):
            continue
        ranges.append((start, match.end()))
        start = match.end()
    if start < len(view):
        ranges.append((start, len(view)))
    return ranges


def _is_abbreviation(view: str, start: int, stop: int, end: int, abbreviations: Mapping[str, bool]) -> bool:
    """Whether the full stop belongs to an abbreviation such as ``Dr.``, or ``Fig.`` before a number."""
    space = max(view.rfind(" ", start, stop), view.rfind("(", start, stop), start - 1)
    if stop - space > _LONGEST_ABBREVIATION:
        return False
    numbered = abbreviations.get(view[space + 1 : stop].lower())
    return numbered is not None and (not numbered or view[end : end + 1].isdigit())


def _ends_line(view: str, start: int, position: int) -> bool:
    """Whether a line break ends a sentence, or only wraps a line."""
    rest = view[position + 1 : position + 60]
    if _STARTS_ITEM.match(rest):
        return True
    if rest.lstrip(" \t")[:1].islower():
        return False
    line_start = max(view.rfind("\n", 0, position), start - 1)
    return position - line_start < _WRAP_WIDTH


def headings(view: str, sections: Mapping[str, Section]) -> list[Heading]:
    """The report headings that the lexicon knows, in order.

    A section that reports nothing (indication, technique) also ends with its line, or at any other heading.
    """
    places = _before_colons(view)
    if "\n" in view:
        places.extend((match.start(1), match.group(1)) for match in _HEADING_LINE.finditer(view))
    found = []
    for start, name in places:
        section = sections.get(" ".join(name.lower().split()))
        if section:
            found.append(Heading(start, section.section, section.reports))
            end = None if section.reports else _end_of_silence(view, start + len(name) + 1)
            if end is not None:
                found.append(Heading(end, "", True))
    return sorted(found)


def _end_of_silence(view: str, start: int) -> int | None:
    """Where an indication or technique ends although no known heading follows: at its line's end, or at any heading."""
    other = _OTHER_HEADING.search(view, start)
    line = view.find("\n", start)
    while line >= 0:
        if view[start:line].strip() and (view[line - 1] in ".?" or _ends_line(view, start, line)):
            break
        line = view.find("\n", line + 1)
    ends = [end for end in (other.start() + 1 if other else -1, line) if end >= 0]
    return min(ends, default=None)


def _before_colons(view: str) -> list[tuple[int, str]]:
    """The words before each colon, back to the last mark or double blank."""
    places = []
    colon = view.find(":")
    while colon >= 0:
        match = _NAME.search(view[max(0, colon - _LONGEST_HEADING) : colon].rstrip())
        if match:
            name = match.group().split("  ")[-1].strip()
            places.append((view.rfind(name, 0, colon), name))
        colon = view.find(":", colon + 1)
    return places


# ---- panels

_LETTER = r"(?:\d{1,2})?[A-Ka-k]\d?"
_JOIN = r"\s*(?:,\s*and|,|and|&|-|to|/|or)\s*"
_LETTERS = rf"{_LETTER}(?:{_JOIN}(?:{_LETTER}|\d))*"
_PAREN = re.compile(
    rf"\(\s*(?:(?:fig(?:ure)?s?\.?|panels?|images?)\s*)?(?P<letters>{_LETTERS})\s*(?:,[^()]{{0,40}}|:[^()]{{0,40}})?\)"
    r"|\(\s*(?P<place>top|bottom|upper|lower|left|right|middle|first|second|third)\s+(?:panel|row|image|column|figure)s?\s*\)",
    re.IGNORECASE,
)
_JOINED = rf"(?:{_JOIN}(?:[A-K]\d?|\d))*"
_BARE = re.compile(
    rf"(?:[Pp]anels?\s+|[Ii]mages?\s+)?(?P<letters>\d{{0,2}}[A-K]\d?{_JOINED})\s*(?:[.,:)]\s*(?=[A-Za-z(\d])|\s(?=[A-Z][a-z]))"
    rf"|(?P<small>[a-k](?:{_JOIN}[a-k])*)\s*(?:[.:)]\s*(?=[A-Za-z(])|,\s*(?=[A-Z])|\s(?=[A-Z][a-z]|[A-Z]{{2}}))"
)
_BARE_HINT = re.compile(r"[.;:)\n]['\"]?\s+(?=(?:[PpIi]\w+\s+)?\d{0,2}[A-Ka-k]\d?[\s.,:)&-])")
_TEXT_START = re.compile(r"\s*(?:fig(?:ure)?\.?\s*\d+\s*)?", re.IGNORECASE)
_PLACED = re.compile(r"\b([Tt]op|[Bb]ottom|[Uu]pper|[Ll]ower|[Ll]eft|[Rr]ight|[Mm]iddle) (?:panel|row|image|column)s?\s*[:,]")
_NAMED = re.compile(r"\b[Pp]anels?\s+(?P<letters>[A-Ka-k](?:\s*(?:,|and|&|-)\s*[A-Ka-k])*)\b")
_SPLIT = re.compile(rf"({_LETTER}|\d)|(-|to)", re.IGNORECASE)
_NOT_A_LABEL = re.compile(r"(?:hepatitis|vitamin|type|influenza|group|stage|grade|class|virus|factor|protein|stanford)\s*\Z", re.IGNORECASE)


class _Label(NamedTuple):
    start: int
    end: int
    letters: str
    bracketed: bool


def panels(view: str) -> list[Panel]:
    """The stretches of a caption that belong to lettered sub-figures.

    A label may stand before its text (``(A) consolidation``) or after it (``consolidation (A)``); which of the
    two is read off each label's neighbours. Text outside every stretch is shared by all panels.
    """
    labels = _labels(view)
    if not labels:
        return []
    after = sum(_follows_its_text(view, label) for label in labels if label.bracketed)
    bracketed = sum(label.bracketed for label in labels)
    if bracketed and after * 2 > bracketed and bracketed == len(labels):
        return _stretches_before(view, labels)
    return [
        Panel(label.start, following.start if following else len(view), label.letters)
        for label, following in zip(labels, [*labels[1:], None], strict=True)
    ]


def _labels(view: str) -> list[_Label]:
    found = _bracketed(view) if "(" in view else []
    starts = [match.end() for match in _BARE_HINT.finditer(view)]
    first = _TEXT_START.match(view)
    matches = [_BARE.match(view, start) for start in ([first.end()] if first else []) + starts]
    if "anel" in view:
        matches.extend(_NAMED.finditer(view))
    for match in filter(None, matches):
        group = match.lastgroup or "letters"
        start = match.start(group)
        if not any(label.start <= start < label.end for label in found):
            found.append(_Label(start, match.end(), expand_letters(match.group(group)), False))
    found.extend(_Label(m.start(), m.end(), m.group(1).lower(), False) for m in _PLACED.finditer(view))
    found.sort()
    return [label for label in found if not _is_article(view, label, found)]


def _bracketed(view: str) -> list[_Label]:
    """Labels in brackets, by letter or by place (top panel)."""
    found = []
    for match in _PAREN.finditer(view):
        place = match.group("place")
        letters = place.lower() if place else expand_letters(match.group("letters"))
        if not _NOT_A_LABEL.search(view, max(0, match.start() - 12), match.start()):
            found.append(_Label(match.start(), match.end(), letters, True))
    return found


def _is_article(view: str, label: _Label, labels: list[_Label]) -> bool:
    """"A Chest CT ..." opens with an article unless there is a B."""
    bare = not label.bracketed and label.letters == "A" and view[label.start + 1 : label.start + 2].isspace()
    return bare and not any("B" in other.letters for other in labels)


def _follows_its_text(view: str, label: _Label) -> bool:
    """Whether the label closes a phrase: words before it, a mark, ``and`` or nothing behind it."""
    before = view[max(0, label.start - 3) : label.start].rstrip()
    behind = view[label.end : label.end + 5].lstrip()
    if not before or before[-1] in ".:;":
        return False
    return not behind or behind[0] in ".,;" or behind.startswith("and ")


def _stretches_before(view: str, labels: list[_Label]) -> list[Panel]:
    """Stretches for labels that follow their text: from the last label or full stop to the label."""
    stretches = []
    last = -1
    for label in labels:
        stop = max(view.rfind(". ", max(last, 0), label.start) + 1, last, 0)
        sentence_end = view.find(". ", label.end)
        opens = any(other.start > label.end and (sentence_end < 0 or other.start < sentence_end) for other in labels)
        stretches.append(Panel(stop, label.end, label.letters, opens and stop != last))
        last = label.end
    return stretches


@lru_cache(maxsize=4096)
def expand_letters(text: str) -> str:
    """Letters of a label, ranges written out, in capitals.

    >>> expand_letters("B-D and f")
    'B;C;D;F'
    """
    letters: list[str] = []
    ranging = False
    for match in _SPLIT.finditer(text):
        if match.group(2):
            ranging = True
            continue
        label = match.group(1).upper()
        if ranging and letters:
            letters.extend(_between(letters[-1], label))
        letters.append(label)
        ranging = False
    return ";".join(dict.fromkeys(letters))


def _between(first: str, last: str) -> list[str]:
    """Labels strictly between two: letters (A-D) or numbers behind one letter (A1-A3)."""
    if len(first) == len(last) == 1 and first.isalpha() and last.isalpha():
        return [chr(code) for code in range(ord(first) + 1, ord(last))]
    if len(first) == 2 and last[-1:].isdigit() and first[1].isdigit():
        return [f"{first[0]}{n}" for n in range(int(first[1]) + 1, int(last[-1]))]
    return []


_MONTH = r"(?:Jan|Feb|Fab|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.?"
_TIME = re.compile(
    rf"{_MONTH}\s*\d{{1,2}}|[Dd]ays?\s+\d+|\d{{1,2}}(?:st|nd|rd|th)?\s+(?:{_MONTH}|day\b)|[a-z]+th\s+day\b|\d{{1,2}}[./]\d{{1,2}}[./]\d{{2,4}}"
)
_CITED = re.compile(r"(?:dated|previous|prior|compared|comparison|since|from|of|born|until)\b[^.;]{0,40}\Z", re.IGNORECASE)


def times(view: str) -> set[str]:
    """The dates and days a caption shows; those of earlier, merely cited, examinations are left out."""
    return {
        " ".join(match.group().lower().split())
        for match in _TIME.finditer(view)
        if not _CITED.search(view, max(0, match.start() - 60), match.start())
    }
