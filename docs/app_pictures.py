"""Take the pictures of the app: ``python -m docs.app_pictures [--page annotate]``.

The example set, read by two made-up annotators, in a real browser: every page in both themes, the desk at 200 %.
"""

from __future__ import annotations

import argparse
import io
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa
from PIL import Image
from playwright.sync_api import Browser, Page

from annotate.decisions import Box, Decision, save
from annotate.example import load_example
from annotate.people import add_user
from annotate.store import Store, open_store
from annotate.store_tables import RECORD
from annotate.worklist import set_overlap
from benchmarks.desk_browser import VIEW, Server, chromium, serving
from nlp.command import run_command

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("annotate", "adjudicate", "suspects", "agreement", "progress", "rules", "split", "diagnose")
READERS = ("Anna", "Bea")
SHOWN = "fig06.jpg"
"""Two panels, a resolved finding, a flag."""
LEFT, CHANGED, SEED = 24, 0.12, 3
SETTLING_SECONDS = 20.0
ANSWER_SECONDS = 300
RUNS, EPOCHS = "runs", "12"


def fill(store: Store) -> None:
    """Decisions of two readers who mostly agree, spread over some days; the last records are left to do."""
    load_example(store)
    generator = random.Random(SEED)
    with store.write() as connection:
        for name in READERS:
            add_user(connection, name)
        set_overlap(connection, None, len(READERS))
        rows = connection.execute(sa.select(RECORD).order_by(RECORD.c.id)).all()
        chosen = [row for row in rows if row.image != SHOWN][:-LEFT]
        began = time.time() - 5 * 86400
        for place, row in enumerate(chosen):
            for reader, name in enumerate(READERS):
                moment = began + place // 20 * 86400 + place % 20 * 14 + reader * 3
                decision = _decision(row.id, row.labels, store.findings, name, generator)
                save(connection, store.findings, name, [decision], now=moment)


def take(out: Path, pages: Sequence[str]) -> Iterator[Path]:
    """Write the pictures; gives each path."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'labels.db'}"
        with closing(open_store(url)) as store:
            fill(store)
            with store.read() as connection:
                record = connection.scalar(sa.select(RECORD.c.id).where(RECORD.c.image == SHOWN))
        unseen = [] if "diagnose" not in pages else _unseen(Path(folder) / RUNS)
        arguments = ["--runs", str(Path(folder) / RUNS)]
        with serving(url, Path(folder) / "log", arguments=arguments) as server, chromium() as browser:
            for name in pages:
                for theme in ("light", "dark"):
                    page = _open(browser, server, name, theme, VIEW, int(record or 0))
                    if name == "diagnose":
                        _drop(page, unseen[:1])
                    yield _write(page, out / f"app-{name}-{theme}.png")
                    if name == "diagnose":
                        page = _open(browser, server, name, theme, VIEW, 0)
                        _drop(page, unseen)
                        yield _write(page, out / f"app-{name}-batch-{theme}.png")
            if "annotate" in pages:
                half = {side: length // 2 for side, length in VIEW.items()}
                page = _open(browser, server, "annotate", "light", half, int(record or 0), scale=2)
                yield _write(page, out / "app-annotate-zoom.png")


def _decision(
    record_id: int, labels: Mapping[str, str], findings: Sequence[str], name: str, generator: random.Random
) -> Decision:
    cells = dict(labels)
    if generator.random() < CHANGED:
        finding = generator.choice(findings)
        cells[finding] = "0" if cells[finding] == "1" else "1"
    boxes = (Box(findings[0], 30, 60, 110, 130),) if generator.random() < 0.1 else ()
    return Decision(
        op_id=f"picture-{name}-{record_id}",
        record_id=record_id,
        action="confirm",
        labels=cells,
        boxes=boxes,
        flagged=generator.random() < 0.05,
        milliseconds=generator.randint(2_000, 9_000),
    )


def _open(
    browser: Browser,
    server: Server,
    name: str,
    theme: str,
    view: Mapping[str, int],
    record: int,
    scale: int = 1,
) -> Page:
    """A page at rest."""
    context = browser.new_context(viewport=dict(view), color_scheme=theme, device_scale_factor=scale)  # type: ignore[arg-type]
    page = context.new_page()
    asked = f"&record={record}" if name == "annotate" else ""
    page.goto(f"{server.url}/{name}?user={READERS[0]}{asked}")
    if name == "annotate":
        page.wait_for_selector(f".desk[data-record='{record}']", timeout=60_000)
        page.locator("mark.resolved").first.click()
    else:
        page.wait_for_selector("h1", timeout=60_000)
    _wait_until_still(page)
    return page


def _unseen(runs: Path) -> list[Path]:
    """Train on the example set into a folder of runs; the images that the network has not seen."""
    from docs.pictures import trained
    from train.predictions import read_predictions
    from train.run_folder import PREDICTIONS

    runs.mkdir()
    found = read_predictions(trained(runs, "--epochs", EPOCHS) / PREDICTIONS)
    names = [name for name, split in zip(found.images, found.splits, strict=True) if split == "test"]
    return [ROOT / "examples" / "images" / name for name in names]


def _drop(page: Page, files: Sequence[Path]) -> None:
    page.set_input_files("input[type=file]", files)
    page.get_by_text("Most similar training images").wait_for(timeout=ANSWER_SECONDS * 1000)
    _wait_until_still(page)


def _wait_until_still(page: Page) -> None:
    """Until two looks half a second apart see the same."""
    deadline, before = time.monotonic() + SETTLING_SECONDS, b""
    while time.monotonic() < deadline:
        page.wait_for_timeout(700)
        busy = page.locator('[data-testid="stStatusWidget"], [data-testid="stSkeleton"]').count()
        now = page.screenshot()
        if not busy and now == before:
            return
        before = now


def _write(page: Page, path: Path) -> Path:
    """Save the picture in few bytes; nobody misses more than 256 colours."""
    with Image.open(io.BytesIO(page.screenshot())) as shot:
        shot.convert("RGB").quantize().save(path, optimize=True)
    page.context.close()
    return path


def run(options: argparse.Namespace) -> None:
    """Take and name the pictures."""
    options.out.mkdir(parents=True, exist_ok=True)
    for path in take(options.out, options.page or PAGES):
        print(path, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m docs.app_pictures``."""
    parser = argparse.ArgumentParser(description="Take the pictures of the app for the docs.")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "docs" / "images", help="folder (default: docs/images)"
    )
    parser.add_argument("--page", action="append", choices=PAGES, help="only this page; may be given again")
    return run_command(parser, run, arguments)


if __name__ == "__main__":
    sys.exit(main())
