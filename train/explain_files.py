"""What ``train.explain`` leaves in its folder: overlays, arrays, and a table of what was measured."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nlp.schema import COVID
from nlp.write import replacing, writing
from train.attention_rows import ImageRows, measure, table
from train.explain_settings import Settings
from train.explainer import Explainer, Unreadable
from train.figure_style import png
from train.image_paths import file_stems
from train.lesion_marks import Marks
from train.overlays import Panel, output_name, overlay
from train.progress import Log
from train.shown import Shown, show

TABLE = "attention.csv"


def write_explained(
    networks: Sequence[Explainer],
    images: Sequence[Path],
    marks: Marks,
    out: Path,
    settings: Settings,
    *,
    full_arrays: bool,
    log: Log,
) -> tuple[list[ImageRows], list[str]]:
    """Explain images by one network or two and write all of it; what was measured, and what cannot be read."""
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    measured, problems, stems = [], [], file_stems(images)
    for number, each in enumerate(show(networks, images, marks), 1):
        if isinstance(each, Unreadable):
            problems.append(each.reason)
            continue
        stem = stems[each.path]
        files = {f"{stem}.png": six_panels(each), f"{stem}.npz": _arrays(each, settings, full=full_arrays)}
        if len(networks) > 1:
            files[f"{stem}.compare.png"] = compared(each)
        _write(out, files)
        measured.append(measure(each))
        log.live(f"images explained: {number:,} of {len(images):,}")
    if measured:
        _write(out, {TABLE: table(measured)})
    return measured, problems


def six_panels(shown: Shown, *, widest: int | None = None) -> bytes:
    """PNG of the flag's map and each finding's, each with the lesions that are known of it."""
    found = shown.found[0]
    panels = [
        Panel(
            _title(output, float(found.probabilities[place]), empty=not (shown.maps[0][place] > 0).any()),
            shown.maps[0][place],
            {} if shown.boxes else {key: mask for key, mask in shown.masks.items() if output in (COVID, key)},
            [box for box in shown.boxes if output in (COVID, box.finding)],
        )
        for place, output in enumerate(found.outputs)
    ]
    return png(overlay(shown.picture, panels, widest=widest))


def _title(output: str, probability: float, *, empty: bool) -> str:
    return f"{output_name(output)}  {probability:.2f}{'  (empty map)' if empty else ''}"


def compared(shown: Shown) -> bytes:
    """PNG of the slice with its lesions, the other run's flag and this run's: Liu et al. 2020, Fig. 5."""
    masks = {} if shown.boxes else shown.masks
    flags = [
        Panel(f"COVID-19  {found.probabilities[0]:.2f}: {name}", maps[0], masks, shown.boxes)
        for name, found, maps in zip(shown.runs, shown.found, shown.maps, strict=True)
    ]
    first = Panel("lesions" if shown.masks else "slice", None, masks, shown.boxes)
    return png(overlay(shown.picture, [first, *reversed(flags)]))


def _arrays(shown: Shown, settings: Settings, *, full: bool) -> bytes:
    """The .npz file of an image: maps (K, h, w), what they belong to, and on request maps (K, height, width)."""
    target, found = io.BytesIO(), shown.found[0]
    arrays: dict[str, Any] = {
        "maps": found.maps,
        "outputs": np.array(found.outputs),
        "logits": found.logits,
        "probabilities": found.probabilities,
        "box": np.array(found.box),
        "shape": np.array(found.shape),
        "method": np.array(settings.method),
    }
    if full:
        arrays["full"] = shown.maps[0]
    np.savez_compressed(target, **arrays)
    return target.getvalue()


def _write(out: Path, files: Mapping[str, bytes]) -> None:
    with replacing([out / name for name in files]) as handles:
        for handle, content in zip(handles, files.values(), strict=True):
            handle.write(content)
