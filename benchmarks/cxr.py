"""Radiographs in numbers: ``python -m benchmarks.cxr``; real pictures, which must lie in ``--data``.

Lungs: a segmenter is trained on pictures with masks, a fifth of the patients held out. Three classes: 180 pictures,
five folds over patients, with and without the segmenter's crop and the three channels; a softmax head is fitted to what
a ResNet-18 of ImageNet sees, with the trainer's own ridge, so that nothing is chosen by these pictures. Beside it, what
the file alone says: its classes come from different sources. Patients are known by the files' names
(``train.patient_names``).
"""

from __future__ import annotations

import csv
import json
import sys
import tempfile
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import cpu_seconds, parser, write_result
from nlp.command import run_command
from nlp.errors import InputError
from nlp.score_report import format_table

BACKBONE, SIDE, FOLDS, SEED = "resnet18", 224, 5, 0
STRENGTH = 1 / 20.0
"""Of the heads: the trainer's default ridge (``head_ridge``), which was set on other data."""
CROPS, CHANNELS = ("none", "segmented"), ("grey", "cxr3")


def segmentation(data: Path, weights: Path, size: int, epochs: int, out: Path) -> dict[str, Any]:
    """Dice and IoU on held-out patients."""
    from train.progress import Log
    from train.segment import segment
    from train.segment_settings import SegmentSettings

    settings = SegmentSettings(
        encoder=BACKBONE, weights=str(weights), width=128, size=size, epochs=epochs, seed=SEED
    )
    folder = data / "cxr" / "lung_masks"
    return segment(
        folder / "images", folder / "masks", out, settings, device="cpu", force=True, log=Log(sys.stderr)
    )


def three_classes(data: Path, weights: Path, lungs: Path) -> list[dict[str, Any]]:
    """Accuracy and macro AUC out of fold: crop by channels, then the files alone."""
    from train.cache import load_images
    from train.file_features import file_features

    paths, classes, patients = _three_class_table(data / "cxr")
    rows = []
    for crop in CROPS:
        for channels in CHANNELS:
            loaded = load_images(
                paths,
                size=SIDE,
                crop=crop,
                normalise="none",
                channels=channels,
                segmenter=lungs if crop == "segmented" else None,
            )
            features = _pooled(loaded.pixels, weights)
            row = _row(f"{BACKBONE}, frozen", crop, channels, features, classes, patients, STRENGTH)
            rows.append({**row, "whole": int(loaded.whole.sum())})
            print(f"{crop}, {channels}: {row['accuracy']:.3f}", file=sys.stderr)
    for group, features in file_features(paths).items():
        rows.append(_row(f"file alone: {group}", "", "", features, classes, patients, 1.0))
    return rows


def _three_class_table(folder: Path) -> tuple[list[Path], list[str], list[str]]:
    from train.patient_names import patient_of

    try:
        with (folder / "three_class.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise InputError(f"no radiographs in {folder}; choose the folder with --data ({error})") from error
    paths = [folder / row["image"] for row in rows]
    return paths, [row["class"] for row in rows], [patient_of(path.stem) for path in paths]


def _pooled(pixels: Any, weights: Path) -> Any:
    """(n, P) what a pretrained backbone sees, over the picture and its mirror image."""
    import torch

    from nlp.lexicon import load_lexicon
    from train.augment import plain
    from train.model import build_model

    model = build_model(
        BACKBONE,
        finding_keys=load_lexicon().finding_keys,
        weights=str(weights),
        levels=2,
        pooling="mean_std",
    ).eval()
    found = []
    with torch.inference_mode():
        for part in torch.split(pixels, 20):
            images = plain(part, size=SIDE)
            both = torch.cat([images, images.flip(-1)]).contiguous(memory_format=torch.channels_last)
            first, second = model.pool(model.forward_features(both)).chunk(2)
            found.append((first + second) / 2)
    return torch.cat(found).double().numpy()


def _row(
    name: str,
    crop: str,
    channels: str,
    features: Any,
    classes: Sequence[str],
    patients: Sequence[str],
    strength: float,
) -> dict[str, Any]:
    from train.class_scores import score_classes

    names = sorted(set(classes))
    logits = _out_of_fold(features, np.array(classes), np.array(patients), strength)
    records = replace(_nobody(len(classes)), diagnoses=tuple(classes), patient_ids=tuple(patients))
    scores = score_classes(records, logits, names, seed=SEED)
    keys = ("accuracy", "accuracy_low", "accuracy_high", "macro_auc", "macro_auc_low", "macro_auc_high")
    return {
        "what": name,
        "crop": crop,
        "channels": channels,
        "n": scores["n"],
        "n_patients": scores["n_patients"],
        **{key: scores[key] for key in keys},
        "confusion": scores["confusion"],
    }


def _out_of_fold(features: Any, classes: Any, patients: Any, strength: float) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    logits = np.zeros((len(classes), len(set(classes))))
    divided = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=SEED)
    for rest, held_out in divided.split(features, classes, patients):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=5000))
        logits[held_out] = model.fit(features[rest], classes[rest]).decision_function(features[held_out])
    return logits


def _nobody(count: int) -> Any:
    from nlp.lexicon import load_lexicon
    from train.image_paths import Chosen, unlabelled

    return unlabelled([Chosen(Path(str(number))) for number in range(count)], load_lexicon().finding_keys)


def main() -> int:
    """Measure, print, and write benchmarks/results/cxr.json."""
    made = parser("Lung masks and three classes of real radiographs.")
    made.add_argument("--weights", type=Path, help="ImageNet ResNet-18 (default: beside --data)")
    made.add_argument(
        "--lungs", type=Path, metavar="RUN", help="a segmenter this benchmark made; trains none"
    )
    made.add_argument("--keep", type=Path, metavar="DIR", help="keep the segmenter there")
    made.add_argument("--size", type=int, default=128, help="of the segmenter's input (default: 128)")
    made.add_argument("--epochs", type=int, default=10, help="of the segmenter (default: 10)")
    return run_command(made, _run)


def _run(options: Namespace) -> None:
    weights = options.weights or options.data.parent / "weights" / "resnet18_pqf_in1k.safetensors"
    with tempfile.TemporaryDirectory() as spare:
        lungs = options.lungs or options.keep or Path(spare)
        if not options.lungs:
            segmentation(options.data, weights, options.size, options.epochs, lungs)
        found = _of_segmenter(lungs)
        before = cpu_seconds()
        rows = three_classes(options.data, weights, lungs)
        result = {"segmentation": found, "rows": rows, "cpu_seconds": round(cpu_seconds() - before)}
    print(format_table([("what", "crop", "channels", "accuracy", "macro AUC"), *map(_cells, rows)]))
    write_result("cxr", result)


def _of_segmenter(folder: Path) -> dict[str, Any]:
    import tomllib

    metrics: Mapping[str, Any] = json.loads((folder / "metrics.json").read_text())
    settings = tomllib.loads((folder / "config.toml").read_text())
    kept = {name: settings[name] for name in ("encoder", "width", "size", "epochs")}
    return {**kept, "n_train": metrics["n_train"], "val": metrics["val"], "test": metrics["test"]}


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    figures = (
        f"{row[key]:.3f} ({row[f'{key}_low']:.3f}-{row[f'{key}_high']:.3f})"
        for key in ("accuracy", "macro_auc")
    )
    return (row["what"], row["crop"], row["channels"], *figures)


if __name__ == "__main__":
    sys.exit(main())
