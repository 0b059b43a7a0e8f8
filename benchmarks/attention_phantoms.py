"""The phantoms' part of ``benchmarks.attention``: two networks, every method, exact masks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.phantoms import write_phantoms
from nlp.schema import COVID
from nlp.score_report import format_table
from train.config import recipe
from train.explain_settings import METHODS, OCCLUSION, Settings
from train.pointing import Pointing, mean_by_patient

if TYPE_CHECKING:
    from train.records import IntArray, Records

MODES = ("ladnn", "baseline")
MEASURES = ("inside", "near", "energy", "iou", "share")
SETTINGS: Mapping[str, Any] = {"backbone": "resnet18", "image_size": 224, "epochs": 12}
"""Beside the default recipe, for a CPU's sake. Val decides on the epoch and on the method of attention."""

Found = dict[str, dict[str, list[tuple[str, Pointing]]]]
"""Run, then output, to patient and measurement of each image with a known lesion of it."""


def train_on_phantoms(folder: Path, weights: str, patients: int) -> list[Path]:
    """The runs of LA-DNN and baseline, those that are there already included."""
    from dataclasses import replace

    from train.progress import Log
    from train.run import run
    from train.run_folder import finished

    table = folder / "labelled.csv"
    if not table.exists():
        write_phantoms(folder, patients, 0)
    runs = []
    for mode in MODES:
        out = folder / "runs" / mode
        if not finished(out):
            config = replace(recipe("ladnn"), mode=mode, weights=weights, **SETTINGS)
            run(table, folder / "images", config, out=out, force=True, cache=folder / "cache", log=Log(None))
        runs.append(out)
    return runs


def measure_phantoms(folder: Path, ladnn: Path, baseline: Path) -> dict[str, Any]:
    """Every method on val and test; the table of the one that points best on val is printed."""
    from train.records import read_records

    records = read_records(folder / "labelled.csv", folder / "images")
    methods = [method for method in METHODS if method != OCCLUSION]
    result: dict[str, Any] = {"settings": dict(SETTINGS), "methods": {}}
    for method in methods:
        result["methods"][method] = {
            split: _summary(
                _found(folder, [ladnn, baseline], method, records.take(_confirmed(records, split))),
                (ladnn.name, baseline.name),
            )
            for split in ("val", "test")
        }
    best = max(methods, key=lambda method: _pointing(result["methods"][method]["val"]))
    result["chosen_on_val"] = best
    for method in methods:
        print(f"\n{method}{', chosen on val' if method == best else ''}: test")
        print(format_table(_rows(result["methods"][method]["test"])))
    return result


def _found(folder: Path, runs: Sequence[Path], method: str, records: Records) -> Found:
    from train.attention_rows import measure
    from train.explainer import Explainer, Unreadable
    from train.lesion_marks import Marks
    from train.shown import show

    networks = [Explainer(run, Settings(method)) for run in runs]
    found: Found = {}
    shown = show(networks, records.paths, Marks(records.finding_keys, folder / "masks"))
    for patient, each in zip(records.patient_ids, shown, strict=True):
        assert not isinstance(each, Unreadable)
        for row in measure(each).rows:
            if row.pointing is not None:
                found.setdefault(row.run, {}).setdefault(row.output, []).append((patient, row.pointing))
    return found


def _confirmed(records: Records, split: str) -> IntArray:
    """Rows of a set that show a lesion."""
    rows = records.rows(split)
    return rows[records.covid19[rows] == 1]


def _summary(found: Found, names: tuple[str, str]) -> dict[str, Any]:
    """Means with intervals: of each finding of the LA-DNN, of both flags, and of their differences image by image."""
    ladnn, baseline = (found[name] for name in names)
    summary = {
        "findings": {output: _means(rows) for output, rows in ladnn.items() if output != COVID},
        "flag": {"ladnn": _means(ladnn[COVID]), "baseline": _means(baseline[COVID])},
    }
    pairs = list(zip(ladnn[COVID], baseline[COVID], strict=True))
    patients = [patient for (patient, _), _ in pairs]
    summary["margin"] = {
        name: asdict(
            mean_by_patient(
                [_value(one, name) - _value(other, name) for (_, one), (_, other) in pairs], patients
            )
        )
        for name in MEASURES
    }
    return summary


def _means(rows: Sequence[tuple[str, Pointing]]) -> dict[str, Any]:
    patients = [patient for patient, _ in rows]
    return {
        name: asdict(mean_by_patient([_value(each, name) for _, each in rows], patients)) for name in MEASURES
    }


def _value(pointing: Pointing, name: str) -> float:
    return float(getattr(pointing, name))


def _pointing(summary: Mapping[str, Any]) -> float:
    """Mean over findings of how often the strongest place lies in or near the lesion."""
    values = [each["near"]["value"] for each in summary["findings"].values()]
    return float(sum(values) / len(values))


def _rows(summary: Mapping[str, Any]) -> Iterable[tuple[str, ...]]:
    yield ("", "images", "points in", "or near", "energy", "IoU", "lesion's share")
    lines = {**summary["findings"], **{f"flag, {name}": each for name, each in summary["flag"].items()}}
    for name, each in {**lines, "flag, margin": summary["margin"]}.items():
        yield (name, str(each["near"]["images"]), *(_said(each[measure]) for measure in MEASURES))


def _said(mean: Mapping[str, Any]) -> str:
    between = mean["interval"]
    if between["low"] is None:
        return f"{mean['value']:.2f}"
    return f"{mean['value']:.2f} [{between['low']:.2f}, {between['high']:.2f}]"
