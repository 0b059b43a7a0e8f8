from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

import train.neighbours
import train.report
from nlp.errors import CheckpointError
from tests.train_phantoms import phantom_config, phantom_records, write_phantoms
from train.neighbour_points import FAR, NEIGHBOURS, fit_neighbours, read_neighbours, write_neighbours
from train.predict import predict
from train.predictions import read_predictions
from train.run import run

WIDTH = 400
DRAW = np.random.default_rng(0)
BASIS = DRAW.normal(size=(6, WIDTH)).astype(np.float32)


def features(count: int, *, noise: float = 0.1) -> np.ndarray:
    made = DRAW.normal(size=(count, 6)) @ BASIS + noise * DRAW.normal(size=(count, WIDTH))
    return made.astype(np.float32)


def test_neighbours_far_is_what_leaves_the_axes_of_training() -> None:
    made = fit_neighbours([f"{number}.png" for number in range(200)], features(200), features(100))
    ordinary, strange = (
        made.warnings(features(200)),
        made.warnings(DRAW.normal(size=(50, WIDTH)).astype(np.float32) * 5),
    )
    assert strange == [FAR] * 50
    assert ordinary.count(FAR) <= 0.1 * len(ordinary)
    assert sum(made.distances(features(100)) > made.limit) <= 10


def test_neighbours_a_training_image_is_its_own_nearest() -> None:
    train = features(60)
    made = fit_neighbours([f"{number}.png" for number in range(60)], train, features(20))
    assert [row[0] for row in made.nearest(train, 3)] == list(made.images)
    assert all(len(set(row)) == 3 for row in made.nearest(train, 3))


def test_neighbours_come_back_and_damage_is_told(tmp_path: Path) -> None:
    made = fit_neighbours(["a", "ü"] * 20, features(40), features(20))
    write_neighbours(made, tmp_path)
    found = read_neighbours(tmp_path)
    assert found is not None and (found.images, found.limit) == (made.images, made.limit)
    new = features(5)
    np.testing.assert_allclose(found.distances(new), made.distances(new), rtol=1e-5)
    assert found.nearest(new, 4) == made.nearest(new, 4)
    content = bytearray((tmp_path / NEIGHBOURS).read_bytes())
    content[-3] ^= 1
    (tmp_path / NEIGHBOURS).write_bytes(content)
    with pytest.raises(CheckpointError):
        read_neighbours(tmp_path)


def test_neighbours_are_kept_by_a_run_and_added_to_an_older_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(train.report, "write_report", lambda folder, records: None)
    records = phantom_records(48)
    table = write_phantoms(tmp_path, records)
    done = run(
        table, tmp_path / "images", phantom_config(epochs=1), out=tmp_path / "run", bootstraps=50
    ).folder
    kept = read_neighbours(done)
    assert kept is not None and set(kept.images) == {records.images[row] for row in records.rows("train")}
    (done / NEIGHBOURS).unlink()
    arguments = [str(done), str(table), "--images", str(tmp_path / "images"), "--device", "cpu"]
    assert train.neighbours.main(arguments) == 0
    added = read_neighbours(done)
    assert added is not None and added.images == kept.images
    np.testing.assert_allclose(added.limit, kept.limit, rtol=1e-3)
    predict(done, [tmp_path / "images"], tmp_path / "p.csv")
    assert sum(FAR in each for each in read_predictions(tmp_path / "p.csv").warnings) < 24
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["split"] = {"p0": "val", "p6": "train"}.get(row["patient_id"], row["split"])
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    capsys.readouterr()
    assert train.neighbours.main(arguments) == 1
    assert "trained on another table" in capsys.readouterr().err
