"""The lexicon: every word the reader knows, as data in ``lexicon/*.csv``.

A radiologist adds a synonym, a cue or a whole finding by adding rows; no Python changes. ``python -m nlp.lexicon check [DIR]`` names
file, line and column of every mistake. Terms and cues are written in the language of ``nlp.phrases``.

The module is light: it loads neither spaCy nor pandas.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from nlp.command import run_command
from nlp.entries import Context, CovidTerm, Cue, Finding, Lexicon, Section, Term
from nlp.errors import LexiconError
from nlp.phrases import Phrase, expand
from nlp.schema import ASSERTIONS, label_columns

__all__ = ["Context", "CovidTerm", "Cue", "Finding", "Lexicon", "Section", "Term", "load_lexicon"]

DEFAULT_FOLDER = Path(__file__).resolve().parent.parent / "lexicon"


class Cell(NamedTuple):
    """Where a value stands, for messages."""

    file: str
    line: int
    column: str

    def says(self, problem: str) -> str:
        """The message form ``file:line:column: problem``."""
        return f"{self.file}:{self.line}:{self.column}: {problem}"


Row = dict[str, str]
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
LEFT_OUT = "-"
"""In spellings.csv: a word that says nothing by itself ("clearly") and is left out before matching."""
COVID_KINDS = ("name", "ignore", "confirm", "suspect", "deny", "control", "other_disease")
_FINDING_KEY = re.compile(r"[a-z][a-z0-9_]*")
_TAKEN = frozenset(column.name for column in label_columns(()))
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


def load_lexicon(folder: Path | None = None) -> Lexicon:
    """Read, check and expand the lexicon.

    Args:
        folder: a folder with the lexicon files; by default the one that comes with the toolkit.

    Raises:
        LexiconError: with every mistake, each as ``file:line:column: problem``.
    """
    return _Loader(folder or DEFAULT_FOLDER).load()


class _Loader:
    """Reads the files and gathers every problem before giving up."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.problems: list[str] = []
        self.unreadable = False
        self.classes: dict[str, tuple[Phrase, ...]] = {}
        self.spellings: dict[str, Phrase] = {}
        self.hash = hashlib.sha256()

    def load(self) -> Lexicon:
        """Load every file; raise when anything is wrong."""
        if not self.folder.is_dir():
            raise LexiconError([f"{self.folder}:1:-: there is no such folder"])
        tables = {name: list(self.rows(name)) for name in FILES}
        if self.unreadable:
            raise LexiconError(self.problems)
        self.spellings = {
            row["written"].lower(): () if row["means"] == LEFT_OUT else tuple(row["means"].lower().split())
            for _, row in tables["spellings.csv"]
        }
        self.load_classes(tables["words.csv"])
        findings = [self.finding(cell, row) for cell, row in tables["findings.csv"]]
        self.check_entails(tables["findings.csv"], [finding.key for finding in findings])
        keys = {finding.key for finding in findings}
        lexicon = Lexicon(
            version=self.hash.hexdigest()[:12],
            findings=tuple(findings),
            terms=tuple(self.term(cell, row, keys) for cell, row in tables["terms.csv"]),
            cues=tuple(self.cue(cell, row) for cell, row in tables["cues.csv"]),
            contexts=tuple(self.contexts(tables)),
            covid=tuple(self.covid(cell, row) for cell, row in tables["covid.csv"]),
            sections=dict(self.section(cell, row) for cell, row in tables["sections.csv"]),
            spellings=self.spellings,
            classes=self.classes,
            abbreviations=dict(self.abbreviation(cell, row) for cell, row in tables["abbreviations.csv"]),
            never_fuzzy=frozenset(r["word"].lower() for _, r in tables["never_fuzzy.csv"]),
        )
        self.check_duplicates(tables)
        if self.problems:
            raise LexiconError(self.problems)
        return lexicon

    def rows(self, name: str) -> Iterator[tuple[Callable[[str], Cell], Row]]:
        """The rows of one file, each with a function that names the cell of a column."""
        path = self.folder / name
        try:
            data = path.read_bytes()
            text = data.decode("utf-8-sig")
        except OSError:
            self.unreadable = True
            self.problems.append(f"{name}:1:-: the file is missing in {self.folder}")
            return
        except UnicodeDecodeError as error:
            self.unreadable = True
            line = data.count(b"\n", 0, error.start) + 1
            self.problems.append(f"{name}:{line}:-: the file is not UTF-8; save it as 'CSV UTF-8'")
            return
        self.hash.update(name.encode() + b"\0" + text.replace("\r\n", "\n").encode())
        reader = csv.reader(text.splitlines())
        header = [cell.strip() for cell in next(reader, [])]
        wanted = FILES[name]
        for column in wanted:
            if column not in header and column != "note":
                self.unreadable = True
                self.problems.append(f"{name}:1:{column}: this column is missing")
        for column in header:
            if column not in wanted:
                known = ", ".join(wanted)
                self.problems.append(f"{name}:1:{column}: unknown column; the columns are {known}")
        if not header:  # a blank first line: every column is missing, and rows would stand below none
            return
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield from self.row(name, reader.line_num, header, cells)

    def row(
        self, name: str, line: int, header: list[str], cells: list[str]
    ) -> Iterator[tuple[Callable[[str], Cell], Row]]:
        """One row as a dictionary, or a problem when it has too many cells."""
        if len(cells) > len(header):
            extra = f"the row has {len(cells)} cells, the header {len(header)}; quote text that holds a comma"
            self.problems.append(Cell(name, line, header[-1]).says(extra))
            return
        row = dict.fromkeys(FILES[name], "")
        row.update({column: cell.strip() for column, cell in zip(header, cells, strict=False)})
        for column in NEVER_BLANK[name]:
            if not row[column]:
                self.wrong(Cell(name, line, column), "is blank")
        yield (lambda column: Cell(name, line, column)), row

    def wrong(self, cell: Cell, problem: str) -> None:
        """Note a problem."""
        self.problems.append(cell.says(problem))

    def one_of(self, cell: Cell, value: str, allowed: Sequence[str]) -> None:
        """Note a problem unless the value is allowed."""
        if value not in allowed:
            self.wrong(cell, f"must be {' or '.join(a or 'blank' for a in allowed)}; found {value!r}")

    def phrases(self, cell: Cell, text: str) -> tuple[Phrase, ...]:
        """Expand a phrase; what is wrong with it becomes a problem of the cell."""
        try:
            return expand(text, self.classes, self.spellings)
        except ValueError as error:
            self.wrong(cell, str(error))
            return ()

    def load_classes(self, rows: Sequence[tuple[Callable[[str], Cell], Row]]) -> None:
        """Classes may be used by classes further down."""
        for cell, row in rows:
            name = row["class"]
            if not re.fullmatch(r"[a-z_]+", name):
                self.wrong(cell("class"), f"a class name is lower-case letters and _; found {name!r}")
            members = self.phrases(cell("word"), row["word"])
            self.classes[name] = (*self.classes.get(name, ()), *members)

    def finding(self, cell: Callable[[str], Cell], row: Row) -> Finding:
        """One row of findings.csv."""
        if row["key"] and not _FINDING_KEY.fullmatch(row["key"]):
            self.wrong(cell("key"), f"must be lower-case letters, digits and _; found {row['key']!r}")
        if row["key"] in _TAKEN:
            self.wrong(
                cell("key"), f"must be a name of its own, not {row['key']}: labels.csv has that column"
            )
        if not _COLOUR.fullmatch(row["colour"]):
            self.wrong(cell("colour"), f"must be a colour like #1f77b4; found {row['colour']!r}")
        entails = tuple(key.strip() for key in row["entails"].split(";") if key.strip())
        return Finding(**{k: v for k, v in row.items() if k != "entails"}, entails=entails)

    def check_entails(self, rows: Sequence[tuple[Callable[[str], Cell], Row]], keys: Sequence[str]) -> None:
        """``entails`` names other findings."""
        for cell, row in rows:
            for key in filter(None, (part.strip() for part in row["entails"].split(";"))):
                if key not in keys or key == row["key"]:
                    self.wrong(cell("entails"), f"no other finding {key!r} in findings.csv")

    def term(self, cell: Callable[[str], Cell], row: Row, keys: set[str]) -> Term:
        """One row of terms.csv."""
        self.one_of(
            cell("finding"), row["finding"], (*sorted(keys), *([""] if row["kind"] == "exclude" else []))
        )
        self.one_of(cell("kind"), row["kind"], ("report", "exclude"))
        self.one_of(cell("fuzzy"), row["fuzzy"], ("yes", "no"))
        self.one_of(cell("chest"), row["chest"], ("yes", "no"))
        self.one_of(cell("assertion"), row["assertion"], ("", *ASSERTIONS))
        return Term(
            finding=row["finding"],
            term=row["term"],
            kind="exclude" if row["kind"] == "exclude" else "report",
            fuzzy=row["fuzzy"] == "yes",
            assertion=row["assertion"] or None,  # type: ignore[arg-type]
            chest=row["chest"] == "yes",
            phrases=self.phrases(cell("term"), row["term"]),
        )

    def cue(self, cell: Callable[[str], Cell], row: Row) -> Cue:
        """One row of cues.csv."""
        self.one_of(cell("kind"), row["kind"], ("cue", "pseudo", "terminate", "past", "discard"))
        self.one_of(cell("direction"), row["direction"], ("forward", "backward", "both", "closing", "answer"))
        self.one_of(cell("assertion"), row["assertion"], ASSERTIONS if row["kind"] == "cue" else ("",))
        if row["reach"] and not row["reach"].isdigit():
            self.wrong(cell("reach"), f"must be a number of words or blank; found {row['reach']!r}")
        return Cue(
            cue=row["cue"],
            kind=row["kind"],  # type: ignore[arg-type]
            assertion=row["assertion"] or None,  # type: ignore[arg-type]
            direction=row["direction"],  # type: ignore[arg-type]
            reach=int(row["reach"]) if row["reach"].isdigit() else None,
            rule=row["rule"] or f"{row['assertion'] or row['kind']}_{row['direction']}",
            phrases=self.phrases(cell("cue"), row["cue"]),
        )

    def contexts(
        self, tables: Mapping[str, Sequence[tuple[Callable[[str], Cell], Row]]]
    ) -> Iterator[Context]:
        """The rows of modalities.csv and anatomy.csv."""
        for cell, row in tables["modalities.csv"]:
            yield Context("modality", row["modality"], self.phrases(cell("term"), row["term"]))
        kinds = ("laterality", "lobe", "chest", "outside")
        for cell, row in tables["anatomy.csv"]:
            self.one_of(cell("kind"), row["kind"], kinds)
            if row["kind"] in ("laterality", "lobe") and not row["value"]:
                self.wrong(cell("value"), "is blank")
            phrases = self.phrases(cell("term"), row["term"])
            yield Context(row["kind"], row["value"], phrases)  # type: ignore[arg-type]

    def covid(self, cell: Callable[[str], Cell], row: Row) -> CovidTerm:
        """One row of covid.csv."""
        self.one_of(cell("kind"), row["kind"], COVID_KINDS)
        return CovidTerm(row["kind"], row["term"], self.phrases(cell("term"), row["term"]))

    def abbreviation(self, cell: Callable[[str], Cell], row: Row) -> tuple[str, bool]:
        """A word that may end in a full stop, and whether only before a number."""
        self.one_of(cell("before"), row["before"], ("number", "word"))
        return row["abbreviation"].lower(), row["before"] == "number"

    def section(self, cell: Callable[[str], Cell], row: Row) -> tuple[str, Section]:
        """One row of sections.csv, keyed by its heading in lower case."""
        self.one_of(cell("reports"), row["reports"], ("yes", "no", "summary", "nothing"))
        reports = row["reports"]
        return row["heading"].lower(), Section(
            heading=row["heading"],
            section=row["section"],
            reports=reports in ("yes", "summary"),
            summary=reports == "summary",
            patient=reports != "nothing",
        )

    def check_duplicates(self, tables: Mapping[str, Sequence[tuple[Callable[[str], Cell], Row]]]) -> None:
        """The same row twice is a mistake of a spreadsheet, and hides which one is meant."""
        keys = {
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
        for name, columns in keys.items():
            first: dict[tuple[str, ...], int] = {}
            for cell, row in tables[name]:
                key = tuple(row[column].lower() for column in columns)
                line = cell(columns[-1]).line
                if key in first:
                    self.wrong(cell(columns[-1]), f"{' '.join(key)!r} stands in line {first[key]} already")
                first.setdefault(key, line)


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m nlp.lexicon check [DIR]``."""
    parser = argparse.ArgumentParser(
        prog="python -m nlp.lexicon", description="Check the lexicon's CSV files."
    )
    commands = parser.add_subparsers(dest="action", required=True)
    check = commands.add_parser("check", help="name file, line and column of every mistake")
    check.add_argument(
        "folder", nargs="?", type=Path, metavar="DIR", help="default: the toolkit's own lexicon"
    )
    return run_command(parser, lambda options: _check(options.folder), arguments)


def _check(folder: Path | None) -> None:
    lexicon = load_lexicon(folder)
    counts = f"{len(lexicon.findings)} findings, {len(lexicon.terms)} terms, {len(lexicon.cues)} cues"
    print(f"lexicon {lexicon.version} is good: {counts}")


if __name__ == "__main__":
    sys.exit(main())
