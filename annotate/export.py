"""Labels out of the database: ``python -m annotate.export -o labelled.csv``."""

from __future__ import annotations

import argparse
import io
import sys
import time
import zipfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from nlp.command import run_command
from nlp.errors import OutputError, StoreError

if TYPE_CHECKING:  # pandas and sqlalchemy load inside the functions: --help must not wait for them
    from annotate.export_data import Data
    from annotate.export_files import Form, Places, Rendered
    from annotate.manifest import FileHash
    from nlp.entries import Lexicon

KIND_NAMES = {
    "contract": "labelled.csv for training",
    "chexpert": "CheXpert CSV",
    "label-studio": "Label Studio JSON",
}


@dataclass(frozen=True)
class Exported:
    """What was written, in order, and text columns that got apostrophes, by file name."""

    files: tuple[Path, ...]
    escaped: dict[str, dict[str, int]]


def export(data: Data, lexicon: Lexicon, places: Places, form: Form, *, now: float) -> Exported:
    """Write an export and its manifest, all files or none.

    Args:
        data: what ``annotate.export_data.read_data`` gives, which refuses a leak.
        now: Unix time in seconds; nothing else in the files depends on when they are written.

    Raises:
        StoreError: the lexicon has other findings than the database.
        OutputError: names that do not fit, or a file that cannot be written; the old ones are intact.
        ImageError: Label Studio needs the size of an image that cannot be read.
    """
    from annotate.export_files import render, write_together

    if form.kind == "label-studio" and (places.mentions or places.boxes):
        raise OutputError(
            "tasks of Label Studio hold their mentions and boxes: leave out --mentions and --boxes"
        )
    if lexicon.finding_keys != data.findings:
        raise StoreError(
            f"the database has the findings {', '.join(data.findings)}, the lexicon"
            f" {', '.join(lexicon.finding_keys)}: choose its lexicon with --lexicon"
        )
    rendered = render(data, lexicon, form, places)
    manifest = places.manifest_or_beside
    write_together(rendered.files, manifest, lambda hashes: _manifest(data, form, rendered, hashes, now))
    escaped = {name: dict(cells) for name, cells in rendered.escaped.items()}
    return Exported((*rendered.files, manifest), escaped)


def export_zip(data: Data, lexicon: Lexicon, form: Form, *, now: float) -> bytes:
    """The same files in one archive, to be downloaded; boxes where people drew any."""
    from annotate.export_files import Places

    with TemporaryDirectory() as folder:
        suffix = "json" if form.kind == "label-studio" else "csv"
        output = Path(folder) / f"{'labelled' if form.kind == 'contract' else form.kind}.{suffix}"
        places = Places(output)
        if form.kind != "label-studio":
            boxes = Path(folder) / "boxes.csv" if data.marks.boxes else None
            places = Places(output, Path(folder) / "mentions.csv", boxes)
        done = export(data, lexicon, places, form, now=now)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in done.files:
                archive.write(path, path.name)
    return packed.getvalue()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run_command(_parser(), _command, arguments)


def _manifest(data: Data, form: Form, rendered: Rendered, hashes: list[FileHash], now: float) -> str:
    from annotate.manifest import Manifest, utc

    options = {name: value for name, value in asdict(form).items() if name != "kind"}
    return Manifest(
        made=utc(now),
        format=form.kind,
        options={**options, "reviewed_only": data.reviewed_only, "escaped_cells": rendered.escaped},
        files=hashes,
        database=data.database,
        images=data.listing(),
        counts=data.counts(),
        people=data.people,
        unsettled=data.unsettled,
        split=data.split,
    ).text()


def _command(options: argparse.Namespace) -> None:
    if options.annotator is not None:
        _export_person(options)
        return
    from annotate.export_data import read_data
    from annotate.export_files import Form, Places, targets
    from annotate.export_report import export_lines
    from annotate.groups import read_pairs
    from annotate.lexicon_versions import active_lexicon
    from annotate.store import DEFAULT_URL, open_store
    from annotate.store_files import check_spares
    from nlp.lexicon import load_lexicon

    form = Form(options.format, spreadsheet=options.spreadsheet)
    if options.image_prefix is not None:
        form = Form(form.kind, form.spreadsheet, options.image_prefix)
    places = Places(options.output, options.mentions, options.boxes, options.manifest)
    pairs = read_pairs(options.keep_together) if options.keep_together else []
    with closing(open_store(options.db or DEFAULT_URL, create=False)) as store:
        check_spares(store, targets(form, places), images=options.images)
        data = read_data(
            store, images=options.images, keep_together=pairs, reviewed_only=options.reviewed_only
        )
        with store.read() as connection:
            active = active_lexicon(connection, store.findings)
    lexicon = load_lexicon(options.lexicon) if options.lexicon else active
    done = export(data, lexicon, places, form, now=time.time())
    print("\n".join(export_lines(data, done.files, done.escaped, boxes=places.boxes is not None)))


def _export_person(options: argparse.Namespace) -> None:
    from annotate.export_person import check_alone, export_person
    from annotate.store import DEFAULT_URL, open_store

    check_alone(options, _parser())
    with closing(open_store(options.db or DEFAULT_URL, create=False)) as store:
        counts = export_person(store, options.annotator, options.output)
    print(f"{', '.join(f'{what} {count:,}' for what, count in counts.items())}\nwritten: {options.output}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m annotate.export",
        description="Write what people settled, with a manifest beside it; refuse a split that leaks.",
    )
    add = parser.add_argument
    add("--db", metavar="URL", help="the database (labels.db in this folder)")
    add("--images", metavar="DIR", type=Path, help="the image folder (default: the one that was loaded)")
    add(
        "-o",
        "--output",
        metavar="FILE",
        type=Path,
        required=True,
        help="labels, .csv or .parquet; tasks, .json",
    )
    add(
        "--mentions",
        metavar="FILE",
        type=Path,
        help="write the mentions too; people's where they edited them",
    )
    add(
        "--boxes",
        metavar="FILE",
        type=Path,
        help="write the boxes that people drew too, as train.explain --boxes reads them",
    )
    add(
        "--format",
        choices=tuple(KIND_NAMES),
        default="contract",
        help="contract: labelled.csv as the trainer reads it (default)",
    )
    add("--spreadsheet", action="store_true", help="an apostrophe before text that a spreadsheet would run")
    add("--manifest", metavar="FILE", type=Path, help="its place (default: beside the output)")
    add("--reviewed-only", action="store_true", help="leave out records that no person has confirmed")
    add(
        "--keep-together",
        type=Path,
        metavar="FILE",
        help="a table with image_a and image_b, whose patients must share a set",
    )
    add(
        "--image-prefix", metavar="TEXT", help="what Label Studio needs before a path (/data/local-files/?d=)"
    )
    add("--lexicon", metavar="DIR", type=Path, help="folder with your own lexicon")
    add("--annotator", metavar="NAME", help="instead: everything this person ever did, as JSON lines")
    return parser


if __name__ == "__main__":
    sys.exit(main())
