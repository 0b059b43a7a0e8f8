"""The example set for an empty database: made-up captions, drawn images, read by the lexicon in force."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from nlp.errors import InputError

if TYPE_CHECKING:
    from annotate.store import Store

FOLDER = Path(__file__).resolve().parent.parent / "examples"


def has_example() -> bool:
    """Whether the example lies beside this installation; a wheel does not carry it."""
    return (FOLDER / "captions.csv").is_file() and (FOLDER / "images").is_dir()


def load_example(store: Store, *, tell: Callable[[str], None] = lambda message: None) -> int:
    """Read the example's captions and load them with their images; the number of records.

    Raises:
        InputError: the example is not there.
    """
    from annotate.load import load
    from nlp.extract import extract

    if not has_example():
        raise InputError(f"the example is not there: {FOLDER} comes with the source, not with the package")
    with TemporaryDirectory() as made:
        labels, mentions = Path(made) / "labels.csv", Path(made) / "mentions.csv"
        tell("Reading the captions")
        columns = {"covid": "covid19"}
        extract(FOLDER / "captions.csv", output=labels, mentions=mentions, columns=columns)
        tell("Writing the records")
        return len(load(store, labels, images=FOLDER / "images", mentions=mentions).records.ids)
