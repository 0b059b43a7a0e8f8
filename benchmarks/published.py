"""LA-DNN on the published COVID-CT data, ``python -m benchmarks.published [--data DIR] [--weights DIR] [--runs DIR]``.

Makes the runs that ``--runs`` lacks (hours on a CPU; a finished run is read, not redone) by ``train.study`` and
``train.run`` with default settings, and writes what they came to: the published test over seeds, the same without slices
that lie in another set too, every patient out of fold, a source of controls kept out, and findings against captions read
again.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotate.convert import convert
from annotate.tables import read_labels, write_labels
from benchmarks.common import FINDINGS, ROOT, write_result
from benchmarks.same_slice import test_pairs, test_records
from nlp.command import run_command
from nlp.reference import read_reference
from nlp.schema import STATE_CELL, label_columns
from nlp.score_report import format_table
from train.config import Config
from train.label_rows import read_label_rows
from train.predictions import read_predictions
from train.progress import Log
from train.records import Records, read_records
from train.run import run
from train.run_folder import METRICS, OUT_OF_FOLD
from train.saved_thresholds import read_thresholds
from train.scores import score
from train.sources import source_folds
from train.study import study
from train.study_plan import FEWEST_RECORDS, Plan, plain_name, write_table
from train.study_results import Finished, read_outcome, read_truth
from train.study_scores import Figure, Outcome, Truth, compare

SHARED = ROOT.parent / "shared"
WEIGHTS = {"resnet18": "resnet18_pqf_in1k.safetensors", "resnet50": "resnet50_pqf_in1k.safetensors"}
CHANGES: Mapping[str, Mapping[str, Any]] = {"resnet50": {"learning_rate": 1e-3}}
"""Beside the default recipe, chosen on val: at the default rate the loss of a ResNet-50 still falls at the end."""
MODES = ("ladnn", "baseline")
FOLDS = 5

Rows = list[dict[str, Any]]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Place:
    """Where the published files, the captions read again, the weights and the runs lie."""

    data: Path
    reread: Path
    weights: Path
    runs: Path

    @property
    def images(self) -> Path:
        """Folder of the slices."""
        return self.data / "images"

    def config(self, backbone: str, **changes: Any) -> Config:
        """The default recipe with the weights at hand."""
        changes = {**CHANGES.get(backbone, {}), **changes}
        return Config(backbone=backbone, weights=str(self.weights / WEIGHTS[backbone]), **changes)


def measure(
    place: Place,
    seeds: Mapping[str, Mapping[str, Sequence[int]]],
    log: Log,
    *,
    folds: bool = True,
    sources: bool = True,
) -> Rows:
    """All rows, in the order of the page.

    Args:
        seeds: backbone → mode → seeds of its runs.
        folds: with every patient out of fold, and findings by those predictions.
        sources: with each large source kept out.
    """
    place.runs.mkdir(parents=True, exist_ok=True)
    labels = place.runs / "labels.csv"
    convert("la-dnn", place.data, labels)
    records = read_records(labels, place.images)
    clean = _without_same_slices(records)
    rows = []
    for backbone, of_mode in seeds.items():
        finished = [
            each for mode in MODES for each in _study(place, labels, backbone, mode, of_mode[mode], log)
        ]
        rows += _test_rows(backbone, finished, clean) if finished else []
    rows += _source_rows(place, labels, log) if sources else []
    return [*rows, *(_fold_rows(place, labels, log) if folds else [])]


def _study(
    place: Place, labels: Path, backbone: str, mode: str, seeds: Sequence[int], log: Log
) -> Sequence[Finished]:
    if not seeds:
        return []
    plan = Plan(
        tables={"D0": labels},
        base=place.config(backbone),
        backbones=(backbone,),
        modes=(mode,),
        seeds=seeds,
        weights={},
    )
    return study(plan, place.images, place.runs / backbone, cache=place.runs / ".cache", log=log).finished


def _test_rows(backbone: str, finished: Sequence[Finished], clean: Mapping[str, bool]) -> Rows:
    """Every test record, then those whose slice is in no other set."""
    rows: Rows = []
    for what, keep_all in (("published test", True), ("published test, no same slice elsewhere", False)):
        truth: Truth | None = None
        outcomes: dict[str, list[Outcome]] = {mode: [] for mode in MODES}
        for each in finished:
            whole = read_truth(each.cell.part)
            kept = np.array([keep_all or clean[image] for image in whole.images])
            outcomes[each.cell.config.mode].append(_some(read_outcome(each, whole), kept))
            patients = np.array(whole.patient_ids)[kept]
            truth = Truth(tuple(np.array(whole.images)[kept]), whole.positive[kept], tuple(patients))
        assert truth is not None
        found = compare(truth, outcomes["baseline"], outcomes["ladnn"])
        named = (
            ("LA-DNN", found.ladnn),
            ("baseline", found.baseline),
            ("LA-DNN − baseline", found.difference),
        )
        rows += [
            _figure_row(f"{what}, {backbone}, {name}", len(truth.images), figures["auc"])
            for name, figures in named
            if figures
        ]
        if len(outcomes["ladnn"]) > 1:
            together = compare(truth, [], [_ensemble(outcomes["ladnn"])]).ladnn["auc"]
            named_so = f"{what}, {backbone}, LA-DNN, ensemble"
            note = f"mean logit of {len(outcomes['ladnn'])} seeds"
            rows.append(_figure_row(named_so, len(truth.images), together) | {"note": note})
    return rows


def _fold_rows(place: Place, labels: Path, log: Log) -> Rows:
    folder = place.runs / f"folds-{FOLDS}"
    config = place.config("resnet18", folds=FOLDS)
    run(
        labels, place.images, config, out=folder, resume=folder.exists(), cache=place.runs / ".cache", log=log
    )
    flag = json.loads((folder / METRICS).read_text())["out_of_fold"]["covid19"]
    return [
        _row(
            f"{FOLDS}-fold by patient, all records, resnet18, LA-DNN",
            flag,
            f"sensitivity {flag['sensitivity']:.3f}",
        ),
        *_finding_rows(place, labels, folder),
    ]


def _source_rows(place: Place, labels: Path, log: Log) -> Rows:
    """Each large source kept out of train and val, and measured beside cases of other patients."""
    table = read_label_rows(labels, label_columns(list(FINDINGS)))
    rows: Rows = []
    for fold in source_folds(table, fewest=FEWEST_RECORDS):
        own = place.runs / "sources" / plain_name(fold.source)
        kept_out = write_table(own / "labelled.csv", fold.rows)
        found = run(
            kept_out,
            place.images,
            place.config("resnet18"),
            out=own / "run",
            resume=(own / "run").exists(),
            cache=place.runs / ".cache",
            log=log,
        )
        what = f"source {fold.source} kept out, resnet18, LA-DNN"
        rows.append(_row(what, found.metrics["test"]["covid19"], fold.note))
    return rows


def _finding_rows(place: Place, labels: Path, folder: Path) -> Rows:
    """Within captioned positives, out of fold, against the captions read again."""
    table = read_labels(labels, list(FINDINGS))
    for row in read_reference(place.reread, FINDINGS).rows:
        for key, state in zip(FINDINGS, row.states, strict=True):
            table.loc[table["caption"] == row.text, key] = STATE_CELL[state]
    again = place.runs / "labels-read-again.csv"
    write_labels(table, again, list(FINDINGS))
    records = read_records(again, place.images)
    predicted = read_predictions(folder / OUT_OF_FOLD, records.finding_keys)
    order = {image: number for number, image in enumerate(predicted.images)}
    logits = predicted.logits[[order[image] for image in records.images]]
    found = score(records, logits, threshold=read_thresholds(folder / METRICS), seed=0).as_json()["findings"]
    return [
        _row(f"{key} within captioned positives, out of fold, read again", each, "")
        for key, each in found.items()
    ]


def _without_same_slices(records: Records) -> dict[str, bool]:
    same = {row for pair in test_pairs(records) for row in test_records(records, pair)}
    return {image: number not in same for number, image in enumerate(records.images)}


def _some(outcome: Outcome, kept: Bools) -> Outcome:
    return Outcome(outcome.seed, outcome.ranked[kept], outcome.called[kept])


def _ensemble(runs: Sequence[Outcome]) -> Outcome:
    """The runs' mean logit, called by the majority, as if one run."""
    called = np.mean([each.called for each in runs], axis=0) > 0.5
    return Outcome(runs[0].seed, np.mean([each.ranked for each in runs], axis=0), called)


