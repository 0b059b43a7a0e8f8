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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from annotate.convert import convert
from annotate.tables import read_labels, write_labels
from benchmarks.common import FINDINGS, ROOT, write_result
from benchmarks.published_rows import Row, file_row, finding_rows, output_row, study_rows
from benchmarks.same_slice import test_pairs, test_records
from nlp.command import run_command
from nlp.reference import read_reference
from nlp.schema import STATE_CELL
from nlp.score_report import format_table
from train.config import Config
from train.predictions import read_predictions
from train.progress import Log
from train.records import Records, read_records
from train.run import run
from train.run_folder import METRICS, OUT_OF_FOLD
from train.saved_thresholds import read_thresholds
from train.study import study
from train.study_plan import BASELINE, FEWEST_RECORDS, LADNN, Plan
from train.study_results import Finished

SHARED = ROOT.parent / "shared"
WEIGHTS = {"resnet18": "resnet18_pqf_in1k.safetensors", "resnet50": "resnet50_pqf_in1k.safetensors"}
CHANGES: Mapping[str, Mapping[str, Any]] = {"resnet50": {"learning_rate": 1e-3}}
"""Beside the default recipe, chosen on val: at the default rate the loss of a ResNet-50 still falls at the end."""
MODES = (LADNN, BASELINE)
FOLDS = 5
SEEDS_OF_SOURCES = 3


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
) -> list[Row]:
    """All rows, in the order of the page.

    Args:
        seeds: backbone → mode → seeds of its runs.
        folds: with every patient out of fold, and findings by those predictions.
        sources: with each large source kept out.
    """
    place.runs.mkdir(parents=True, exist_ok=True)
    labels = place.runs / "labels.csv"
    convert("la-dnn", place.data, labels)
    clean = _without_same_slices(read_records(labels, place.images))
    rows = []
    for backbone, of_mode in seeds.items():
        found = [_study(place, labels, backbone, mode, of_mode[mode], log) for mode in MODES]
        if finished := [each for runs in found for each in runs]:
            rows += study_rows(f"published test, {backbone}", finished)
            rows += study_rows(f"published test, no same slice elsewhere, {backbone}", finished, clean)
            rows.append(file_row(f"published test, {backbone}", finished[0]))
    rows += _source_rows(place, labels, log) if sources else []
    return [*rows, *(_fold_rows(place, labels, log) if folds else [])]


def _study(
    place: Place,
    labels: Path,
    backbone: str,
    mode: str,
    seeds: Sequence[int],
    log: Log,
    *,
    fewest: int | None = None,
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
        fewest=fewest,
    )
    return study(plan, place.images, place.runs / backbone, cache=place.runs / ".cache", log=log).finished


def _source_rows(place: Place, labels: Path, log: Log) -> Iterator[Row]:
    """Each large source kept out of train and val, and measured beside cases of other articles."""
    seeds = range(SEEDS_OF_SOURCES)
    runs = _study(place, labels, "resnet18", LADNN, seeds, log, fewest=FEWEST_RECORDS)
    kept_out: dict[str, list[Finished]] = {}
    for each in runs:
        if each.cell.part.kind == "source":
            kept_out.setdefault(each.cell.part.title, []).append(each)
    for title, finished in kept_out.items():
        yield from study_rows(f"{title}, resnet18", finished)
        yield file_row(f"{title}, resnet18", finished[0])


def _fold_rows(place: Place, labels: Path, log: Log) -> list[Row]:
    folder = place.runs / f"folds-{FOLDS}"
    config = place.config("resnet18", folds=FOLDS)
    run(
        labels, place.images, config, out=folder, resume=folder.exists(), cache=place.runs / ".cache", log=log
    )
    flag = json.loads((folder / METRICS).read_text())["out_of_fold"]["covid19"]
    what = f"{FOLDS}-fold by patient, all records, resnet18, LA-DNN"
    records = read_records(_read_again(place, labels), place.images)
    predicted = read_predictions(folder / OUT_OF_FOLD, records.finding_keys)
    return [
        output_row(what, flag, f"sensitivity {flag['sensitivity']:.3f}"),
        *finding_rows(records, predicted, read_thresholds(folder / METRICS)),
    ]


def _read_again(place: Place, labels: Path) -> Path:
    """The labels with the cells of captions that were read again."""
    table = read_labels(labels, list(FINDINGS))
    for row in read_reference(place.reread, FINDINGS).rows:
        for key, state in zip(FINDINGS, row.states, strict=True):
            table.loc[table["caption"] == row.text, key] = STATE_CELL[state]
    again = place.runs / "labels-read-again.csv"
    write_labels(table, again, list(FINDINGS))
    return again


def _without_same_slices(records: Records) -> dict[str, bool]:
    same = {row for pair in test_pairs(records) for row in test_records(records, pair)}
    return {image: number not in same for number, image in enumerate(records.images)}


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
    write_result("published", {"settings": _settings(place, seeds), "rows": rows})


def _settings(place: Place, backbones: Iterable[str]) -> dict[str, Any]:
    """What the runs had beside the defaults, and the defaults that matter most."""
    names = ("weights", "learning_rate", "lesion_weight", "epochs", "image_size")
    settings = {name: asdict(place.config(name)) for name in backbones}
    return {
        backbone: {name: config[name] for name in names} | {"weights": Path(config["weights"]).name}
        for backbone, config in settings.items()
    }


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
