"""Tables and images into the database: ``python -m annotate.load labels.csv --images DIR``, again and again."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from nlp.command import run_command

if TYPE_CHECKING:  # pandas and sqlalchemy load inside the functions: --help must not wait for them
    from annotate.load_write import Loaded
    from annotate.store import Store

_DEFAULT_URL = "sqlite:///labels.db"


def load(
    store: Store,
    labels: Path,
    *,
    images: Path | None = None,
    mentions: Path | None = None,
    predictions: Path | None = None,
    overlap: int | None = None,
    encoding: str | None = None,
    now: float | None = None,
    tell: Callable[[str], None] = lambda message: None,
) -> Loaded:
    """Bring a store in line with a table of the contract: all of it in one transaction, or nothing.

    Loading the same again changes nothing. What people decided always stays; rows that people decided
    elsewhere become work of the annotator ``imported`` (``annotate.load_reviews``). Records that are not in
    the table stay. Images without a row become records without text.

    Args:
        labels: labels.csv, or labelled.csv.
        images: the image folder; every image must be found in it.
        mentions: mentions.csv of the same run as the labels.
        predictions: predictions.csv with out-of-fold rows.
        overlap: annotators that every record shall have; None: as it was, 1 at first.
        now: Unix time in seconds; None: by the clock.
        tell: receives what is being done.

    Raises:
        InputError: a file cannot be read.
        ContractError: a table breaks the contract, or patients lie in two sets; every place is named.
        ImageError: images that are missing or ambiguous; all of them.
        StoreError: the database refuses.
    """
    from annotate.load_source import Asked, read_source
    from annotate.load_write import write_source

    asked = Asked(labels, images, mentions, predictions, encoding)
    source = read_source(asked, store.findings, tell)
    tell(f"writing {len(source.table):,} records")
    with store.write() as connection:
        moment = time.time() if now is None else now
        return write_source(connection, store.findings, source, overlap=overlap, now=moment)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run_command(_parser(), _command, arguments)


def _command(options: argparse.Namespace) -> None:
    from annotate.load_report import sentences
    from annotate.store import open_store
    from nlp.lexicon import load_lexicon

    findings = load_lexicon(options.lexicon).finding_keys
    with closing(open_store(options.db, findings=findings)) as store:
        loaded = load(
            store,
            options.labels,
            images=options.images,
            mentions=options.mentions,
            predictions=options.predictions,
            overlap=options.overlap,
            encoding=options.encoding,
            tell=lambda message: print(message, file=sys.stderr),
        )
        print("\n".join(sentences(loaded)))
        print(f"loaded into {store.url}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m annotate.load",
        description="Load labels and images into the database; again and again, without duplicates.",
    )
    add = parser.add_argument
    add("labels", type=Path, help="a table of the contract: labels.csv or labelled.csv")
    add(
        "--images",
        metavar="DIR",
        type=Path,
        required=True,
        help="image folder; images without a row are loaded, too",
    )
    add("--mentions", metavar="FILE", type=Path, help="mentions.csv of the same run")
    add(
        "--predictions", metavar="FILE", type=Path, help="predictions.csv with out-of-fold rows, for Suspects"
    )
    add(
        "--db",
        metavar="URL",
        default=_DEFAULT_URL,
        help=f"database, or path of a SQLite file ({_DEFAULT_URL})",
    )
    add("--overlap", metavar="N", type=int, help="annotators that every record shall have (1 at first)")
    add("--encoding", metavar="E", help="of text files that are not UTF-8")
    add("--lexicon", metavar="DIR", type=Path, help="folder with your own lexicon")
    return parser


if __name__ == "__main__":
    sys.exit(main())
