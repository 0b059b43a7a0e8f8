"""The files of the lexicon: which columns they have, and their rows, each of which knows where it stands. Light."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nlp.errors import LexiconError

FILES: Mapping[str, tuple[str, ...]] = {
    "findings.csv": ("key", "name", "abbreviation", "colour", "definition", "entails", "radlex", "dicom"),
    "words.csv": ("class", "word", "note"),
    "spellings.csv": ("written", "means", "note"),
    "terms.csv": ("finding", "term", "kind", "fuzzy", "assertion", "chest", "note"),
    "cues.csv": ("cue", "kind", "assertion", "direction", "reach", "rule", "note"),
    "sections.csv": ("heading", "section", "reports", "note"),
    "modalities.csv": ("term", "modality", "note"),
    "anatomy.csv": ("term", "kind", "value", "note"),
    "covid.csv": ("term", "kind", "note"),
    "abbreviations.csv": ("abbreviation", "before", "note"),
    "never_fuzzy.csv": ("word", "note"),
}
NEVER_BLANK: Mapping[str, tuple[str, ...]] = {
    "findings.csv": ("key", "name", "abbreviation", "definition"),
    "words.csv": ("class",),
    "spellings.csv": ("written", "means"),
    "terms.csv": (),
    "cues.csv": (),
    "sections.csv": ("heading", "section"),
    "modalities.csv": ("modality",),
    "anatomy.csv": (),
    "covid.csv": (),
    "abbreviations.csv": ("abbreviation",),
    "never_fuzzy.csv": ("word",),
}
"""Phrases are checked when they are expanded."""
KEYS: Mapping[str, tuple[str, ...]] = {
    "findings.csv": ("key",),
    "words.csv": ("class", "word"),
    "spellings.csv": ("written",),
    "terms.csv": ("finding", "term"),
    "cues.csv": ("cue", "direction"),
    "sections.csv": ("heading",),
    "modalities.csv": ("term",),
    "anatomy.csv": ("term", "kind"),
    "covid.csv": ("term",),
    "abbreviations.csv": ("abbreviation",),
    "never_fuzzy.csv": ("word",),
}
"""What no two rows of a file share."""


@dataclass(frozen=True)
class Row:
    """Cells by their column, without blanks around them; the header is line 1."""

    file: str
    line: int
    cells: Mapping[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells[column]

    def says(self, column: str, problem: str) -> str:
        """The message form ``file:line:column: problem``."""
        return _says(self.file, self.line, column, problem)


@dataclass(frozen=True)
class Tables:
    """The rows of every file, a hash of all contents, and the mistakes that do not keep the rest from being read."""

    rows: Mapping[str, Sequence[Row]]
    version: str
    problems: Sequence[str]


def read_tables(folder: Path) -> Tables:
    """Read every file of the lexicon.

    Raises:
        LexiconError: a file or column is missing, or a file is not UTF-8; with every mistake found so far.
    """
    if not folder.is_dir():
        raise LexiconError([f"{folder}:1:-: there is no such folder"])
    rows: dict[str, Sequence[Row]] = {}
    problems: list[str] = []
    digest = hashlib.sha256()
    readable = True
    for name, columns in FILES.items():
        text, trouble = _text(folder / name)
        digest.update(name.encode() + b"\0" + text.replace("\r\n", "\n").encode())
        reader = csv.reader(text.splitlines())
        header = [cell.strip() for cell in next(reader, [])]
        if not trouble:
            trouble = [_says(name, 1, each, "this column is missing") for each in _missing(columns, header)]
        readable &= not trouble
        problems += trouble
        known = f"unknown column; the columns are {', '.join(columns)}"
        problems += [_says(name, 1, column, known) for column in header if column not in columns]
        rows[name] = list(_rows(name, header, reader, problems)) if header else []
    if not readable:
        raise LexiconError(problems)
    return Tables(rows, digest.hexdigest()[:12], problems)


def repeated(tables: Tables) -> Iterator[str]:
    """A problem for every row that stands twice: a mistake of a spreadsheet, and it hides which one is meant."""
    for name, columns in KEYS.items():
        first: dict[tuple[str, ...], int] = {}
        for row in tables.rows[name]:
            key = tuple(row[column].lower() for column in columns)
            if key in first:
                yield row.says(columns[-1], f"{' '.join(key)!r} stands in line {first[key]} already")
            first.setdefault(key, row.line)


def _says(file: str, line: int, column: str, problem: str) -> str:
    return f"{file}:{line}:{column}: {problem}"


def _text(path: Path) -> tuple[str, list[str]]:
    """What the file holds, or why it cannot be read."""
    try:
        data = path.read_bytes()
    except OSError:
        return "", [_says(path.name, 1, "-", f"the file is missing in {path.parent}")]
    try:
        return data.decode("utf-8-sig"), []
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return "", [_says(path.name, line, "-", "the file is not UTF-8; save it as 'CSV UTF-8'")]


def _missing(columns: Iterable[str], header: Sequence[str]) -> Iterator[str]:
    return (column for column in columns if column not in header and column != "note")


def _rows(
    name: str, header: Sequence[str], reader: Iterable[list[str]], problems: list[str]
) -> Iterator[Row]:
    """Rows that are not blank; what is wrong with one joins the problems."""
    for cells in reader:
        line = reader.line_num  # type: ignore[attr-defined]
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(header):
            extra = f"the row has {len(cells)} cells, the header {len(header)}; quote text that holds a comma"
            problems.append(_says(name, line, header[-1], extra))
            continue
        given = {column: cell.strip() for column, cell in zip(header, cells, strict=False)}
        row = Row(name, line, {column: given.get(column, "") for column in FILES[name]})
        problems += [row.says(column, "is blank") for column in NEVER_BLANK[name] if not row[column]]
        yield row
