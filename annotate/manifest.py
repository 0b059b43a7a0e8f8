"""What an export is made of: a JSON beside every export, the same for the same data but for its time."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import file_digest, sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd

from annotate.export_people import People
from nlp.schema import CELL_VALUES, COVID, REVIEW_VALUES, SPLIT_VALUES

MANIFEST_VERSION = 1
DISTRIBUTION = "lesion-labels"


@dataclass(frozen=True)
class FileHash:
    """A written file: its name, size and sha256."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class ImageListing:
    """The image files of the exported records, told by name and size, not by content.

    Attributes:
        found: files that are there; ``missing`` are not, or lead out of the folder.
        sha256: of the lines "path, tab, bytes" in the order of the paths.
    """

    found: int
    missing: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Database:
    """Which database an export comes from, and its state then: the number of its last event."""

    id: str
    schema: int
    last_event: int


@dataclass(frozen=True)
class SplitMade:
    """How the split was last made; None where it came with the loaded tables.

    Attributes:
        ratios: of train, val, test, as they were asked for.
        again: whether everybody was divided anew.
        keep_together: pairs of images that had to share a set.
    """

    by: str
    time: str
    seed: int
    ratios: tuple[float, ...]
    again: bool
    keep_together: int


@dataclass(frozen=True)
class Manifest:
    """Everything that an export can be traced back by; ``counts`` as ``counts_of`` gives them."""

    made: str
    format: str
    options: Mapping[str, Any]
    files: Sequence[FileHash]
    database: Database
    images: ImageListing | None
    counts: Mapping[str, Any]
    people: People
    unsettled: Mapping[str, Sequence[str]]
    split: SplitMade | None

    def text(self) -> str:
        """As JSON, ending in a line break."""
        tool = {"name": DISTRIBUTION, "version": tool_version()}
        about = {"manifest_version": MANIFEST_VERSION, "tool": tool}
        return json.dumps(about | asdict(self), indent=2, ensure_ascii=False) + "\n"


def counts_of(table: pd.DataFrame, findings: Sequence[str]) -> dict[str, Any]:
    """Records and patients in all, per review, split and lexicon version, and the cells of every label."""
    splits = {
        name or "blank": {"records": len(rows), "patients": int(rows["patient_id"].nunique())}
        for name in SPLIT_VALUES
        if len(rows := table[table["split"] == name])
    }
    labels = {
        key: {cell or "blank": int((table[key] == cell).sum()) for cell in CELL_VALUES}
        for key in (COVID, *findings)
    }
    versions = table["lexicon_version"].value_counts().sort_index()
    return {
        "records": len(table),
        "patients": int(table["patient_id"].nunique()),
        "review": {name: int((table["review"] == name).sum()) for name in REVIEW_VALUES},
        "split": splits,
        "labels": labels,
        "lexicon_versions": {name or "blank": int(count) for name, count in versions.items()},
    }


def file_hash(path: Path, name: str) -> FileHash:
    """Size and sha256 of a file, which the manifest calls ``name``."""
    with path.open("rb") as handle:
        digest = file_digest(handle, "sha256").hexdigest()
    return FileHash(name, path.stat().st_size, digest)


def image_listing(images: Sequence[str], folder: Path) -> ImageListing:
    """Look up the image of every record below the folder; what leads out of it counts as missing."""
    inside, listing = folder.resolve(), sha256()
    found = total = 0
    for image in sorted(images):
        path = (folder / image).resolve()
        if not path.is_relative_to(inside) or not path.is_file():
            continue
        size = path.stat().st_size
        listing.update(f"{image}\t{size}\n".encode())
        found, total = found + 1, total + size
    return ImageListing(found, len(images) - found, total, listing.hexdigest())


def utc(seconds: float) -> str:
    """Unix time as ISO 8601 in UTC, to the second.

    >>> utc(0)
    '1970-01-01T00:00:00Z'
    """
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def tool_version() -> str:
    """Of the installed toolkit; ``unknown`` where it runs without being installed."""
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "unknown"
