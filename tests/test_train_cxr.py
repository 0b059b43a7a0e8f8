"""The recipe for radiographs, from files to heat maps: segmented lungs, three channels, named classes."""

from __future__ import annotations

import csv
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import train.explain
import train.predict
import train.run
from nlp.errors import CheckpointError
from tests.train_radiographs import CLASSES, write_radiographs, write_table
from train.classes import class_probabilities
from train.diagnosis import Diagnosis
from train.ensemble import Ensemble
from train.image_paths import Chosen, chosen_images
from train.neighbour_points import read_neighbours
from train.neighbours import add_neighbours
from train.predictor import Predictor
from train.segment import segment
from train.segment_settings import SegmentSettings


@pytest.fixture(scope="module")
def cxr_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recipe on drawn radiographs: lungs, then classes; the folder that holds all of it."""
    folder = tmp_path_factory.mktemp("cxr")
    images, masks = write_radiographs(folder, 45)
    table = write_table(folder, 45)
    tiny = SegmentSettings(
        encoder="resnet18", weights="none", width=16, size=64, epochs=5, batch_size=6, learning_rate=5e-3
    )
    segment(images, masks, folder / "lungs", tiny, device="cpu", bootstraps=100)
    usual = ("--backbone", "test_resnet", "--weights", "none", "--image-size", "64", "--epochs", "2")
    code = train.run.main(
        [
            *(str(table), "--images", str(images), "--out", str(folder / "run"), "--recipe", "cxr-ai"),
            *("--segmenter", str(folder / "lungs"), "--batch-size", "9", "--device", "cpu", *usual),
        ]
    )
    assert code == 0
    return folder


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_cxr_recipe_leaves_classes_boxes_and_a_report(cxr_run: Path) -> None:
    run = cxr_run / "run"
    metrics = json.loads((run / "metrics.json").read_text())
    assert set(metrics["test"]["diagnosis"]["classes"]) == set(CLASSES)
    assert metrics["test"]["covid19"]["auc"] is not None
    rows, boxes = read_rows(run / "diagnosis.csv"), read_rows(run / "lungs.csv")
    assert len(rows) == len(boxes) == len(read_rows(run / "predictions.csv")) == 45
    for row, box in zip(rows, boxes, strict=True):
        sure = {name: float(row[f"probability_{name}"]) for name in CLASSES}
        assert sum(sure.values()) == pytest.approx(1, abs=1e-4)
        assert row["prediction"] == max(sure, key=lambda name: sure[name])
        assert float(row["confidence"]) == pytest.approx(max(sure.values()))
        assert float(row["quality"]) == pytest.approx(float(box["confidence"]), abs=1e-3)
        assert bool(row["warning"]) != bool(int(box["used"]))
    assert any(int(box["used"]) for box in boxes)
    report = (run / "report.html").read_text()
    assert "What was taken for what" in report and "accuracy" in report


def test_cxr_run_predicts_without_the_folder_of_its_segmenter(
    cxr_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (cxr_run / "lungs").rename(cxr_run / "moved")
    some = [cxr_run / "images" / f"00000_00{number}.png" for number in range(3)]
    try:
        code = train.predict.main([str(cxr_run / "run"), *map(str, some), "-o", str(tmp_path / "p.csv")])
    finally:
        (cxr_run / "moved").rename(cxr_run / "lungs")
    assert code == 0
    before = {row["image"]: row for row in read_rows(cxr_run / "run" / "diagnosis.csv")}
    for row in read_rows(tmp_path / "p.diagnosis.csv"):
        same = before[Path(row["image"]).name]
        assert row["prediction"] == same["prediction"] and row["split"] == ""
        assert float(row["confidence"]) == pytest.approx(float(same["confidence"]), abs=1e-4)


def test_cxr_run_streams_classes_with_bad_files_and_radiographs_in_dicom(
    cxr_run: Path, tmp_path: Path
) -> None:
    pydicom = pytest.importorskip("pydicom")
    study = tmp_path / "study.zip"
    with Image.open(cxr_run / "images" / "00000_001.png") as picture:
        grey = np.asarray(picture.convert("L"))
    dataset = pydicom.dcmread(pydicom.data.get_testdata_file("CT_small.dcm"))
    dataset.Modality, dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = "DX", 8, 8, 7
    dataset.PixelRepresentation, (dataset.Rows, dataset.Columns) = 0, grey.shape
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
    dataset.PixelData = grey.tobytes()
    dataset.save_as(tmp_path / "chest.dcm")
    with zipfile.ZipFile(study, "w") as archive:
        archive.write(cxr_run / "images" / "00000_000.png", "a.png")
        archive.writestr("broken.png", b"")
        archive.write(tmp_path / "chest.dcm", "chest.dcm")
    found = train.predict.predict(cxr_run / "run", [study], tmp_path / "p.jsonl", batch_size=1)
    rows, before = read_rows(tmp_path / "p.diagnosis.csv"), read_rows(cxr_run / "run" / "diagnosis.csv")
    assert [Path(row["image"]).name for row in rows] == ["a.png", "broken.png", "chest.dcm"]
    assert found.images == 3 and len(found.problems) == 1 and "0 bytes" in rows[1]["warning"]
    assert {rows[1][name] for name in ("prediction", "confidence", "quality")} == {""}
    assert "CT" not in rows[2]["warning"] and "axial" not in rows[2]["warning"]
    for row, own in zip(rows[::2], before, strict=False):
        assert float(row["confidence"]) == pytest.approx(float(own["confidence"]), abs=0.02)
        assert float(row["quality"]) == pytest.approx(float(own["quality"]), abs=0.02)


def test_cxr_ensemble_is_the_mean_of_the_classes_or_refused(cxr_run: Path) -> None:
    one, other, without = (Predictor(cxr_run / "run", device="cpu") for _ in range(3))
    assert other.model.classes is not None
    torch.nn.init.normal_(other.model.classes.weight, std=0.5)
    chosen = chosen_images(sorted((cxr_run / "images").iterdir())[:4])
    sure = []
    for members in ([one], [other], [one, other]):
        classes = [found.classes for found in Ensemble(members).predict(chosen)]
        sure.append(np.concatenate([class_probabilities(each.logits) for each in classes if each]))
    assert np.abs(sure[0] - sure[1]).max() > 0.01
    np.testing.assert_allclose(sure[2], (sure[0] + sure[1]) / 2, atol=1e-6)
    without.model.class_names = ()
    with pytest.raises(CheckpointError, match=r"must know the same classes(.|\n)*run: none"):
        Ensemble([one, without])


def test_cxr_run_answers_on_the_diagnose_page(cxr_run: Path) -> None:
    network = Diagnosis(cxr_run / "run", device="cpu")
    reading = network.read(Chosen(cxr_run / "images" / "00000_000.png"))
    flag, *classes = reading.outputs
    assert flag.threshold is not None and len(reading.maps) == 1 + len(CLASSES) and len(reading.similar) == 4
    assert [each.key for each in classes] == [f"diagnosis: {name}" for name in CLASSES]
    assert [each.called for each in classes].count(True) == 1
    assert all(each.threshold is None and each.frequency is not None for each in classes)


def test_cxr_run_gets_neighbours_without_the_folder_of_its_segmenter(cxr_run: Path) -> None:
    kept = read_neighbours(cxr_run / "run")
    (cxr_run / "lungs").rename(cxr_run / "moved")
    try:
        added = add_neighbours(cxr_run / "run", cxr_run / "labelled.csv", cxr_run / "images", device="cpu")
    finally:
        (cxr_run / "moved").rename(cxr_run / "lungs")
    assert kept is not None and added.limit == pytest.approx(kept.limit, rel=1e-3)


def test_cxr_maps_of_classes_lie_in_the_box_on_the_full_picture(cxr_run: Path, tmp_path: Path) -> None:
    boxes = {row["image"]: row for row in read_rows(cxr_run / "run" / "lungs.csv") if row["used"] == "1"}
    name = min(boxes)
    code = train.explain.main(
        [str(cxr_run / "run"), str(cxr_run / "images" / name), "--out", str(tmp_path), "--full-arrays"]
    )
    assert code == 0
    found = np.load(tmp_path / f"{Path(name).stem}.npz")
    assert list(found["outputs"]) == ["covid19", *(f"diagnosis: {each}" for each in CLASSES)]
    assert found["probabilities"][1:].sum() == pytest.approx(1, abs=1e-5)
    with Image.open(cxr_run / "images" / name) as picture:
        assert found["full"].shape == (4, picture.height, picture.width)
    top, left, bottom, right = (int(boxes[name][side]) for side in ("top", "left", "bottom", "right"))
    inside = found["full"][:, top:bottom, left:right].sum()
    assert inside == pytest.approx(found["full"].sum()) and inside > 0
    outputs = {row["output"] for row in read_rows(tmp_path / "attention.csv")}
    assert outputs == set(found["outputs"])


def test_cxr_run_refuses_a_missing_segmenter(
    cxr_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ask: Callable[..., int] = train.run.main
    table, images = str(cxr_run / "labelled.csv"), str(cxr_run / "images")
    usual = [
        table,
        "--images",
        images,
        "--out",
        str(tmp_path / "run"),
        "--recipe",
        "cxr-ai",
        "--weights",
        "none",
    ]
    assert ask(usual) == 1
    assert "needs a segmenter" in capsys.readouterr().err
    assert ask([*usual, "--segmenter", str(tmp_path / "nowhere"), "--backbone", "test_resnet"]) == 1
    assert "there is no file" in capsys.readouterr().err
