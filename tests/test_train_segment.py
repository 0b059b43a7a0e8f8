"""Lungs are learnt from masks, measured on patients never seen, and found again in other pictures."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import train.segment
from nlp.errors import CheckpointError, ContractError, ImageError, TrainingError
from tests.train_radiographs import SIZE, write_radiographs
from train.image_forms import read_grey
from train.lung_boxes import PADDING, SURE, box_of, find_lung_box
from train.lung_pairs import divide, read_pairs
from train.patient_names import patient_of
from train.segment import segment
from train.segment_apply import find_lungs_in
from train.segment_fit import _changed
from train.segment_scores import agreement, mean_over
from train.segment_settings import SegmentSettings
from train.segmenter import build_segmenter, load_segmenter, save_segmenter

TINY = SegmentSettings(
    encoder="resnet18", weights="none", width=16, size=64, epochs=6, batch_size=6, learning_rate=5e-3
)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures, masks, and a segmenter trained on them."""
    folder = tmp_path_factory.mktemp("radiographs")
    images, masks = write_radiographs(folder, 36)
    segment(images, masks, folder / "run", TINY, device="cpu", bootstraps=200)
    return folder


def test_segment_learns_and_says_how_well(drawn: Path) -> None:
    metrics = json.loads((drawn / "run" / "metrics.json").read_text())
    test = metrics["test"]
    assert test["dice"] > 0.9 and test["iou"] < test["dice"]
    assert test["dice_low"] <= test["dice"] <= test["dice_high"]
    with (drawn / "run" / "scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["split"] for row in rows} == {"train", "val", "test"}
    assert len({(row["patient_id"], row["split"]) for row in rows}) == len(
        {row["patient_id"] for row in rows}
    )
    held_out = [float(row["dice"]) for row in rows if row["split"] == "test"]
    assert np.mean(held_out) == pytest.approx(test["dice"], abs=1e-3)
    with Image.open(drawn / "run" / "sheet.png") as sheet:
        assert sheet.width == 4 * TINY.size
    assert 'encoder = "resnet18"' in (drawn / "run" / "config.toml").read_text()


def test_segment_applies_masks_and_boxes_that_hold_the_lungs(drawn: Path, tmp_path: Path) -> None:
    used = find_lungs_in(drawn / "run", [drawn / "images"], tmp_path / "out")
    with (tmp_path / "out" / "lungs.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 36 and used == sum(int(row["used"]) for row in rows) > 18
    for row in rows:
        name = Path(row["image"]).name
        mask, found = (read_grey(folder / name) for folder in (drawn / "masks", tmp_path / "out"))
        mask = mask > 0.5
        assert found.shape == mask.shape and set(np.unique(found)) <= {0, 1}
        box = np.zeros_like(mask)
        box[int(row["top"]) : int(row["bottom"]), int(row["left"]) : int(row["right"])] = True
        assert (mask & box).sum() > 0.97 * mask.sum()
        assert (float(row["confidence"]) > SURE) == bool(int(row["used"]))
        assert bool(int(row["used"])) or box.all()


def test_segment_box_is_the_whole_picture_unless_the_mask_is_sure() -> None:
    probability = np.full((50, 50), 0.01, np.float32)
    probability[10:30, 20:40] = 0.95
    probability[45, 45] = 0.9  # a speck
    sure = box_of(probability, (100, 200))
    assert sure.used and sure.confidence == pytest.approx(0.95)
    assert sure.box == (20 - int(40 * PADDING), 80 - int(80 * PADDING), 62, 164)
    probability[10:30, 20:40] = 0.87
    unsure = box_of(probability, (100, 200))
    assert unsure.box == (0, 0, 100, 200) and not unsure.used
    assert not box_of(np.zeros((8, 8), np.float32), (5, 6)).used


@given(st.integers(0, 2**31 - 1))
def test_segment_boxes_lie_in_the_picture_and_hold_every_large_part(seed: int) -> None:
    random = np.random.default_rng(seed)
    probability = np.zeros((32, 32), np.float32)
    top, left = random.integers(0, 24, 2)
    probability[top : top + 8, left : left + 8] = 1
    height, width = (int(each) for each in random.integers(20, 300, 2))
    found = box_of(probability, (height, width)).box
    assert 0 <= found[0] <= top * height / 32 and (top + 8) * height / 32 <= found[2] <= height
    assert 0 <= found[1] <= left * width / 32 and (left + 8) * width / 32 <= found[3] <= width


def test_segment_masks_move_with_their_pictures(drawn: Path) -> None:
    pairs = read_pairs(drawn / "images", drawn / "masks", size=64)
    same = type(pairs)(pairs.paths, pairs.masks, pairs.masks, pairs.patients)
    images, masks = _changed(same, torch.arange(8), torch.device("cpu"), seed=3)
    assert ((images > 0.5).float() == masks).float().mean() > 0.97
    assert not torch.equal(masks, (pairs.masks[:8] > 127).float())


@given(st.lists(st.sampled_from("abcdefgh"), min_size=3, max_size=60), st.integers(0, 9))
def test_segment_divides_patients_whole(patients: list[str], seed: int) -> None:
    if len(set(patients)) < 5:
        return
    sets = divide(patients, 0.2, seed=seed)
    assert sorted(np.concatenate(sets)) == list(range(len(patients)))
    names = [{patients[row] for row in rows} for rows in sets]
    assert all(names) and not (names[0] & names[1] or names[0] & names[2] or names[1] & names[2])


def test_segment_scores_by_hand() -> None:
    model = build_segmenter(TINY).eval()
    pixels = torch.zeros(1, 1, 64, 64, dtype=torch.uint8)
    found = agreement(model, pixels, pixels).found[0]
    mask = torch.zeros(1, 1, 64, 64, dtype=torch.uint8)
    mask[0, 0, :32] = 255
    scores = agreement(model, pixels, mask)
    common, either = found[:32].sum(), found[32:].sum() + 32 * 64
    assert scores.iou[0] == pytest.approx(common / either)
    assert scores.dice[0] == pytest.approx(2 * common / (found.sum() + 32 * 64))
    assert mean_over(np.array([0.5, 0.7]), ["a", "a"], seed=0).low is None


def test_segment_refuses_what_does_not_fit_all_at_once(drawn: Path, tmp_path: Path) -> None:
    images, masks = write_radiographs(tmp_path, 6)
    (masks / "00000_000.png").unlink()
    Image.new("L", (5, 5)).save(masks / "00000_001.png")
    Image.new("L", SIZE).save(masks / "00000_002.png")
    with pytest.raises(ImageError) as error:
        read_pairs(images, masks, size=64)
    assert all(said in str(error.value) for said in ("3 of 6", "no mask 00000_000", "5 x 5", "shows no lung"))
    table = tmp_path / "patients.csv"
    table.write_text("image,patient_id\n00000_000.png,a\n")
    with pytest.raises(ContractError, match="00000_001"):
        read_pairs(drawn / "images", drawn / "masks", size=64, patients=table)


def test_segment_file_gives_the_same_network_or_is_refused(tmp_path: Path) -> None:
    model = build_segmenter(TINY).eval()
    save_segmenter(model, tmp_path)
    picture = np.random.default_rng(0).random((40, 50)).astype(np.float32)
    again = load_segmenter(tmp_path)
    assert np.array_equal(model.probability(picture), again.probability(picture))
    assert find_lung_box(picture, again) == find_lung_box(picture, model)
    file = tmp_path / "segmenter.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(CheckpointError, match="damaged"):
        load_segmenter(tmp_path)
    with pytest.raises(CheckpointError, match="there is no file"):
        load_segmenter(tmp_path / "nowhere")


@pytest.mark.parametrize("force", [False, True])
def test_segment_never_replaces_a_run(drawn: Path, tmp_path: Path, force: bool) -> None:
    saved = {"config.toml": 'backbone = "resnet18"\n', "metrics.json": "{}\n"}
    for name, content in saved.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(TrainingError, match=r"holds a run of train\.run"):
        segment(drawn / "images", drawn / "masks", tmp_path, TINY, device="cpu", force=force)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == saved


def test_segment_force_replaces_a_segmenter(drawn: Path, tmp_path: Path) -> None:
    shutil.copytree(drawn / "run", tmp_path / "again")
    short = replace(TINY, epochs=1)
    segment(
        drawn / "images", drawn / "masks", tmp_path / "again", short, device="cpu", force=True, bootstraps=50
    )
    assert "epochs = 1\n" in (tmp_path / "again" / "config.toml").read_text()


def test_segment_lists_pictures_and_masks_of_one_stem(tmp_path: Path) -> None:
    images, masks = write_radiographs(tmp_path, 4)
    for folder, copy in ((images, "deep/00000_000.png"), (masks, "deep/00000_001.png")):
        (folder / "deep").mkdir()
        shutil.copy(folder / Path(copy).name, folder / copy)
    with pytest.raises(ImageError) as error:
        read_pairs(images, masks, size=64)
    pairs = [("images", "00000_000.png"), ("masks", "00000_001.png")]
    assert all(
        f"{tmp_path / folder / name} and {tmp_path / folder / 'deep' / name} have the same stem"
        in str(error.value)
        for folder, name in pairs
    )


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_segment_with_too_large_a_holdout_says_so(share: float) -> None:
    with pytest.raises(TrainingError, match="choose a smaller --holdout"):
        divide(["a", "b", "c"], share, seed=0)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["{images}", "--out", "{new}"], 1, "one of the two"),
        (["{images}", "{masks}", "--out", "{run}"], 1, "--force"),
        (["{images}", "{masks}", "--out", "{new}", "--encoder", "resnet"], 1, "no encoder 'resnet'"),
        (["{images}", "{masks}", "--out", "{new}", "--size", "50"], 1, "multiple of 32"),
        (["{images}", "{masks}", "--out", "{new}", "--weights", "none.pth"], 1, "there is no weights file"),
        (["{images}", "--apply", "{new}", "--out", "{new}"], 1, "there is no file"),
    ],
)
def test_segment_command_says_what_is_wrong(
    drawn: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    said: str,
) -> None:
    places = {name: drawn / name for name in ("images", "masks", "run")} | {"new": tmp_path / "new"}
    assert train.segment.main([each.format(**places) for each in arguments]) == code
    assert said in capsys.readouterr().err


