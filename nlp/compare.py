"""Labels and reference side by side: read both tables, join their records, make arrays of states.

The reference is read first and held; labels and mentions stream past it, so their size does not matter.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nlp.errors import ContractError, InputError
from nlp.reference import Reference, ReferenceRow, Row, read_rows
from nlp.schema import COVID, COVID_CELL, MENTION_COLUMNS, STATE_CELL, STATES, State, record_state
from nlp.scores import COVID_STATES, UNCLEAR, Codes, Comparison

_MIN_CLUSTERS = 20  # below this a cluster bootstrap says nothing reliable
_CELL_STATE: Mapping[str, State] = {"1": "present", "0": "negated", "-1": "uncertain", "": "not_mentioned"}
_CELL_COVID = {cell: state for state, cell in COVID_CELL.items()}


@dataclass(frozen=True)
class Pair:
    """One record that both files hold; ``states`` are the output's, in the order of the findings."""

    reference: ReferenceRow
    image: str
    caption: str
    states: tuple[State, ...]
    covid: str
    mentions: tuple[Row, ...]


@dataclass(frozen=True)
class Joined:
    """The records of both files, in the reference's order, and what did not join.

    Attributes:
        by: ``id``, or ``text`` where no id joined.
        five_states: False where resolved and negated could not be told apart and were folded together.
        missing: names of the reference rows without a labels row.
        extra: how many labels rows have no reference row.
        extra_images: the first of them.
        shared: how many further labels rows held a text that was already joined.
        overruled: how many cells of labels.csv the mentions do not explain; the cell was kept.
    """

    findings: tuple[str, ...]
    pairs: tuple[Pair, ...]
    by: str
    five_states: bool
    missing: tuple[str, ...]
    extra: int
    extra_images: tuple[str, ...]
    shared: int
    overruled: int


def join(reference: Reference, labels: Path, mentions: Path | None) -> Joined:
    """Join labels (and their mentions) to a reference by id, or by text where no id joins.

    Raises:
        InputError: a file cannot be read, lacks a column, or no record joins.
        ContractError: a joined row of labels or mentions breaks the contract.
    """
    found = _Matches(reference, by="id").read(labels)
    if not found.rows and reference.has_text:
        found = _Matches(reference, by="text").read(labels)
    if not found.rows:
        raise InputError(_nothing_joined(reference, labels))
    words = _read_mentions(mentions, {row["image"] for row in found.rows.values()}) if mentions else {}
    five_states = mentions is not None and reference.five_states
    overruled = 0
    pairs = []
    for index, row in sorted(found.rows.items()):
        said = words.get(row["image"], [])
        states, kept = _states(row, said, reference.findings)
        overruled += kept if mentions else 0
        pairs.append(_pair(_fold(reference.rows[index], five_states), row, said, states, five_states))
    missing = tuple(row.name for index, row in enumerate(reference.rows) if index not in found.rows)
    tally = (found.extra, tuple(found.extra_images), found.shared, overruled)
    return Joined(reference.findings, tuple(pairs), found.by, five_states, missing, *tally)


def compare(joined: Joined) -> Comparison:
    """The joined records as arrays of state codes."""
    reference = state_codes([pair.reference.states for pair in joined.pairs])
    output = state_codes([pair.states for pair in joined.pairs])
    groups, _ = clusters(joined)
    _, numbers = np.unique(np.array(groups), return_inverse=True)
    arrays = (joined.findings, reference, output, numbers.astype(np.int64))
    if any(pair.reference.covid is None for pair in joined.pairs):
        return Comparison(*arrays)
    covid = [pair.reference.covid or "" for pair in joined.pairs]
    return Comparison(*arrays, covid_codes(covid), covid_codes([pair.covid for pair in joined.pairs]))


def clusters(joined: Joined) -> tuple[list[str], bool]:
    """The resampling unit of each record, and whether it is the reference's cluster column.

    A blank cluster is a unit of its own. With fewer than 20 clusters records are resampled instead.
    """
    own = [f"\0{number}" for number in range(len(joined.pairs))]
    given = [pair.reference.cluster or unit for pair, unit in zip(joined.pairs, own, strict=True)]
    named = {pair.reference.cluster for pair in joined.pairs} - {""}
    if not named or len(set(given)) < _MIN_CLUSTERS:
        return own, False
    return given, True


