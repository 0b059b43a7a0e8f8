"""A checked table into the store, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa

from annotate.events import log
from annotate.load_changes import ACTOR, Changes, write_records
from annotate.load_images import images_without_row
from annotate.load_mentions import drop_mentions, write_mentions
from annotate.load_predictions import load_predictions
from annotate.load_reviews import Reviews, import_reviews
from annotate.load_source import Source
from annotate.load_splits import import_splits
from annotate.store_tables import META, RECORD
from annotate.worklist import refresh, set_overlap

_CHUNK = 500


@dataclass(frozen=True)
class Mentions:
    """Records whose mentions are new or changed, and how many mentions these have.

    ``dropped``: records whose mentions went because their caption changed and no mentions came with it;
    ``strangers``: images of mentions.csv that are not in the labels table.
    """

    records: tuple[int, ...] = ()
    count: int = 0
    dropped: int = 0
    strangers: int = 0


@dataclass(frozen=True)
class Loaded:
    """What loading did.

    Attributes:
        records: what became of the table's rows.
        from_folder: the same of images without a row.
        reviews: rows that people had decided elsewhere.
        splits: patients that got a set.
        predictions: records with predictions.
        gone: images of records that are not in the table, and are kept.
    """

    records: Changes
    from_folder: Changes
    mentions: Mentions
    reviews: Reviews
    splits: int
    predictions: int
    gone: tuple[str, ...]


def write_source(
    connection: sa.Connection, findings: Sequence[str], source: Source, *, overlap: int | None, now: float
) -> Loaded:
    """Write everything; see ``annotate.load.load``.

    Raises:
        ContractError: patients in two sets, or predictions that cannot be used.
    """
    states = None if source.digests is None else source.digests.states
    records = write_records(connection, source.table, source.files, findings, states=states, now=now)
    from_folder = _write_folder(connection, source, findings, now)
    mentions = _write_mentions(connection, source, records)
    touched = {*records.new, *records.relabelled, *records.changed, *from_folder.new, *from_folder.changed}
    refresh(connection, touched | set(mentions.records))
    if overlap is not None:
        set_overlap(connection, None, overlap)
    loaded = Loaded(
        records=records,
        from_folder=from_folder,
        mentions=mentions,
        reviews=import_reviews(connection, source.table, records.ids, findings, now=now),
        splits=import_splits(connection, source.table),
        predictions=_write_predictions(connection, source, findings),
        gone=_gone(connection, set(records.ids.values())),
    )
    count_records(connection)
    log(connection, ACTOR, "load", now=now, new=counts(loaded))
    connection.exec_driver_sql("ANALYZE")  # how the database plans its searches
    return loaded


def counts(loaded: Loaded) -> dict[str, int]:
    """What loading did, in numbers by name."""
    records = loaded.records
    return {
        "new": len(records.new),
        "relabelled": len(records.relabelled),
        "changed": len(records.changed),
        "unchanged": records.unchanged,
        "renamed": len(records.renamed),
        "decided_and_kept": len(records.decided),
        "from_folder": len(loaded.from_folder.new),
        "gone_and_kept": len(loaded.gone),
        "imported": len(loaded.reviews.imported),
        "contradicted": len(loaded.reviews.contradicted),
        "records_with_new_mentions": len(loaded.mentions.records),
        **{name: value for name, value in asdict(loaded.mentions).items() if name != "records"},
        "splits": loaded.splits,
        "predictions": loaded.predictions,
    }


def count_records(connection: sa.Connection) -> None:
    """Keep the number of records: counting 100,000 at each key press would be slow."""
    number = connection.scalar(sa.select(sa.func.count()).select_from(RECORD))
    connection.execute(META.update().where(META.c.key == "records").values(value=str(number)))


def _write_folder(connection: sa.Connection, source: Source, findings: Sequence[str], now: float) -> Changes:
    """Records of images that neither this table nor an earlier one names."""
    folder = source.asked.images
    if folder is None:
        return Changes()
    named = sa.select(RECORD.c.file).where(RECORD.c.from_table, RECORD.c.file.is_not(None))
    extra = images_without_row(folder, set(connection.scalars(named)), findings)
    connection.execute(META.delete().where(META.c.key == "image_folder"))
    connection.execute(META.insert().values(key="image_folder", value=str(folder.resolve())))
    files = dict(zip(extra["image"], extra["image"], strict=True))
    return write_records(connection, extra, files, findings, now=now, from_table=False)


def _write_mentions(connection: sa.Connection, source: Source, records: Changes) -> Mentions:
    digests = source.digests
    if source.asked.mentions is None or digests is None:
        drop_mentions(connection, records.recaptioned)
        _set_digests(connection, dict.fromkeys(records.recaptioned, ""))
        return Mentions(dropped=len(records.recaptioned))
    known = _digests(connection, records.ids.values())
    renew = set(records.recaptioned)
    wanted = {
        record: digest
        for image, record in records.ids.items()
        if (digest := digests.of(image)) != known[record] or record in renew
    }
    drop_mentions(connection, list(wanted))
    again = {image: record for image, record in records.ids.items() if record in wanted}
    count = write_mentions(connection, source.asked.mentions, again, source.asked.encoding)
    _set_digests(connection, wanted)
    return Mentions(tuple(wanted), count, 0, len(digests.strangers))


def _set_digests(connection: sa.Connection, digests: Mapping[int, str]) -> None:
    change = RECORD.update().where(RECORD.c.id == sa.bindparam("key"))
    change = change.values(mentions_digest=sa.bindparam("digest"))
    if digests:
        connection.execute(change, [{"key": record, "digest": digest} for record, digest in digests.items()])


def _digests(connection: sa.Connection, record_ids: Collection[int]) -> dict[int, str]:
    ids = sorted(record_ids)
    found: dict[int, str] = {}
    for place in range(0, len(ids), _CHUNK):
        query = sa.select(RECORD.c.id, RECORD.c.mentions_digest)
        rows = connection.execute(query.where(RECORD.c.id.in_(ids[place : place + _CHUNK])))
        found |= dict(rows.all())
    return found


def _write_predictions(connection: sa.Connection, source: Source, findings: Sequence[str]) -> int:
    if source.predictions is None:
        return 0
    return load_predictions(connection, source.predictions, findings, run=str(source.asked.predictions))


def _gone(connection: sa.Connection, loaded: Collection[int]) -> tuple[str, ...]:
    query = sa.select(RECORD.c.id, RECORD.c.image).where(RECORD.c.from_table).order_by(RECORD.c.image)
    return tuple(image for record, image in connection.execute(query) if record not in loaded)
