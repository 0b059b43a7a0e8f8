"""How much prediction costs beside the network: ``python -m benchmarks.predict --run runs/NAME``.

The network's own rate is that of its forward passes over images that lie ready in memory. Prediction reads, crops and
scales image files beside it and writes the table; the first row is awaited from a cold start of the command.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from benchmarks.common import ROOT, cpu_seconds, run_parser, write_result
from nlp.command import run_command
from nlp.errors import InputError

SHARE, FIRST_SECONDS = 0.8, 5.0


def copies(images: Path, folder: Path, count: int) -> Iterator[Path]:
    """So many image files, the same again where there are fewer."""
    files = sorted(path for path in images.rglob("*") if path.is_file())
    if not files:
        raise InputError(f"there is no image in {images}; choose the folder with --images")
    for number in range(count):
        file = files[number % len(files)]
        path = folder / f"{number:05d}{file.suffix}"
        shutil.copy(file, path)
        yield path


def forward_seconds(run: Path, count: int, device: str) -> tuple[float, float]:
    """Wall and CPU seconds of the forward passes alone."""
    import numpy as np

    from train.channels import COUNTS
    from train.predictor import Predictor

    network = Predictor(run, device=device)
    settings = network.model.image_settings
    shape = (network.batch_size, COUNTS[settings.channels], settings.size, settings.size)
    pixels = list(np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8))
    network.predict(pixels)
    steps = max(1, count // len(pixels))
    wall, cpu = time.perf_counter(), cpu_seconds()
    for _ in range(steps):
        network.predict(pixels)
    scale = count / (steps * len(pixels))
    return (time.perf_counter() - wall) * scale, (cpu_seconds() - cpu) * scale


def predict_seconds(run: Path, folder: Path, out: Path, device: str) -> tuple[float, float]:
    """Wall and CPU seconds of a warm prediction of all files; loading the network is not counted."""
    from train.ensemble import Ensemble
    from train.image_paths import chosen_images
    from train.predict import write_rows
    from train.predictor import Predictor

    networks = Ensemble([Predictor(run, device=device)])
    wall, cpu = time.perf_counter(), cpu_seconds()
    write_rows(networks, chosen_images([folder]), out)
    return time.perf_counter() - wall, cpu_seconds() - cpu


def first_row_seconds(run: Path, folder: Path, out: Path, device: str) -> float:
    """From the start of the command, in a process of its own, to the first rows in its draft."""
    command = [
        sys.executable,
        "-m",
        "train.predict",
        str(run),
        str(folder),
        "-o",
        str(out),
        "--device",
        device,
    ]
    draft, began = out.with_name(f".{out.name}.tmp"), time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        while process.poll() is None:
            with suppress(FileNotFoundError):
                if draft.read_bytes().count(b"\n") > 1:
                    return time.perf_counter() - began
            time.sleep(0.02)
    finally:
        process.terminate()
        process.wait()
    raise InputError("the command ended before a row was seen")


def run(options: argparse.Namespace) -> None:
    """Measure, print and write."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "images"
        folder.mkdir()
        list(copies(options.images, folder, options.count))
        first = first_row_seconds(options.run, folder, Path(place) / "first.csv", options.device)
        forward = forward_seconds(options.run, options.count, options.device)
        whole = predict_seconds(options.run, folder, Path(place) / "all.csv", options.device)
    shares = [alone / all_of_it for alone, all_of_it in zip(forward, whole, strict=True)]
    print(f"{options.count} images on {options.device}")
    print(f"forward passes alone: {forward[0]:.1f} s ({forward[1]:.1f} CPU-s)")
    print(f"prediction of files:  {whole[0]:.1f} s ({whole[1]:.1f} CPU-s)")
    print(f"share of the network's own rate: {shares[0]:.2f} (by CPU time {shares[1]:.2f}), target ≥ {SHARE}")
    print(f"first row after {first:.1f} s, target < {FIRST_SECONDS:.0f} s")
    found = {
        "forward": forward,
        "predict": whole,
        "share": shares[0],
        "cpu_share": shares[1],
        "first_row": first,
    }
    write_result("predict", {"count": options.count, "device": options.device, **found})


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m benchmarks.predict``."""
    made = run_parser("How much prediction costs beside the network's own forward passes.")
    made.add_argument("--count", type=int, default=2000, help="images (default: 2000)")
    made.add_argument("--device", default="cpu", help="default: cpu")
    return run_command(made, run, arguments)


if __name__ == "__main__":
    sys.exit(main())
