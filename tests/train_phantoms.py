"""A made-up set for tests of training: small noisy pictures, those of confirmed cases with a bright square."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from nlp.lexicon import load_lexicon
from nlp.schema import label_columns
from train.config import Config
from train.records import Records

KEYS = load_lexicon().finding_keys
SETS = ("train", "train", "train", "val", "test", "test")


def phantom_config(**settings: object) -> Config:
    """A tiny network that learns the phantoms within a few steps."""
    usual: dict[str, object] = {
        "backbone": "test_resnet",
        "weights": "none",
        "image_size": 32,
        "crop": "none",
        "normalise": "none",
        "epochs": 2,
        "batch_size": 8,
        "learning_rate": 3e-3,
        "precision": "float32",
        "device": "cpu",
    }
    return Config(**(usual | settings))


def phantom_records(count: int = 36, *, seed: int = 0) -> Records:
    """Records of ``count`` images, two of each patient; half are confirmed, and some of those have findings."""
    generator = np.random.default_rng(seed)
    numbers = np.arange(count)
    covid19 = (numbers // 2 % 2).astype(np.float32)
    cells = ((generator.random((count, len(KEYS))) < 0.5) * covid19[:, None]).astype(np.float32)
    names = tuple(f"{number:03d}.png" for number in numbers)
    return Records(
        images=names,
        paths=tuple(Path(name) for name in names),
        patient_ids=tuple(f"p{number // 2}" for number in numbers),
        sources=("",) * count,
        diagnoses=("",) * count,
        splits=tuple(SETS[number // 4 % len(SETS)] for number in numbers),
        covid19=covid19,
        findings=cells,
        finding_cells=cells,
        captioned=np.ones(count, dtype=bool),
        finding_keys=KEYS,
    )


def phantom_pixels(records: Records, *, side: int = 32, seed: int = 0) -> torch.Tensor:
    """(n, 1, side, side) uint8."""
    generator = np.random.default_rng(seed)
    pixels = generator.integers(0, 120, (len(records), 1, side, side)).astype(np.uint8)
    pixels[records.covid19 == 1, :, side // 4 : side // 2, side // 4 : side // 2] += 100
    return torch.from_numpy(pixels)


def write_phantoms(folder: Path, records: Records) -> Path:
    """Write labelled.csv and the images below ``folder / "images"``; gives the table's path."""
    (folder / "images").mkdir(parents=True)
    for name, pixels in zip(records.images, phantom_pixels(records), strict=True):
        Image.fromarray(pixels[0].numpy()).save(folder / "images" / name)
    table = folder / "labelled.csv"
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, [column.name for column in label_columns(KEYS)], restval="")
        writer.writeheader()
        writer.writerows(_row(records, number) for number in range(len(records)))
    return table


def _row(records: Records, number: int) -> dict[str, str]:
    cells = {key: str(int(cell)) for key, cell in zip(KEYS, records.finding_cells[number], strict=True)}
    return {
        **cells,
        "image": records.images[number],
        "patient_id": records.patient_ids[number],
        "caption": f"phantom {number}",
        "covid19": str(int(records.covid19[number])),
        "review": "confirmed",
        "split": records.splits[number],
    }
