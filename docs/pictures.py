"""Take the pictures of the docs: ``python -m docs.pictures``.

The highlighted page and the beginnings of a run's and an audit's report in a headless Chromium, in both themes, and a
contact sheet; with ``--deep-covid``, a run that ``benchmarks.frozen`` left, figures of that recipe too.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from annotate.split import main as split
from benchmarks.desk_browser import FLAGS, chromium_program
from benchmarks.planted import plant
from nlp.aggregate import Record, of_panel
from nlp.batch import Reader
from nlp.command import run_command
from nlp.errors import ToolkitError
from nlp.explain import write_html
from nlp.extract import main as extract
from nlp.lexicon import load_lexicon
from train.audit import main as audit
from train.contact_sheet import contact_sheet
from train.explain import main as explain
from train.run import main as train

ROOT = Path(__file__).resolve().parent.parent
SHOWN = ("fig01-b", "p19-1", "p24-1", "p21-2", "p30-1", "c04-2")
"""Stems of the example images on the picture: panel, list, hedge, negation, ellipsis, resolution."""
ON_SHEET, COLUMNS = 16, 8
SMALL = [
    "--backbone",
    "resnet18",
    "--weights",
    "none",
    "--image-size",
    "96",
    "--epochs",
    "4",
    "--device",
    "cpu",
    "--force",
]
"""The README's training."""
EXPLAINED = "fig01-b.jpg"
"""The example slice that a network of recipe ``deep-covid`` is shown."""


def take(out: Path, browser: str) -> list[Path]:
    """Render the pages in both themes; returns the pictures."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "captions.html"
        lexicon = load_lexicon()
        write_html(page, _shown(Reader(lexicon)), lexicon)
        return [
            *_screenshots(page, out, browser, "highlighted"),
            *_screenshots(trained(Path(folder)) / "report.html", out, browser, "report", height=930),
            *_screenshots(_audit(Path(folder)), out, browser, "audit", height=1150),
        ]


def draw_sheet(path: Path) -> None:
    """The first example slices, each with the box of its lungs."""
    images = sorted((ROOT / "examples" / "images").iterdir())
    sheet, _ = contact_sheet(images[:ON_SHEET], columns=COLUMNS)
    sheet.save(path, optimize=True)


def deep_covid(run: Path, out: Path) -> list[Path]:
    """Scores of a finished run, and where it looks in an example slice."""
    drawn, groups = out / "deep-covid-occlusion.png", out / "deep-covid-groups.png"
    shutil.copy(run / "figures" / "groups.png", groups)
    image, masks = ROOT / "examples" / "images" / EXPLAINED, ROOT / "examples" / "masks"
    with tempfile.TemporaryDirectory() as folder:
        options = ["--method", "occlusion", "--masks", str(masks), "--out", folder, "--device", "cpu"]
        if explain([str(run), str(image), *options]):
            raise ToolkitError("the example slice could not be explained; the message stands above")
        shutil.copy(next(Path(folder).glob("*.png")), drawn)
    return [groups, drawn]


def trained(folder: Path, *more: str) -> Path:
    """The README's training on the example set, with ``more`` options; gives the run.

    Raises:
        ToolkitError: a step failed.
    """
    labels, labelled, run = folder / "labels.csv", folder / "labelled.csv", folder / "first"
    captions = str(ROOT / "examples" / "captions.csv")
    images = str(ROOT / "examples" / "images")
    codes = [
        extract([captions, "--covid-column", "covid19", "-o", str(labels)]),
        split([str(labels), "-o", str(labelled)]),
        train([str(labelled), "--images", images, "--out", str(run), *SMALL, *more]),
    ]
    if any(codes):
        raise ToolkitError("the example set could not be trained on; the message stands above")
    return run


def _audit(folder: Path) -> Path:
    """The example set with faults planted in it, looked at."""
    labels, mentions, out = folder / "labels.csv", folder / "mentions.csv", folder / "audit"
    captions = str(ROOT / "examples" / "captions.csv")
    spoilt = folder / "spoilt"
    spoilt.mkdir()
    code = extract([captions, "--covid-column", "covid19", "-o", str(labels), "--mentions", str(mentions)])
    planted = plant(labels, spoilt)
    where = ["--images", str(planted.images), "--mentions", str(mentions), "--out", str(out)]
    if code or audit([str(planted.table), *where]):
        raise ToolkitError("the example set could not be looked at; the message stands above")
    return out / "report.html"


def _shown(reader: Reader) -> Iterator[tuple[str, str, Record]]:
    """The chosen captions, each as its record is labelled."""
    with (ROOT / "examples" / "captions.csv").open(encoding="utf-8", newline="") as file:
        rows = {Path(row["image"]).stem: row for row in csv.DictReader(file)}
    for stem in SHOWN:
        row = rows[stem]
        yield row["image"], row["caption"], of_panel(reader.read_text(row["caption"]), row["panel"])


def _screenshots(page: Path, out: Path, browser: str, name: str, height: int = 0) -> list[Path]:
    """The whole page, or its first ``height`` pixels, in both themes."""
    from playwright.sync_api import sync_playwright

    written = []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=[*FLAGS, "--hide-scrollbars"])
        for theme in ("light", "dark"):
            view = chromium.new_page(
                viewport={"width": 900, "height": height or 600},
                device_scale_factor=1.5,
                color_scheme="dark" if theme == "dark" else "light",
            )
            view.goto(page.as_uri())
            path = out / f"{name}-{theme}.png"
            view.screenshot(path=path, full_page=not height)
            written.append(path)
        chromium.close()
    return written


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m docs.pictures", description="Take the pictures of the docs."
    )
    parser.add_argument(
        "--out", type=Path, default=ROOT / "docs" / "images", help="folder (default: docs/images)"
    )
    parser.add_argument("--deep-covid", type=Path, metavar="RUN", help="a finished run of that recipe")
    return run_command(parser, _run, arguments)


def _run(options: argparse.Namespace) -> None:
    draw_sheet(options.out / "contact-sheet.png")
    print(f"wrote {options.out / 'contact-sheet.png'}")
    if options.deep_covid:
        for path in deep_covid(options.deep_covid, options.out):
            print(f"wrote {path}")
    browser = chromium_program()
    if browser is None:
        print("no page pictured: Chromium is not installed", file=sys.stderr)
        return
    for path in take(options.out, browser):
        print(f"wrote {path}")


if __name__ == "__main__":
    sys.exit(main())
