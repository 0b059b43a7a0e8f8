"""The no-network baseline finds what a file gives away, and nothing where there is nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.made_records import make_records
from train import shortcut
from train.file_features import GROUPS, file_features
from train.records import Records
from train.shortcut import Shortcut, shortcut_baseline, shortcut_of_folds, shortcuts_as_json

N = 72


@pytest.fixture(scope="module")
def telling(tmp_path_factory: pytest.TempPathFactory) -> Records:
    """Noise images of which positives are PNG and controls JPEG; nothing else differs."""
    folder = tmp_path_factory.mktemp("images")
    generator = np.random.default_rng(0)
    paths = []
    for number in range(N):
        path = folder / f"{number}.{'png' if number % 2 else 'jpg'}"
        width, height = generator.integers(40, 60, 2)
        Image.fromarray(generator.integers(0, 256, (height, width), dtype=np.uint8)).save(path, quality=95)
        paths.append(path)
    splits = ["train" if number < 36 else "val" if number < 48 else "test" for number in range(N)]
    patients = [f"p{number // 4}-{number % 2}" for number in range(N)]
    return make_records([number % 2 for number in range(N)], paths=paths, splits=splits, patients=patients)


@pytest.fixture(scope="module")
def found(telling: Records) -> dict[str, Shortcut]:
    return {each.group: each for each in shortcut_baseline(telling, seed=0, bootstraps=200)}


def test_shortcut_finds_the_file_format(found: dict[str, Shortcut]) -> None:
    for group in ("format", "all"):
        assert found[group].sets["test"].metrics["auc"].value == 1
    output = found["format"].sets["test"]
    assert (output.n_positive, output.n_negative, output.n_patients) == (12, 12, 12)
    assert output.metrics["accuracy"].value == 1  # at the threshold of val


def test_shortcut_sees_nothing_where_nothing_is(found: dict[str, Shortcut]) -> None:
    area = found["aspect"].sets["test"].metrics["auc"]
    assert area.low is not None and area.high is not None
    assert area.low < 0.5 < area.high


def test_shortcut_as_json_has_every_group_model_and_set(found: dict[str, Shortcut]) -> None:
    written = json.loads(json.dumps(shortcuts_as_json(list(found.values())), allow_nan=False))
    assert set(written) == set(GROUPS)
    assert {"meaning", "model", "val", "test"} <= set(written["size"])
    assert {"auc", "auc_low", "n_positive"} <= set(written["size"]["test"])


def test_shortcut_is_the_same_for_the_same_seed(telling: Records, found: dict[str, Shortcut]) -> None:
    again = shortcut_baseline(telling, seed=0, bootstraps=200)
    assert json.dumps(shortcuts_as_json(again)) == json.dumps(shortcuts_as_json(list(found.values())))


def test_shortcut_of_folds_predicts_each_record_by_the_others(
    telling: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    plainest = shortcut._candidates(0)[:2]
    monkeypatch.setattr(shortcut, "_candidates", lambda seed: plainest)  # the others take seconds
    patients = np.array(telling.patient_ids)
    names = np.unique(patients)
    folds = [np.flatnonzero(np.isin(patients, names[part::3])).astype(np.int64) for part in range(3)]
    parts = {each.group: each for each in shortcut_of_folds(telling, folds, seed=0, bootstraps=100)}
    output = parts["format"].sets["out_of_fold"]
    assert (output.metrics["auc"].value, output.n_positive + output.n_negative) == (1, N)
    assert 0.2 < (parts["aspect"].sets["out_of_fold"].metrics["auc"].value or 0) < 0.8


def test_file_features_tell_content_from_name(tmp_path: Path) -> None:
    grey = Image.fromarray(np.full((20, 40), 128, dtype=np.uint8))
    grey.save(tmp_path / "a.png")
    grey.save(tmp_path / "b.jpg")
    (tmp_path / "c.png").write_bytes((tmp_path / "b.jpg").read_bytes())  # a JPEG called .png
    found = file_features([tmp_path / name for name in ("a.png", "b.jpg", "c.png")])
    png, jpeg, named_jpeg = found["format"][:, :3].T.tolist()
    assert (png, jpeg, named_jpeg) == ([1, 0, 0], [0, 1, 1], [0, 1, 0])
    assert found["size"][:, :2].tolist() == [[40, 20]] * 3
    assert found["aspect"][:, 0].tolist() == [2, 2, 2]
    assert found["histogram"].sum(axis=1) == pytest.approx([1, 1, 1])


def test_file_features_take_every_form_and_survive_the_unreadable(tmp_path: Path) -> None:
    grey = np.linspace(0, 1, 30 * 20).reshape(20, 30)
    Image.fromarray((grey * 65535).astype(np.uint16)).save(tmp_path / "deep.png")
    Image.fromarray((grey * 255).astype(np.uint8)).save(tmp_path / "plain.png")
    Image.fromarray((grey * 255).astype(np.uint8)).convert("RGBA").save(tmp_path / "alpha.png")
    Image.fromarray((grey * 255).astype(np.uint8)).convert("P").save(tmp_path / "palette.png")
    (tmp_path / "broken.png").write_bytes((tmp_path / "plain.png").read_bytes()[:60])
    names = ("deep", "plain", "alpha", "palette", "broken", "none")
    found = file_features([tmp_path / f"{name}.png" for name in names])
    assert np.isfinite(found["all"]).all()
    deep, plain, alpha, palette = found["histogram"][:4]
    assert np.abs(deep - plain).max() < 0.02
    assert np.array_equal(alpha, plain) and np.array_equal(palette, plain)
    assert found["format"][4:].sum() == 0
