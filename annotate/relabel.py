"""Re-label: a saved lexicon reads every record that no person has confirmed; what people said is never touched.

Reading comes first, outside the transaction, so that annotators go on saving meanwhile; then everything is
written at once or not at all, and whom somebody confirmed in between is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from annotate.events import log, log_all
from annotate.judgements import confirmed_ids
from annotate.lexicon_versions import Files, activate
from annotate.people import require_role
from annotate.reread import LABELLED_BY_TEXT, Read, Stored, portions, read_again, stored_records
from annotate.rule_changes import changed_cells
from annotate.rule_preview import captions_stamp
from annotate.store_tables import MENTION, RECORD
from annotate.worklist import refresh
from nlp.errors import StoreError

if TYPE_CHECKING:
    from annotate.store import Store
    from nlp.batch import Reader

_PLACE = ("finding", "assertion", "start", "end")
_NOT_KEPT = ("image", "text")
Mention = Mapping[str, Any]


@dataclass(frozen=True)
class Relabelled:
    """What re-labelling did, in records.

    Attributes:
        version: the lexicon that is active now.
        relabelled: got another cell, flag or both.
        mentions: got other mentions.
        unchanged: were read and say the same.
        confirmed: a person has confirmed them, so that they were left alone.
        unread: their labels came without a lexicon, and stay.
    """

    version: str
    relabelled: int
    mentions: int
    unchanged: int
    confirmed: int
    unread: int


@dataclass(frozen=True)
class _Plan:
    """What was read: the ids of all records, and of those that differ what they get."""

    ids: Sequence[int]
    labels: Mapping[int, tuple[Stored, Read]]
    mentions: Mapping[int, Sequence[Mention]]


def relabel(
    store: Store,
    files: Files,
    actor: str,
    *,
    reader: Reader,
    base: str,
    covid: bool = False,
    now: float,
    progress: Callable[[float], None] = lambda done: None,
) -> Relabelled:
    """Make a lexicon the active one and bring labels, flags and mentions in line with it.

    Args:
        reader: of the lexicon in ``files``.
        base: the version that was active when the edit began.
        covid: as for ``reread.read_again``.
        progress: receives the share that has been read, 0 to 1.

    Raises:
        StoreError: the actor is no adjudicator, another version became active, or records were loaded meanwhile.
    """
    with store.read() as connection:
        require_role(connection, actor, "adjudicator")
        stamp = captions_stamp(connection)
        plan = _plan(connection, reader, covid=covid, progress=progress)
    version = reader.lexicon.version
    with store.write() as connection:
        activate(connection, actor, files, version, base=base, now=now)
        if captions_stamp(connection) != stamp:
            raise StoreError("records were loaded meanwhile; nothing was changed: save once more")
        done = _write(connection, plan, version, actor, now)
        log(connection, actor, "lexicon.activate", now=now, old={"version": base}, new=asdict(done))
    return done


def _plan(
    connection: sa.Connection, reader: Reader, *, covid: bool, progress: Callable[[float], None]
) -> _Plan:
    confirmed = confirmed_ids(connection)
    every = connection.scalars(sa.select(RECORD.c.id).where(LABELLED_BY_TEXT).order_by(RECORD.c.id))
    ids = [record for record in every if record not in confirmed]
    labels: dict[int, tuple[Stored, Read]] = {}
    mentions: dict[int, Sequence[Mention]] = {}
    done = 0
    for some in portions(ids):
        records = list(stored_records(connection, some))
        known = _stored_mentions(connection, some)
        for record, read in zip(records, read_again(records, reader, covid=covid), strict=True):
            if changed_cells(record.labels, read.labels) or record.flags != read.flags:
                labels[record.id] = record, read
            found = [_kept(mention) for mention in read.mentions]
            if _in_order(found) != _in_order(known.get(record.id, ())):
                mentions[record.id] = found
        done += len(some)
        progress(done / len(ids))
    return _Plan(ids, labels, mentions)


def _write(connection: sa.Connection, plan: _Plan, version: str, actor: str, now: float) -> Relabelled:
    confirmed = confirmed_ids(connection)  # anew: people went on working while we read
    ids = [record for record in plan.ids if record not in confirmed]
    labels = {record: pair for record, pair in plan.labels.items() if record not in confirmed}
    mentions = {record: found for record, found in plan.mentions.items() if record not in confirmed}
    _write_labels(connection, labels, actor, now)
    _write_mentions(connection, mentions)
    for some in portions(ids):
        connection.execute(RECORD.update().where(RECORD.c.id.in_(some)).values(lexicon_version=version))
    refresh(connection, labels.keys() | mentions.keys())
    eligible = connection.scalar(sa.select(sa.func.count()).where(LABELLED_BY_TEXT)) or 0
    total = connection.scalar(sa.select(sa.func.count()).select_from(RECORD)) or 0
    return Relabelled(
        version=version,
        relabelled=len(labels),
        mentions=len(mentions),
        unchanged=len(ids) - len(labels.keys() | mentions.keys()),
        confirmed=eligible - len(ids),
        unread=total - eligible,
    )


def _write_labels(
    connection: sa.Connection, labels: Mapping[int, tuple[Stored, Read]], actor: str, now: float
) -> None:
    new = {"labels": sa.bindparam("new_labels", type_=sa.JSON), "flags": sa.bindparam("new_flags")}
    change = RECORD.update().where(RECORD.c.id == sa.bindparam("key")).values(new)
    rows = [
        {"key": record, "new_labels": dict(read.labels), "new_flags": read.flags}
        for record, (_, read) in labels.items()
    ]
    if rows:
        connection.execute(change, rows)
    log_all(connection, actor, "record.relabel", map(_event, labels.values()), now=now)


def _write_mentions(connection: sa.Connection, mentions: Mapping[int, Sequence[Mention]]) -> None:
    for some in portions([*mentions]):
        connection.execute(MENTION.delete().where(MENTION.c.record_id.in_(some)))
        # loading a table again shall see that these are no longer its mentions
        connection.execute(RECORD.update().where(RECORD.c.id.in_(some)).values(mentions_digest=""))
        rows = [_row(record, mention) for record in some for mention in mentions[record]]
        if rows:
            connection.execute(MENTION.insert(), rows)


def _event(pair: tuple[Stored, Read]) -> tuple[int, dict[str, Any], dict[str, Any]]:
    stored, read = pair
    old = {"labels": dict(stored.labels), "flags": stored.flags}
    return stored.id, old, {"labels": dict(read.labels), "flags": read.flags}


def _stored_mentions(connection: sa.Connection, ids: Collection[int]) -> dict[int, list[Mention]]:
    columns = (MENTION.c[name] for name in ("record_id", *_PLACE, "details"))
    found: dict[int, list[Mention]] = {}
    for record, *place, details in connection.execute(
        sa.select(*columns).where(MENTION.c.record_id.in_(ids))
    ):
        found.setdefault(record, []).append({**dict(zip(_PLACE, place, strict=True)), **details})
    return found


def _kept(mention: Mention) -> Mention:
    return {name: value for name, value in mention.items() if name not in _NOT_KEPT}


def _row(record: int, mention: Mention) -> dict[str, Any]:
    details = {name: value for name, value in mention.items() if name not in _PLACE}
    return {"record_id": record, **{name: mention[name] for name in _PLACE}, "details": details}


def _in_order(mentions: Sequence[Mention]) -> list[list[tuple[str, Any]]]:
    def key(mention: Mention) -> tuple[Any, ...]:
        return mention["start"], mention["end"], mention["finding"], mention["term"], mention["rule"]

    return [sorted(mention.items()) for mention in sorted(mentions, key=key)]
