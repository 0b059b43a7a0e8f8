"""Where output and reference differ: as a list, on the terminal, as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields

from nlp.compare import Joined, Pair
from nlp.errors import ContractError
from nlp.reference import Row
from nlp.schema import COVID, COVID_ASSERTION
from nlp.score_report import format_table

_SHOWN = 40
_CONTEXT = 60  # characters on either side of a mention


@dataclass(frozen=True)
class Disagreement:
    """One cell that differs, with the first mention behind the output; its fields are the CSV's columns.

    ``start`` to ``cue`` are blank where the output mentions nothing. ``context`` is blank unless asked for:
    the words around the mention, or the beginning of the text where there is none.
    """

    id: str
    finding: str
    reference: str
    output: str
    start: str = ""
    end: str = ""
    text: str = ""
    cue: str = ""
    rule: str = ""
    context: str = ""


def disagreements(joined: Joined, *, show_text: bool = False) -> Iterator[Disagreement]:
    """Every cell where output and reference differ, in the reference's order."""
    for pair in joined.pairs:
        cells = zip(joined.findings, pair.reference.states, pair.states, strict=True)
        for finding, reference, output in cells:
            if reference != output:
                yield _disagreement(pair, finding, reference, output, show_text)
        if pair.reference.covid not in (None, "unclear", pair.covid):
            yield _disagreement(pair, COVID, str(pair.reference.covid), pair.covid, show_text)


def _disagreement(pair: Pair, finding: str, reference: str, output: str, show_text: bool) -> Disagreement:
    mention = _deciding(pair, finding, output)
    context = _context(pair, mention) if show_text else ""
    where = (pair.reference.name, finding, reference, output)
    if mention is None:
        return Disagreement(*where, context=context)
    named = {name: mention[name] for name in ("start", "end", "text", "cue", "rule")}
    return Disagreement(*where, **named, context=context)


def _deciding(pair: Pair, finding: str, output: str) -> Row | None:
    """The first mention that says what the output says; the first of the finding where none does."""
    said = [mention for mention in pair.mentions if mention["finding"] == finding]
    if output in ("not_mentioned", "unstated"):
        return None
    same = COVID_ASSERTION.get(output, output)
    return next((mention for mention in said if mention["assertion"] == same), said[0] if said else None)


def _context(pair: Pair, mention: Row | None) -> str:
    if mention is None:
        return pair.caption[: 2 * _CONTEXT]
    try:
        start, end = int(mention["start"]), int(mention["end"])
    except ValueError:
        raise ContractError(f"mentions of {pair.image!r}: start and end must be whole numbers") from None
    if pair.caption[start:end] != mention["text"]:
        raise ContractError(
            f"the mentions of {pair.image!r} do not fit its caption; are they of another run?"
        )
    return pair.caption[max(0, start - _CONTEXT) : end + _CONTEXT]


def disagreement_text(found: Sequence[Disagreement], *, show_text: bool = False) -> str:
    """The first disagreements as a table for the terminal."""
    if not found:
        return "no disagreements"
    shown = found[:_SHOWN]
    more = len(found) - len(shown)
    note = f"\n... and {more} more; --disagreements FILE writes them all" if more else ""
    heading = f"{len(found)} disagreement{'s' if len(found) > 1 else ''}"
    return f"{heading}\n{format_table(_disagreement_rows(shown, show_text))}{note}"


def _disagreement_rows(found: Iterable[Disagreement], show_text: bool) -> Iterator[Sequence[str]]:
    columns = ["id", "finding", "reference", "output", "start", "text", "cue"] + ["context"] * show_text
    yield columns
    for disagreement in found:
        yield [_printable(getattr(disagreement, name)) for name in columns]


def disagreement_csv(found: Iterable[Disagreement]) -> str:
    """All of them, with a header."""
    names = [field.name for field in fields(Disagreement)]
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(disagreement) for disagreement in found)
    return file.getvalue()


def _printable(text: str) -> str:
    """Text that cannot move the cursor, colour the terminal or break the table."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
