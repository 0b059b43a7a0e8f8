r"""Data inside Markdown: names of files and people, ids and messages that hold them, shown as they are.

A file may be called ``![x](&#47;&#47;elsewhere.example)``; drawn as Markdown it would make the browser ask there.
"""

from __future__ import annotations

_SIGNS = frozenset(r"\`*_{}[]()<>#+-.!|:$~&@" + '"')


def literal(text: str) -> str:
    r"""Markdown that shows a text as it is, line by line.

    >>> literal("[GGO](http://x)")
    '\\[GGO\\]\\(http\\://x\\)'
    """
    lines = ("".join(f"\\{sign}" if sign in _SIGNS else sign for sign in line) for line in text.splitlines())
    return "  \n".join(lines)
