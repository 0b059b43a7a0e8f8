"""The view: a cleaner copy of a text with the SAME length, so that offsets need no translation.

Everything that would disturb reading is replaced character for character: smart quotes and dashes by
their plain forms, the wrapper of a Python list literal by blanks, mojibake by the mark it stood for, a hyphen
at a line's end by soft hyphens, which the tokeniser reads through. ``view[start:end]`` and ``text[start:end]`` are
therefore always the same words.
"""

from __future__ import annotations

import re

SOFT_HYPHEN = "\u00ad"
BREAK = "\x1e"
"""Stands for a bullet or paragraph mark: always the end of a sentence, and a blank to regular expressions."""
_WORD = rf"[^\W\d_]+(?:{SOFT_HYPHEN}+[^\W\d_]+)*(?:'[a-z]+)?"
TOKEN = re.compile(rf"{_WORD}|\d+(?:[.,/]\d+)*|\S")
"""Words, numbers and single marks; of texts and of the lexicon alike."""

_CHARACTERS = str.maketrans(
    {
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63\uff0d", "-"),
        **dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb\u2033\uff02", '"'),
        **dict.fromkeys("\u2018\u2019\u201a\u2032\u02bc\uff07", "'"),
        **dict.fromkeys("\u00a0\u2007\u2009\u200a\u202f\u3000\u2002\u2003", " "),
        **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff", SOFT_HYPHEN),
        **dict(zip("，；：（）．？！／＋＝", ",;:().?!/+=", strict=True)),
        "。": ".",
        "…": BREAK,
        "、": ",",
        **dict.fromkeys("\u2022\u25cf\u25aa\u2028\u2029", BREAK),
    }
)
_MOJIBAKE = re.compile("\u00e2(?:\u20ac|\u0080)([\u0080-\u00bf\u2018-\u201e\u2122\u02dc\u0153])")
_MOJIBAKE_DASHES = frozenset("\u0090\u0091\u0092\u0093\u0094\u201c\u201d")
_LIST_START = re.compile(r"\s*\[\s*['\"]")
_LIST_END = re.compile(r"['\"]\s*\]\s*\Z")
_LIST_JOINT = re.compile(r"(['\"]), \1")
_ESCAPE = re.compile(r"\\[nrt]")
_TAG = re.compile(r"</?[A-Za-z][^<>\n]{0,60}>")
_LINE_HYPHEN = re.compile(r"(?<=[a-z])[-\u2010\u2011][ \t]*\r?\n[ \t]*(?=[a-z])")
_UNUSUAL = re.compile(r"\\[nrt]|[-\u2010\u2011][ \t]*\r?\n|\A\s*\[|<[A-Za-z/]|\u00e2(?:\u20ac|\u0080)")


def view(text: str) -> str:
    """The text as the reader sees it, of the same length.

    >>> view("['ground\u2013glass']")
    '  ground-glass  '
    """
    if _UNUSUAL.search(text):
        text = _unwrap(text)
    return text if text.isascii() else text.translate(_CHARACTERS)


def _unwrap(text: str) -> str:
    """Blank out list literals, escapes and line hyphens; mend mojibake. Lengths stay."""
    if _LIST_START.match(text) and _LIST_END.search(text):
        text = _LIST_START.sub(_blank, text, count=1)
        text = _LIST_END.sub(_blank, text)
        text = _LIST_JOINT.sub(".   ", text)
    text = _ESCAPE.sub(" \n", text)
    text = _TAG.sub(_blank, text)
    text = _MOJIBAKE.sub(lambda match: "-  " if match.group(1) in _MOJIBAKE_DASHES else "'  ", text)
    return _LINE_HYPHEN.sub(lambda match: SOFT_HYPHEN * len(match.group()), text)


def _blank(match: re.Match[str]) -> str:
    return " " * len(match.group())
