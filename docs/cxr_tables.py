"""Tables of the page on radiographs, from ``benchmarks/results/cxr.json``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from docs.figures import NOT_MEASURED, result_of, table

_CROPS = {"none": "whole picture", "segmented": "lungs"}


def lungs_table(root: Path) -> str:
    """Dice and IoU of the segmenter on held-out patients."""
    found = result_of(root, "cxr")
    if found is None:
        return NOT_MEASURED
    made = found["segmentation"]
    rows = [
        (name, str(each["n"]), str(each["n_patients"]), _figure(each, "dice"), _figure(each, "iou"))
        for name, each in ((name, made[name]) for name in ("val", "test"))
    ]
    told = (
        f"{made['encoder']}, input {made['size']} pixels, {made['epochs']} epochs, {made['n_train']} pictures to"
        " learn from; val chose the epoch."
    )
    return (
        table(("set", "pictures", "patients", "Dice (95 % interval)", "IoU (95 % interval)"), rows)
        + f"\n\n{told}"
    )


def three_classes_table(root: Path) -> str:
    """Accuracy and mean AUC out of fold: crop by channels, and the files alone."""
    found = result_of(root, "cxr")
    if found is None:
        return NOT_MEASURED
    rows = [
        (
            each["what"],
            _CROPS.get(each["crop"], "–"),
            f"`{each['channels']}`" if each["channels"] else "–",
            _figure(each, "accuracy"),
            _figure(each, "macro_auc"),
        )
        for each in found["rows"]
    ]
    first = found["rows"][0]
    told = f"{first['n']} pictures of {first['n_patients']} patients, five folds over patients."
    whole = [str(each["whole"]) for each in found["rows"] if each["crop"] == "segmented"][:1]
    told += f" Lungs not surely found, whole picture taken: {whole[0]}." if whole else ""
    header = ("what", "picture", "channels", "accuracy (95 % interval)", "mean AUC (95 % interval)")
    return table(header, rows) + f"\n\n{told}"


def _figure(found: Mapping[str, Any], name: str) -> str:
    return f"{found[name]:.3f} ({found[f'{name}_low']:.3f}–{found[f'{name}_high']:.3f})"
