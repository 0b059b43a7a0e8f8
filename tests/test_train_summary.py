from __future__ import annotations

from pathlib import Path
from typing import Any

from train.summary import summary


def figures(auc: float | None, low: float | None = None) -> dict[str, float | int | None]:
    names = ("sensitivity", "specificity", "f1", "accuracy")
    high = None if low is None else 1.0
    return {"auc": auc, "auc_low": low, "auc_high": high, "n_positive": 7, "n_negative": 3} | dict.fromkeys(
        names, auc
    )


METRICS: dict[str, Any] = {
    "val": {"covid19": figures(0.9, 0.8), "findings": {}},
    "test": {
        "covid19": figures(0.75, 0.5),
        "findings": {"crazy_paving": figures(None), "consolidation": figures(0.25)},
    },
    "shortcut": {"all": {"test": figures(0.625, 0.5)}},
    "training": {"best_epoch": 3, "epochs": 5, "averaged": True},
}


def test_summary_shows_every_figure_with_its_interval_and_n(tmp_path: Path) -> None:
    (tmp_path / "report.html").touch()
    lines = summary(METRICS, tmp_path).splitlines()

    def line(start: str) -> str:
        return next(each for each in lines if each.startswith(start))

    assert "0.750 [0.500, 1.000]" in line("test") and line("test").split()[-2:] == ["7", "3"]
    assert "0.625" in line("no network")
    assert "a class is missing" in line("crazy paving")
    assert "few patients" in line("consolidation")
    assert "averaged weights of epoch 3 of 5" in line("kept")
    assert line("report").endswith("report.html")
    assert lines[-1] == "For research, not for diagnosis."


def test_summary_of_a_baseline_says_that_it_learnt_the_flag_alone(tmp_path: Path) -> None:
    training = METRICS["training"] | {"mode": "baseline"}
    text = summary(METRICS | {"training": training}, tmp_path)
    assert "this run learnt the flag alone" in text and "crazy paving" not in text


def test_summary_with_folds_shows_findings_out_of_fold(tmp_path: Path) -> None:
    folds = {"covid19": figures(0.5, 0.4), "findings": {"septal_thickening": figures(0.125, 0.0)}}
    text = summary(METRICS | {"out_of_fold": folds}, tmp_path)
    assert "out of fold, all patients" in text and "septal thickening" in text
    assert "crazy paving" not in text
