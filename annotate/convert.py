"""Published files as labels.csv: ``python -m annotate.convert la-dnn|chexpert PATH -o labels.csv``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nlp.command import run_command

if TYPE_CHECKING:  # pandas loads inside the functions: --help must not wait for it
    from annotate.records import Converted

FORMATS: Mapping[str, str] = {
    "la-dnn": "a folder with train_meta.csv, val_meta.csv, test_meta.csv and the MetaInfo tables of COVID-CT",
    "chexpert": "a CSV with Path or Reports and a column per observation, as the data set or its labeler has it",
}


def convert(
    kind: str, source: Path, output: Path, *, images: Path | None = None, lexicon: Path | None = None
) -> Converted:
    """Turn published files into a table of the contract and write it.

    Args:
        kind: one of ``FORMATS``.
        images: image folder in which every image must be found; by default ``source/images`` where that is
            a folder, else images are not looked for.
        lexicon: a lexicon other than the toolkit's own; its findings are the columns.

    Raises:
        InputError: a file or column is missing.
        ContractError: the result breaks the contract; every breach is listed.
        ImageError: images without a file; all of them.
        OutputError: the result cannot be written; an older file is intact.
    """
    from annotate.tables import check_labels, write_labels
    from nlp.lexicon import load_lexicon

    loaded = load_lexicon(lexicon)
    if images is None and (source / "images").is_dir():
        images = source / "images"
    result = _reader(kind)(source, loaded, images)
    check_labels(result.table, loaded.finding_keys, f"what {source} was converted to")
    write_labels(result.table, output, loaded.finding_keys)
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run_command(_parser(), _command, arguments)


def _reader(kind: str) -> Callable[..., Converted]:
    if kind == "chexpert":
        from annotate.chexpert import read_chexpert

        return lambda source, lexicon, images: read_chexpert(source, lexicon, images=images)
    from annotate.published import read_published

    return lambda source, lexicon, images: read_published(source, lexicon.findings, images=images)


def _command(options: argparse.Namespace) -> None:
    from annotate.records import summary
    from nlp.lexicon import load_lexicon

    result = convert(
        options.format, options.path, options.output, images=options.images, lexicon=options.lexicon
    )
    for note in result.notes:
        print(f"note: {note}", file=sys.stderr)
    print(summary(result.table, load_lexicon(options.lexicon).finding_keys))
    print(f"written: {options.output}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m annotate.convert",
        description="Turn published label files into labels.csv.",
        epilog="; ".join(f"{name}: {meaning}" for name, meaning in FORMATS.items()),
    )
    add = parser.add_argument
    add("format", choices=tuple(FORMATS), help="what the files are")
    add("path", type=Path, help="the folder or file")
    add("-o", "--output", metavar="FILE", type=Path, required=True, help="labels, .csv or .parquet")
    add("--images", metavar="DIR", type=Path, help="find every image in this folder (default: PATH/images)")
    add("--lexicon", metavar="DIR", type=Path, help="folder with your own lexicon")
    return parser


if __name__ == "__main__":
    sys.exit(main())
