"""The small table that a run prints: every figure with its interval and its n."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from train.classes import DIAGNOSIS
from train.run_folder import REPORT

DISCLAIMER = "For research, not for diagnosis."
SETS = {"val": "val (chose epoch and threshold)", "test": "test", "out_of_fold": "out of fold, all patients"}
SHOWN = ("sensitivity", "specificity", "f1", "accuracy")


def summary(metrics: Mapping[str, Any], folder: Path) -> str:
    """The table as text.

    Args:
        metrics: what metrics.json holds.
    """
    parts = (_flag_lines(metrics), _finding_lines(metrics), _class_lines(metrics), _ending(metrics, folder))
    return "\n\n".join("\n".join(lines) for part in parts if (lines := list(part)))


def _flag_lines(metrics: Mapping[str, Any]) -> Iterator[str]:
    yield f"{'COVID-19':38}{'AUC [95 %]':>20}{'sens':>7}{'spec':>7}{'F1':>7}{'acc':>7}{'n+':>6}{'n-':>6}"
    for key, name in SETS.items():
        if key in metrics:
            yield _flag_line(name, metrics[key]["covid19"])
    for key in ("test", "out_of_fold"):
        if found := metrics["shortcut"].get("all", {}).get(key):
            yield _flag_line(f"no network, file facts: {key.replace('_', ' ')}", found)


def _flag_line(name: str, found: Mapping[str, Any]) -> str:
    figures = "".join(f"{_figure(found[each]):>7}" for each in SHOWN)
    return f"{name:38}{_interval(found):>20}{figures}{found['n_positive']:>6}{found['n_negative']:>6}"


def _finding_lines(metrics: Mapping[str, Any]) -> Iterator[str]:
    """Over captioned positives of the largest honest set, where the findings were learnt."""
    key = "out_of_fold" if "out_of_fold" in metrics else "test"
    if metrics["training"].get("mode") == "baseline":
        yield "findings: none, this run learnt the flag alone"
        return
    title = f"findings in captioned positives, {key.replace('_', ' ')}"
    yield f"{title:58}{'n+':>6}{'n-':>6}"
    for name, found in metrics[key]["findings"].items():
        counts = f"{found['n_positive']:>6}{found['n_negative']:>6}"
        yield f"{name.replace('_', ' '):38}{_interval(found):>20}{counts}"


def _class_lines(metrics: Mapping[str, Any]) -> Iterator[str]:
    """Of the named classes, where there are any."""
    key = "out_of_fold" if "out_of_fold" in metrics else "test"
    if found := metrics[key].get(DIAGNOSIS):
        yield f"{'classes, ' + key.replace('_', ' '):38}{'AUC [95 %]':>20}{'sens':>7}{'spec':>7}{'n+':>6}{'n-':>6}"
        for name, each in found["classes"].items():
            figures = "".join(f"{_figure(each[metric]):>7}" for metric in SHOWN[:2])
            yield f"{name[:37]:38}{_interval(each):>20}{figures}{each['n_positive']:>6}{each['n_negative']:>6}"
        yield f"accuracy {_figure(found['accuracy'])}, mean AUC {_figure(found['macro_auc'])}"


def _ending(metrics: Mapping[str, Any], folder: Path) -> Iterator[str]:
    training = metrics["training"]
    kind = "averaged weights" if training["averaged"] else "weights"
    yield f"kept: the {kind} of epoch {training['best_epoch']} of {training['epochs']}"
    report = folder / REPORT
    yield f"report: {report if report.exists() else folder}"
    yield DISCLAIMER


def _interval(found: Mapping[str, Any]) -> str:
    if found["auc"] is None:
        return "a class is missing"
    if found["auc_low"] is None:
        return f"{found['auc']:.3f} [few patients]"
    return f"{found['auc']:.3f} [{found['auc_low']:.3f}, {found['auc_high']:.3f}]"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
