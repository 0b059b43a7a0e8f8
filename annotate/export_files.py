"""The files of an export: each format as bytes, all of them written together or none."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pandas as pd
import pyarrow as pa

from annotate.chexpert_export import chexpert_table
from annotate.export_boxes import BOX_COLUMNS, boxes_table
from annotate.export_data import Data
from annotate.label_studio import LOCAL_FILES, label_studio_tasks, labelling_config
from annotate.manifest import FileHash, file_hash
from annotate.spreadsheet import Escaped, escape_formulas
from nlp.entries import Lexicon
from nlp.errors import OutputError
from nlp.schema import MENTION_COLUMNS, Column, label_columns
from nlp.write import SUFFIXES, replacing, table_writer

Render = Callable[[BinaryIO], None]


@dataclass(frozen=True)
class Form:
    """How an export looks.

    Attributes:
        kind: one of ``annotate.export.KIND_NAMES``.
        spreadsheet: put an apostrophe before text cells that a spreadsheet would run as a formula.
        image_prefix: what Label Studio needs before an image's path.
    """

    kind: str = "contract"
    spreadsheet: bool = False
    image_prefix: str = LOCAL_FILES


@dataclass(frozen=True)
class Places:
    """Where the files of an export go; None: no mentions, no boxes, and the manifest beside the output."""

    output: Path
    mentions: Path | None = None
    boxes: Path | None = None
    manifest: Path | None = None

    @property
    def manifest_or_beside(self) -> Path:
        """Where the manifest goes."""
        return self.manifest or manifest_path(self.output)


@dataclass(frozen=True)
class Rendered:
    """What to write where, and which columns got apostrophes in how many cells, by file name."""

    files: Mapping[Path, Render]
    escaped: Mapping[str, Mapping[str, int]]


def render(data: Data, lexicon: Lexicon, form: Form, places: Places) -> Rendered:
    """Decide the files of an export; nothing is written yet.

    Raises:
        OutputError: a name whose suffix does not fit the format, or one file for two results.
    """
    output = places.output
    if form.kind == "label-studio":
        _check_suffix(output, (".json",))
        tasks = label_studio_tasks(
            data.table,
            data.marks.mentions,
            data.marks.boxes,
            data.findings,
            size_of=data.size_of,
            image_prefix=form.image_prefix,
        )
        config = labelling_config(lexicon.findings).encode()
        text = json.dumps(list(tasks), ensure_ascii=False, indent=1).encode() + b"\n"
        return Rendered({output: _bytes(text), config_path(output): _bytes(config)}, {})
    parts: list[tuple[Path, pd.DataFrame, Sequence[Column]]] = [
        (output, _table(data, lexicon, form), label_columns(data.findings))
    ]
    if places.mentions is not None:
        parts.append((places.mentions, data.marks.mentions, MENTION_COLUMNS))
    if places.boxes is not None:
        parts.append((places.boxes, boxes_table(data), BOX_COLUMNS))
    files, escaped = {}, {}
    for path, table, columns in parts:
        _check_suffix(path, SUFFIXES)
        if path in files:
            raise OutputError(f"two results would go to one file: {path}")
        safe = escape_formulas(table, columns) if form.spreadsheet else Escaped(table, {})
        files[path], escaped[path.name] = _rows(path, safe.table), safe.cells
    return Rendered(files, escaped if form.spreadsheet else {})


def targets(form: Form, places: Places) -> list[Path]:
    """Every file that an export would write, before anything is read."""
    config = config_path(places.output) if form.kind == "label-studio" else None
    given = (places.output, places.mentions, places.boxes, config, places.manifest_or_beside)
    return [path for path in given if path is not None]


def write_together(
    files: Mapping[Path, Render], manifest: Path, describe: Callable[[list[FileHash]], str]
) -> None:
    """Write all files and, last, the manifest that ``describe`` makes of their hashes.

    Raises:
        OutputError: two results in one file, no such folder, or a file cannot be written; old ones are intact.
    """
    targets = [*files, manifest]
    for target in targets:
        if not target.parent.is_dir():
            raise OutputError(f"{target} cannot be written: there is no folder {target.parent}")
        if target.is_dir():
            raise OutputError(f"{target} is a folder; give the name of a file")
    if len({target.resolve() for target in targets}) < len(targets):
        raise OutputError(f"two results would go to one file: {', '.join(map(str, targets))}")
    with replacing(targets) as handles:
        hashes = []
        for (path, write), handle in zip(files.items(), handles, strict=False):
            write(handle)
            handle.flush()
            hashes.append(file_hash(Path(handle.name), path.name))
        handles[-1].write(describe(hashes).encode())


def manifest_path(output: Path) -> Path:
    """Where the manifest of an export lies, if nothing else is asked for.

    >>> manifest_path(Path("out/labelled.csv")).as_posix()
    'out/labelled.manifest.json'
    """
    return output.with_name(f"{output.stem}.manifest.json")


def config_path(output: Path) -> Path:
    """Where the labelling interface of Label Studio lies."""
    return output.with_name(f"{output.stem}.config.xml")


def _table(data: Data, lexicon: Lexicon, form: Form) -> pd.DataFrame:
    return chexpert_table(data.table, lexicon.findings) if form.kind == "chexpert" else data.table


def _rows(path: Path, table: pd.DataFrame) -> Render:
    names = [str(name) for name in table.columns]

    def write(handle: BinaryIO) -> None:
        arrays = [pa.array(table[name].tolist(), pa.string()) for name in names]
        with closing(table_writer(handle, path, names)) as writer:
            writer.write(pa.record_batch(arrays, names=names))

    return write


def _bytes(content: bytes) -> Render:
    def write(handle: BinaryIO) -> None:
        handle.write(content)

    return write


def _check_suffix(path: Path, suffixes: tuple[str, ...]) -> None:
    if path.suffix.lower() not in suffixes:
        raise OutputError(f"{path} must end in {' or '.join(suffixes)}")
