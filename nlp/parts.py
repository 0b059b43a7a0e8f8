"""Finished batches as files, so that a run that was killed can go on where it stood.

``<labels>.parts/`` holds one file per batch (labels, then mentions, as Arrow streams), the rows rejected
so far and a manifest of what they were made from. A part appears by renaming, whole, and ends in a digest of
its content: one that was damaged since is made again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from nlp.errors import InputError, OutputError
from nlp.write import flush_folder, flush_to_disk, writing

_LOG = logging.getLogger(__name__)
_MANIFEST = "manifest.json"
_DIGEST_SIZE = 16


@dataclass(frozen=True)
class Manifest:
    """All that decides the content of a part. Two runs may share parts only if these agree."""

    input_sha256: str
    lexicon_version: str
    program: str
    columns: str
    encoding: str
    delimiter: str
    batch_rows: int


def file_hash(path: Path) -> str:
    """SHA-256 of a file's content."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def program_hash() -> str:
    """Hash of this package's own code: other code may give other labels."""
    code = b"\0".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    return hashlib.sha256(code).hexdigest()[:16]


class Parts:
    """The folder of parts of one run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rejected = folder / "rejected.csv"

    def prepare(self, manifest: Manifest, *, resume: bool) -> None:
        """Make the folder, or take over what is there.

        Raises:
            InputError: ``resume``, but the parts were made from something else; the message names it.
            OutputError: the folder cannot be made, or holds something that is not parts.
        """
        path = self.folder / _MANIFEST
        if self.folder.exists() and not path.exists() and any(self.folder.iterdir()):
            raise OutputError(f"{self.folder} exists and holds no parts of an earlier run: move it away")
        if path.exists() and resume:
            _check_same(self.folder, _read_manifest(path), manifest)
            return
        if path.exists():
            _LOG.warning("note: %s, of an unfinished run, is replaced; --resume continues one", self.folder)
            self.remove()
        elif resume:
            _LOG.warning("note: there is no unfinished run in %s; starting from the first row", self.folder)
        self._create(path, manifest)

    def path(self, index: int) -> Path:
        """Where the part of a batch is, or will be."""
        return self.folder / f"{index:06d}.arrow"

    def holds(self, index: int, records: pa.RecordBatch) -> bool:
        """Whether the part of these records is there and whole."""
        try:
            content = self.path(index).read_bytes()
        except OSError:
            return False
        if _digest(memoryview(content)[:-_DIGEST_SIZE]) != content[-_DIGEST_SIZE:]:
            return False
        labels, _ = read_part(self.path(index))
        return bool(labels.column("image").equals(records.column("image")))

    def remove(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _create(self, path: Path, manifest: Manifest) -> None:
        with writing(self.folder):
            self.folder.mkdir(exist_ok=True)
            path.write_text(json.dumps(asdict(manifest), indent=1), encoding="utf-8")


def write_part(path: Path, labels: pa.RecordBatch, mentions: pa.RecordBatch) -> None:
    """Write one part so that it is never seen half written.

    Raises:
        OutputError: disk full or the like.
    """
    draft = path.with_suffix(".tmp")
    content = pa.BufferOutputStream()
    for batch in (labels, mentions):
        with pa.ipc.new_stream(content, batch.schema) as stream:
            stream.write_batch(batch)
    whole = content.getvalue()
    with writing(path):
        with draft.open("wb") as handle:
            handle.write(whole)
            handle.write(_digest(whole))
            flush_to_disk(handle)
        draft.replace(path)
        flush_folder(path.parent)


def read_part(path: Path) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """Labels and mentions of one part."""
    with pa.OSFile(str(path)) as handle:
        labels, mentions = (pa.ipc.open_stream(handle).read_all().combine_chunks() for _ in range(2))
    return _one_batch(labels), _one_batch(mentions)


def _digest(content: Any) -> bytes:
    return hashlib.blake2b(content, digest_size=_DIGEST_SIZE).digest()


def _one_batch(table: pa.Table) -> pa.RecordBatch:
    batches = table.to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)


def _read_manifest(path: Path) -> dict[str, object]:
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        read = None
    return read if isinstance(read, dict) else {}


def _check_same(folder: Path, old: dict[str, object], manifest: Manifest) -> None:
    different = [
        f"{name} was {old.get(name, 'unknown')!r}, now {value!r}"
        for name, value in asdict(manifest).items()
        if old.get(name) != value
    ]
    if different:
        raise InputError(
            f"{folder} cannot be resumed: {'; '.join(different)}. "
            "Use what was used then, or run without --resume to start again"
        )
