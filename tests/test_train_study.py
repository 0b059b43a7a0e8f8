from __future__ import annotations

import csv
import json
import re
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import train.fold_results
import train.report
import train.results
import train.run
import train.stages
import train.study
from nlp.errors import TrainingError, WeightsError
from tests.train_phantoms import phantom_config, phantom_records, write_phantoms
from train.config import Config
from train.config_file import write_config
from train.loop import fit
from train.run_folder import METRICS, finished
from train.study_options import parser, plan_of
from train.study_plan import Part, cells

Study = Callable[..., int]


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """48 images; controls of two sources, confirmed cases of six."""
    table = write_phantoms(tmp_path_factory.mktemp("phantoms"), phantom_records(48))
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for number, row in enumerate(rows):
        row["source"] = f"article-{number // 8}" if row["covid19"] == "1" else f"site-{number // 4 % 2}"
    write_rows(table, rows)
    return table


def write_rows(table: Path, rows: Sequence[dict[str, str]]) -> None:
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def study(phantoms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """``study("--seeds", "0")``: the command on the phantoms with a tiny network, into ``tmp_path / "study"``."""
    monkeypatch.setattr(train.study, "study", partial(train.study.study, bootstraps=100))
    monkeypatch.setattr(train.report, "write_report", lambda folder, records: None)
    for module, name in ((train.results, "shortcut_baseline"), (train.fold_results, "shortcut_of_folds")):
        monkeypatch.setattr(module, name, lambda *arguments, **options: {})  # longer than the networks
    settings = tmp_path / "settings.toml"
    write_config(phantom_config(epochs=1), settings)

    def ask(*more: str) -> int:
        usual = [str(phantoms), "--images", str(phantoms.parent / "images"), "--config", str(settings)]
        out = ["--out", str(tmp_path / "study")]
        return train.study.main([*usual, *out, "--backbones", "test_resnet", *more])

    return ask


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders that ``train.run.run`` is asked for."""
    asked: list[Path] = []
    real = train.run.run

    def noted(*arguments: object, **options: object) -> object:
        asked.append(Path(str(options["out"])))
        return real(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(train.run, "run", noted)
    return asked


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_study_table_says_what_the_runs_say(
    study: Study, tmp_path: Path, trained: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert study("--seeds", "0", "1") == 0
    said, out = capsys.readouterr(), tmp_path / "study"
    assert [folder.name for folder in trained] == [
        *("test_resnet-baseline-0", "test_resnet-baseline-1"),
        *("test_resnet-ladnn-0", "test_resnet-ladnn-1"),
    ]
    assert said.out.strip() == (out / "study.md").read_text().strip()
    assert "not for diagnosis" in said.out and "from scratch" in said.out and "run 4 of 4" in said.err
    rows = read_rows(out / "study.csv")
    areas: dict[str, list[float]] = {"baseline": [], "ladnn": []}
    for folder in trained:
        metrics = json.loads((folder / METRICS).read_text())["test"]["covid19"]
        mode, seed = folder.name.split("-")[1:]
        areas[mode].append(metrics["auc"])
        own = [row for row in rows if (row["mode"], row["seed"], row["output"]) == (mode, seed, "covid19")]
        written = {row["metric"]: float(row["value"]) if row["value"] else None for row in own}
        assert written == pytest.approx({name: metrics[name] for name in written})  # blank where undefined
    for label, mode in (("baseline", "baseline"), ("LA-DNN", "ladnn")):
        line = next(line for line in said.out.splitlines() if f"| {label}, from scratch" in line)
        assert f"{100 * np.mean(areas[mode]):.1f} ± {100 * np.std(areas[mode], ddof=1):.1f} [" in line
    gain = 100 * (np.mean(areas["ladnn"]) - np.mean(areas["baseline"]))
    difference = next(line for line in said.out.splitlines() if "LA-DNN − baseline" in line)
    assert f"{gain:+.1f}".replace("-", "−") in difference
    tex = (out / "study.tex").read_text()
    assert r"test\_resnet" in tex and tex.count("&") == 6 * 4 and "±" not in tex.partition("\\bottomrule")[0]


def test_study_goes_on_where_it_was(
    study: Study, tmp_path: Path, trained: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert study("--seeds", "0") == 0
    first = capsys.readouterr().out
    assert study("--seeds", "0") == 0 and len(trained) == 2
    assert capsys.readouterr().out == first
    assert study("--seeds", "0", "1", "--resume") == 0 and len(trained) == 4
    assert study("--seeds", "0", "--epochs", "2") == 1
    error = capsys.readouterr().err
    assert error.count("epochs: 1 there, 2 now") == 2 and "test_resnet-ladnn-0" in error
    assert len(trained) == 4 and finished(tmp_path / "study" / "labelled" / "test_resnet-ladnn-1")


def test_study_stopped_in_a_run_goes_on_with_it(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert study("--seeds", "0") == 0
    unbroken = (tmp_path / "study").rename(tmp_path / "unbroken")
    capsys.readouterr()

    def stopping(*arguments: object, **options: object) -> object:
        def ring(done: int) -> None:
            if done == 2 and "ladnn" in str(options["folder"]):
                signal.raise_signal(signal.SIGTERM)

        return fit(*arguments, **options, after_step=ring)  # type: ignore[arg-type]

    monkeypatch.setattr(train.stages, "fit", stopping)
    assert study("--seeds", "0") == 130
    assert "the state is in" in capsys.readouterr().err
    assert not (tmp_path / "study" / "study.md").exists()
    monkeypatch.setattr(train.stages, "fit", fit)
    assert study("--seeds", "0") == 0
    assert "run 1 of 1: labelled, test_resnet-ladnn-0" in capsys.readouterr().err
    assert (tmp_path / "study" / "study.md").read_bytes() == (unbroken / "study.md").read_bytes()


def test_study_other_labels_do_not_join_old_runs(
    study: Study, phantoms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert study("--seeds", "0", "--modes", "baseline") == 0
    text = phantoms.read_text()
    try:
        phantoms.write_text(text.replace("article-0", "article-9"))
        assert study("--seeds", "0", "--modes", "baseline") == 1
    finally:
        phantoms.write_text(text)
    assert "other labels" in capsys.readouterr().err


def test_study_measures_out_of_fold(study: Study, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert study("--seeds", "0", "--modes", "ladnn", "--folds", "2", "--label-budget", "8") == 0
    said = capsys.readouterr().out
    folder = tmp_path / "study" / "labelled" / "test_resnet-ladnn-0"
    found = json.loads((folder / METRICS).read_text())["out_of_fold"]["covid19"]
    assert f"{100 * found['auc']:.1f} [" in said and f"{100 * found['accuracy']:.1f} [" in said
    assert "out of fold, 24 confirmed and 24 control records of 24 patients, 1 seed" in said
    budget = tmp_path / "study" / "labelled" / "budgets" / "8" / folder.name
    assert "out_of_fold" not in json.loads((budget / METRICS).read_text())
    assert (tmp_path / "study" / "label_budget.png").exists()


def test_study_keeps_sources_out_and_cuts_train_down(
    study: Study, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ("--leave-one-source-out", "--source-records", "12", "--label-budget", "8", "16")
    assert study("--seeds", "0", "--modes", "ladnn", *more) == 0
    said, out = capsys.readouterr().out, tmp_path / "study" / "labelled"
    assert all(f"labelled: source site-{n} kept out" in said for n in (0, 1))
    assert "labelled: 8 records of train" in said and "labelled: 16 records of train" in said
    for site in (0, 1):
        rows = read_rows(out / "sources" / f"site-{site}" / "labelled.csv")
        seen = {row["source"] for row in rows if row["split"] != "test"}
        measured = {row["source"] for row in rows if row["split"] == "test"}
        assert f"site-{site}" in measured and not seen & measured
    small = read_rows(out / "budgets" / "8" / "labelled-0.csv")
    assert sum(row["split"] == "train" for row in small) == 8
    with Image.open(tmp_path / "study" / "label_budget.png") as picture:
        assert picture.width == 1080
    parts = {row["part"] for row in read_rows(tmp_path / "study" / "study.csv")}
    assert len(parts) == 5


def test_study_weights_that_are_not_at_hand_are_said(
    study: Study, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def none_at_hand(backbone: object, weights: str) -> str:
        if weights == "imagenet":
            raise WeightsError("no internet")
        return ""

    monkeypatch.setattr("train.weights.load_weights", none_at_hand)
    arguments = ("--backbones", "test_resnet", "resnet18", "--weights", "imagenet")
    assert (
        study(
            *arguments,
            "--weights",
            "test_resnet=none",
            "--seeds",
            "0",
            "--modes",
            "ladnn",
            "--label-budget",
            "8",
        )
        == 0
    )
    said = capsys.readouterr()
    line = next(line for line in said.out.splitlines() if "| resnet18 |" in line)
    assert "pretrained result not measured here" in line and "no internet" in said.err
    assert (
        "83.0 → 88.2" in said.out and said.out.count("| resnet18 |") == 1
    )  # the paper's figures stand there all the same
    assert re.search(r"test_resnet \| LA-DNN, from scratch \| \d", said.out)
    notes = [row["note"] for row in read_rows(tmp_path / "study" / "study.csv") if row["note"]]
    assert notes == ["pretrained result not measured here"] * 2


def test_study_a_wrong_file_or_name_stops_before_any_run(
    study: Study, trained: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert study("--weights", "none.pth") == 1 and "none.pth" in capsys.readouterr().err
    assert study("--backbones", "test_resnet", "resnet81") == 1 and "resnet18" in capsys.readouterr().err
    assert study("--weights", "resnet50=none") == 1 and "none of the backbones" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        study("--data", "table.csv")
    assert trained == []


def test_study_a_run_that_fails_leaves_the_others(
    study: Study, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    real = train.run.run

    def failing(*arguments: object, **options: object) -> object:
        if str(options["out"]).endswith("ladnn-0"):
            raise TrainingError("the loss is no number")
        return real(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(train.run, "run", failing)
    assert study("--seeds", "0", "1") == 1
    said = capsys.readouterr()
    assert "not in the table: 1 of the runs" in said.err and "the loss is no number" in said.err
    assert "failed: labelled, test_resnet-ladnn-0" in said.out and "LA-DNN − baseline" in said.out
    assert (tmp_path / "study" / "study.csv").exists()


def test_study_baseline_takes_the_settings_that_it_uses(tmp_path: Path) -> None:
    write_config(phantom_config(lesion_weight=2.0, seed=9), tmp_path / "run.toml")
    options = parser().parse_args(
        ["t.csv", "--images", ".", "--config", str(tmp_path / "run.toml"), "--data", "D0+D1=u.csv"]
    )
    plan = plan_of(options)
    assert plan.base.lesion_weight == 2.0 and dict(plan.tables) == {
        "t": Path("t.csv"),
        "D0+D1": Path("u.csv"),
    }
    part = Part("t", "whole", "", {0: Path("t.csv")}, tmp_path)
    found = list(cells(part, replace(plan, backbones=["vgg16"], seeds=[0])))
    assert [(c.config.mode, c.config.lesion_weight, c.config.seed) for c in found] == [
        ("baseline", Config().lesion_weight, 0),
        ("ladnn", 2.0, 0),
    ]
