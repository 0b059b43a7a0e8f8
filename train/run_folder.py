"""The folder of a run: what lies in it, and that no run is lost by another."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from nlp.errors import TrainingError
from train.config import Config
from train.config_check import without_unused
from train.config_file import read_run_config, write_config

CONFIG, METRICS, PREDICTIONS, HISTORY = "config.toml", "metrics.json", "predictions.csv", "history.csv"
OUT_OF_FOLD = "out_of_fold.csv"
CLASSES, CLASSES_OUT_OF_FOLD = "diagnosis.csv", "out_of_fold.diagnosis.csv"
LUNGS = "lungs.csv"
REPORT = "report.html"
MODEL_FILE = "model.safetensors"
CHECKPOINT = "checkpoint"

_NO_MATTER = ("device",)
"""Settings that a run may change when it goes on."""
_MANY = 1_000
"""Files in one folder that is no place for runs."""


def refuse_loss(out: Path, *, resume: bool, force: bool) -> None:
    """Stop before any work if a run in this folder would be lost.

    Raises:
        TrainingError: it is a file, or holds a run and neither going on nor replacing it was asked for.
    """
    if out.exists() and not out.is_dir():
        raise TrainingError(f"{out} is a file; --out names the folder of the run")
    if force:
        return
    if finished(out):
        raise TrainingError(f"{out} holds a finished run: choose another --out, or --force to replace it")
    if _begun(out) and not resume:
        raise TrainingError(f"{out} holds an unfinished run: --resume goes on with it, --force starts anew")


def differing_settings(folder: Path, config: Config) -> Iterator[str]:
    """Lines that name the settings, with both values, in which the run of a folder was another; none where all agree.

    Settings without effect are not compared.
    """
    if not (folder / CONFIG).exists():
        return
    before, after = read_run_config(folder / CONFIG), without_unused(config)
    names = [each.name for each in fields(Config) if each.name not in _NO_MATTER]
    pairs = [(name, getattr(before, name), getattr(after, name)) for name in names]
    if differing := [f"  {name}: {there!r} there, {now!r} now" for name, there, now in pairs if there != now]:
        yield f"{folder} holds a run of other settings:"
        yield from differing


def claim(out: Path, config: Config, *, force: bool) -> None:
    """Make the folder of a run, and save its settings before anything else."""
    if force:
        _clear(out)
    out.mkdir(parents=True, exist_ok=True)
    if not _begun(out):
        write_config(config, out / CONFIG)


def finished(out: Path) -> bool:
    """Whether all files of a run are there; its states are deleted last."""
    return (out / METRICS).exists() and not _begun(out)


def finished_runs(folder: Path) -> list[Path]:
    """Folders of runs with a network, at any depth or the folder itself, the newest first.

    Nothing is looked for in hidden folders (caches), below folders of very many files (images), and twice where links
    lead in a circle.
    """
    found, seen = [], set[Path]()
    for place, below, files in os.walk(folder, followlinks=True):
        if METRICS in files and MODEL_FILE in files:
            found.append(Path(place))
        real = Path(place).resolve()
        further = len(files) <= _MANY and real not in seen
        below[:] = [name for name in below if further and not name.startswith(".")]
        seen.add(real)
    return sorted(found, key=lambda run: (run / METRICS).stat().st_mtime, reverse=True)


def forget_states(out: Path) -> None:
    """Delete the states of a training."""
    from train.checkpoint import remove_if_empty, remove_states  # lazily: it loads torch

    for folder in sorted((out / CHECKPOINT).glob("*")):
        remove_states(folder)
    remove_if_empty(out / CHECKPOINT)


def _clear(out: Path) -> None:
    tables = (PREDICTIONS, OUT_OF_FOLD, CLASSES, CLASSES_OUT_OF_FOLD, LUNGS, HISTORY)
    for name in (METRICS, REPORT, *tables):  # without metrics it is unfinished
        (out / name).unlink(missing_ok=True)
    forget_states(out)


def _begun(out: Path) -> bool:
    return any((out / CHECKPOINT).glob("*/state-*.safetensors"))
