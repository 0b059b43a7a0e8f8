"""Segment: sentences, report sections and dates of a text (panels: see ``nlp.panels``).

All functions take a view (``nlp.normalise``) and return character ranges of it, which are those of the unaltered text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from nlp.entries import Section
from nlp.normalise import BREAK

_BOUNDARY = re.compile(
    rf"""[.!?\n{BREAK}"](?:(?<=[.!?])[)\]"']*(?:\s+(?=[A-Z0-9(\["'*+-])|(?=[A-Z][a-z]|\()|(?<=\.\.)\s+)|(?<=\s")\s+|(?<=[\n{BREAK}]))"""
)
_STARTS_ITEM = re.compile(r"[ \t]*(?:[-*+\u2022]\s|\d{1,2}[.)]\s|[A-Z][A-Za-z/ &,-]{1,40}:|\Z|\n)")
_WRAP_WIDTH = 55
_LONGEST_ABBREVIATION = 8
_LONGEST_SENTENCE = 2_000
_NAME = re.compile(r"[A-Za-z][A-Za-z/&, -]*\Z")
_LONGEST_HEADING = 48
_HEADING_LINE = re.compile(r"^[ \t]*([A-Za-z][A-Za-z/&, -]{1,45}?)[ \t]*(?:\.(?=\s)|$)", re.MULTILINE)
_OTHER_HEADING = re.compile(r"[.?!]\s+[A-Za-z][A-Za-z/ -]{1,40}:")


class Heading(NamedTuple):
    """A report section that starts at a character; ``patient``: what it says of the disease is said of this patient."""

    start: int
    section: str
    reports: bool
    patient: bool = True


def sentences(view: str, abbreviations: Mapping[str, bool]) -> list[tuple[int, int]]:
    """Ranges of the sentences, in order; together they cover every visible character."""
    ranges: list[tuple[int, int]] = []
    start = 0
    for match in _BOUNDARY.finditer(view):
        at = match.start()
        mark = view[at]
        if mark == "." and _is_abbreviation(view, start, at, match.end(), abbreviations):
            continue
        if mark == "\n" and not _ends_line(view, start, at):
            continue
        ranges.extend(_pieces(view, start, match.end()))
        start = match.end()
    ranges.extend(_pieces(view, start, len(view)))
    return ranges


def _pieces(view: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """One range, or several at blanks where a sentence is longer than anyone writes: time grows with its square."""
    while end - start > _LONGEST_SENTENCE:
        blank = view.rfind(" ", start, start + _LONGEST_SENTENCE)
        cut = blank + 1 if blank > start else start + _LONGEST_SENTENCE
        yield start, cut
        start = cut
    if start < end:
        yield start, end


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
    known = sorted(
        (start, name, sections[key])
        for start, name in places
        if (key := " ".join(name.lower().split())) in sections
    )
    found = []
    for number, (start, name, section) in enumerate(known):
        found.append(Heading(start, section.section, section.reports, section.patient))
        if not section.reports:
            following = known[number + 1] if number + 1 < len(known) else None
            body_follows = following is not None and not following[2].summary
            end = _end_of_silence(view, start + len(name) + 1, body_follows)
            if end is not None:
                found.append(Heading(end, "", True))
    return sorted(found)


def _end_of_silence(view: str, start: int, body_follows: bool) -> int | None:
    """Where an indication or technique ends: at its line's end, at any heading, or with its sentence.

    The last only where no heading of the findings follows, so that they must begin without one.
    """
    other = _OTHER_HEADING.search(view, start)
    line = view.find("\n", start)
    while line >= 0:
        if view[start:line].strip() and (view[line - 1] in ".?" or _ends_line(view, start, line)):
            break
        line = view.find("\n", line + 1)
    stop = -1 if body_follows else view.find(". ", start)
    ends = [end for end in (other.start() + 1 if other else -1, line, stop) if end >= 0]
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


_MONTH = r"(?:Jan|Feb|Fab|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.?"
_TIMES = (
    re.compile(rf"\d{{1,2}}(?:st|nd|rd|th)?\s+(?:{_MONTH}|day\b)|\d{{1,4}}[./-]\d{{1,2}}[./-]\d{{1,4}}"),
    re.compile(rf"{_MONTH}\s*\d{{1,2}}"),
    re.compile(r"[Dd]ays?\s+\d+"),
)
"""One pattern per kind of first character: each can then be searched for without trying every place."""
_NTH_DAY = re.compile(r"\b[a-z]+(?:st|nd|rd|th) day\b")
_CITED = re.compile(
    r"\b(?:dated|previous|prior|compared|comparison|since|from|of|born|until)\b", re.IGNORECASE
)
_CITED_WITHIN = 50


@lru_cache(maxsize=20_000)
def times(sentence: str) -> frozenset[str]:
    """The dates and days a sentence of a caption shows; those of earlier, merely cited, examinations are left out."""
    patterns = (*_TIMES, _NTH_DAY) if " day" in sentence else _TIMES
    return frozenset(
        " ".join(match.group().lower().split())
        for pattern in patterns
        for match in pattern.finditer(sentence)
        if not _CITED.search(sentence, max(0, match.start() - _CITED_WITHIN), match.start())
    )
