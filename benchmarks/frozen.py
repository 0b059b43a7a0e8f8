"""Features of a frozen backbone kept or computed anew: ``python -m benchmarks.frozen [--data DIR] [--runs DIR]``.

One process trains the same heads on the same published slices, by kept features for all epochs of ``--recipe
deep-covid``, and by images for a few steps, scaled to as many; CPU-seconds, so that neighbours on the machine do not
count. With ``--results`` the recipe's result on the published split: val decides, test is opened once for each network.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from annotate.convert import convert
from benchmarks.common import RESULTS, ROOT, cpu_seconds, write_result
from nlp.command import run_command
from nlp.score_report import format_table
from train.cache import load_images
from train.config import Config, recipe
from train.loop import fit
from train.progress import Log
from train.records import IntArray, Records, read_records
from train.run import run

SHARED = ROOT.parent / "shared"
WEIGHTS = {
    "squeezenet1_0": "squeezenet1_0_deepcomp_in1k.safetensors",
    "resnet18": "resnet18_pqf_in1k.safetensors",
    "resnet50": "resnet50_pqf_in1k.safetensors",
}
SHOWN = ("auc", "sensitivity", "specificity", "accuracy")


def config_of(backbone: str, weights: Path, **changes: Any) -> Config:
    """The recipe with weights at hand."""
    settings = {"backbone": backbone, "weights": str(weights / WEIGHTS[backbone]), "device": "cpu"}
    return replace(recipe("deep-covid"), **{**settings, **changes})


def speed(config: Config, records: Records, cache: Path, sample: int) -> dict[str, Any]:
    """CPU-seconds of the whole training by kept features, and by images over a sample of records, scaled.

    Both end at the same number of images seen; every epoch also measures val.
    """
    size, crop, how = config.image_size, config.crop, config.normalise
    pixels = load_images(records.paths, size=size, crop=crop, normalise=how, cache=cache).pixels
    train, val = records.rows("train"), records.rows("val")
    generator = np.random.default_rng(0)
    some_train, some_val = (_some(records, rows, sample, generator) for rows in (train, val))

    def seconds(settings: Config, train_rows: IntArray, val_rows: IntArray) -> float:
        start = cpu_seconds()
        fit(settings, pixels, records, train_rows=train_rows, val_rows=val_rows)
        return cpu_seconds() - start

    kept = seconds(config, train, val)
    anew = replace(config, views=0)
    once, twice = (seconds(replace(anew, epochs=epochs), some_train, some_val) for epochs in (1, 2))
    spent = twice - once  # an epoch, without what comes before the first
    seen = len(some_train) + len(some_val)
    wanted = config.epochs * (config.views * len(train) + len(val))
    return {
        "backbone": config.backbone,
        "epochs": config.epochs,
        "images_seen": wanted,
        "kept_seconds": kept,
        "anew_seconds": spent * wanted / seen,
        "anew_measured_seconds": spent,
        "anew_measured_images": seen,
        "times": spent * wanted / seen / kept,
    }


def result(config: Config, place: Path, labels: Path, runs: Path, log: Log) -> dict[str, Any]:
    """The flag's figures of the published test; a run that is finished is read, not made again."""
    out = runs / config.backbone
    found = run(
        labels,
        place / "images",
        config,
        out=out,
        resume=out.exists(),
        cache=runs / ".cache",
        log=log.within(f"{config.backbone}: "),
    )
    flag = found.metrics["test"]["covid19"]
    kept = {name: flag[name] for metric in SHOWN for name in (metric, f"{metric}_low", f"{metric}_high")}
    counts = {name: flag[name] for name in ("n", "n_patients", "threshold", "cutoffs")}
    file = found.metrics["shortcut"]["all"]["test"]["auc"]
    training = {name: found.metrics["training"][name] for name in ("best_epoch", "val_auc")}
    return {"backbone": config.backbone, **kept, **counts, **training, "file_alone_auc": file}


def _some(records: Records, rows: IntArray, count: int, generator: np.random.Generator) -> IntArray:
    """As many of both classes."""
    halves = [rows[records.covid19[rows] == value] for value in (0, 1)]
    return np.sort(np.concatenate([generator.permutation(half)[: count // 2] for half in halves]))


def _print(measured: dict[str, Any]) -> None:
    for found in measured["speed"]:
        row = [found["backbone"], f"{found['kept_seconds']:.0f}", f"{found['anew_seconds']:.0f}"]
        header = ["backbone", "kept, CPU-seconds", "anew (scaled)", "times"]
        print(format_table([header, [*row, f"{found['times']:.0f}"]]))
    if measured["results"]:
        header = ["published test", *SHOWN, "file alone, AUC"]
        rows = [
            [each["backbone"], *(_figure(each, name) for name in SHOWN), f"{each['file_alone_auc']:.3f}"]
            for each in measured["results"]
        ]
        print(format_table([header, *rows]))


def _figure(found: dict[str, Any], name: str) -> str:
    return f"{found[name]:.3f} ({found[f'{name}_low']:.3f}–{found[f'{name}_high']:.3f})"


def _run(options: Namespace) -> None:
    torch.set_num_threads(1)
    options.runs.mkdir(parents=True, exist_ok=True)
    labels, log = options.runs / "labels.csv", Log(sys.stderr)
    place = options.data / "covid-ct"
    convert("la-dnn", place, labels)
    records = read_records(labels, place / "images")
    before = RESULTS / "frozen.json"
    earlier = json.loads(before.read_text())["speed"] if before.exists() and not options.speed else []
    measured: dict[str, Any] = {"versions": {"torch": version("torch")}, "speed": earlier, "results": []}
    for backbone in options.speed:
        config = config_of(backbone, options.weights, epochs=options.epochs)
        measured["speed"].append(speed(config, records, options.runs / ".cache", options.sample))
        _print(measured)
    if options.results:
        for backbone in options.backbones:
            config = config_of(backbone, options.weights)
            measured["results"].append(result(config, place, labels, options.runs, log))
            write_result("frozen", measured)  # hours may lie between two backbones
    _print(measured)
    write_result("frozen", measured)


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m benchmarks.frozen``."""
    parser = ArgumentParser(prog="python -m benchmarks.frozen", description=__doc__)
    add = parser.add_argument
    add("--data", type=Path, default=SHARED / "data", help="folder with covid-ct")
    add("--weights", type=Path, default=SHARED / "weights", help="folder with weights")
    add("--runs", type=Path, default=ROOT / "runs" / "deep-covid", help="folder of the runs")
    add("--speed", nargs="*", default=["resnet18"], help="backbones whose time is taken; none: keep what was")
    add("--epochs", type=int, default=100, help="of the training whose time is taken")
    add("--sample", type=int, default=60, help="train images, and val images, computed anew")
    add("--results", action=BooleanOptionalAction, default=True, help="train by the recipe and measure")
    add("--backbones", nargs="*", default=list(WEIGHTS), help="that results are measured of")
    return run_command(parser, _run, arguments)


if __name__ == "__main__":
    sys.exit(main())
