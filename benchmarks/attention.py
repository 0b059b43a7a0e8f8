"""Attention in numbers: how soon, and how well it points: ``python -m benchmarks.attention``.

Speed: Grad-CAM++ of six outputs, CPU seconds of this process, beside pytorch-grad-cam where it is installed (a library
of its own environment), in one run on the same network, images and feature maps.

Phantoms: two networks, LA-DNN and baseline, are trained on drawn slices with exact masks, and every method is measured
on patients that they never saw. The method is chosen on val.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.attention_phantoms import measure_phantoms, train_on_phantoms
from benchmarks.common import RESULTS, machine, write_result
from nlp.command import run_command
from nlp.lexicon import load_lexicon
from nlp.score_report import format_table

BACKBONES = ("resnet18", "densenet169")
TARGET_TIMES, TARGET_POINTING = 10.0, 0.9
_METHOD = "gradcam++"
_ENLARGED = (
    3000.0  # heads: pytorch-grad-cam adds 1e-6 to what it divides by, so that small gradients would not agree
)


def speed(backbone: str, *, images: int, repeats: int) -> dict[str, Any]:
    """CPU seconds for all maps of some images, and how well the two ways agree."""
    import torch

    from train.attention import attend
    from train.model import build_model

    model = build_model(backbone, finding_keys=load_lexicon().finding_keys, weights="none").eval()
    with torch.no_grad():
        for head in (model.primary, model.lesions):
            head.weight *= _ENLARGED
    batch = torch.rand(images, 1, 224, 224, generator=torch.Generator().manual_seed(0))
    ours = _seconds(lambda: attend(model, batch, method=_METHOD), repeats)
    found: dict[str, Any] = {
        "images": images,
        "outputs": 6,
        "seconds": statistics.median(ours),
        "all_seconds": ours,
    }
    try:
        import pytorch_grad_cam  # noqa: F401
    except ModuleNotFoundError:
        print("pytorch-grad-cam is not installed here: nothing to compare with", file=sys.stderr)
        return found
    theirs = _seconds(lambda: _peer(model, batch), repeats)
    found["peer_seconds"] = statistics.median(theirs)
    found["times_faster"] = found["peer_seconds"] / found["seconds"]
    found["least_correlation"] = _agreement(attend(model, batch, method=_METHOD).maps, _peer(model, batch))
    return found


def _peer(model: Any, batch: Any) -> list[Any]:
    """Maps of each output, (images, height, width), each scaled to its own range."""
    from pytorch_grad_cam import GradCAMPlusPlus
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    with GradCAMPlusPlus(model, [model.backbone]) as cam:
        outputs = 1 + len(model.finding_keys)
        return [cam(batch, [ClassifierOutputTarget(column)] * len(batch)) for column in range(outputs)]


def _agreement(maps: Any, theirs: Sequence[Any]) -> float:
    """The least correlation of any map with its counterpart."""
    import numpy as np
    from torch.nn.functional import interpolate

    large = interpolate(maps, size=theirs[0].shape[-2:], mode="bilinear").numpy()
    pairs = [
        (large[image, column].ravel(), theirs[column][image].ravel())
        for column in range(large.shape[1])
        for image in range(len(large))
    ]
    return float(min(np.corrcoef(one, other)[0, 1] for one, other in pairs if np.ptp(one) > 0))


def _seconds(work: Callable[[], object], repeats: int) -> list[float]:
    """CPU seconds of each repeat, after one to warm up."""
    work()
    found = []
    for _ in range(repeats):
        before = time.process_time()
        work()
        found.append(time.process_time() - before)
    return found


def run(options: Namespace) -> None:
    """Measure, print and write."""
    part = options.only_phantoms or options.only_speed
    earlier = RESULTS / "attention.json"
    result: dict[str, Any] = json.loads(earlier.read_text()) if part and earlier.exists() else {}
    result |= {
        "machine": machine(),
        "versions": {"torch": version("torch")},
        "target_times_faster": TARGET_TIMES,
        "target_pointing": TARGET_POINTING,
    }
    if not options.only_phantoms:
        result["speed"] = {
            name: speed(name, images=options.images, repeats=options.repeats) for name in BACKBONES
        }
        rows = [("six outputs", "CPU s", "pytorch-grad-cam", "times faster", "least correlation")]
        for name, found in result["speed"].items():
            numbers = [
                found.get(key) for key in ("seconds", "peer_seconds", "times_faster", "least_correlation")
            ]
            rows.append((name, *(f"{number:.3f}" if number is not None else "-" for number in numbers)))
        print(format_table(rows))
    if not options.only_speed:
        with tempfile.TemporaryDirectory() as made:
            folder = options.work or Path(made)
            runs = train_on_phantoms(folder, options.weights, options.patients)
            result["phantoms"] = measure_phantoms(folder, *runs)
    write_result("attention", result)


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m benchmarks.attention``."""
    made = ArgumentParser(description="Speed of attention maps, and whether they point into lesions.")
    add = made.add_argument
    add("--images", type=int, default=8, help="images of a timed batch (default: 8)")
    add("--repeats", type=int, default=5, help="timed repeats (default: 5)")
    add("--patients", type=int, default=450, help="phantom patients, two slices each (default: 450)")
    add("--weights", default="imagenet", help="of ResNet-18: imagenet, none or a file (default: imagenet)")
    add(
        "--work",
        type=Path,
        metavar="DIR",
        help="keep phantoms and networks here, and use those that are there",
    )
    only = made.add_mutually_exclusive_group()
    only.add_argument("--only-speed", action="store_true", help="no phantoms")
    only.add_argument("--only-phantoms", action="store_true", help="no timing")
    return run_command(made, run, arguments)


if __name__ == "__main__":
    sys.exit(main())
