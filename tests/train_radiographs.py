"""Drawn radiographs for tests: two dark lungs in a bright chest, with their exact masks and a class each."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from nlp.lexicon import load_lexicon
from nlp.schema import COVID, label_columns

CLASSES = ("COVID-19", "Normal", "Pneumonia")
SIZE = 120, 96  # width, height
SETS = ("train", "train", "train", "val", "test")


def radiograph(number: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A picture and its mask, (height, width) uint8; the class shows in where the lungs are white."""
    random = np.random.default_rng(number)
    left, top = (int(random.integers(8, 20)) for _ in range(2))
    lungs = [(left, top, left + 34, top + 62), (left + 48, top, left + 82, top + 62)]
    mask, picture = Image.new("L", SIZE), Image.new("L", SIZE, 190)
    for box in lungs:
        ImageDraw.Draw(mask).ellipse(box, fill=255)
        ImageDraw.Draw(picture).ellipse(box, fill=50)
    shadow = {"COVID-19": (0, 40, 34, 62), "Pneumonia": (48, 4, 82, 24)}.get(CLASSES[number % len(CLASSES)])
    if shadow:
        place = tuple(each + (left, top)[axis % 2] for axis, each in enumerate(shadow))
        ImageDraw.Draw(picture).ellipse(place, fill=150)
    noise = random.normal(0, 8, (SIZE[1], SIZE[0]))
    soft = np.asarray(picture.filter(ImageFilter.GaussianBlur(1)), dtype=np.float64)
    return np.clip(soft + noise, 0, 255).astype(np.uint8), np.array(mask)


def write_radiographs(folder: Path, count: int) -> tuple[Path, Path]:
    """Pictures and masks as files, three of each patient; their folders."""
    images, masks = folder / "images", folder / "masks"
    for each in (images, masks):
        each.mkdir(parents=True)
    for number in range(count):
        picture, mask = radiograph(number)
        Image.fromarray(picture).save(images / f"{_name(number)}.png")
        Image.fromarray(mask).save(masks / f"{_name(number)}.png")
    return images, masks


def write_table(folder: Path, count: int) -> Path:
    """labelled.csv of the same pictures."""
    columns = [column.name for column in label_columns(load_lexicon().finding_keys)]
    path = folder / "labelled.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        for number in range(count):
            diagnosis = CLASSES[number % len(CLASSES)]
            writer.writerow(
                {
                    "image": f"{_name(number)}.png",
                    "patient_id": _name(number).split("_")[0],
                    COVID: int(diagnosis == "COVID-19"),
                    "diagnosis": diagnosis,
                    "review": "auto",
                    "split": SETS[number // len(CLASSES) % len(SETS)],
                }
            )
    return path


def _name(number: int) -> str:
    """A patient of three pictures, as collections name them."""
    return f"{number // len(CLASSES):05d}_{number % len(CLASSES):03d}"