class _Matches:
    """The labels rows that belong to reference rows, by row index; a filter that labels stream through."""

    def __init__(self, reference: Reference, *, by: str) -> None:
        self.by = by
        self.rows: dict[int, Row] = {}
        self.extra = 0
        self.extra_images: list[str] = []
        self.shared = 0
        self._columns = ("image", "caption", COVID, *reference.findings)
        self._wanted = defaultdict(list)
        for index, row in enumerate(reference.rows):
            if key := getattr(row, by):
                self._wanted[key].append(index)

    def read(self, labels: Path) -> _Matches:
        for number, row in read_rows(labels, self._columns):
            self._add(f"{labels.name}, row {number}", row)
        return self

    def _add(self, where: str, row: Row) -> None:
        indexes = self._wanted.get(row["image" if self.by == "id" else "caption"])
        if not indexes:
            self.extra += 1
            self.extra_images += [row["image"]] if self.extra <= 10 else []
        elif indexes[0] not in self.rows:
            _check_cells(where, row, self._columns[2:])
            kept = {name: row[name] for name in self._columns}
            self.rows |= dict.fromkeys(indexes, kept)
        elif self.by == "id":
            raise ContractError(f"{where}: image {row['image']!r} occurs twice; it must be unique")
        else:
            self.shared += 1


def _check_cells(where: str, row: Row, columns: Sequence[str]) -> None:
    wrong = [f"{name} is {row[name]!r}" for name in columns if row[name] not in _CELL_STATE]
    if wrong:
        raise ContractError(f"{where}: {'; '.join(wrong)}; allowed are 1, 0, -1 and blank")


def _read_mentions(path: Path, images: set[str]) -> dict[str, list[Row]]:
    """The mentions of these images, in file order."""
    columns = [column.name for column in MENTION_COLUMNS]
    found: dict[str, list[Row]] = defaultdict(list)
    for number, row in read_rows(path, columns):
        if row["image"] not in images:
            continue
        for column in MENTION_COLUMNS:
            if problem := column.problem(row[column.name]):
                raise ContractError(f"{path.name}, row {number}: {problem}")
        found[row["image"]].append(row)
    return found


def _states(row: Row, mentions: Sequence[Row], findings: Sequence[str]) -> tuple[list[State], int]:
    """The output's states, and how many the cell decides because no mention agrees with it.

    The cell always wins: people edit cells, and a row with a panel letter ignores other panels' mentions.
    Among mentions that agree with the cell the strongest decides, which tells resolved from negated.
    """
    said: dict[str, list[str]] = defaultdict(list)
    for mention in mentions:
        said[mention["finding"]].append(mention["assertion"])
    states: list[State] = []
    overruled = 0
    for finding in findings:
        cell = row[finding]
        agreeing = [name for name in said[finding] if STATE_CELL[name] == cell]
        states.append(record_state(agreeing) if agreeing else _CELL_STATE[cell])
        overruled += cell != STATE_CELL[record_state(agreeing)]
    return states, overruled


def _pair(
    reference: ReferenceRow, row: Row, mentions: Sequence[Row], states: Sequence[State], five_states: bool
) -> Pair:
    told = tuple(states) if five_states else tuple(map(_folded, states))
    return Pair(reference, row["image"], row["caption"], told, _CELL_COVID[row[COVID]], tuple(mentions))


def _fold(row: ReferenceRow, five_states: bool) -> ReferenceRow:
    return row if five_states else row.with_states(map(_folded, row.states))


def _folded(state: State) -> State:
    return "negated" if state == "resolved" else state


def state_codes(states: Sequence[Sequence[State]]) -> Codes:
    """(n_records, n_findings), index into ``schema.STATES``."""
    return np.array([[STATES.index(state) for state in row] for row in states], dtype=np.int8)


def covid_codes(states: Sequence[str]) -> Codes:
    """(n_records,), index into ``COVID_STATES``; ``UNCLEAR`` where the reference says unclear."""
    known = {state: code for code, state in enumerate(COVID_STATES)} | {"unclear": UNCLEAR}
    return np.array([known[state] for state in states], dtype=np.int8)


def _nothing_joined(reference: Reference, labels: Path) -> str:
    tried = "by image and by text" if reference.has_text else "by image"
    ids = Counter(bool(row.id) for row in reference.rows)
    return (
        f"no row of {labels.name} joins {reference.path.name} {tried}: the reference has {ids[True]} ids"
        f"{f' in column {reference.id_column!r}' if reference.id_column else ''}; run nlp.extract on the same"
        " texts with the same ids (--image-column), or choose the reference's id with --id-column"
    )
