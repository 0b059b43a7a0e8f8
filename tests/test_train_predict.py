from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import train.predict
import train.report
from nlp.errors import CheckpointError, ImageError, InputError
from tests.train_phantoms import phantom_config, phantom_records, write_phantoms
from train.ensemble import Ensemble
from train.image_paths import chosen_images
from train.operating_point import choose_thresholds
from train.predict import predict
from train.predictions import read_predictions
from train.predictor import Predictor
from train.run import run
from train.saved_thresholds import thresholds_from

RECORDS = phantom_records(24)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``images`` and a finished ``run``, whose preparation is not the default one."""
    folder = tmp_path_factory.mktemp("made")
    table = write_phantoms(folder, RECORDS)
    config = phantom_config(crop="lungs", normalise="equalise", image_size=48, epochs=1, test_flips=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train.report, "write_report", lambda folder, records: None)
        run(table, folder / "images", config, out=folder / "run", bootstraps=50)
    return folder


def test_predict_equals_the_runs_own_predictions(made: Path, tmp_path: Path) -> None:
    found = predict(made / "run", [made / "images"], tmp_path / "p.csv", batch_size=7)
    here, own = read_predictions(tmp_path / "p.csv"), read_predictions(made / "run" / "predictions.csv")
    assert [Path(name).name for name in here.images] == list(own.images)
    np.testing.assert_allclose(here.logits, own.logits, atol=1e-5)
    np.testing.assert_allclose(here.probabilities, own.probabilities, atol=1e-5)
    assert here.called.tolist() == own.called.tolist()
    assert all(one in more for one, more in zip(own.warnings, here.warnings, strict=True))
    assert any("no lungs found, whole slice used" in each for each in here.warnings)
    assert (found.images, found.positive, found.problems) == (24, int(own.called.sum()), ())
    assert set(here.patient_ids) == set(here.splits) == set(here.folds) == {""}


def test_predict_in_small_steps_gives_the_same(made: Path, tmp_path: Path) -> None:
    for size in (5, 24):
        predict(made / "run", [made / "images"], tmp_path / f"{size}.csv", batch_size=size)
    small, large = (read_predictions(tmp_path / f"{size}.csv") for size in (5, 24))
    np.testing.assert_allclose(small.logits, large.logits, atol=1e-5)
    assert small.images == large.images and small.warnings == large.warnings


def test_predict_gives_the_first_rows_after_few_images(made: Path) -> None:
    networks = Ensemble([Predictor(made / "run", device="cpu", batch_size=8)])
    steps = [len(found.predictions) for found in networks.predict(chosen_images([made / "images"]))]
    assert steps == [1, 2, 4, 8, 8, 1]


def test_predict_starts_without_what_only_training_needs() -> None:
    code = "import json, sys, train.ensemble, train.predictor; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"matplotlib", "pandas", "sklearn", "timm"}.intersection(json.loads(done.stdout))


def test_predict_lists_what_cannot_be_read_and_does_the_rest(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "mixed"
    (folder / "deep").mkdir(parents=True)
    shutil.copy(made / "images" / "000.png", folder / "deep" / "good.PNG")
    shutil.copy(made / "images" / "002.png", folder / "noending")
    (folder / "broken.png").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("nothing")
    (folder / ".hidden.png").write_bytes(b"")
    out = tmp_path / "p.csv"
    paths = [
        str(folder),
        str(folder / "deep" / "good.PNG"),
        str(folder / "noending"),
        str(tmp_path / "gone.png"),
    ]
    assert train.predict.main([str(made / "run"), *paths, "-o", str(out), "--device", "cpu"]) == 0
    said, found = capsys.readouterr(), read_predictions(out)
    assert "2 files without the suffix" in said.err and "2 of 4 images cannot be read" in said.err
    assert "2 images predicted" in said.out and "not for diagnosis" in said.out
    rows = {Path(name).name: row for row, name in enumerate(found.images)}
    assert list(rows) == ["broken.png", "good.PNG", "noending", "gone.png"]
    for name in ("broken.png", "gone.png"):
        assert np.isnan(found.logits[rows[name]]).all() and np.isnan(found.called[rows[name]])
        assert name in found.warnings[rows[name]]
    assert np.isfinite(found.logits[[rows["good.PNG"], rows["noending"]]]).all()


def test_predict_with_nothing_readable_fails_and_writes_nothing(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "p.csv"
    out.write_text("old")
    (tmp_path / "broken.png").write_bytes(b"")
    assert train.predict.main([str(made / "run"), str(tmp_path / "broken.png"), "-o", str(out)]) == 1
    assert "0 bytes" in capsys.readouterr().err and out.read_text() == "old"
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match="there is no image in"):
        predict(made / "run", [tmp_path / "empty"], out)


def test_predict_leaves_findings_blank_that_no_run_learnt(made: Path, tmp_path: Path) -> None:
    baseline = shutil.copytree(made / "run", tmp_path / "baseline")
    settings = (baseline / "config.toml").read_text()
    (baseline / "config.toml").write_text(settings.replace('mode = "ladnn"', 'mode = "baseline"'))
    found = {}
    for name, runs in {"both": [made / "run", baseline], "none": baseline, "all": made / "run"}.items():
        predict(runs, [made / "images"], tmp_path / f"{name}.csv")
        found[name] = read_predictions(tmp_path / f"{name}.csv")
    assert np.isfinite(found["none"].logits[:, 0]).all() and np.isfinite(found["none"].called).all()
    assert np.isnan(found["none"].logits[:, 1:]).all() and np.isnan(found["none"].probabilities[:, 1:]).all()
    np.testing.assert_allclose(found["both"].logits[:, 1:], found["all"].logits[:, 1:], atol=1e-5)


def test_predict_flips_are_asked_for_or_the_runs(made: Path, tmp_path: Path) -> None:
    own = read_predictions(made / "run" / "predictions.csv").logits
    for name, flips in (("with.csv", True), ("without.csv", False)):
        predict(made / "run", [made / "images"], tmp_path / name, flips=flips)
    logits = [read_predictions(tmp_path / name).logits for name in ("with.csv", "without.csv")]
    np.testing.assert_allclose(logits[0], own, atol=1e-5)
    assert np.abs(logits[1] - own).max() > 1e-4


def test_predict_the_runs_files_are_not_replaced(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (made / "run" / "predictions.csv").read_bytes()
    monkeypatch.chdir(made / "run")
    assert train.predict.main([".", str(made / "images")]) == 1
    assert "choose another place with -o" in capsys.readouterr().err
    assert (made / "run" / "predictions.csv").read_bytes() == before
    for name in ("history.csv", "new.jsonl", "diagnosis.csv"):
        assert train.predict.main([str(made / "run"), str(made / "images"), "-o", name]) == 1
        assert "lies in the folder of a run" in capsys.readouterr().err
    table = tmp_path / "p.diagnosis.csv"
    table.write_text("")
    assert train.predict.main([str(made / "run"), str(table), "-o", str(tmp_path / "p.csv")]) == 1
    assert "is an input" in capsys.readouterr().err
    assert train.predict.main([".", str(made / "images"), "-o", str(tmp_path / "no" / "p.csv")]) == 1
    assert "there is no folder" in capsys.readouterr().err


def test_predict_refuses_unfinished_and_damaged_runs(made: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no finished run"):
        predict(tmp_path, [made / "images"], tmp_path / "p.csv")
    broken = shutil.copytree(made / "run", tmp_path / "broken")
    content = bytearray((broken / "model.safetensors").read_bytes())
    content[-5] ^= 1
    (broken / "model.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError):
        predict(broken, [made / "images"], tmp_path / "p.csv")
    (broken / "metrics.json").write_text("[]")
    with pytest.raises(InputError, match="cannot be read"):
        predict(broken, [made / "images"], tmp_path / "p.csv")


def test_predict_thresholds_come_back_as_they_were() -> None:
    logits = np.random.default_rng(0).normal(size=(24, 6)) + RECORDS.covid19[:, None]
    for least in (None, 0.9):
        chosen = choose_thresholds(RECORDS, logits, sensitivity=least)
        assert thresholds_from(json.loads(json.dumps(chosen.as_json()))) == chosen
