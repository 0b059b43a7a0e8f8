"""The lexicon: every word the reader knows, as data in ``lexicon/*.csv``.

A radiologist adds a synonym, a cue or a whole finding by adding rows; no Python changes. ``python -m nlp.lexicon check [DIR]`` names
file, line and column of every mistake. Terms and cues are written in the language of ``nlp.phrases``.

The module is light: it loads neither spaCy nor pandas.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from nlp.command import run_command
from nlp.entries import Context, CovidTerm, Cue, Finding, Lexicon, Section, Term
from nlp.errors import LexiconError
from nlp.lexicon_files import FILES, Row, Tables, read_tables, repeated
from nlp.phrases import Phrase, expand
from nlp.schema import ASSERTIONS, label_columns

__all__ = ["FILES", "Context", "CovidTerm", "Cue", "Finding", "Lexicon", "Section", "Term", "load_lexicon"]

DEFAULT_FOLDER = Path(__file__).resolve().parent.parent / "lexicon"
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
    tables = read_tables(folder or DEFAULT_FOLDER)
    entries = _Entries(tables)
    lexicon = entries.lexicon()
    if problems := [*tables.problems, *entries.problems, *repeated(tables)]:
        raise LexiconError(problems)
    return lexicon


class _Entries:
    """Turns rows into entries and gathers what is wrong with them."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.problems: list[str] = []
        self.classes: dict[str, tuple[Phrase, ...]] = {}
        self.spellings: dict[str, Phrase] = {
            row["written"].lower(): () if row["means"] == LEFT_OUT else tuple(row["means"].lower().split())
            for row in tables.rows["spellings.csv"]
        }

    def lexicon(self) -> Lexicon:
        """All entries; they are of no use where there are problems."""
        rows = self.tables.rows
        self.load_classes(rows["words.csv"])
        findings = tuple(self.finding(row) for row in rows["findings.csv"])
        keys = [finding.key for finding in findings]
        self.check_entails(rows["findings.csv"], keys)
        return Lexicon(
            version=self.tables.version,
            findings=findings,
            terms=tuple(self.term(row, keys) for row in rows["terms.csv"]),
            cues=tuple(self.cue(row) for row in rows["cues.csv"]),
            contexts=tuple(self.contexts()),
            covid=tuple(self.covid(row) for row in rows["covid.csv"]),
            sections=dict(self.section(row) for row in rows["sections.csv"]),
            spellings=self.spellings,
            classes=self.classes,
            abbreviations=dict(self.abbreviation(row) for row in rows["abbreviations.csv"]),
            never_fuzzy=frozenset(row["word"].lower() for row in rows["never_fuzzy.csv"]),
        )

    def wrong(self, row: Row, column: str, problem: str) -> None:
        """Note a problem."""
        self.problems.append(row.says(column, problem))

    def one_of(self, row: Row, column: str, allowed: Sequence[str]) -> None:
        """Note a problem unless the value is allowed."""
        if row[column] not in allowed:
            choices = " or ".join(each or "blank" for each in allowed)
            self.wrong(row, column, f"must be {choices}; found {row[column]!r}")

    def phrases(self, row: Row, column: str) -> tuple[Phrase, ...]:
        """Expand a phrase; what is wrong with it becomes a problem of the cell."""
        try:
            return expand(row[column], self.classes, self.spellings)
        except ValueError as error:
            self.wrong(row, column, str(error))
            return ()

    def load_classes(self, rows: Sequence[Row]) -> None:
        """Classes may be used by classes further down."""
        for row in rows:
            name = row["class"]
            if not re.fullmatch(r"[a-z_]+", name):
                self.wrong(row, "class", f"a class name is lower-case letters and _; found {name!r}")
            members = self.phrases(row, "word")
            self.classes[name] = (*self.classes.get(name, ()), *members)

    def finding(self, row: Row) -> Finding:
        """One row of findings.csv."""
        key, colour = row["key"], row["colour"]
        if key and not _FINDING_KEY.fullmatch(key):
            self.wrong(row, "key", f"must be lower-case letters, digits and _; found {key!r}")
        if key in _TAKEN:
            self.wrong(row, "key", f"must be a name of its own, not {key}: labels.csv has that column")
        if not _COLOUR.fullmatch(colour):
            self.wrong(row, "colour", f"must be a colour like #1f77b4; found {colour!r}")
        plain = {column: cell for column, cell in row.cells.items() if column != "entails"}
        return Finding(**plain, entails=_entailed(row))

    def check_entails(self, rows: Sequence[Row], keys: Collection[str]) -> None:
        """``entails`` names other findings."""
        for row in rows:
            for key in _entailed(row):
                if key not in keys or key == row["key"]:
                    self.wrong(row, "entails", f"no other finding {key!r} in findings.csv")

    def term(self, row: Row, keys: Collection[str]) -> Term:
        """One row of terms.csv."""
        self.one_of(row, "finding", (*sorted(keys), *([""] if row["kind"] == "exclude" else [])))
        self.one_of(row, "kind", ("report", "exclude"))
        self.one_of(row, "fuzzy", ("yes", "no"))
        self.one_of(row, "chest", ("yes", "no"))
        self.one_of(row, "assertion", ("", *ASSERTIONS))
        return Term(
            finding=row["finding"],
            term=row["term"],
            kind="exclude" if row["kind"] == "exclude" else "report",
            fuzzy=row["fuzzy"] == "yes",
            assertion=row["assertion"] or None,  # type: ignore[arg-type]
            chest=row["chest"] == "yes",
            phrases=self.phrases(row, "term"),
        )

    def cue(self, row: Row) -> Cue:
        """One row of cues.csv."""
        self.one_of(row, "kind", ("cue", "pseudo", "terminate", "past", "discard"))
        self.one_of(row, "direction", ("forward", "backward", "both", "closing", "answer"))
        self.one_of(row, "assertion", ASSERTIONS if row["kind"] == "cue" else ("",))
        if row["reach"] and not row["reach"].isdecimal():
            self.wrong(row, "reach", f"must be a number of words or blank; found {row['reach']!r}")
        return Cue(
            cue=row["cue"],
            kind=row["kind"],  # type: ignore[arg-type]
            assertion=row["assertion"] or None,  # type: ignore[arg-type]
            direction=row["direction"],  # type: ignore[arg-type]
            reach=int(row["reach"]) if row["reach"].isdecimal() else None,
            rule=row["rule"] or f"{row['assertion'] or row['kind']}_{row['direction']}",
            phrases=self.phrases(row, "cue"),
        )

    def contexts(self) -> Iterator[Context]:
        """The rows of modalities.csv and anatomy.csv."""
        for row in self.tables.rows["modalities.csv"]:
            yield Context("modality", row["modality"], self.phrases(row, "term"))
        for row in self.tables.rows["anatomy.csv"]:
            self.one_of(row, "kind", ("laterality", "lobe", "chest", "outside"))
            if row["kind"] in ("laterality", "lobe") and not row["value"]:
                self.wrong(row, "value", "is blank")
            yield Context(row["kind"], row["value"], self.phrases(row, "term"))  # type: ignore[arg-type]

    def covid(self, row: Row) -> CovidTerm:
        """One row of covid.csv."""
        self.one_of(row, "kind", COVID_KINDS)
        return CovidTerm(row["kind"], row["term"], self.phrases(row, "term"))

    def abbreviation(self, row: Row) -> tuple[str, bool]:
        """A word that may end in a full stop, and whether only before a number."""
        self.one_of(row, "before", ("number", "word"))
        return row["abbreviation"].lower(), row["before"] == "number"

    def section(self, row: Row) -> tuple[str, Section]:
        """One row of sections.csv, keyed by its heading in lower case."""
        self.one_of(row, "reports", ("yes", "no", "summary", "nothing"))
        reports = row["reports"]
        return row["heading"].lower(), Section(
            heading=row["heading"],
            section=row["section"],
            reports=reports in ("yes", "summary"),
            summary=reports == "summary",
            patient=reports != "nothing",
        )


def _entailed(row: Row) -> tuple[str, ...]:
    return tuple(key.strip() for key in row["entails"].split(";") if key.strip())


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
