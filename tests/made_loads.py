"""Tables that tests change and load again."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from annotate.load import load
from annotate.load_write import Loaded, counts
from annotate.store import Store
from annotate.store_tables import RECORD
from annotate.tables import write_labels
from nlp.lexicon import load_lexicon
from tests.made_decisions import rows

IMAGES = Path(__file__).resolve().parents[1] / "examples" / "images"
FINDINGS = load_lexicon().finding_keys
GGO, CSLD = FINDINGS[:2]
ALL = 85
"""Records of the example set."""


def saved(table: pd.DataFrame, folder: Path) -> Path:
    target = folder / "changed.csv"
    write_labels(table, target, FINDINGS)
    return target


def again(store: Store, table: pd.DataFrame, folder: Path, **options: object) -> Loaded:
    """Load the table once more, by default with the example's images."""
    return load(store, saved(table, folder), **{"images": IMAGES, **options})  # type: ignore[arg-type]


def with_cells(table: pd.DataFrame, image: str, /, **values: str) -> pd.DataFrame:
    """A copy in which the row of one image has other cells."""
    found = table.copy()
    for name, value in values.items():
        found.loc[found["image"] == image, name] = value
    return found


def nothing(loaded: Loaded) -> bool:
    """Whether the load changed nothing."""
    told = counts(loaded)
    return {name for name, value in told.items() if value} <= {"unchanged", "gone_and_kept"}


def id_of(store: Store, image: str) -> int:
    [row] = rows(store, RECORD, RECORD.c.image == image)
    return int(row.id)
