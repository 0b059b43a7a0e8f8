"""``train.explain`` and what it is made of: maps back on the file's pixels, marks of lesions, tables, refusals."""

from __future__ import annotations

import csv
import shutil
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import train.explain
import train.predict
import train.report
from nlp.errors import ContractError, ImageError
from tests.train_phantoms import KEYS, phantom_config, phantom_records, write_phantoms
from train.diagnosis import Diagnosis
from train.explain import explain
from train.explain_files import TABLE
from train.explain_settings import Settings
from train.figure_style import png
from train.image_forms import read_grey
from train.image_paths import Chosen, unlabelled
from train.inference import pooled_features
from train.lesion_marks import LesionBox, Marks, read_boxes
from train.map_places import box_in, on_image, scaled
from train.overlays import Panel, overlay
from train.pictures_attention import attention_pictures, chosen_rows
from train.predictions import predict_records, read_predictions
from train.prepare import prepare_image
from train.run import run
from train.run_files import read_run

RECORDS = phantom_records(24)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``images``, and finished runs ``ladnn`` and ``baseline``."""
    folder = tmp_path_factory.mktemp("made")
    table = write_phantoms(folder, RECORDS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train.report, "write_report", lambda folder, records: None)
        for mode in ("ladnn", "baseline"):
            config = phantom_config(epochs=1, mode=mode, test_flips=True)
            run(table, folder / "images", config, out=folder / mode, bootstraps=50)
    return folder


def table_of(out: Path) -> list[dict[str, str]]:
    with (out / TABLE).open(newline="") as file:
        return list(csv.DictReader(file))


# ---- back to the pixels of the file


def test_map_places_puts_a_cell_where_the_network_saw_it() -> None:
    maps = np.zeros((1, 4, 6), np.float32)
    maps[0, 1, 4] = 1
    placed = on_image(maps, (10, 20, 50, 140), (70, 200))
    assert placed.shape == (1, 70, 200) and placed.dtype == np.float32
    row, column = np.unravel_index(placed[0].argmax(), (70, 200))
    assert 20 <= row < 30 and 100 <= column < 120  # cells are 10 high and 20 wide
    outside = placed[0].copy()
    outside[10:50, 20:140] = 0
    assert not outside.any()


@given(st.data(), st.integers(1, 900), st.integers(1, 900))
def test_map_places_of_a_reduced_picture_hold_the_whole_box(
    data: st.DataObject, high: int, wide: int
) -> None:
    top, left = (data.draw(st.integers(0, side - 1)) for side in (high, wide))
    bottom, right = data.draw(st.integers(top + 1, high)), data.draw(st.integers(left + 1, wide))
    reduced = data.draw(st.integers(1, high)), data.draw(st.integers(1, wide))
    found = box_in((top, left, bottom, right), (high, wide), reduced)
    for place, (side, less) in enumerate(zip((high, wide), reduced, strict=True)):
        low, end = found[place], found[place + 2]
        given_low, given_end = (top, bottom) if place == 0 else (left, right)
        assert 0 <= low < end <= less
        assert low * side <= given_low * less and given_end * less <= end * side + 1e-6 * side
    assert box_in((0, 0, high, wide), (high, wide), reduced) == (0, 0, *reduced)


def test_map_places_follows_a_lesion_through_the_lung_crop(tmp_path: Path, shared_phantom: Path) -> None:
    """A bright spot painted into the file comes back to its own pixels through crop, stretch and map."""
    made = prepare_image(shared_phantom, size=96, crop="lungs", how="none")
    picture = read_grey(shared_phantom)
    top, left, bottom, right = made.box
    row, column = (2 * top + bottom) // 3, (left + 2 * right) // 3
    bytes_ = (picture * 100).astype(np.uint8)
    bytes_[row - 4 : row + 4, column - 4 : column + 4] = 255
    Image.fromarray(bytes_).save(tmp_path / "spot.png")
    spot = prepare_image(tmp_path / "spot.png", size=96, crop="lungs", how="none")
    placed = on_image((spot.pixels / 255).astype(np.float32), spot.box, picture.shape)
    there = np.array(np.unravel_index(placed[0].argmax(), picture.shape))
    assert np.abs(there - (row - 0.5, column - 0.5)).max() <= 5


@pytest.fixture
def shared_phantom() -> Path:
    return Path(__file__).resolve().parents[1] / "examples" / "images" / "c01-2.png"


def test_map_places_scale_each_map_by_its_own_maximum() -> None:
    maps = np.array([[[0, 2], [4, 1]], [[0, 0], [0, 0]], [[-3, -1], [0, 5]]], np.float32)
    assert scaled(maps).tolist() == [
        [[0, 0.5], [1, 0.25]],
        [[0, 0], [0, 0]],
        [[-0.6000000238418579, -0.20000000298023224], [0, 1]],
    ]


def test_overlay_panels_have_the_pixels_of_the_picture() -> None:
    picture = np.full((350, 400), 0.5, np.float32)
    attention = np.zeros((350, 400), np.float32)
    attention[100:140, 60:90] = 1
    panels = [Panel("one", attention, {}), Panel("two", None, {}, [LesionBox(KEYS[0], 10, 20, 50, 60)])]
    image = np.asarray(Image.open(BytesIO(png(overlay(picture, panels)))).convert("RGB")).astype(int)
    assert abs(image.shape[1] - (2 * (400 + 8) + 8 + 78)) <= 1, "no room is left for a third panel"
    left, top = 8, 26 + 8
    panel = image[top : top + 350, left : left + 400]
    coloured = np.ptp(panel, axis=2) > 20
    rows, columns = np.nonzero(coloured)
    assert abs(rows.min() - 100) <= 1 and abs(rows.max() - 139) <= 1
    assert abs(columns.min() - 60) <= 1 and abs(columns.max() - 89) <= 1


# ---- marks


def test_lesion_marks_join_masks_and_boxes(tmp_path: Path) -> None:
    mask = np.zeros((20, 30), np.uint8)
    mask[2:4, 5:9] = 255
    Image.fromarray(mask).save(tmp_path / f"slice.{KEYS[0]}.png")
    table = tmp_path / "boxes.csv"
    table.write_text(
        f"image,finding,left,top,right,bottom,by\na/slice.png,{KEYS[0]},10,0,12,20,x\na/slice.png,{KEYS[2]},0,0,1,1,x\n"
    )
    marks = Marks(KEYS, tmp_path, read_boxes(table, KEYS))
    found = marks.of(Path("deep/a/slice.png"), (20, 30))
    assert {key: int(each.sum()) for key, each in found.items()} == {KEYS[0]: 8 + 40, KEYS[2]: 1}
    assert found[KEYS[0]][2:4, 5:9].all() and found[KEYS[0]][:, 10:12].all()
    assert not marks.boxes_of(Path("other/slice.png"), (20, 30)) and not marks.boxes_of(
        Path("a/x-slice.png"), (20, 30)
    )
    with pytest.raises(ImageError, match="30 × 20 pixels, its image 31 × 20"):
        Marks(KEYS, tmp_path).of(Path("slice.png"), (20, 31))
    with pytest.raises(ContractError, match="does not lie in"):
        marks.of(Path("a/slice.png"), (20, 11))


def test_lesion_marks_refuse_a_table_with_every_problem(tmp_path: Path) -> None:
    table = tmp_path / "boxes.csv"
    table.write_text(
        "image,finding,left,top,right,bottom\n,nodule,1,1,2,2\na.png,consolidation,5,1,5,2\nb.png,consolidation,-1,,2,2\n"
    )
    with pytest.raises(ContractError) as caught:
        read_boxes(table, KEYS)
    said = str(caught.value)
    assert "row 2: image is blank" in said and "row 2: finding must be one of" in said and "'nodule'" in said
    assert (
        "row 3: left must be below right" in said
        and "row 4: left, top, right and bottom must be whole" in said
    )
    table.write_text("image,left\n")
    with pytest.raises(ContractError, match="column finding is missing"):
        read_boxes(table, KEYS)


# ---- the command


def test_explain_writes_overlays_arrays_and_a_table(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.png").write_bytes(b"")
    table = tmp_path / "boxes.csv"
    table.write_text(f"image,finding,left,top,right,bottom\n002.png,{KEYS[1]},8,8,16,16\n")
    out = tmp_path / "out"
    paths = [str(made / "images" / "000.png"), str(made / "images" / "002.png"), str(tmp_path / "broken.png")]
    arguments = [str(made / "ladnn"), *paths, "--out", str(out), "--boxes", str(table)]
    assert train.explain.main([*arguments, "--compare", str(made / "baseline"), "--full-arrays"]) == 0
    said = capsys.readouterr()
    assert "2 images explained" in said.out and "not for diagnosis" in said.out and "0 bytes" in said.err
    assert {path.name for path in out.iterdir()} == {
        *("000.png", "000.npz", "000.compare.png", "002.png", "002.npz", "002.compare.png", TABLE)
    }
    rows = table_of(out)
    outputs = ["covid19", *KEYS, "covid19"]
    assert [row["output"] for row in rows] == outputs * 2
    assert [row["run"] for row in rows[:7]] == ["ladnn"] * 6 + ["baseline"]
    marked = [(row["image"][-7:], row["output"]) for row in rows if row["iou"]]
    assert marked == [("002.png", "covid19"), ("002.png", KEYS[1]), ("002.png", "covid19")]
    arrays = np.load(out / "002.npz")
    assert arrays["maps"].dtype == np.float32 and arrays["maps"].shape[0] == 6
    assert arrays["full"].shape == (6, 32, 32) and arrays["outputs"].tolist() == ["covid19", *KEYS]
    assert tuple(arrays["box"]) == (0, 0, 32, 32) and str(arrays["method"]) == Settings().method


def test_explain_gives_the_probabilities_of_the_run(made: Path, tmp_path: Path) -> None:
    explain(made / "ladnn", [made / "images"], tmp_path, batch_size=5)
    own = read_predictions(made / "ladnn" / "predictions.csv")
    found = np.array([float(row["probability"]) for row in table_of(tmp_path)]).reshape(-1, 6)
    np.testing.assert_allclose(found, own.probabilities, atol=1e-5)


def test_explain_of_a_baseline_shows_the_flag_alone(made: Path, tmp_path: Path) -> None:
    measured, problems = explain(made / "baseline", [made / "images" / "000.png"], tmp_path)
    assert [row.output for row in measured[0].rows] == ["covid19"] and not problems
    own = read_predictions(made / "baseline" / "predictions.csv")
    assert np.isfinite(own.probabilities[:, 0]).all() and np.isnan(own.probabilities[:, 1:]).all()


def test_explain_by_occlusion_and_equal_stems(made: Path, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    again = tmp_path / "more" / "000.png"
    again.write_bytes((made / "images" / "000.png").read_bytes())
    settings = Settings("occlusion", window=16, stride=8)
    explain(made / "ladnn", [made / "images" / "000.png", again], tmp_path / "out", settings=settings)
    first, second = np.load(tmp_path / "out" / "000.npz"), np.load(tmp_path / "out" / "000~2.npz")
    assert first["maps"].shape == (6, 32, 32)
    np.testing.assert_allclose(first["maps"], second["maps"], atol=1e-6)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--window", "8"], "--window belong to --method occlusion"),
        (["--masks", "nowhere"], "no such folder of masks"),
        (["--boxes", "nowhere.csv"], "cannot be read as a UTF-8 CSV file of boxes"),
        (["--method", "occlusion", "--window", "99"], "from 1 to 32"),
        (["--compare", "nowhere"], "is no finished run"),
        (["--batch-size", "0"], "at least 1"),
    ],
)
def test_explain_refuses_in_one_message(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], said: str
) -> None:
    image = str(made / "images" / "000.png")
    assert train.explain.main([str(made / "ladnn"), image, "--out", str(tmp_path / "out"), *more]) == 1
    assert said in capsys.readouterr().err


def test_explain_refuses_a_file_as_folder_and_nothing_readable(made: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "broken.png").write_bytes(b"")
    run_, image = str(made / "ladnn"), str(tmp_path / "broken.png")
    assert train.explain.main([run_, image, "--out", str(tmp_path / "file")]) == 1
    with pytest.raises(ImageError, match="0 bytes"):
        explain(made / "ladnn", [tmp_path / "broken.png"], tmp_path / "out")
    assert not (tmp_path / "out" / TABLE).exists()


def test_predict_draws_heatmaps(made: Path, tmp_path: Path) -> None:
    image, out = str(made / "images" / "000.png"), str(tmp_path / "p.csv")
    arguments = [str(made / "ladnn"), image, "-o", out, "--heatmaps", str(tmp_path / "maps")]
    assert train.predict.main(arguments) == 0
    assert (tmp_path / "maps" / "000.png").exists() and (tmp_path / "maps" / TABLE).exists()


def test_explain_and_heatmaps_never_replace_an_image(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = tmp_path / "images" / "000.png"
    image.parent.mkdir()
    image.write_bytes(before := (made / "images" / "000.png").read_bytes())
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "000.png").symlink_to(image)
    said = {"images": "1 of the images, such as 000.png", "linked": "1 of the images", "run": "of a run"}
    shutil.copytree(made / "ladnn", tmp_path / "run")
    for name, words in said.items():
        folder, table = str(tmp_path / name), tmp_path / "p.csv"
        assert train.explain.main([str(made / "ladnn"), str(image), "--out", folder]) == 1
        assert words in capsys.readouterr().err
        arguments = [str(made / "ladnn"), str(image.parent), "-o", str(table), "--heatmaps", folder]
        assert train.predict.main(arguments) == 1 and not table.exists()
        assert words in capsys.readouterr().err
    assert image.read_bytes() == before and not list(tmp_path.rglob("*.np[z]"))


@pytest.mark.parametrize("name", ["ladnn", "baseline"])
def test_diagnosis_passes_a_picture_once_and_says_what_predict_says(
    made: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    diagnosis, path = Diagnosis(made / name), made / "images" / "003.png"
    network, ready = diagnosis.network, next(diagnosis.network.prepared([Chosen(path)]))
    assert ready.pixels is not None and network.neighbours is not None
    logits, (unlike,) = network.predict([ready.pixels])
    image, size = torch.from_numpy(ready.pixels[np.newaxis]), network.model.image_settings.size
    features = pooled_features(network.model, image, np.arange(1), size=size)
    passes, prepared = [], []
    forward, prepare = network.model.forward_features, network.prepared
    monkeypatch.setattr(
        network.model, "forward_features", lambda images: passes.append(len(images)) or forward(images)
    )
    monkeypatch.setattr(network, "prepared", lambda some: prepared.append(len(some)) or prepare(some))
    found = diagnosis.read(Chosen(path))
    assert passes == [1, 1] and prepared == [1]  # itself and its mirror image
    assert list(found.similar) == network.neighbours.nearest(features, 4)[0]
    assert unlike in found.warning
    known = unlabelled([Chosen(path)], network.model.finding_keys)
    expected = predict_records(known, logits, network.thresholds).probabilities[0]
    shown = [each.probability for each in found.outputs]
    np.testing.assert_allclose(shown, expected[: len(shown)], atol=1e-5)


# ---- the report


def test_report_shows_a_few_images_by_rule(made: Path) -> None:
    images = made / "images"
    records = RECORDS.take(np.arange(24))
    object.__setattr__(records, "paths", tuple(images / name for name in records.images))
    own = read_run(made / "ladnn", records)
    rows = chosen_rows(own)
    assert len(rows) == 3 and [records.covid19[row] for row in rows] == [1, 1, 0]
    assert {records.splits[row] for row in rows} == {"test"}
    assert len({records.patient_ids[row] for row in rows}) == 3
    pictures = attention_pictures(made / "ladnn", own)
    assert [each.name for each in pictures] == ["attention-1", "attention-2", "attention-3"]
    assert all(each.png.startswith(b"\x89PNG") and Settings().method in each.words for each in pictures)
    object.__setattr__(records, "paths", RECORDS.paths)  # the images are gone
    assert attention_pictures(made / "ladnn", read_run(made / "ladnn", records)) == ()
