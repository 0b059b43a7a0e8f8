"""CheXpert-style tables as records of the contract: the data set's own, or what its labeler writes.

Irvin et al., "CheXpert", AAAI 2019, doi:10.1609/aaai.v33i01.3301590: per observation 1.0 present, 0.0
negated, -1.0 uncertain, blank not mentioned.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from annotate.records import Converted, complete, use_paths
from annotate.tables import read_table
from nlp.column_names import listed_columns
from nlp.entries import Lexicon
from nlp.errors import ContractError, InputError
from nlp.phrases import Phrase
from nlp.schema import COVID

_CELLS = {f"{cell}{end}": cell for cell in ("1", "0", "-1") for end in ("", ".0")} | {"": ""}
_PATIENT = re.compile(r"(patient\d+)", re.IGNORECASE)
_IMAGE, _TEXT = "path", "reports"
_COVID_NAMES = ("covid19", "covid", "cvd19")


def read_chexpert(path: Path, lexicon: Lexicon, *, images: Path | None = None) -> Converted:
    """Every row with the observations that are findings of ours; the other columns are named in the notes.

    Columns are findings by key, name, abbreviation or a term of the lexicon. The labeler's output has no
    image column: its rows become images ``report-1``, ``report-2`` and so on.

    Raises:
        InputError: unreadable, neither Path nor Reports, or no finding of ours.
        ContractError: cells that are no CheXpert values.
        ImageError: with ``images``, those without a file.
    """
    raw = read_table(path)
    roles = {name: _role(str(name), lexicon) for name in raw.columns}
    _check(path, raw, roles)
    by_role = {role: name for name, role in roles.items() if role}
    labels = [role for role in by_role if role not in (_IMAGE, _TEXT)]
    table = pd.DataFrame(_cells(path, raw, {role: by_role[role] for role in labels}), index=raw.index)
    numbered = [f"report-{number}" for number in range(1, len(raw) + 1)]
    table["image"] = raw[by_role[_IMAGE]] if _IMAGE in by_role else numbered
    table["caption"] = raw[by_role[_TEXT]] if _TEXT in by_role else ""
    table["patient_id"] = table["image"].str.extract(_PATIENT, expand=False).fillna("")
    table = complete(table.astype(object), lexicon.finding_keys)
    notes = [f"columns left out: {', '.join(str(name) for name, role in roles.items() if not role)}"]
    if images is not None:
        table, unlisted = use_paths(table, images)
        notes += unlisted
    return Converted(table, notes)


def _role(name: str, lexicon: Lexicon) -> str:
    """What a column is: ``path``, ``reports``, ``covid19``, a finding key, or blank for none of ours."""
    words = _words(name)
    if words in ((_IMAGE,), (_TEXT,)):
        return words[0]
    if "".join(words) in _COVID_NAMES:
        return COVID
    for finding in lexicon.findings:
        if words in (_words(finding.key), _words(finding.name), _words(finding.abbreviation)):
            return finding.key
    found = {
        term.finding for term in lexicon.terms if term.kind == "report" and _matches(words, term.phrases)
    }
    return found.pop() if len(found) == 1 else ""


def _words(name: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[a-z0-9]+", name.lower()))


def _matches(words: Sequence[str], phrases: Sequence[Phrase]) -> bool:
    return any(
        len(phrase) == len(words) and all(w in slot.split("|") for w, slot in zip(words, phrase, strict=True))
        for phrase in phrases
    )


def _check(path: Path, raw: pd.DataFrame, roles: Mapping[str, str]) -> None:
    found = [role for role in roles.values() if role]
    known = listed_columns(list(raw.columns))
    if not {_IMAGE, _TEXT} & set(found):
        raise InputError(f"{path} has neither a column Path nor Reports; it has {known}")
    if not set(found) - {_IMAGE, _TEXT, COVID}:
        raise InputError(f"{path} has no column that is a finding of the lexicon; it has {known}")
    if twice := sorted({role for role in found if found.count(role) > 1}):
        names = ", ".join(str(name) for name, role in roles.items() if role in twice)
        raise InputError(f"{path}: several columns are the same finding ({', '.join(twice)}): {names}")


def _cells(path: Path, raw: pd.DataFrame, columns: Mapping[str, str]) -> dict[str, pd.Series]:
    """The label columns as cells of the contract, by role."""
    cells = {role: raw[name].str.strip().map(_CELLS) for role, name in columns.items()}
    wrong = {role: series[series.isna()].index for role, series in cells.items() if series.isna().any()}
    if wrong:
        lines = [
            f"column {columns[role]}: rows {', '.join(map(str, rows[:20]))}" for role, rows in wrong.items()
        ]
        heading = f"{path} has cells that are not 1.0, 0.0, -1.0 or blank:"
        raise ContractError("\n".join([heading, *lines]))
    return cells
