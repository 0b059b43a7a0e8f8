"""Random edits of a lexicon, as people and accidents make them, for comparing fast ways with plain ones."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

from annotate.lexicon_edit import rows_of, text_of
from nlp.lexicon import FILES

Rows = list[dict[str, str]]
EDITED = ("terms.csv", "terms.csv", "cues.csv", "words.csv", "spellings.csv", *FILES)
NAMED = {"words.csv": "word", "spellings.csv": "written", "sections.csv": "heading", "terms.csv": "term"}


def thinned(files: Mapping[str, str], share: int) -> dict[str, str]:
    """Every so-manieth row of the long files: quick to build a reader of."""
    long = ("terms.csv", "cues.csv", "covid.csv")
    return {
        name: text_of(name, rows_of(text)[::share], text) if name in long else text
        for name, text in files.items()
    }


def edited(files: Mapping[str, str], texts: Sequence[str], draw: random.Random) -> dict[str, str]:
    """The files with one row added, removed, changed or moved, in words of the texts."""
    name = draw.choice([each for each in EDITED if each != "findings.csv"])
    rows = rows_of(files[name])
    draw.choice((_add, _add, _drop, _change, _move))(name, rows, texts, draw)
    return {**files, name: text_of(name, rows, files[name])}


def _add(name: str, rows: Rows, texts: Sequence[str], draw: random.Random) -> None:
    row = dict(draw.choice(rows))
    row[NAMED.get(name, next(iter(row)))] = _phrase(name, texts, draw)
    if name == "spellings.csv":
        row["means"] = draw.choice(("-", "no", "consolidation", "ground glass", _word(texts, draw)))
    rows.insert(draw.randint(0, len(rows)), row)


def _drop(name: str, rows: Rows, texts: Sequence[str], draw: random.Random) -> None:
    rows.pop(draw.randrange(len(rows)))


def _change(name: str, rows: Rows, texts: Sequence[str], draw: random.Random) -> None:
    """A cell gets what stands in another row."""
    row, column = draw.choice(rows), draw.choice(FILES[name])
    row[column] = draw.choice(rows)[column]


def _move(name: str, rows: Rows, texts: Sequence[str], draw: random.Random) -> None:
    row = rows.pop(draw.randrange(len(rows)))
    rows.insert(draw.randint(0, len(rows)), row)


def _phrase(name: str, texts: Sequence[str], draw: random.Random) -> str:
    """One word where a file takes single words, else some that stand together, or a phrase with a gap."""
    if name in ("words.csv", "spellings.csv", "abbreviations.csv", "never_fuzzy.csv", "anatomy.csv"):
        return _word(texts, draw)
    makers: tuple[Callable[[], str], ...] = (
        lambda: _run(texts, draw),
        lambda: _run(texts, draw),
        lambda: f"{_word(texts, draw)} <2> {_word(texts, draw)}",
        lambda: f"{_word(texts, draw)} @opacity",
    )
    return draw.choice(makers)()


def _run(texts: Sequence[str], draw: random.Random) -> str:
    words = [word for word in draw.choice(texts).lower().split() if word.isalpha()] or ["opacity"]
    place = draw.randrange(len(words))
    return " ".join(words[place : place + draw.randint(1, 3)])


def _word(texts: Sequence[str], draw: random.Random) -> str:
    return draw.choice([word for word in draw.choice(texts).lower().split() if word.isalpha()] or ["opacity"])
