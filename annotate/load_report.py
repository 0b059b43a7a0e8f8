"""What loading did, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from annotate.load_write import Loaded

_NAMED = 20


def sentences(loaded: Loaded) -> list[str]:
    """One line for each thing that happened; the first counts the records."""
    records = loaded.records
    lines = [
        f"{_records(len(records.ids))} in the table: {len(records.new):,} new, {len(records.relabelled):,} with other"
        f" labels, {len(records.changed):,} otherwise changed, {records.unchanged:,} unchanged"
    ]
    renamed = [f"{old} → {new}" for old, new in records.renamed]
    lines += _named("images have another name now, and are the same records", renamed)
    lines += _named(
        "records that people decided have other labels or words now; the decisions are kept", records.decided
    )
    lines += _counted(len(loaded.from_folder.new), "images without a row became records without text")
    mentions = loaded.mentions
    lines += _counted(mentions.count, f"mentions written, of {_records(len(mentions.records))}")
    lines += _counted(
        mentions.dropped, "records lost their mentions with their caption: load mentions.csv, too"
    )
    lines += _counted(
        mentions.strangers, "images of the mentions table are not in the labels table: left out"
    )
    lines += _counted(len(loaded.reviews.imported), "rows that people had decided were imported")
    lines += _named(
        "decided rows differ from what people decided in this database, which stands",
        loaded.reviews.contradicted,
    )
    lines += _counted(loaded.splits, "patients got their set from the table")
    lines += _counted(loaded.predictions, "records have predictions of the image model")
    lines += _named("records of the database are not in the table; they are kept", loaded.gone)
    return lines


def _counted(count: int, what: str) -> list[str]:
    return [f"{count:,} {what}"] if count else []


def _named(what: str, names: Sequence[str]) -> list[str]:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return [f"{len(names):,} {what}: {', '.join(names[:_NAMED])}{more}"] if names else []


def _records(count: int) -> str:
    return f"{count:,} record{'s' if count != 1 else ''}"
