"""How many records must people confirm? Training sets cut down to a budget, one inside the other.

Patients of train come in an order drawn by the seed, in which every beginning has about the classes of the whole; a
budget is the first so many records. Where people have confirmed some records already (column ``review``),
those come first, as that is the money already spent; labels stay as they are. Val and test stay whole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from nlp.errors import TrainingError
from nlp.schema import COVID
from train.label_rows import LabelRow


def check_budgets(rows: Sequence[LabelRow], budgets: Sequence[int]) -> None:
    """Refuse budgets that are larger than train.

    Raises:
        TrainingError: names them.
    """
    count = sum(row["split"] == "train" for row in rows)
    if wrong := [budget for budget in budgets if not 2 <= budget <= count]:
        found = ", ".join(map(str, wrong))
        raise TrainingError(f"--label-budget must be from 2 to the {count} records of train; found {found}")


def within_budget(rows: Sequence[LabelRow], budget: int, *, seed: int) -> list[LabelRow]:
    """The table with ``budget`` records of train, in the order of the table; val and test whole.

    A smaller budget of the same seed is a part of a larger one.
    """
    train = [row for row in rows if row["split"] == "train"]
    chosen = {row["image"] for row in _ordered(train, seed)[:budget]}
    return [row for row in rows if row["split"] != "train" or row["image"] in chosen]


def _ordered(train: Sequence[LabelRow], seed: int) -> list[LabelRow]:
    """Records of train, confirmed ones first, patients together, classes evenly spread."""
    strata: dict[tuple[bool, str], dict[str, list[LabelRow]]] = defaultdict(lambda: defaultdict(list))
    for row in sorted(train, key=lambda row: row["image"]):
        strata[row["review"] == "auto", row[COVID]][row["patient_id"]].append(row)
    placed: list[tuple[bool, float, str, LabelRow]] = []
    generator = np.random.default_rng(seed)
    for (unconfirmed, flag), patients in sorted(strata.items()):
        names = sorted(patients)
        drawn = [row for place in generator.permutation(len(names)) for row in patients[names[place]]]
        # a record's place within its class, from 0 to 1, is its place among all
        placed += [(unconfirmed, (i + 0.5) / len(drawn), flag, row) for i, row in enumerate(drawn)]
    return [each[-1] for each in sorted(placed, key=lambda each: each[:3])]
