"""Draw the made-up example set: ``images/`` and ``masks/`` beside ``scenes.csv``.

``scenes.csv`` says what each image shows. A mask is called ``<image stem>.<finding>.png``: white where the
finding lies, as large as its image. The same seed always draws the same set.
"""

from __future__ import annotations

import argparse
import csv
import sys
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from examples.anatomy import LEVELS, Build, draw_slice
from examples.decoys import Decoys, deal, decorate
from examples.fields import Mask, smooth_noise
from examples.lesions import Lesion, draw_lesion
from nlp.command import run_command
from nlp.write import replacing

HERE = Path(__file__).parent
SEED = 0


@dataclass(frozen=True)
class Scene:
    """One image to draw."""

    image: str
    patient_id: str
    level: str
    lesions: tuple[Lesion, ...]


@dataclass(frozen=True)
class Drawing:
    """A finished picture with finding → mask of the same size."""

    picture: Image.Image
    masks: dict[str, Mask]


def read_scenes(folder: Path = HERE) -> list[Scene]:
    """Read what to draw."""
    with (folder / "scenes.csv").open(encoding="utf-8", newline="") as file:
        return [_scene(row) for row in csv.DictReader(file)]


def _scene(row: dict[str, str]) -> Scene:
    if row["level"] not in LEVELS:
        raise ValueError(f"{row['image']}: level {row['level']!r} is none of {', '.join(LEVELS)}")
    lesions = tuple(Lesion.parse(text) for text in row["lesions"].split(";") if text)
    return Scene(row["image"], row["patient_id"], row["level"], lesions)


def draw_scene(scene: Scene, decoys: Decoys, seed: int = SEED) -> Drawing:
    """Draw one scene; all slices of a patient share one build."""
    build = Build.sample(_random(seed, scene.patient_id))
    rng = _random(seed, scene.image)
    healthy = draw_slice(build, scene.level, rng)
    hu = healthy.hu.copy()
    masks: dict[str, Mask] = {}
    for lesion in scene.lesions:
        for finding, mask in draw_lesion(hu, lesion, healthy, rng).items():
            masks[finding] = masks.get(finding, np.zeros_like(mask)) | mask
    hu += rng.uniform(6, 16) * smooth_noise(rng, hu.shape, 1.6)
    picture = decorate(hu, decoys, rng)
    return Drawing(picture, {finding: np.pad(mask, decoys.border) for finding, mask in masks.items()})


def deal_decoys(scenes: Sequence[Scene], covid: dict[str, str], seed: int = SEED) -> dict[str, Decoys]:
    """Image → decoys, dealt evenly within each value of the COVID column."""
    hands: dict[str, Decoys] = {}
    for value in sorted(set(covid.values())):
        images = [scene.image for scene in scenes if covid[scene.image] == value]
        hands.update(zip(images, deal(len(images), _random(seed, f"decoys {value}")), strict=True))
    return hands


def read_covid(folder: Path = HERE) -> dict[str, str]:
    """Image → COVID column of captions.csv."""
    with (folder / "captions.csv").open(encoding="utf-8", newline="") as file:
        return {row["image"]: row["covid19"] for row in csv.DictReader(file)}


def write_set(out: Path, seed: int = SEED) -> list[Path]:
    """Draw every scene into ``out``; returns the images."""
    scenes = read_scenes()
    hands = deal_decoys(scenes, read_covid(), seed)
    for name in ("images", "masks"):
        (out / name).mkdir(parents=True, exist_ok=True)
    return [_write(out, scene, draw_scene(scene, hands[scene.image], seed)) for scene in scenes]


def _write(out: Path, scene: Scene, drawing: Drawing) -> Path:
    path = out / "images" / scene.image
    _save(drawing.picture, path)
    for finding, mask in drawing.masks.items():
        _save(Image.fromarray(mask), out / "masks" / f"{path.stem}.{finding}.png")
    return path


def _save(picture: Image.Image, path: Path) -> None:
    """By the form that the name asks for; an older picture stays until the new one is whole."""
    with replacing([path]) as [file]:
        form = Image.registered_extensions()[path.suffix.lower()]
        picture.save(file, form, optimize=True, quality=88)  # PNG ignores the quality


def _random(seed: int, name: str) -> np.random.Generator:
    """A generator of its own for each name, so that adding a scene changes no other."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def write_sheet(path: Path, seed: int = SEED) -> None:
    """A contact sheet for the docs: each finding and a healthy slice, without decoys."""
    chosen = ("p24-1", "p20-1", "p30-1", "p29-2", "p35-1", "c01-1")
    scenes = {Path(scene.image).stem: scene for scene in read_scenes()}
    tiles = [_tile(scenes[stem], seed) for stem in chosen]
    width, height = 330, 310
    sheet = Image.new("RGB", (3 * width, 2 * height), "#101418")
    for index, tile in enumerate(tiles):
        sheet.paste(tile, (index % 3 * width + 5, index // 3 * height + 5))
    path.parent.mkdir(parents=True, exist_ok=True)
    _save(sheet, path)


def _tile(scene: Scene, seed: int) -> Image.Image:
    plain = Decoys("", 0, -1, 0, False, 0, 0, False, False, (-600.0, 1500.0))
    drawing = draw_scene(scene, plain, seed)
    size = (320, 270)
    picture = drawing.picture.resize(size, Image.Resampling.BICUBIC).convert("RGB")
    tile = Image.new("RGB", (320, 300), "#101418")
    tile.paste(picture, (0, 0))
    label = ", ".join(dict.fromkeys(lesion.kind.replace("_", " ") for lesion in scene.lesions)) or "healthy"
    ImageDraw.Draw(tile).text((4, 276), label, fill="#ffffff", font=ImageFont.load_default(15))
    return tile


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.draw", description="Draw the made-up example set."
    )
    parser.add_argument(
        "--out", type=Path, default=HERE, help="folder for images/ and masks/ (default: examples)"
    )
    parser.add_argument(
        "--seed", type=int, default=SEED, help="another seed draws other patients (default: 0)"
    )
    parser.add_argument(
        "--sheet", type=Path, metavar="FILE", help="draw only a contact sheet of the findings"
    )
    return run_command(parser, _run, arguments)


def _run(options: argparse.Namespace) -> None:
    if options.sheet:
        write_sheet(options.sheet, options.seed)
        print(f"wrote {options.sheet}")
        return
    images = write_set(options.out, options.seed)
    print(f"drew {len(images)} images in {options.out / 'images'}, masks in {options.out / 'masks'}")


if __name__ == "__main__":
    sys.exit(main())
