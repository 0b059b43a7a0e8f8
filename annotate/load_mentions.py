"""mentions.csv into the store: streamed twice, first to check it and see what changed, then to write that."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from annotate.store_tables import MENTION
from nlp.column_names import listed_columns
from nlp.errors import ContractError
from nlp.schema import COVID, MENTION_COLUMNS, record_state
from nlp.tables import open_table, read_rows

_NAMES = tuple(column.name for column in MENTION_COLUMNS)
_OWN_COLUMN = ("image", "finding", "assertion", "start", "end", "text")
_WHOLE = ("cue_start", "cue_end")
_BATCH_ROWS = 8192
_LISTED = 100
Cells = dict[str, str]


@dataclass
class MentionDigests:
    """What a mentions table holds of each image, without its rows.

    Attributes:
        digests: of the mentions of an image, whatever their order.
        counts: how many it has.
        strangers: images that the labels table does not have; their mentions are left out.
        states: state of each finding that is mentioned, of the images for which they were asked.
    """

    digests: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    strangers: set[str] = field(default_factory=set)
    states: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))

    def of(self, image: str) -> str:
        """The digest as the store keeps it; of an image without mentions, too."""
        return f"{self.counts.get(image, 0)}:{self.digests.get(image, 0):016x}"


def digest_mentions(
    path: Path,
    captions: Mapping[str, str],
    findings: Sequence[str],
    encoding: str | None = None,
    *,
    states_of: Collection[str] = (),
) -> MentionDigests:
    """Check every row against the contract and its caption, and digest the mentions of each image.

    Args:
        states_of: images whose states are wanted.

    Raises:
        InputError: the file cannot be read.
        ContractError: lists columns or rows that break the contract, or whose place does not hold their text.
    """
    found = MentionDigests()
    problems: list[str] = []
    allowed = {column.name: set(column.values) for column in MENTION_COLUMNS if column.values}
    allowed["finding"] = {COVID, *findings}
    for number, row in _rows(path, encoding):
        image = row["image"]
        if image not in captions:
            found.strangers.add(image)
            continue
        if problem := _problem(row, captions[image], allowed):
            problems.append(f"row {number}: {problem}")
            continue
        digest = blake2b("\x1f".join(row.values()).encode(), digest_size=8).digest()
        found.digests[image] = (found.digests[image] + int.from_bytes(digest)) % 2**64
        found.counts[image] += 1
        if image in states_of:
            said = found.states[image]
            said[row["finding"]] = record_state([row["assertion"], said.get(row["finding"], "")])
    if problems:
        more = [f"... and {len(problems) - _LISTED:,} more"] if len(problems) > _LISTED else []
        heading = f"{path} breaks the contract in {len(problems):,} rows:"
        raise ContractError("\n".join([heading, *problems[:_LISTED], *more]))
    if found.strangers and not found.counts:
        raise ContractError(
            f"{path} has mentions of other images only: it does not belong to the labels table"
        )
    return found


def write_mentions(
    connection: sa.Connection, path: Path, ids: Mapping[str, int], encoding: str | None = None
) -> int:
    """Put the mentions of these images (image → record_id) in place of those they had; how many.

    The records' mentions are gone before; see ``drop_mentions``.
    """
    batch: list[dict[str, Any]] = []
    count = 0
    for _, row in _rows(path, encoding):
        if row["image"] not in ids:
            continue
        batch.append(_stored(row, ids[row["image"]]))
        if len(batch) == _BATCH_ROWS:
            connection.execute(MENTION.insert(), batch)
            count += len(batch)
            batch = []
    if batch:
        connection.execute(MENTION.insert(), batch)
    return count + len(batch)


def drop_mentions(connection: sa.Connection, record_ids: Sequence[int]) -> None:
    """Remove the machine's mentions of records; what people decided on them stays."""
    for place in range(0, len(record_ids), 500):
        connection.execute(MENTION.delete().where(MENTION.c.record_id.in_(record_ids[place : place + 500])))


def _rows(path: Path, encoding: str | None) -> Iterator[tuple[int, Cells]]:
    table = open_table(path, encoding)
    if missing := [name for name in _NAMES if name not in table.header]:
        raise ContractError(
            f"{path} lacks the columns {', '.join(missing)}; it has {listed_columns(table.header)}"
        )
    wanted = [table.header.index(name) for name in _NAMES]
    with closing(read_rows(table, wanted, batch_rows=_BATCH_ROWS)) as batches:
        for batch in batches:
            if batch.rejected:
                lines = [f"row {rejected.row}: {rejected.reason}" for rejected in batch.rejected[:_LISTED]]
                raise ContractError("\n".join([f"{path} has rows that cannot be read:", *lines]))
            columns = (batch.columns[index].to_pylist() for index in wanted)
            for number, *cells in zip(batch.numbers, *columns, strict=True):
                yield number, dict(zip(_NAMES, cells, strict=True))


def _problem(row: Cells, caption: str, allowed: Mapping[str, set[str]]) -> str | None:
    for name, values in allowed.items():
        if row[name] not in values:
            return f"{name} must be one of {', '.join(sorted(values))}"
    start, end = row["start"], row["end"]
    if not (_is_whole(start) and _is_whole(end) and int(start) < int(end) <= len(caption)):
        return f"start and end must lie in the caption of {len(caption)} characters; found {start[:12]} and {end[:12]}"
    if caption[int(start) : int(end)] != row["text"]:
        return f"the caption of {row['image']!r} has other words at {start} to {end}: was it changed?"
    if any(row[name] and not _is_whole(row[name]) for name in _WHOLE):
        return f"{' and '.join(_WHOLE)} must be whole numbers or blank"
    try:
        float(row["score"] or "0")
    except ValueError:
        return "score must be a number from 0 to 100"
    return None


def _stored(row: Cells, record_id: int) -> dict[str, Any]:
    details: dict[str, Any] = {name: row[name] for name in _NAMES if name not in _OWN_COLUMN}
    details |= {name: int(row[name]) if row[name] else None for name in _WHOLE}
    details["score"] = float(row["score"]) if row["score"] else None
    place = {"start": int(row["start"]), "end": int(row["end"])}
    return {
        "record_id": record_id,
        "finding": row["finding"],
        "assertion": row["assertion"],
        **place,
        "details": details,
    }


def _is_whole(text: str) -> bool:
    return text.isascii() and text.isdigit()