def _figure_row(what: str, n: int, figure: Figure) -> dict[str, Any]:
    seeds = f"{figure.runs} seed" if figure.runs == 1 else f"{figure.runs} seeds"
    note = seeds if figure.sd is None else f"{seeds}, sd {figure.sd:.3f}"
    return {"what": what, "n": n, "auc": figure.mean, "low": figure.low, "high": figure.high, "note": note}


def _row(what: str, found: Mapping[str, Any], note: str) -> dict[str, Any]:
    positive, negative = found["n_positive"], found["n_negative"]
    counts = f"{positive} present, {negative} absent"
    return {
        "what": what,
        "n": positive + negative,
        "auc": found["auc"],
        "low": found["auc_low"],
        "high": found["auc_high"],
        "note": "; ".join(filter(None, [counts, note])),
    }


def _run(options: Namespace) -> None:
    place = Place(options.data, options.reread, options.weights, options.runs)
    counts = {"resnet18": options.resnet18, "resnet50": options.resnet50}
    seeds = {name: dict(zip(MODES, map(range, of_mode), strict=True)) for name, of_mode in counts.items()}
    rows = measure(place, seeds, Log(sys.stderr), folds=options.folds, sources=options.sources)
    header = ["what", "n", "AUC", "95 % interval", "note"]
    shown = [
        [
            row["what"],
            str(row["n"]),
            _number(row["auc"]),
            f"{_number(row['low'])} – {_number(row['high'])}",
            row["note"],
        ]
        for row in rows
    ]
    print(format_table([header, *shown]))
    write_result("published", {"rows": rows})


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m benchmarks.published``."""
    parser = ArgumentParser(prog="python -m benchmarks.published", description=__doc__)
    parser.add_argument("--data", type=Path, default=SHARED / "data" / "covid-ct", help="the published files")
    parser.add_argument("--reread", type=Path, default=SHARED / "data" / "text" / "captions_reference.csv")
    parser.add_argument("--weights", type=Path, default=SHARED / "weights", help="folder of ImageNet weights")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "published")
    for name in WEIGHTS:
        parser.add_argument(
            f"--{name}", type=int, nargs=2, default=(5, 5), help="runs of LA-DNN, of baseline"
        )
    for name, what in (("folds", "every patient out of fold"), ("sources", "each large source kept out")):
        parser.add_argument(f"--{name}", action=BooleanOptionalAction, default=True, help=what)
    return run_command(parser, _run, arguments)


if __name__ == "__main__":
    sys.exit(main())
