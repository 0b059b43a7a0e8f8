"""Which column a role may have, guessed from the names and the content of all that are free."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nlp.roles import Role

Sample = Sequence[Sequence[str]]
"""The first cells of each column."""

_ID_NAMES = re.compile(r"(id|name|number|no|key|accession|uid)$")
_COVID_LOOKALIKE = re.compile(r"covid|cvd19|sarscov|ncov")
_LEAST_TEXT = 20  # characters on average
_LONGEST_ID = 255


@dataclass(frozen=True)
class Choice:
    """The column taken for a role (None: there is none) and why."""

    index: int | None
    why: str


def guessed(role: Role, header: Sequence[str], sample: Sample, free: Sequence[int]) -> Choice:
    """The free column whose values look like the role's, else one with its name; for text the longest."""
    if role.name == "covid":
        return Choice(None, "never guessed")
    if role.name == "text":
        return _longest(role, header, sample, free)
    named = [index for name in role.names for index in free if _plain(header[index]) == name]
    shares = {index: _share(role.content, sample[index]) for index in free} if role.content else {}
    alike = [index for index in shares if shares[index] >= 0.5]
    if alike:
        best = max(alike, key=lambda index: (index in named, shares[index]))
        return Choice(best, f"guessed: {shares[best]:.0%} of its values look like one")
    return Choice(named[0], "guessed from its name") if named else Choice(None, "")


def identifier(header: Sequence[str], sample: Sample, free: Sequence[int]) -> Choice:
    """Where no column holds images, one that tells every row apart stands in for them."""
    distinct = [i for i in free if _tells_apart(sample[i])]
    named = [i for i in distinct if _ID_NAMES.search(_plain(header[i]))]
    chosen = next(iter(named or [i for i in distinct if i == 0 and sample[i]]), None)
    return Choice(chosen, "" if chosen is None else "no image column; this one tells the rows apart")


def looks_like_covid(name: str) -> bool:
    """Whether a column of this name may hold labels of COVID-19, also where a zero stands for the O."""
    return bool(_COVID_LOOKALIKE.search(_plain(name).replace("0", "o")))


def finding_columns(header: Sequence[str], finding_names: Iterable[str]) -> list[int]:
    """Columns named after a finding, wholly or in a part: ``consolidation(Csld)``."""
    known = {_plain(name) for name in finding_names} - {""}
    parts = [{_plain(part) for part in [name, *re.split(r"[()\[\]/,;]", name)]} for name in header]
    return [index for index, words in enumerate(parts) if words & known]


def _longest(role: Role, header: Sequence[str], sample: Sample, free: Sequence[int]) -> Choice:
    """The longest of the columns whose name says text; failing that, the longest that looks like prose."""
    lengths = {index: _mean_length(sample[index]) for index in free}
    named = [index for index in free if _plain(header[index]) in role.names]
    prose = [i for i in free if lengths[i] >= _LEAST_TEXT and _share(r"\S\s+\S", sample[i]) >= 0.5]
    for candidates, why in ((named, "guessed from its name"), (prose, "guessed: the longest text")):
        if candidates:
            best = max(candidates, key=lambda index: lengths[index])
            return Choice(best, f"{why}, {lengths[best]:.0f} characters on average")
    return Choice(None, "")


def _tells_apart(cells: Sequence[str]) -> bool:
    return len(set(cells)) == len(cells) and all(0 < len(cell.strip()) <= _LONGEST_ID for cell in cells)


def _share(pattern: str, cells: Sequence[str]) -> float:
    filled = [cell for cell in cells if cell.strip()]
    return sum(bool(re.search(pattern, cell)) for cell in filled) / len(filled) if filled else 0.0


def _mean_length(cells: Sequence[str]) -> float:
    filled = [len(cell) for cell in cells if cell.strip()]
    return sum(filled) / len(filled) if filled else 0.0


def _plain(name: str) -> str:
    """Letters and digits only, in lower case.

    >>> _plain("Patient ID")
    'patientid'
    """
    return "".join(c for c in unicodedata.normalize("NFKC", name).casefold() if c.isalnum())
