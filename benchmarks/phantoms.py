"""More phantoms than the example set has, drawn by the same hand: images, exact masks, and a labelled table.

Confirmed cases have one or two lesions of any finding; controls have none. In both classes some slices show what is no
finding (nodule, cavity, effusion, emphysema), and letters, arrows and borders are dealt evenly within each class: the
flag can be told by lesions alone.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from examples.anatomy import LEVELS
from examples.decoys import Decoys
from examples.draw import Drawing, Scene, deal_decoys, draw_scene
from examples.lesions import EXTENTS, OTHERS, PLACES, Lesion
from nlp.lexicon import load_lexicon
from nlp.schema import label_columns

SLICES = 2
"""Of each patient."""
SHARES = {"train": 0.68, "val": 0.12, "test": 0.2}
_OTHER = 0.3  # share of slices with something that is no finding
_FEWEST = 12  # pixels of a lesion that is worth the name
FINDINGS = load_lexicon().finding_keys


def write_phantoms(out: Path, patients: int, seed: int) -> Path:
    """Draw ``images/`` and ``masks/``, half of the patients confirmed; gives the path of labelled.csv."""
    for name in ("images", "masks"):
        (out / name).mkdir(parents=True, exist_ok=True)
    scenes = list(_scenes(patients, seed))
    covid = {scene.image: str(int(_confirmed(scene.patient_id))) for scene in scenes}
    hands = deal_decoys(scenes, covid, seed)
    rows = [_draw(out, scene, hands[scene.image], covid[scene.image], patients, seed) for scene in scenes]
    columns = [column.name for column in label_columns(FINDINGS)]
    with (out / "labelled.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return out / "labelled.csv"


def _confirmed(patient_id: str) -> bool:
    return int(patient_id[1:]) % 2 == 1


def _scenes(patients: int, seed: int) -> Iterator[Scene]:
    rng = np.random.default_rng([seed, patients])
    for number in range(patients):
        for slice_ in range(1, SLICES + 1):
            name = f"n{number:04d}"
            lesions = tuple(_lesions(rng, confirmed=_confirmed(name)))
            yield Scene(f"{name}-{slice_}.png", name, str(rng.choice(LEVELS)), lesions)


def _lesions(rng: np.random.Generator, *, confirmed: bool) -> Iterator[Lesion]:
    """One or two lesions in different lungs; the first is the largest that a slice has."""
    sides = rng.permutation(["left", "right"]).tolist()
    count = int(rng.integers(1, 3)) if confirmed else 0
    for side in sides[:count]:
        extent = str(rng.choice(["medium", "large"]))
        yield Lesion(str(rng.choice(FINDINGS)), side, str(rng.choice([*PLACES])), extent)
    if rng.random() < _OTHER:
        yield Lesion(
            str(rng.choice(OTHERS)), sides[1], str(rng.choice([*PLACES])), str(rng.choice([*EXTENTS][:3]))
        )


def _draw(out: Path, scene: Scene, hand: Decoys, covid: str, patients: int, seed: int) -> dict[str, str]:
    drawing: Drawing = draw_scene(scene, hand, seed)
    drawing.picture.save(out / "images" / scene.image)
    masks = {key: mask for key, mask in drawing.masks.items() if mask.sum() >= _FEWEST}
    for finding, mask in masks.items():
        Image.fromarray(mask).save(out / "masks" / f"{Path(scene.image).stem}.{finding}.png")
    return {
        **dict.fromkeys(FINDINGS, "0"),
        **dict.fromkeys(masks, "1"),
        "image": scene.image,
        "patient_id": scene.patient_id,
        "caption": "drawn",
        # a lesion that fell outside the lung leaves a healthy slice
        "covid19": str(int(bool(masks))) if covid == "1" else "0",
        "review": "confirmed",
        "split": _split(int(scene.patient_id[1:]) / patients),
    }


def _split(place: float) -> str:
    """Patients by number, so that both classes are even in every set."""
    if place < SHARES["train"]:
        return "train"
    return "val" if place < SHARES["train"] + SHARES["val"] else "test"
