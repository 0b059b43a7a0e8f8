"""How many pictures get a warning: ``python -m benchmarks.out_of_distribution --run runs/NAME``.

Real test slices should get none; chest X-rays, photographs and diagrams should get one each. The number of axes and the
part of val within the limit were chosen on val and on every other foreign picture; those are not counted here.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import ROOT, parser, write_result
from nlp.command import run_command
from nlp.errors import InputError
from nlp.score_report import format_table

_DIAGRAMS, _CROPS = 60, 20
_SIDE = 320


def foreign(data: Path, folder: Path) -> Iterator[tuple[str, list[Path]]]:
    """Pictures that are no chest CT slices, by kind."""
    for name, below in (
        ("chest X-rays, three classes", "three_class"),
        ("chest X-rays with lung masks", "lung_masks/images"),
    ):
        if (data / "cxr" / below).is_dir():
            found = sorted(path for path in (data / "cxr" / below).rglob("*.*") if path.is_file())
            yield name, found[1::2]  # the others were looked at while choosing
    yield "photographs, in colour", list(_photographs(folder / "colour", grey=False))
    yield "photographs, made grey", list(_photographs(folder / "grey", grey=True))
    yield "diagrams, made grey", list(_diagrams(folder / "diagrams"))


def _photographs(folder: Path, *, grey: bool) -> Iterator[Path]:
    """Crops of the photographs that lie within scikit-learn and matplotlib."""
    import matplotlib.cbook
    from PIL import Image
    from sklearn.datasets import load_sample_image

    folder.mkdir()
    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file, Image.open(file) as person:
        pictures = [
            *(Image.fromarray(load_sample_image(name)) for name in ("china.jpg", "flower.jpg")),
            person.copy(),
        ]
    generator = np.random.default_rng(0)
    for number in range(_CROPS * len(pictures)):
        picture = pictures[number % len(pictures)]
        side = int(generator.integers(_SIDE // 2, min(picture.size)))
        left, top = (int(generator.integers(0, length - side)) for length in picture.size)
        crop = picture.crop((left, top, left + side, top + side))
        yield _kept(crop.convert("L") if grey else crop, folder / f"{number:03d}.png")


def _diagrams(folder: Path) -> Iterator[Path]:
    """Figures as papers have them, drawn by matplotlib."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from PIL import Image

    folder.mkdir()
    generator = np.random.default_rng(0)
    for number in range(_DIAGRAMS):
        figure = Figure(figsize=(4, 3.2), dpi=100)
        canvas = FigureCanvasAgg(figure)
        axes, values = figure.add_subplot(), np.abs(generator.normal(size=(6, 12))).cumsum(axis=1)
        match number % 6:
            case 0:
                axes.plot(values.T)
            case 1:
                axes.bar(np.arange(12), values[0])
            case 2:
                axes.pie(values[:, 0], labels=[f"part {part}" for part in range(6)])
            case 3:
                axes.scatter(values[0], values[1], s=40 * values[2])
            case 4:
                axes.contourf(generator.normal(size=(12, 12)).cumsum(axis=0))
            case _:
                axes.axis("off")
                for line in range(12):
                    axes.text(
                        0, line / 12, f"row {line}: " + "  ".join(f"{value:.2f}" for value in values[:, line])
                    )
        canvas.draw()
        yield _kept(
            Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("L"), folder / f"{number:03d}.png"
        )


def _kept(picture: Any, path: Path) -> Path:
    picture.save(path)
    return path


def warned(run: Path, paths: Sequence[Path], out: Path) -> dict[str, Any]:
    """How many of these pictures get a warning, and how many of them from the features."""
    from train.neighbour_points import FAR
    from train.predict import predict
    from train.predictions import read_predictions

    predict(run, paths, out, device="cpu", flips=False)
    lines = read_predictions(out).warnings
    reasons = Counter(reason for line in lines for reason in line.split("; ") if reason)
    return {
        "n": len(lines),
        "warned": sum(map(bool, lines)),
        "far": sum(FAR in line for line in lines),
        "reasons": dict(reasons.most_common(8)),
    }


def test_slices(table: Path, images: Path) -> list[Path]:
    """The slices of the test set."""
    from train.records import read_records

    records = read_records(table, images)
    return [records.paths[row] for row in records.rows("test")]


def run(options: argparse.Namespace) -> None:
    """Measure every kind; print and write."""
    if not (options.run / "neighbours.safetensors").exists():
        raise InputError(f"{options.run} has no neighbours yet: python -m train.neighbours adds them")
    found: dict[str, Mapping[str, Any]] = {}
    with tempfile.TemporaryDirectory() as place:
        kinds = [
            ("real test slices", test_slices(options.table, options.images)),
            *foreign(options.data, Path(place)),
        ]
        for name, paths in kinds:
            found[name] = warned(options.run, paths, Path(place) / "p.csv")
            print(
                f"{name}: {found[name]['warned']} of {found[name]['n']} warned", file=sys.stderr, flush=True
            )
    rows = [
        (name, each["n"], f"{each['warned'] / each['n']:.1%}", f"{each['far'] / each['n']:.1%}")
        for name, each in found.items()
    ]
    print(
        format_table(
            [("pictures", "n", "warned", "by features"), *((a, str(b), c, d) for a, b, c, d in rows)]
        )
    )
    print("\ntargets: real test slices ≤ 5 %, all others ≥ 95 %")
    write_result("out_of_distribution", {"run": options.run.resolve().name, "kinds": found})


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m benchmarks.out_of_distribution``."""
    made = parser("How many pictures get a warning: test slices, chest X-rays, photographs, diagrams.")
    made.add_argument("--run", type=Path, required=True, metavar="runs/NAME", help="a run with neighbours")
    made.add_argument("--table", type=Path, required=True, metavar="FILE", help="the table it was trained on")
    default = ROOT.parent / "shared" / "data" / "covid-ct" / "images"
    made.add_argument("--images", type=Path, default=default, metavar="DIR", help="folder of its images")
    return run_command(made, run, arguments)


if __name__ == "__main__":
    sys.exit(main())
