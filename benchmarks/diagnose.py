"""The Diagnose page in a real browser: ``python -m benchmarks.diagnose --run runs/NAME``.

One picture is dropped, and the clock stops when its numbers and all of its maps are painted; then the next one, as a
reader goes on. Then many are dropped at once, and what the progress bar says is noted until their table stands there.
"""

from __future__ import annotations

import argparse
import base64
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from benchmarks.common import run_parser, write_result
from benchmarks.desk_browser import VIEW, chromium, serving
from benchmarks.predict import copies, predict_seconds
from nlp.command import run_command
from nlp.score_report import format_table

SECONDS = 3.0
_PATIENCE = 600_000
_ZONE = '[data-testid="stFileUploaderDropzone"]'
_TOOLS = """
window.seen = (selector) => [...document.querySelectorAll(selector)];
window.drop = (files) => {
  const held = new DataTransfer();
  for (const [name, content] of files)
    held.items.add(new File([Uint8Array.from(atob(content), (each) => each.charCodeAt(0))], name));
  const zone = document.querySelector('[data-testid="stFileUploaderDropzone"]');
  zone.dispatchEvent(new DragEvent('drop', { bubbles: true, cancelable: true, dataTransfer: held }));
  return performance.now();
};
window.until = (ready) => new Promise((done) => {
  const look = () => {
    if (!ready()) { requestAnimationFrame(look); return; }
    const channel = new MessageChannel(); // its message comes after the frame has been painted
    channel.port1.onmessage = () => done(performance.now());
    channel.port2.postMessage(0);
  };
  requestAnimationFrame(look);
});
window.answered = () => {
  const outputs = seen('[data-testid="stTable"] tbody tr').length;
  const maps = seen('[data-testid="stImage"] img');
  return outputs && maps.length >= outputs && maps.every((map) => map.complete && map.naturalWidth)
    && !seen('[data-stale="true"]').length;
};
"""
_ONE = """async ([file]) => {
  const began = drop([file]);
  return await until(() => seen('h3').some((each) => each.innerText.trim() === file[0]) && answered()) - began;
}"""
_MANY = """async (files) => {
  const began = drop(files), said = [];
  const ended = await until(() => {
    const now = seen('[data-testid="stProgress"]').map((each) => each.innerText.trim())[0];
    if (now && said.at(-1)?.[1] !== now) said.push([performance.now() - began, now]);
    return seen('button').some((each) => each.innerText.includes('Download the table'));
  });
  return { seconds: (ended - began) / 1000, said, answered: (await until(answered) - began) / 1000 };
}"""


def one_after_another(page: Page, files: Sequence[Path]) -> list[float]:
    """Seconds from each drop to the answer with its maps; the picture is taken away again before the next."""
    seconds = []
    for file in files:
        seconds.append(page.evaluate(_ONE, [_sent(file)]) / 1000)
        page.locator('[data-testid="stFileChipDeleteBtn"]').first.click()
        page.wait_for_function("() => !document.querySelector('h3')", timeout=_PATIENCE)
    return seconds


def measured(run: Path, images: Path, files: Sequence[Path], single: int, folder: Path) -> dict[str, Any]:
    """Times of a fresh app and browser: the page, single pictures, then all ``files`` at once."""
    url, arguments = f"sqlite:///{folder / 'labels.db'}", ["--runs", str(run)]
    with (
        serving(url, folder / "log", images=images, arguments=arguments) as server,
        chromium() as browser,
    ):
        page = browser.new_page(viewport=VIEW)  # type: ignore[arg-type]
        page.set_default_timeout(_PATIENCE)
        page.add_init_script(_TOOLS)
        began = time.perf_counter()
        page.goto(f"{server.url}/diagnose?user=Anna")
        page.wait_for_selector(_ZONE)
        page.get_by_text("Nothing that is dropped here is kept").wait_for()
        page.wait_for_function(
            '() => !document.querySelector(\'[data-testid="stStatusWidget"], [data-testid="stSpinner"]\')'
        )
        opened = time.perf_counter() - began
        seconds = one_after_another(page, files[:single])
        many = page.evaluate(_MANY, [_sent(file) for file in files])
        return {
            "page_seconds": opened,
            "first": seconds[0],
            "later": seconds[1:],
            "megabytes": server.megabytes(),
            "batch": {"count": len(files), **many},
        }


def _sent(file: Path) -> tuple[str, str]:
    return file.name, base64.b64encode(file.read_bytes()).decode()


def _rows(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    many, later = found["batch"], found["later"]
    count, target = many["count"], f"< {SECONDS:.0f}"
    return [
        (
            "on a CPU, ResNet-18" if found["backbone"] == "resnet18" else found["backbone"],
            "measured",
            "target",
        ),
        ("first picture dropped → answer with maps, s", f"{found['first']:.2f}", target),
        (f"later ones, median of {len(later)}, s", f"{statistics.median(later):.2f}", target),
        ("slowest of them, s", f"{max(later):.2f}", target),
        ("page opened → network loaded, s", f"{found['page_seconds']:.1f}", ""),
        (f"{count} dropped → first progress, s", f"{many['said'][0][0] / 1000:.2f}", ""),
        (f"{count} dropped → their table, s", f"{many['seconds']:.1f}", ""),
        ("different states of the progress bar that were seen", str(len(many["said"])), "> 1"),
        (
            "pictures per second, page / command (network loaded)",
            f"{found['rate']:.1f} / {found['predict_rate']:.1f}",
            "",
        ),
        ("memory of the server, MB", f"{found['megabytes']:.0f}", ""),
    ]


def run(options: argparse.Namespace) -> None:
    """Measure, print and write."""
    from train.config_file import read_run_config
    from train.run_folder import CONFIG

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "dropped"
        folder.mkdir()
        files = list(copies(options.images, folder, options.count))
        found = measured(options.run, options.images, files, options.single, Path(place))
        alone, _ = predict_seconds(options.run, folder, Path(place) / "predictions.csv", "cpu")
    found |= {
        "backbone": read_run_config(options.run / CONFIG).backbone,
        "rate": options.count / found["batch"]["seconds"],
        "predict_rate": options.count / alone,
    }
    rows = _rows(found)
    print(format_table(rows))
    write_result("diagnose", {**found, "table": rows})


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m benchmarks.diagnose``."""
    made = run_parser("How soon the Diagnose page answers in a real browser, one picture and many.")
    made.add_argument("--single", type=int, default=11, help="pictures dropped one by one (default: 11)")
    made.add_argument("--count", type=int, default=50, help="pictures dropped at once (default: 50)")
    return run_command(made, run, arguments)


if __name__ == "__main__":
    sys.exit(main())
