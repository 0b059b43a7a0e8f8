"""Panels: which stretch of a caption belongs to which lettered sub-figure.

A label may stand before its text (``(A) consolidation``) or after it (``consolidation (A)``); it may be in brackets, bare, numbered,
a range, or a place (``top panel``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple


class Panel(NamedTuple):
    """A stretch of text that belongs to sub-figures; ``letters`` joined by ``;``.

    ``subject`` tells that the stretch opens a sentence whose later parts belong to other panels: who is shown is said here for all.
    """

    start: int
    end: int
    letters: str
    subject: bool = False


_LETTER = r"(?:\d{1,2})?[A-Ka-k]\d?"
_JOIN = r"\s*(?:,\s*and|,|and|&|-|to|/|or)\s*"
_LETTERS = rf"{_LETTER}(?:{_JOIN}(?:{_LETTER}|\d))*"
_PAREN = re.compile(
    rf"[(\[]\s*(?:(?:(?:fig(?:ure)?s?\.?|panels?|images?)\s*)?(?P<letters>{_LETTERS})\s*(?:[,:][^()]{{0,40}})?"
    r"|(?P<place>top|bottom|upper|lower|left|right|middle|first|second|third)\s+(?:panel|row|image|column|figure)s?\s*)[)\]]",
    re.IGNORECASE,
)
_JOINED = rf"(?:{_JOIN}(?:[A-K]\d?|\d))*"
_BARE = re.compile(
    rf"(?:[Pp]anels?\s+|[Ii]mages?\s+)?(?P<letters>\d{{0,2}}[A-K]\d?{_JOINED})\s*(?:[.,:)]\s*(?=[A-Za-z(\d]|\Z)|\s(?=[A-Z][a-z]))"
    rf"|(?P<small>[a-k](?:{_JOIN}[a-k])*)\s*(?:[.:)]\s*(?=[A-Za-z(]|\Z)|,\s*(?=[A-Za-z])|\s(?=[A-Z][a-z]|[A-Z]{{2}}))"
)
_BARE_HINT = re.compile(r"[.;:)\n]['\"]?\s+(?=(?:[PpIi]\w+\s+)?\d{0,2}[A-Ka-k]\d?[\s.,:)&-])")
_OPENS_BARE = re.compile(r"\s*(?:[PpIiFf]|\d|[A-Ka-k][\d\s.,:)&-])")
"""Cheap: whether a sentence may open with a label."""
_TEXT_START = re.compile(r"\s*(?:fig(?:ure)?\.?\s*\d+\s*)?", re.IGNORECASE)
_PLACED = re.compile(
    r"[TtBbUuLlRrMm](?:op|ottom|pper|ower|eft|ight|iddle) (?:panel|row|image|column)s?\s*[:,]"  # first letters apart: faster
)
_NAMED = re.compile(
    r"\b(?:[Pp]anels?|[Ii]mages?(?=\s+[A-K]\b))\s+(?P<letters>[A-Ka-k](?:\s*(?:,|and|&|-)\s*[A-Ka-k])*)\b"
)
_NAMING_WORDS = ("anel", "mage A", "mages A", "mage:", "row:", "row,", "olumn")
"""Cheap to look for; only a text with one of them can name or place its panels."""
_SPLIT = re.compile(r"(?<![a-z])(\d{0,2}[a-k]\d?|\d{1,2})(?![a-z])|(-|\bto\b)", re.IGNORECASE)
_LABEL = re.compile(r"(\d*)([A-Z]?)(\d*)")
_OPENING = re.compile(r"(?:\A|(?<=[.;:]))\s*(?:in|on|at|from)\s+\Z", re.IGNORECASE)


class _Label(NamedTuple):
    start: int
    end: int
    letters: str
    bracketed: bool


def panels(view: str, never_before: frozenset[str], ranges: Sequence[tuple[int, int]] = ()) -> list[Panel]:
    """The stretches of a caption that belong to lettered sub-figures.

    A label may stand before its text (``(A) consolidation``) or after it (``consolidation (A)``); which of the
    two is read off each label's neighbours. Text outside every stretch is shared by all panels.

    Args:
        view: see ``nlp.normalise``.
        never_before: words that a letter in brackets belongs to: hepatitis (B) is no sub-figure.
        ranges: the sentences, where they are known.
    """
    labels = [
        label._replace(start=label.start + start, end=label.end + start)
        for start, end in ranges or [(0, len(view))]
        for label in _labels(view[start:end], never_before)
    ]
    labels = [label for label in labels if label.bracketed or not _is_article(view, label, labels)]
    if not labels:
        return []
    bracketed = all(label.bracketed for label in labels)
    if bracketed and _stand_after(view, labels):
        return _stretches_before(view, labels)
    return _stretches_behind(view, labels)


def _stretches_behind(view: str, labels: list[_Label]) -> list[Panel]:
    """Stretches for labels that stand before their text; "(B) and (C)" share one."""
    stretches = []
    shared = ""
    for label, following in zip(labels, [*labels[1:], None], strict=True):
        letters = f"{shared};{label.letters}" if shared else label.letters
        joined = following is not None and view[label.end : following.start].strip(" ,&") in ("", "and")
        shared = letters if joined else ""
        if not joined:
            stretches.append(Panel(label.start, following.start if following else len(view), letters))
    return stretches


@lru_cache(maxsize=20_000)
def _labels(view: str, never_before: frozenset[str]) -> tuple[_Label, ...]:
    """The labels of one sentence, in order."""
    found = _bracketed(view, never_before) if "(" in view or "[" in view else []
    starts = [match.end() for match in _BARE_HINT.finditer(view)]
    if _OPENS_BARE.match(view):
        first = _TEXT_START.match(view)
        starts = [first.end() if first else 0, *starts]
    matches = [_BARE.match(view, start) for start in starts]
    if any(word in view for word in _NAMING_WORDS):
        matches.extend(_NAMED.finditer(view))
        found.extend(
            _Label(m.start(), m.end(), m.group().split()[0].lower(), False) for m in _PLACED.finditer(view)
        )
    for match in matches:
        if match:
            group = match.lastgroup or "letters"
            start = match.start(group)
            if not any(label.start <= start < label.end for label in found):
                found.append(_Label(start, match.end(), expand_letters(match.group(group)), False))
    return tuple(sorted(found))


def _bracketed(view: str, never_before: frozenset[str]) -> list[_Label]:
    """Labels in brackets, by letter or by place (top panel)."""
    found = []
    for match in _PAREN.finditer(view):
        place = match.group("place")
        letters = place.lower() if place else expand_letters(match.group("letters"))
        before = view[max(0, match.start() - 16) : match.start()].split()
        if not before or before[-1].lower() not in never_before:
            found.append(_Label(match.start(), match.end(), letters, True))
    return found


def _is_article(view: str, label: _Label, labels: list[_Label]) -> bool:
    """Whether an A is no label: "A Chest CT ..." opens with an article unless there is a B."""
    bare = label.letters == "A" and view[label.start + 1 : label.start + 2].isspace()
    return bare and not any("B" in other.letters for other in labels)


def _stand_after(view: str, labels: list[_Label]) -> bool:
    """Whether the labels stand behind their text: most close a phrase, or half do and none opens one.

    To close a phrase is to have words before and a mark, ``and`` or nothing behind. In "CT (A) and radiograph (B) show"
    the second goes with the first.
    """
    count = 0
    opens = False
    previous: _Label | None = None
    for label in labels:
        before = _OPENING.sub(".", view[max(0, label.start - 12) : label.start]).rstrip()
        behind = view[label.end : label.end + 5].lstrip()
        closes = not behind or behind[0] in ".,;" or behind.startswith("and ")
        follows = previous is not None and ". " not in view[previous.end : label.start]
        if before and (before[-1].isalnum() or before[-1] in ")\"'%") and (closes or follows):
            count += 1
            previous = label
        else:
            previous = None
            opens = opens or not before or before[-1] in ".,:;"
    return count * 2 > len(labels) or (count * 2 == len(labels) and not opens)


def _stretches_before(view: str, labels: list[_Label]) -> list[Panel]:
    """Stretches for labels that follow their text: from the last label or full stop to the label."""
    stretches = []
    last = -1
    for label in labels:
        stop = max(view.rfind(". ", max(last, 0), label.start) + 1, last, 0)
        sentence_end = view.find(". ", label.end)
        opens = any(
            other.start > label.end and (sentence_end < 0 or other.start < sentence_end) for other in labels
        )
        stretches.append(Panel(stop, label.end, label.letters, opens and stop != last))
        last = label.end
    return stretches


@lru_cache(maxsize=4096)
def expand_letters(text: str) -> str:
    """Letters of a label, ranges written out, in capitals.

    >>> expand_letters("B-D and f"), expand_letters("A1-3"), expand_letters("2a-c")
    ('B;C;D;F', 'A1;A2;A3', '2A;2B;2C')
    """
    letters: list[str] = []
    ranging = False
    for match in _SPLIT.finditer(text):
        if match.group(2):
            ranging = True
            continue
        label = match.group(1).upper()
        letters.extend(_range(letters[-1], label) if ranging and letters else [label])
        ranging = False
    return ";".join(dict.fromkeys(letters))


def _range(first: str, last: str) -> list[str]:
    """The labels behind the first up to the last: by letter (B-D, 1A-1C, 2a-d) or by number (A1-A3, A1-3)."""
    (figure, letter, number), (_, last_letter, last_number) = _parts(first), _parts(last)
    if number and last_number and letter and last_letter in ("", letter):
        return [f"{figure}{letter}{n}" for n in range(int(number) + 1, int(last_number) + 1)]
    if letter and last_letter:
        return [f"{figure}{chr(code)}" for code in range(ord(letter) + 1, ord(last_letter) + 1)]
    return [last]


def _parts(label: str) -> tuple[str, str, str]:
    """Number of the figure, letter and number behind it; a bare number counts as the last."""
    match = _LABEL.fullmatch(label)
    figure, letter, number = match.groups() if match else ("", "", "")
    return (figure, letter, number) if letter else ("", "", figure)
