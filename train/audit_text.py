"""Labels that contradict the texts they stand beside: ``contradictions.csv``, given the mentions of ``nlp.extract``.

| label | contradicted by a text that |
|---|---|
| finding 1 | does not say that it is present or may be: not mentioned, negated, resolved |
| finding 0, or blank | says that it is present |
| covid19 1 | says COVID-19 is absent |
| covid19 0 | says COVID-19 is present |

A label of -1, a text that is uncertain, and a record without a text contradict nothing.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nlp.errors import ContractError, InputError
from nlp.schema import ASSERTIONS, COVID, State, record_state
from train.label_rows import listed
from train.records import Records

COLUMNS = ("image", "patient_id", "split", "finding", "label", "text_state", "start", "end", "rule")
_NEEDED = ("image", "finding", "assertion", "start", "end", "rule")
_NOT_PRESENT = ("negated", "resolved", "not_mentioned")

Place = tuple[str, str]


@dataclass(frozen=True)
class Mention:
    """What a text says of a finding at one place: ``start`` and ``end`` as in mentions.csv, and why."""

    assertion: str
    start: str
    end: str
    rule: str


@dataclass(frozen=True)
class Contradiction:
    """A cell and what the text says instead.

    Attributes:
        record: its number.
        key: ``covid19`` or a finding.
        label: 1, 0 or blank.
        mention: the one that decides the state; None where the text does not mention it.
    """

    record: int
    key: str
    label: str
    state: State
    mention: Mention | None


def read_mentions(path: Path) -> dict[Place, list[Mention]]:
    """The mentions of each image and finding in a mentions.csv, in their order.

    Raises:
        InputError: it cannot be read or lacks a column.
        ContractError: assertions that are none; each is listed with its row.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            header = reader.fieldnames or ()
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as a CSV file in UTF-8: {error}") from error
    if missing := [name for name in _NEEDED if name not in header]:
        raise InputError(
            f"{path} lacks the columns {', '.join(missing)}; mentions.csv of nlp.extract has them"
        )
    wrong = [
        f"row {number}: assertion must be one of {', '.join(ASSERTIONS)}"
        for number, row in enumerate(rows, 2)
        if row["assertion"] not in ASSERTIONS
    ]
    if wrong:
        raise ContractError(listed(f"{path} breaks the contract of mentions.csv:", wrong))
    found: dict[Place, list[Mention]] = defaultdict(list)
    for row in rows:
        mention = Mention(row["assertion"], row["start"], row["end"], row["rule"])
        found[row["image"], row["finding"]].append(mention)
    return found


def contradictions(
    records: Records, mentions: Mapping[Place, Sequence[Mention]]
) -> tuple[Contradiction, ...]:
    """Every cell that contradicts its text, by record.

    Raises:
        ContractError: no image of the mentions is one of the records': they belong to another table.
    """
    named = {image for image, _ in mentions}
    if named and named.isdisjoint(records.images):
        raise ContractError(
            f"none of the {len(named)} images of the mentions is in the table: run nlp.extract on the same table"
        )
    return tuple(
        found
        for record in np.flatnonzero(records.captioned).tolist()
        for found in _of_record(records, record, mentions)
    )


def contradicts(key: str, label: str, state: State) -> bool:
    """Whether a cell (1, 0, -1 or blank) contradicts what the text says."""
    if key == COVID:
        return (label, state) in {("1", "negated"), ("0", "present")}
    return state in _NOT_PRESENT if label == "1" else label in ("0", "") and state == "present"


def contradiction_rows(records: Records, found: Sequence[Contradiction]) -> Iterator[tuple[str, ...]]:
    """The rows of contradictions.csv, in the order of ``COLUMNS``; places count characters of the caption."""
    for each in found:
        row, mention = each.record, each.mention
        place = (mention.start, mention.end, mention.rule) if mention else ("", "", "")
        yield (
            *(names[row] for names in (records.images, records.patient_ids, records.splits)),
            *(each.key, each.label, each.state),
            *place,
        )


def _of_record(
    records: Records, record: int, mentions: Mapping[Place, Sequence[Mention]]
) -> Iterator[Contradiction]:
    cells = zip((COVID, *records.finding_keys), _labels(records, record), strict=True)
    for key, label in cells:
        said = mentions.get((records.images[record], key), ())
        state = record_state(each.assertion for each in said)
        if contradicts(key, label, state):
            deciding = next((each for each in said if each.assertion == state), None)
            yield Contradiction(record, key, label, state, deciding)


def _labels(records: Records, record: int) -> Iterator[str]:
    """The flag and every finding as cells; a masked flag is blank."""
    for value in (records.covid19[record], *records.finding_cells[record]):
        yield "" if np.isnan(value) else f"{value:.0f}"
