"""What the data are: composition by diagnosis (the paper's Fig. 3), images and patients by class and set (Table 1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from train.figure_style import CLASSES, SETS, SOFT, new_figure, style
from train.finding_facts import finding_names
from train.records import Records

_LARGEST_GROUPS = 14
_UNSTATED = "unstated"
_UNCLEAR = "unclear"


@dataclass(frozen=True)
class Group:
    """Images and patients of one class in one set."""

    images: int
    patients: int


def class_names(records: Records) -> tuple[str, ...]:
    """Each record's class: COVID-19, control or unclear."""
    flags = (None if np.isnan(flag) else bool(flag) for flag in records.covid19)
    return tuple(_UNCLEAR if flag is None else CLASSES[flag][0] for flag in flags)


def class_table(records: Records) -> dict[str, dict[str, Group]]:
    """Class → set → how many; sets are those that occur, and ``all``."""
    classes, splits = np.array(class_names(records)), np.array(records.splits)
    patients = np.array(records.patient_ids)
    sets = _sets(splits)
    rows = {
        name: classes == name for name in dict.fromkeys([*(name for name, _ in CLASSES.values()), *classes])
    }
    rows["together"] = np.ones(len(classes), dtype=bool)
    return {
        name: {
            split: Group(int((row & inside).sum()), len(set(patients[row & inside])))
            for split, inside in sets.items()
        }
        for name, row in rows.items()
    }


def finding_table(records: Records) -> dict[str, dict[str, int]]:
    """Finding's name → set → images in which it is stated as present."""
    splits = np.array(records.splits)
    sets = _sets(splits)
    present = records.finding_cells == 1
    return {
        name: {split: int(present[inside, place].sum()) for split, inside in sets.items()}
        for place, name in enumerate(finding_names(records.finding_keys))
    }


@style()
def composition(records: Records) -> Figure:
    """Images of each diagnosis, by class and set, with the number of patients."""
    classes = np.array(class_names(records))
    named = np.array([name or _UNSTATED for name in records.diagnoses])
    bars = _bars(classes, named)
    splits, patients = np.array(records.splits), np.array(records.patient_ids)
    sets = [*(name for name in SETS if (splits == name).any()), *([""] if (splits == "").any() else [])]
    figure, [axes] = new_figure(1.1 + 0.34 * len(bars))
    ends = np.zeros(len(bars))
    for split in sets:
        widths = np.array([(rows & (splits == split)).sum() for rows in bars.values()])
        axes.barh(range(len(bars)), widths, 0.72, ends, color=SETS.get(split, SOFT), label=split or "no set")
        ends += widths
    for place, rows in enumerate(bars.values()):
        text = f" {rows.sum()} of {len(set(patients[rows]))} patients"
        axes.text(ends[place], place, text, va="center", fontsize=8.5, color=SOFT)
    axes.set_yticks(range(len(bars)), list(bars))
    axes.invert_yaxis()
    axes.set_xlim(0, max(ends.max(), 1) * 1.28)
    axes.set_xlabel("images")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    figure.legend(loc="outside upper right", ncols=len(sets))
    return figure


def _sets(splits: NDArray[np.str_]) -> dict[str, NDArray[np.bool_]]:
    found = {name: splits == name for name in SETS if (splits == name).any()}
    return {**found, "all": np.ones(len(splits), dtype=bool)}


def _bars(classes: NDArray[np.str_], named: NDArray[np.str_]) -> dict[str, NDArray[np.bool_]]:
    """Label → rows: the positives' diagnoses first, then the controls', each by number; the smallest together."""
    pairs = sorted(set(zip(classes.tolist(), named.tolist(), strict=True)))
    rows = {pair: (classes == pair[0]) & (named == pair[1]) for pair in pairs}
    order = [name for name, _ in CLASSES.values()] + [_UNCLEAR]
    largest = sorted(pairs, key=lambda pair: -rows[pair].sum())[:_LARGEST_GROUPS]
    shown = sorted(largest, key=lambda pair: (order.index(pair[0]), -rows[pair].sum()))
    found = {_label(*pair): rows[pair] for pair in shown}
    if rest := [rows[pair] for pair in pairs if pair not in largest]:
        found[f"{len(rest)} other diagnoses"] = np.any(rest, axis=0)
    return found


def _label(group: str, diagnosis: str) -> str:
    plain = diagnosis if len(diagnosis) <= 26 else diagnosis[:25] + "…"
    return group if plain.lower() in (group.lower(), _UNSTATED) else f"{group}: {plain}"
