"""One training epoch on a CPU against a plain loop: ``python -m benchmarks.epoch``.

Plain: as in the published code every item is decoded and transformed one by one, the loss is a sum over samples and
outputs of BCE after a sigmoid, the network is laid out as it comes, Adam is unfused. Ours: what ``train.run`` does,
with the same recipe, in float32 and in the precision that ``auto`` chooses. CPU-seconds of all threads, in one run;
decoding once is counted apart, because all later epochs go without it. Weights are random, which costs the same.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.common import ROOT, cpu_seconds, parser, write_result
from benchmarks.data_path import BATCH, SIZE, plain_batches
from nlp.command import run_command
from nlp.errors import InputError
from nlp.score_report import format_table

if TYPE_CHECKING:
    from torch import Tensor

    from train.config import Config
    from train.records import Records

BACKBONES = ("resnet18", "densenet169")
OUTPUTS = 6
TARGET = 1.3


def made_records(paths: Sequence[Path]) -> Records:
    """Records with made-up labels: a step costs the same whatever they are."""
    import numpy as np

    from nlp.lexicon import load_lexicon
    from train.records import Records

    count = len(paths)
    covid19 = (np.arange(count) % 2).astype(np.float32)
    cells = np.repeat(covid19[:, None], OUTPUTS - 1, axis=1)
    names, blank = tuple(map(str, range(count))), ("",) * count
    known = np.ones(count, dtype=bool)
    return Records(
        *(names, tuple(paths), names, blank, blank, ("train",) * count),
        *(covid19, cells, cells, known, load_lexicon().finding_keys),
    )


def plain_epoch(backbone: str, paths: Sequence[Path]) -> Callable[[], None]:
    """The published loop: every step's loss is added up in Python over samples and outputs."""
    import torch
    from torchvision import models

    network = models.get_model(backbone, num_classes=OUTPUTS)
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-5, weight_decay=5e-4)
    loss_of = torch.nn.BCELoss()

    def epoch() -> None:
        network.train()
        for images in plain_batches(paths):
            probabilities = torch.sigmoid(network(images))
            labels = torch.ones_like(probabilities)
            loss = torch.zeros(())
            for sample, truth in zip(probabilities, labels, strict=True):
                errors = [loss_of(each, label) for each, label in zip(sample, truth, strict=True)]
                loss = loss + (5 * errors[0] + sum(errors[1:])) / 6
            optimizer.zero_grad()
            (loss / len(images)).backward()
            optimizer.step()

    return epoch


def our_epoch(config: Config, pixels: Tensor, records: Records) -> Callable[[], None]:
    """An epoch of ``train.loop`` without val."""
    import numpy as np
    import torch

    from train.distributed import Ranks
    from train.epoch import Epoch
    from train.progress import SILENT
    from train.step import place_data
    from train.training import begin

    device, rows = torch.device("cpu"), np.arange(len(records), dtype=np.int64)
    training = begin(config, records, rows, pixels, device, log=SILENT)
    data = place_data(config, pixels, records, rows, device)
    epoch = Epoch(config, training, data, records, rows, Ranks(), SILENT)

    def run() -> None:
        training.step = 0  # every call is a first epoch
        for _ in epoch.steps():
            pass

    return run


def measure(backbone: str, paths: Sequence[Path], *, repeats: int) -> dict[str, float]:
    """CPU-seconds of an epoch in each way, the best of ``repeats`` after one that is not counted."""
    from train.cache import load_images
    from train.config import recipe

    records = made_records(paths)
    before = cpu_seconds()
    pixels = load_images(paths, size=SIZE, crop="none", normalise="none").pixels
    once = cpu_seconds() - before
    config = replace(recipe("paper"), backbone=backbone, weights="none", batch_size=BATCH, device="cpu")
    ways = {
        "plain": plain_epoch(backbone, paths),
        "ours, float32": our_epoch(replace(config, precision="float32"), pixels, records),
        "ours, auto": our_epoch(replace(config, precision="auto"), pixels, records),
    }
    # alternating, so that whatever else the machine does falls on all of them
    seconds = [{name: _seconds(way) for name, way in ways.items()} for _ in range(1 + repeats)]
    return {"decode once": once, **{name: min(run[name] for run in seconds[1:]) for name in ways}}


def run(options: Namespace) -> None:
    """Measure every backbone; print and write."""
    import torch

    from train.devices import choose_precision

    torch.set_num_threads(options.threads)
    torch.manual_seed(0)  # of torchvision's transforms, which have no generator of their own
    files = sorted(path for path in options.images.rglob("*") if path.is_file())
    if not files:
        raise InputError(f"there are no images in {options.images}")
    paths = (files * -(-options.records // len(files)))[: options.records]
    result: dict[str, Any] = {}
    for backbone in options.backbones:
        result[backbone] = found = measure(backbone, paths, repeats=options.repeats)
        ratios = {
            name: f"{found['plain'] / each:.2f}" for name, each in found.items() if name != "decode once"
        }
        rows = [(name, f"{each:.1f}", ratios.get(name, "")) for name, each in found.items()]
        table = [(f"{backbone}, {len(paths)} images", "CPU-seconds", "plain / this"), *rows]
        print(f"\n{format_table(table)}")
    precision = str(choose_precision("auto", torch.device("cpu"))).removeprefix("torch.")
    print(f"\nauto is {precision} here; target: densenet169 in float32 ≥ {TARGET}")
    versions = {name: sys.modules[name].__version__ for name in ("torch", "torchvision")}
    about = {"versions": versions, "auto": precision, "records": len(paths), "threads": options.threads}
    write_result("epoch", {**about, "size": SIZE, "batch": BATCH, "cpu_seconds": result})


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m benchmarks.epoch``."""
    made = parser("One training epoch on a CPU against a plain loop.")
    made.add_argument("--images", type=Path, default=ROOT / "examples" / "images", metavar="DIR")
    made.add_argument("--records", type=int, default=64, metavar="N", help="images of an epoch (default: 64)")
    made.add_argument("--repeats", type=int, default=1, help="counted epochs of each way (default: 1)")
    made.add_argument("--threads", type=int, default=1, help="of PyTorch (default: 1)")
    made.add_argument("--backbones", nargs="+", choices=BACKBONES, default=BACKBONES)
    return run_command(made, run, arguments)


def _seconds(way: Callable[[], None]) -> float:
    before = cpu_seconds()
    way()
    return cpu_seconds() - before


if __name__ == "__main__":
    sys.exit(main())
