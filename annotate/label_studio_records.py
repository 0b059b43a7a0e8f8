"""Which record a task of Label Studio is about: by our own name of the image, else by the address it is shown from."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import sqlalchemy as sa

from annotate.image_sizes import image_size
from annotate.label_studio import IMAGE, RECORD_FIELD, Size
from annotate.store_tables import ANNOTATION_CURRENT, MENTION, RECORD
from nlp.errors import ImageError
from nlp.image_names import IMAGE_SUFFIXES, stem

_UPLOADED = re.compile(r"[0-9a-f]{8}-(?=.)")  # before the name of a file that was uploaded there
_ADDRESS = re.compile(rf"\S{{1,2000}}?({'|'.join(map(re.escape, IMAGE_SUFFIXES))})(\?\S*)?", re.IGNORECASE)
_SHOWN = 200
_SPAN = ("finding", "assertion", "start", "end")


@dataclass(frozen=True)
class Known:
    """A record: what the database has of it before the import."""

    id: int
    image: str
    file: str | None
    caption: str
    labels: Mapping[str, str]
    mentions: Sequence[Mapping[str, Any]]

    def mentions_of(self, spans: Sequence[Mapping[str, Any]], *, shown: bool) -> list[dict[str, Any]] | None:
        """Spans as the record's mentions; those that the text gave keep their reason. None: nothing was changed.

        Args:
            shown: the task held the record's mentions; else no span means that nobody was asked for any.
        """
        given = {tuple(mention[name] for name in _SPAN): mention for mention in self.mentions}
        keys = [tuple(span[name] for name in _SPAN) for span in spans]
        if set(keys) == set(given) or not (keys or shown):
            return None
        return [dict(given.get(key, span)) for key, span in zip(keys, spans, strict=True)]


@dataclass(frozen=True)
class Records:
    """All records of a database, found by name."""

    all: Sequence[Known]
    folder: Path | None

    def find(self, data: object) -> tuple[Known | None, str]:
        """The record of a task's data, or None and the reason."""
        addresses = list(_addresses(data))
        for address in addresses:
            for index, name in self._looked_up(address):
                found = index.get(unicodedata.normalize("NFC", name), [])
                if len(found) == 1:
                    return found[0], ""
                if found:
                    named = ", ".join(repr(known.image) for known in found[:5])
                    return None, f"{len(found)} records fit image {address[:_SHOWN]!r}: {named}"
        named = ", ".join(repr(address[:_SHOWN]) for address in addresses[:3]) or "nothing"
        return None, f"no record has its image; its data names {named}"

    def size_of(self, known: Known) -> Size | None:
        """Width and height of its image in pixels, or None where it cannot be read."""
        if self.folder is None:
            return None
        try:
            return image_size(self.folder, known.file or known.image)
        except ImageError:
            return None

    def _looked_up(self, address: str) -> Iterator[tuple[Mapping[str, list[Known]], str]]:
        for name in _names(address):
            base = PurePosixPath(name).name
            yield from ((self._paths, name), (self._bases, base), (self._stems, stem(base)))

    @cached_property
    def _paths(self) -> dict[str, list[Known]]:
        return self._index(lambda name: name)

    @cached_property
    def _bases(self) -> dict[str, list[Known]]:
        return self._index(lambda name: PurePosixPath(name).name)

    @cached_property
    def _stems(self) -> dict[str, list[Known]]:
        return self._index(lambda name: stem(PurePosixPath(name).name))

    def _index(self, form: Any) -> dict[str, list[Known]]:
        index: dict[str, list[Known]] = defaultdict(list)
        for known in self.all:
            for name in {form(each) for each in (known.image, known.file) if each}:
                index[unicodedata.normalize("NFC", name)].append(known)
        return dict(index)


def read_records(connection: sa.Connection, folder: Path | None) -> Records:
    """Every record with what its text says."""
    mentions: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in connection.execute(sa.select(MENTION).order_by(MENTION.c.id)):
        place = {name: getattr(row, name) for name in _SPAN}
        mentions[row.record_id].append({**row.details, **place})
    query = sa.select(*(RECORD.c[name] for name in ("id", "image", "file", "caption", "labels")))
    rows = connection.execute(query.order_by(RECORD.c.id))
    return Records(
        [
            Known(row.id, row.image, row.file, row.caption, row.labels, mentions.get(row.id, []))
            for row in rows
        ],
        folder,
    )


def current_annotation(connection: sa.Connection, record_id: int, annotator: str) -> int | None:
    """What the annotator decided on the record last, or None."""
    mine = ANNOTATION_CURRENT.c.record_id == record_id, ANNOTATION_CURRENT.c.annotator == annotator
    found: int | None = connection.scalar(sa.select(ANNOTATION_CURRENT.c.annotation_id).where(*mine))
    return found


def _addresses(data: object) -> Iterator[str]:
    """Texts of a task's data that may name its image: our own field, ``image``, then any address."""
    if not isinstance(data, dict):
        return
    for name in (RECORD_FIELD, IMAGE):
        if isinstance(data.get(name), str) and data[name]:
            yield data[name]
    for name, value in data.items():
        if name not in (RECORD_FIELD, IMAGE) and isinstance(value, str) and _ADDRESS.fullmatch(value):
            yield value


def _names(address: str) -> Iterator[str]:
    """Names that an address may hold: literally first, since ``%`` is a part of real names."""
    yield address
    try:
        parts = urlsplit(address)
    except ValueError:
        return
    yield from parse_qs(parts.query).get("d", [])
    for path in (parts.path, unquote(parts.path)):
        yield path.lstrip("/")
        base = PurePosixPath(path).name
        if _UPLOADED.match(base):
            yield _UPLOADED.sub("", base, count=1)
