"""Take the README's picture of the highlighted page in a headless Chromium: ``python -m docs.pictures``."""

from __future__ import annotations

import argparse
import csv
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from nlp.aggregate import Record, of_panel
from nlp.batch import Reader
from nlp.command import run_command
from nlp.explain import write_html
from nlp.lexicon import load_lexicon

ROOT = Path(__file__).resolve().parent.parent
SHOWN = ("fig01-b", "p19-1", "p24-1", "p21-2", "p30-1", "c04-2")
"""Stems of the example images on the picture: panel, list, hedge, negation, ellipsis, resolution."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
]


def take(out: Path, browser: str) -> list[Path]:
    """Render the page in both themes; returns the pictures."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "captions.html"
        lexicon = load_lexicon()
        write_html(page, _shown(Reader(lexicon)), lexicon)
        return _screenshots(page, out, browser)


def _shown(reader: Reader) -> Iterator[tuple[str, str, Record]]:
    """The chosen captions, each as its record is labelled."""
    with (ROOT / "examples" / "captions.csv").open(encoding="utf-8", newline="") as file:
        rows = {Path(row["image"]).stem: row for row in csv.DictReader(file)}
    for stem in SHOWN:
        row = rows[stem]
        yield row["image"], row["caption"], of_panel(reader.read_text(row["caption"]), row["panel"])


def _screenshots(page: Path, out: Path, browser: str) -> list[Path]:
    from playwright.sync_api import sync_playwright

    written = []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=FLAGS)
        for theme in ("light", "dark"):
            view = chromium.new_page(
                viewport={"width": 900, "height": 600},
                device_scale_factor=1.5,
                color_scheme="dark" if theme == "dark" else "light",
            )
            view.goto(page.as_uri())
            path = out / f"highlighted-{theme}.png"
            view.screenshot(path=path, full_page=True)
            written.append(path)
        chromium.close()
    return written


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m docs.pictures", description="Take the README's picture.")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "docs" / "images", help="folder (default: docs/images)"
    )
    return run_command(parser, _run, arguments)


def _run(options: argparse.Namespace) -> None:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        print(f"no picture taken: none of {', '.join(BROWSERS)} is installed", file=sys.stderr)
        return
    for path in take(options.out, browser):
        print(f"wrote {path}")


if __name__ == "__main__":
    sys.exit(main())
