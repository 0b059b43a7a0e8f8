"""Tables of the Deep-COVID page, from ``benchmarks/results/frozen.json``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from docs.figures import NOT_MEASURED, result_of, table

_METRICS = ("auc", "sensitivity", "specificity", "accuracy")


def frozen_table(root: Path) -> str:
    """What keeping features saves."""
    found = result_of(root, "frozen")
    if not found or not found["speed"]:
        return NOT_MEASURED
    rows = [
        (
            f"`{each['backbone']}`",
            f"{each['epochs']}",
            f"{each['images_seen']:,}",
            f"{each['kept_seconds']:,.0f}",
            f"{each['anew_seconds']:,.0f}",
            f"{each['times']:,.0f}",
        )
        for each in found["speed"]
    ]
    header = ("backbone", "epochs", "images seen", "kept, CPU-seconds", "anew, CPU-seconds", "times faster")
    machine = found["machine"]
    return f"{table(header, rows)}\n\n{machine['processor']}, one thread, torch {found['versions']['torch']}."


def deep_covid_table(root: Path) -> str:
    """The recipe on the published test."""
    found = result_of(root, "frozen")
    if not found or not found["results"]:
        return NOT_MEASURED
    rows = [
        (
            f"`{each['backbone']}`",
            *(_figure(each, name) for name in _METRICS),
            f"{each['file_alone_auc']:.3f}",
        )
        for each in found["results"]
    ]
    header = ("backbone", "AUC", *_METRICS[1:], "file alone, AUC")
    return table(header, rows)


def cutoffs_table(root: Path) -> str:
    """Sensitivity and specificity over cut-offs, each backbone beside the others."""
    found = result_of(root, "frozen")
    if not found or not found["results"]:
        return NOT_MEASURED
    names = [f"`{each['backbone']}` {kind}" for each in found["results"] for kind in _METRICS[1:3]]
    return table(("cut-off", *names), _cutoff_rows(found["results"]))


def _cutoff_rows(results: Sequence[Mapping[str, Any]]) -> Iterator[Sequence[str]]:
    for rows in zip(*(each["cutoffs"] for each in results), strict=True):
        yield (
            f"{rows[0]['cutoff']:g}",
            *(_figure(row, name) for row in rows for name in _METRICS[1:3]),
        )


def _figure(found: Mapping[str, Any], name: str) -> str:
    return f"{found[name]:.3f} ({found[f'{name}_low']:.3f}–{found[f'{name}_high']:.3f})"