def test_segment_command_applies(drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    some = drawn / "images" / "00000_000.png"
    assert train.segment.main([str(some), "--apply", str(drawn / "run"), "--out", str(tmp_path)]) == 0
    assert "sure enough" in capsys.readouterr().out
    assert read_grey(tmp_path / "00000_000.png").shape == (SIZE[1], SIZE[0])


def test_segment_never_replaces_a_picture(
    drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(before := (drawn / "images" / "00000_000.png").read_bytes())
    for out in (tmp_path, drawn / "run"):
        assert train.segment.main([str(picture), "--apply", str(drawn / "run"), "--out", str(out)]) == 1
        assert "choose another" in capsys.readouterr().err
    assert picture.read_bytes() == before and not (tmp_path / "lungs.csv").exists()


def test_segment_never_downloads(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*where: object, **how: object) -> None:
        raise AssertionError("asked the network")

    monkeypatch.setattr("socket.socket.connect", refuse)
    build_segmenter(TINY)
    for encoder in ("nothing", "tu-nothing", "tu-hf_hub:nobody/nothing", "tu-hf-hub:nobody/nothing"):
        with pytest.raises(TrainingError, match="has no encoder"):
            build_segmenter(SegmentSettings(encoder=encoder, weights="none"))
    build_segmenter(replace(TINY, encoder="tu-resnet18"))


@pytest.mark.parametrize(
    ("stem", "patient"),
    [
        ("00001362_008", "00001362"),
        ("16654_4_1", "16654"),
        ("covid-19-pneumonia-2", "covid-19-pneumonia-2"),
        ("covid-19-pneumonia-58-day-10", "covid-19-pneumonia-58"),
        ("covid-19-pneumonia-58-prior", "covid-19-pneumonia-58"),
        ("covid-19-pneumonia-35-1", "covid-19-pneumonia-35"),
        ("covid-19-caso-70-2-APS", "covid-19-caso-70"),
        ("kjr-21-e24-g003-l-a", "kjr-21-e24"),
        ("ryct.2020200034.fig5-day7", "ryct.2020200034"),
        ("88de9d8c39e946abd495b37cd07d89e5-2ee6-0", "88de9d8c39e946abd495b37cd07d89e5"),
        ("7D2CF6CE-F529-4470-8356-D33FFAF98600", "7D2CF6CE-F529-4470-8356-D33FFAF98600"),
        ("extubation-13", "extubation"),
        ("day1", "day1"),
    ],
)
def test_patient_names_are_what_comes_before_visit_and_view(stem: str, patient: str) -> None:
    assert patient_of(stem) == patient
