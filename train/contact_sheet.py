"""Small pictures of slices with the lung box drawn: ``python -m train.contact_sheet IMAGES… -o sheet.png``.

Green is the box of the lungs, blue their hull, red a slice taken whole because no lungs were found.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nlp.command import run_command
from nlp.errors import ImageError, OutputError
from nlp.write import replacing

if TYPE_CHECKING:
    from PIL.Image import Image

TILE = 160, 130  # pixels, a line of text included
_TEXT = 12
_COLOURS = {"lungs": "lime", "hull": "deepskyblue", "whole": "red", "text": "white", "ground": "#303040"}


def contact_sheet(paths: Sequence[Path], *, columns: int = 10) -> tuple[Image, int]:
    """A picture of all slices, numbered from 1, and how many were taken whole.

    Raises:
        ImageError: names every image that cannot be read, each with its reason.
    """
    from PIL import Image

    from train.image_forms import unreadable

    width, height = TILE
    rows = -(-len(paths) // columns)
    sheet = Image.new("RGB", (columns * width, rows * height), _COLOURS["ground"])
    whole, problems = 0, []
    for number, path in enumerate(paths):
        try:
            tile, is_whole = _tile(path, f"{number + 1} {path.name}")
        except ImageError as error:
            problems.append(str(error))
            continue
        whole += is_whole
        sheet.paste(tile, (number % columns * width, number // columns * height))
    if problems:
        raise unreadable(problems, len(paths))
    return sheet, whole


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m train.contact_sheet IMAGES… -o sheet.png``."""
    return run_command(_parser(), _run, arguments)


def _tile(path: Path, title: str) -> tuple[Image, bool]:
    """One slice with its box, and whether it was taken whole."""
    from PIL import Image, ImageDraw

    from train.image_forms import read_grey
    from train.lungs import find_lungs

    slice_ = read_grey(path)
    crop = find_lungs(slice_)
    tile = Image.new("RGB", TILE, _COLOURS["ground"])
    draw = ImageDraw.Draw(tile)
    zoom = min((TILE[0] - 4) / slice_.shape[1], (TILE[1] - _TEXT - 4) / slice_.shape[0])
    size = max(1, round(slice_.shape[1] * zoom)), max(1, round(slice_.shape[0] * zoom))
    tile.paste(Image.fromarray((slice_ * 255).astype("uint8")).resize(size), (0, _TEXT))
    top, left, bottom, right = (round(place * zoom) for place in crop.box)
    corners = [(x * zoom, y * zoom + _TEXT) for x, y in crop.hull.tolist()]
    if corners:
        draw.line([*corners, corners[0]], fill=_COLOURS["hull"])
    outline = _COLOURS["whole" if crop.whole else "lungs"]
    draw.rectangle((left, top + _TEXT, max(left, right - 1), max(top, bottom - 1) + _TEXT), outline=outline)
    name = title.encode("ascii", "replace").decode()[: TILE[0] // 6]  # all that the built-in font can draw
    draw.text((1, 0), name, fill=_COLOURS["text"])
    return tile, crop.whole


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m train.contact_sheet",
        description="Draw slices small, with the box of the lungs that training takes.",
    )
    add = parser.add_argument
    add("images", nargs="+", type=Path, metavar="IMAGES", help="images, or folders of images")
    add("-o", "--out", type=Path, default=Path("sheet.png"), metavar="FILE", help="default: sheet.png")
    add("--columns", type=int, default=10, metavar="N", help="slices in a row (default: 10)")
    return parser


def _run(options: argparse.Namespace) -> None:
    if options.columns < 1:
        raise OutputError(f"--columns {options.columns}: a row needs at least one slice")
    if options.out.suffix.lower() != ".png":
        raise OutputError(f"{options.out} must end in .png")
    paths = [path for given in options.images for path in _files(given)]
    if not paths:
        raise ImageError(f"no files in {', '.join(map(str, options.images))}")
    sheet, whole = contact_sheet(paths, columns=options.columns)
    with replacing([options.out]) as [handle]:
        sheet.save(handle, "PNG")
    print(f"{options.out}: {len(paths)} slices, {whole} taken whole because no lungs were found")


def _files(given: Path) -> list[Path]:
    """An image, or all files below a folder but hidden ones."""
    if not given.is_dir():
        return [given]
    return sorted(path for path in given.rglob("*") if path.is_file() and not path.name.startswith("."))


if __name__ == "__main__":
    sys.exit(main())
