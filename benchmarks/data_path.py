"""Training images per CPU-second before the network: ``python -m benchmarks.data_path``.

Plain: as in the published code every item of every epoch is decoded by Pillow and goes through torchvision's
transforms. Ours: decoded once into bytes, then augmented as a batch. Both end in the same normalised batch of
three channels, with one thread in one process, on the bundled examples and on real slices given by ``--images``.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.common import ROOT, cpu_seconds, parser, write_result
from nlp.command import run_command
from nlp.errors import InputError
from nlp.score_report import format_table

if TYPE_CHECKING:
    from torch import Tensor

SIZE, BATCH, EPOCHS = 224, 32, 15
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
TARGET = 3.0

Batches = Iterator["Tensor"]


def plain_batches(paths: Sequence[Path]) -> Batches:
    """One epoch of the published recipe: square resize, scale 0.8 to 1.2, flip, normalisation."""
    import torch
    from PIL import Image
    from torchvision import transforms

    steps = transforms.Compose(
        [
            transforms.Resize((SIZE, SIZE)),
            transforms.RandomAffine(0, scale=(0.8, 1.2)),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, STD),
        ]
    )
    for start in range(0, len(paths), BATCH):
        yield torch.stack([steps(Image.open(path).convert("RGB")) for path in paths[start : start + BATCH]])


def cached_batches(pixels: Tensor, *, full: bool) -> Batches:
    """One epoch of ours: the same steps, or with ``full`` all that a run does by default."""
    import torch

    from train.augment import Augmentation, augment

    ranges = Augmentation() if full else replace(Augmentation.off(), scale=(0.8, 1.2), flip=0.5)
    generator = torch.Generator().manual_seed(0)
    mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
    for start in range(0, len(pixels), BATCH):
        images = augment(pixels[start : start + BATCH], ranges=ranges, size=SIZE, generator=generator)
        yield (images - mean) / std


def measure(paths: Sequence[Path], *, repeats: int) -> dict[str, float]:
    """Images per CPU-second of each way, the best of ``repeats``; first the seconds that decoding once takes."""
    from train.cache import load_images

    before = cpu_seconds()
    pixels = load_images(paths, size=SIZE).pixels
    once = cpu_seconds() - before
    ways: dict[str, Callable[[], Batches]] = {
        "plain": lambda: plain_batches(paths),
        "same steps": lambda: cached_batches(pixels, full=False),
        "all steps": lambda: cached_batches(pixels, full=True),
    }
    # Alternating, so that whatever else the machine does falls on all of them
    seconds = [{name: _seconds(way) for name, way in ways.items()} for _ in range(repeats)]
    best = {name: min(run[name] for run in seconds) for name in ways}
    rates = {name: len(paths) / taken for name, taken in best.items()}
    run = EPOCHS * len(paths) / (once + EPOCHS * best["all steps"])
    return {
        "decode and crop once": len(paths) / once,
        **rates,
        f"all steps, {EPOCHS} epochs with decoding": run,
    }


def _seconds(way: Callable[[], Batches]) -> float:
    before = cpu_seconds()
    for batch in way():
        if batch.shape[1:] != (3, SIZE, SIZE):
            raise InputError(f"a batch of shape {tuple(batch.shape)}")
    return cpu_seconds() - before


def run(options: Namespace) -> None:
    """Measure every set of images; print and write."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)  # of torchvision's transforms, which have no generator of their own
    folders = {"examples": ROOT / "examples" / "images"}
    if options.images.is_dir():
        folders["real slices"] = options.images
    result: dict[str, Any] = {}
    for name, folder in folders.items():
        files = sorted(path for path in folder.rglob("*") if path.is_file())[: options.count]
        paths = (files * -(-options.count // len(files)))[: options.count]
        result[name] = measure(paths, repeats=options.repeats)
    for name, rates in result.items():
        rows = [(way, f"{rate:,.0f}", f"{rate / rates['plain']:.1f}") for way, rate in rates.items()]
        print(f"\n{name}\n" + format_table([("way", "images per CPU-second", "× plain"), *rows]))
    print(f"\ntarget: same steps ≥ {TARGET:.0f} × plain")
    versions = {name: sys.modules[name].__version__ for name in ("torch", "torchvision", "PIL")}
    write_result("data_path", {"versions": versions, "size": SIZE, "batch": BATCH, "rates": result})


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m benchmarks.data_path``."""
    made = parser("Images per CPU-second before the network: a plain loop, and ours.")
    default = ROOT.parent / "shared" / "data" / "covid-ct" / "images"
    made.add_argument("--images", type=Path, default=default, metavar="DIR", help="folder of real slices")
    made.add_argument("--count", type=int, default=256, help="images of an epoch (default: 256)")
    made.add_argument(
        "--repeats", type=int, default=3, help="epochs of each way; the best counts (default: 3)"
    )
    return run_command(made, run, arguments)


if __name__ == "__main__":
    sys.exit(main())
