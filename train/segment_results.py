"""What a trained segmenter leaves in its folder: figures, a table of pictures, a sheet, and its settings."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nlp.write import replacing, writing
from train.lung_pairs import IntArray, LungPairs
from train.segment_fit import SegmentEpoch
from train.segment_scores import Agreement, agreement, mean_over
from train.segment_settings import SegmentSettings
from train.segment_sheet import sheet
from train.segmenter import Segmenter, save_segmenter

CONFIG, METRICS, SCORES, SHEET = "config.toml", "metrics.json", "scores.csv", "sheet.png"


def write_segmented(
    out: Path,
    settings: SegmentSettings,
    model: Segmenter,
    pairs: LungPairs,
    sets: Mapping[str, IntArray],
    history: Sequence[SegmentEpoch],
    *,
    bootstraps: int,
) -> dict[str, Any]:
    """Measure val and test and write the folder; gives what metrics.json holds.

    Args:
        sets: train, val and test to their rows.

    Raises:
        OutputError: a file cannot be written.
    """
    scores = {
        name: agreement(model, pairs.pixels[sets[name]], pairs.masks[sets[name]]) for name in ("val", "test")
    }
    metrics: dict[str, Any] = {
        name: _figures(found, [pairs.patients[row] for row in sets[name]], settings.seed, bootstraps)
        for name, found in scores.items()
    }
    metrics |= {"n_train": len(sets["train"]), "epochs": [asdict(each) for each in history]}
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    save_segmenter(model, out)
    files = {
        CONFIG: "".join(
            f"{name} = {json.dumps(value)}\n" for name, value in asdict(settings).items()
        ).encode(),
        SCORES: _table(pairs, sets, scores),
        SHEET: sheet(pairs.take(sets["test"]), scores["test"]),
        METRICS: (json.dumps(metrics, indent=2, allow_nan=False) + "\n").encode(),
    }
    with replacing([out / name for name in files]) as handles:
        for handle, content in zip(handles, files.values(), strict=True):
            handle.write(content)
    return metrics


def said(metrics: Mapping[str, Any]) -> Iterator[str]:
    """The figures in a line for each set."""
    for name in ("val", "test"):
        found = metrics[name]
        parts = [
            f"{title} {found[key]:.3f} ({found[f'{key}_low']:.3f} to {found[f'{key}_high']:.3f})"
            if found[f"{key}_low"] is not None
            else f"{title} {found[key]:.3f}"
            for key, title in (("dice", "Dice"), ("iou", "IoU"))
        ]
        yield f"{name:5} {', '.join(parts)}; {found['n']} pictures of {found['n_patients']} patients"


def _figures(found: Agreement, patients: Sequence[str], seed: int, bootstraps: int) -> dict[str, Any]:
    figures: dict[str, Any] = {"n": len(patients), "n_patients": len(set(patients))}
    for name, values in (("dice", found.dice), ("iou", found.iou)):
        mean = mean_over(values, patients, seed=seed, bootstraps=bootstraps)
        figures |= {name: mean.value, f"{name}_low": mean.low, f"{name}_high": mean.high}
    return figures


def _table(pairs: LungPairs, sets: Mapping[str, IntArray], scores: Mapping[str, Agreement]) -> bytes:
    """scores.csv: every picture with its patient and set; Dice and IoU where it was held out."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("image", "patient_id", "split", "dice", "iou"))
    for name, rows in sets.items():
        for place, row in enumerate(rows):
            found = scores.get(name)
            cells = [f"{found.dice[place]:.4f}", f"{found.iou[place]:.4f}"] if found else ["", ""]
            writer.writerow([pairs.paths[row].name, pairs.patients[row], name, *cells])
    return text.getvalue().encode()
