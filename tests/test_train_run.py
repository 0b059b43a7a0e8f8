from __future__ import annotations

import csv
import json
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

import train.report
import train.run
import train.stages
import train.training
from nlp.errors import TrainingError
from nlp.schema import COVID
from tests.train_phantoms import KEYS, phantom_config, phantom_records, write_phantoms
from train.config_file import read_config, write_config
from train.explain_settings import Settings
from train.explainer import Explainer
from train.loop import fit
from train.model import load_model
from train.predict import predict
from train.signals import Stopped

RECORDS = phantom_records(48)


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_phantoms(tmp_path_factory.mktemp("phantoms"), RECORDS)


@pytest.fixture
def command(phantoms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """``command("--folds", "2")``: run with a tiny network into ``tmp_path / "run"``."""
    monkeypatch.setattr(train.run, "run", partial(train.run.run, bootstraps=200))
    settings = tmp_path / "settings.toml"
    write_config(phantom_config(), settings)

    def run(*more: str) -> int:
        usual = [str(phantoms), "--images", str(phantoms.parent / "images"), "--out", str(tmp_path / "run")]
        config = [] if "--resume" in more else ["--config", str(settings)]
        return train.run.main([*usual, *config, *more])

    return run


@pytest.fixture
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures take longer than these trainings; one test has them."""
    monkeypatch.setattr(train.report, "write_report", lambda folder, records: None)


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def untimed(metrics: Path) -> dict[str, object]:
    found: dict[str, dict[str, object]] = json.loads(metrics.read_text())
    found["training"].pop("seconds")
    return {**found}


def test_run_writes_a_folder_that_agrees_with_itself(
    command: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("--folds", "2") == 0
    run, said = tmp_path / "run", capsys.readouterr()
    metrics = json.loads((run / "metrics.json").read_text())
    assert {"val", "test", "out_of_fold", "shortcut", "thresholds", "training"} <= set(metrics)
    truth = dict(zip(RECORDS.images, RECORDS.covid19.tolist(), strict=True))
    for split, file in (("test", "predictions.csv"), ("out_of_fold", "out_of_fold.csv")):
        rows = [row for row in read_rows(run / file) if split in (row["split"], "out_of_fold")]
        known = [truth[row["image"]] for row in rows]
        found = metrics[split]["covid19"]
        area = roc_auc_score(known, [float(row["covid19_probability"]) for row in rows])
        called = np.array([int(row["covid19_prediction"]) for row in rows])
        assert found["auc"] == pytest.approx(area, abs=1e-6)
        assert found["accuracy"] == pytest.approx((called == known).mean())
        assert found["n_positive"] + found["n_negative"] == len(rows)
        assert set(metrics[split]["findings"]) == set(KEYS)
    assert {row["fold"] for row in read_rows(run / "out_of_fold.csv")} == {"0", "1"}
    assert {row["fold"] for row in read_rows(run / "predictions.csv")} == {""}
    assert len(read_rows(run / "history.csv")) == 2
    assert read_config(run / "config.toml", {}) == phantom_config(folds=2)
    assert load_model(run).finding_keys == KEYS
    assert (run / "report.html").exists() and not (run / "checkpoint").exists()
    assert "not for diagnosis" in said.out and "out of fold" in said.out and "phantom 0" not in said.err


def stopping_fit(step: int, name: str) -> Callable[..., object]:
    """``fit`` that gets SIGTERM after a step of the named training."""

    def stopped(*arguments: object, **options: object) -> object:
        def ring(done: int) -> None:
            if done == step and Path(str(options["folder"])).name == name:
                signal.raise_signal(signal.SIGTERM)

        return fit(*arguments, **options, after_step=ring)  # type: ignore[arg-type]

    return stopped


@pytest.mark.usefixtures("no_report")
def test_run_stopped_and_resumed_gives_the_same_files(
    command: Callable[..., int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command("--folds", "2") == 0
    (tmp_path / "run").rename(tmp_path / "unbroken")
    for step, name in ((3, "main"), (1, "fold-1")):
        monkeypatch.setattr(train.stages, "fit", stopping_fit(step, name))
        assert command(*(["--folds", "2"] if name == "main" else ["--resume"])) == 130
        assert "--resume" in capsys.readouterr().err
    monkeypatch.setattr(train.stages, "fit", fit)
    assert command() == 1 and "unfinished" in capsys.readouterr().err
    assert command("--resume", "--seed", "3") == 1 and "seed: 0 then, 3 now" in capsys.readouterr().err
    assert command("--resume") == 0
    again, unbroken = (load_model(tmp_path / name).state_dict() for name in ("run", "unbroken"))
    assert all(torch.equal(tensor, again[name]) for name, tensor in unbroken.items())
    for name in ("predictions.csv", "out_of_fold.csv", "config.toml"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "unbroken" / name).read_bytes(), name
    assert untimed(tmp_path / "run" / "metrics.json") == untimed(tmp_path / "unbroken" / "metrics.json")


@pytest.mark.usefixtures("no_report")
def test_run_a_finished_run_is_not_lost(
    command: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("--epochs", "1") == 0
    first = capsys.readouterr().out
    assert command() == 1 and "--force" in capsys.readouterr().err
    assert command("--resume") == 0
    said = capsys.readouterr()
    assert said.out == first and "finished already" in said.err
    assert command("--resume", "--epochs", "2") == 1
    assert "epochs: 1 there, 2 now" in capsys.readouterr().err
    assert command("--epochs", "1", "--seed", "1", "--force") == 0
    assert read_config(tmp_path / "run" / "config.toml", {}).seed == 1


@pytest.mark.usefixtures("no_report")
def test_run_goes_on_after_a_default_that_it_makes_no_use_of_changed(
    command: Callable[..., int],
    phantoms: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = tmp_path / "run"
    with monkeypatch.context() as before:  # when lesion_weight was 1 by default
        before.setattr(train.stages, "fit", stopping_fit(3, "main"))
        before.setattr(train.run, "check", lambda config: None)
        before.setattr(train.training, "unused", lambda config: {})
        config = phantom_config(mode="baseline", lesion_weight=1.0)
        with pytest.raises(Stopped):
            train.run.run(phantoms, phantoms.parent / "images", config, out=run)
    assert "lesion_weight = 1.0" in (run / "config.toml").read_text()
    assert command("--resume", "--lesion-weight", "3") == 1
    assert "no use of lesion_weight = 3.0" in capsys.readouterr().err
    assert command("--resume") == 0
    assert "this run learnt the flag alone" in capsys.readouterr().out
    test = json.loads((run / "metrics.json").read_text())["test"]
    for name in (
        "findings",
        "findings_all_labelled",
        "flag_by_finding",
    ):  # untrained: chance is no measurement
        assert set(test[name]) == set(KEYS), name
        assert all(each["auc"] is None and each["n"] >= 0 for each in test[name].values()), name
    assert test["findings_mean"] == {"auc": None, "n_findings": 0} and 0 <= test["covid19"]["auc"] <= 1
    assert command("--resume") == 0 and "finished already" in capsys.readouterr().err
    assert command("--resume", "--mode", "ladnn") == 1
    assert "mode: 'baseline' there, 'ladnn' now" in capsys.readouterr().err
    assert "lesion_weight = 1.0" in (run / "config.toml").read_text()
    found = predict(run, [phantoms.parent / "images"], tmp_path / "predictions.csv")
    assert found.images == len(RECORDS) and Explainer(run, Settings()).outputs == (COVID,)


def test_run_refuses_a_file_as_its_folder_and_wrong_weights_before_images(
    command: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("--weights", str(tmp_path / "nowhere.safetensors")) == 1
    said = capsys.readouterr().err
    assert "nowhere.safetensors" in said and "images of" not in said
    (tmp_path / "run").write_text("mine")
    assert command() == 1 and "is a file" in capsys.readouterr().err
    assert (tmp_path / "run").read_text() == "mine"


def test_run_blank_splits_stop_with_the_command_that_mends_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = phantom_records(12)
    table = write_phantoms(tmp_path, records)
    text = table.read_text().replace(",train,", ",,").replace(",val,", ",,").replace(",test,", ",,")
    table.write_text(text)
    arguments = [str(table), "--images", str(tmp_path / "images"), "--out", str(tmp_path / "run")]
    assert train.run.main([*arguments, "--weights", "none"]) == 1
    assert "annotate.split" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_run_unreadable_images_are_listed_before_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = write_phantoms(tmp_path, RECORDS)
    for name in ("003.png", "040.png"):
        (tmp_path / "images" / name).write_bytes(b"no picture")
    arguments = [str(table), "--images", str(tmp_path / "images"), "--out", str(tmp_path / "run")]
    assert train.run.main([*arguments, "--weights", "none"]) == 1
    said = capsys.readouterr().err
    assert "003.png" in said and "040.png" in said and "epoch" not in said


def test_run_contradictions_are_refused_before_the_table_is_read(
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["none.csv", "--images", "none", "--mode", "baseline", "--lesion-weight", "2"]
    assert train.run.main(arguments) == 1
    assert "makes no use of lesion_weight" in capsys.readouterr().err


def test_run_the_function_checks_too(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="epochs"):
        train.run.run(tmp_path, tmp_path, phantom_config(epochs=0), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
