"""The made-up set: captions true for their pictures, read exactly, and no picture that gives itself away."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from examples.anatomy import Build, Slice, draw_slice
from examples.draw import deal_decoys, draw_scene, main, read_covid, read_scenes
from examples.fields import Field, Mask
from examples.lesions import EXTENTS, PLACES, Lesion, draw_lesion
from nlp.aggregate import Record, of_panel, states
from nlp.batch import Reader, label_batch
from nlp.lexicon import load_lexicon
from nlp.schema import RECORD_COLUMNS

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
KEYS = load_lexicon().finding_keys
MOST_BYTES = 3_000_000


def rows(name: str) -> list[dict[str, str]]:
    with (EXAMPLES / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


CAPTIONS = rows("captions.csv")
REFERENCE = {row["image"]: row for row in rows("captions_reference.csv")}


@cache
def shared_reader() -> Reader:
    return Reader(load_lexicon())


def read_record(row: dict[str, str]) -> Record:
    return of_panel(shared_reader().read_text(row["caption"]), row["panel"])


def masks_of(image: str) -> dict[str, Path]:
    stem = Path(image).stem
    return {key: path for key in KEYS if (path := EXAMPLES / "masks" / f"{stem}.{key}.png").is_file()}


@pytest.mark.parametrize("row", CAPTIONS, ids=lambda row: row["image"])
def test_caption_is_read_as_its_reference_says(row: dict[str, str]) -> None:
    expected = REFERENCE[row["image"]]
    record = read_record(row)
    assert states(record.mentions, KEYS) == {key: expected[key] for key in KEYS}
    assert record.covid == expected["covid19"]


@pytest.mark.parametrize("row", CAPTIONS, ids=lambda row: row["image"])
def test_caption_is_true_for_its_picture(row: dict[str, str]) -> None:
    drawn = masks_of(row["image"])
    for key in KEYS:
        state = REFERENCE[row["image"]][key]
        assert state != "present" or key in drawn, f"{key} is present in the caption but not drawn"
        assert state not in ("negated", "resolved") or key not in drawn, f"{key} is {state} but drawn"


def test_flags_are_those_of_the_reference() -> None:
    blank = {"flags": ""}
    columns = {name: [{**row, **blank}[name] for row in CAPTIONS] for name in RECORD_COLUMNS}
    batch = pa.record_batch({name: pa.array(values, pa.string()) for name, values in columns.items()})
    labels = label_batch(batch, shared_reader()).labels.to_pylist()
    assert {row["image"]: row["flags"] for row in labels} == {
        image: row["flags"] for image, row in REFERENCE.items()
    }
    given = {row["image"]: row["covid19"] for row in CAPTIONS}
    assert {row["image"]: row["covid19"] for row in labels} == given, "the column is kept"


def test_set_covers_what_it_is_for() -> None:
    assert sum(bool(row["caption"]) for row in CAPTIONS) >= 60
    assert len(CAPTIONS) == len(REFERENCE) == len({row["image"] for row in CAPTIONS})
    assert {row["image"]: row["patient_id"] for row in CAPTIONS} == {
        scene.image: scene.patient_id for scene in read_scenes()
    }
    for key in KEYS:
        said = {row["image"]: REFERENCE[row["image"]][key] for row in CAPTIONS}
        patients = {row["patient_id"] for row in CAPTIONS if said[row["image"]] == "present"}
        assert len(patients) >= 7, f"{key} is present in {len(patients)} patients only"
        assert {"negated", "uncertain"} <= set(said.values()), key
    flags = {flag for row in REFERENCE.values() for flag in row["flags"].split(";")}
    assert flags == {"", "no_text", "ambiguous_panel", "covid_conflict"}
    assert {row["covid19"] for row in REFERENCE.values()} == {"confirmed", "suspected", "control", "unstated"}


def test_files_are_small_and_fit_together() -> None:
    files = [path for path in EXAMPLES.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert sum(path.stat().st_size for path in files) < MOST_BYTES
    assert {path.name for path in (EXAMPLES / "images").iterdir()} == set(REFERENCE)
    expected = set()
    for row in CAPTIONS:
        with Image.open(EXAMPLES / "images" / row["image"]) as image:
            for path in masks_of(row["image"]).values():
                expected.add(path)
                with Image.open(path) as mask:
                    assert mask.size == image.size, path.name
                    assert np.asarray(mask).any(), f"{path.name} is blank"
    assert set((EXAMPLES / "masks").iterdir()) == expected


def test_drawing_again_gives_the_same_set() -> None:
    scenes = read_scenes()
    hands = deal_decoys(scenes, read_covid())
    for scene in scenes[::9]:
        drawing = draw_scene(scene, hands[scene.image])
        with Image.open(EXAMPLES / "images" / scene.image) as image:
            assert image.mode == drawing.picture.mode
            difference = np.abs(np.asarray(image, float) - np.asarray(drawing.picture, float))
        assert difference.mean() < (3 if scene.image.endswith(".jpg") else 0.1), scene.image
        for finding, path in masks_of(scene.image).items():
            with Image.open(path) as mask:
                assert (np.asarray(mask) != drawing.masks[finding]).mean() < 0.001, path.name


def test_draw_command_writes_another_set_for_another_seed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--seed", "7", "--sheet", str(tmp_path / "sheet.png")]) == 0
    assert main(["--sheet", str(tmp_path / "same.png")]) == 0
    assert (tmp_path / "sheet.png").read_bytes() != (tmp_path / "same.png").read_bytes()
    assert "wrote" in capsys.readouterr().out


# ---- each finding looks like itself


def drawn(kind: str, place: str = "posterior", extent: str = "large") -> tuple[Slice, Field, dict[str, Mask]]:
    rng = np.random.default_rng(3)
    healthy = draw_slice(Build.sample(rng), "lower", rng)
    hu = healthy.hu.copy()
    return healthy, hu, draw_lesion(hu, Lesion(kind, "right", place, extent), healthy, rng)


def vessel_contrast(healthy: Slice, hu: Field, mask: Mask) -> float:
    """How far vessels stand out from what surrounds them inside the mask, in Hounsfield units."""
    vessel = mask & (healthy.trees.vessels > 0.6)
    around = mask & (healthy.trees.vessels < 0.05)
    assert vessel.sum() > 10
    return float(hu[vessel].mean() - hu[around].mean())


def test_ground_glass_is_haze_through_which_vessels_are_seen() -> None:
    healthy, hu, masks = drawn("ground_glass_opacity")
    mask = masks["ground_glass_opacity"]
    assert -700 < np.median(hu[mask]) < -400
    assert vessel_contrast(healthy, hu, mask) > 150
    outside = healthy.lung & ~mask & (hu != healthy.hu)
    assert np.abs(hu - healthy.hu)[outside].mean() < np.abs(hu - healthy.hu)[mask].mean() / 2


def test_consolidation_is_dense_and_hides_vessels() -> None:
    healthy, hu, masks = drawn("consolidation")
    mask = masks["consolidation"]
    assert -150 < np.median(hu[mask]) < 80
    assert abs(vessel_contrast(healthy, hu, mask)) < 120
    assert vessel_contrast(healthy, healthy.hu, mask) > 300, "the vessels were there before"


def test_air_bronchogram_is_air_inside_consolidation() -> None:
    _, hu, masks = drawn("air_bronchogram")
    air, dense = masks["air_bronchogram"], masks["consolidation"]
    assert air.sum() >= 30
    assert not (air & ~dense).any()
    assert hu[air].mean() < -400 < hu[dense & ~air].mean()


def test_crazy_paving_is_lines_on_ground_glass() -> None:
    _, hu, masks = drawn("crazy_paving")
    assert set(masks) == {"crazy_paving", "ground_glass_opacity", "septal_thickening"}
    lines = masks["septal_thickening"] & masks["crazy_paving"]
    between = masks["crazy_paving"] & ~masks["septal_thickening"]
    assert hu[lines].mean() - hu[between].mean() > 100
    assert np.median(hu[between]) > -700


def test_septal_thickening_is_thin_lines_near_the_pleura() -> None:
    healthy, hu, masks = drawn("septal_thickening", "diffuse", "whole")
    lines = masks["septal_thickening"]
    assert set(masks) == {"septal_thickening"}
    assert 0.01 < lines.sum() / healthy.right.sum() < 0.3
    assert healthy.depth[lines].mean() < 30
    near = healthy.right & ~lines & (healthy.trees.vessels < 0.05) & (healthy.depth > 3)
    assert hu[lines].mean() - hu[near].mean() > 200


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", KEYS)
def test_every_finding_can_be_drawn_anywhere_in_its_lung(kind: str, place: str) -> None:
    healthy, _, masks = drawn(kind, place, "whole" if kind == "septal_thickening" else "medium")
    assert masks[kind].any()
    assert not (masks[kind] & ~healthy.right).any(), "outside its lung"


@pytest.mark.parametrize(
    "text", ["nodule@left.top.small", "nodule@both.lateral.small", "nodule@left.lateral.huge"]
)
def test_lesion_parse_says_what_is_allowed(text: str) -> None:
    with pytest.raises(ValueError, match=r"side is left or right, place \[.*extent \[") as caught:
        Lesion.parse(text)
    assert all(word in str(caught.value) for word in (text, *EXTENTS))


# ---- nothing but the lungs tells who has COVID-19


def area_under_curve(scores: np.ndarray, positive: np.ndarray) -> float:
    wins = scores[positive][:, None] - scores[~positive][None, :]
    return float((wins > 0).mean() + (wins == 0).mean() / 2)


def labelled() -> tuple[list[dict[str, str]], np.ndarray]:
    chosen = [row for row in CAPTIONS if row["covid19"] in ("0", "1")]
    return chosen, np.array([row["covid19"] == "1" for row in chosen])


def test_decoys_come_up_equally_often_in_both_classes() -> None:
    hands = deal_decoys(read_scenes(), read_covid())
    chosen, positive = labelled()
    for name in ("letter_corner", "marker_corner", "arrows", "scale_bar", "border", "round_view", "colour"):
        values = np.array([float(getattr(hands[row["image"]], name)) for row in chosen])
        assert 0.35 < area_under_curve(values, positive) < 0.65, name


def test_size_format_and_brightness_say_nothing() -> None:
    chosen, positive = labelled()
    facts: dict[str, list[float]] = {"width": [], "height": [], "jpeg": [], "border": []}
    for row in chosen:
        path = EXAMPLES / "images" / row["image"]
        with Image.open(path) as image:
            grey = np.asarray(image.convert("L"), float)
        facts["width"].append(grey.shape[1])
        facts["height"].append(grey.shape[0])
        facts["jpeg"].append(float(path.suffix == ".jpg"))
        facts["border"].append(float(np.concatenate([grey[0], grey[-1]]).mean()))
    for name, values in facts.items():
        assert 0.3 < area_under_curve(np.array(values), positive) < 0.7, name


def test_a_classifier_of_the_corners_does_no_better_than_chance() -> None:
    chosen, positive = labelled()
    corners = np.stack([_corners(EXAMPLES / "images" / row["image"]) for row in chosen])
    patients = np.array([row["patient_id"] for row in chosen])
    distance = np.linalg.norm(corners[:, None] - corners[None], axis=2)
    distance[patients[:, None] == patients[None]] = np.inf
    nearest = np.argsort(distance, axis=1)[:, :7]
    assert 0.3 < area_under_curve(positive[nearest].mean(axis=1), positive) < 0.7


def _corners(path: Path) -> np.ndarray:
    """The four corners, a fifth of each side, shrunk to 6 × 6."""
    with Image.open(path) as image:
        grey = image.convert("L")
    width, height = grey.size
    w, h = width // 5, height // 5
    boxes = [(x, y, x + w, y + h) for x in (0, width - w) for y in (0, height - h)]
    return np.concatenate([np.asarray(grey.crop(box).resize((6, 6)), float).ravel() for box in boxes])
