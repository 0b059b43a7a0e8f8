"""The tables of named classes, for the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from train.classes import DIAGNOSIS
from train.report_tables import NAMES, SET_NAMES, Table, figure
from train.run_files import Run

_SHOWN = ("auc", "sensitivity", "specificity", "precision", "f1")


def class_tables(run: Run) -> tuple[Table, ...]:
    """Each class against the rest, and what was taken for what; none where no classes were learnt."""
    found: Mapping[str, Any] | None = run.metrics[run.headline].get(DIAGNOSIS)
    if not found:
        return ()
    rows = tuple(
        (name, _count(each), *(figure(each, metric) for metric in _SHOWN))
        for name, each in found["classes"].items()
    )
    together = (
        f"On {SET_NAMES[run.headline]}, {found['n']} images of {found['n_patients']} patients: accuracy"
        f" {figure(found, 'accuracy')}, mean AUC {figure(found, 'macro_auc')}. A class is called where it is the most"
        " probable one."
    )
    names = found["confusion"]["classes"]
    counts = zip(names, found["confusion"]["counts"], strict=True)
    return (
        Table("Classes", ("class", "images (patients)", *(NAMES[each] for each in _SHOWN)), rows, together),
        Table(
            "What was taken for what",
            ("labelled", *(f"called {name}" for name in names)),
            tuple((name, *map(str, line)) for name, line in counts),
        ),
    )


def _count(found: Mapping[str, Any]) -> str:
    return f"{found['n_positive']} ({found['n_patients_positive']})"
