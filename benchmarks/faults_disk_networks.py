"""The commands that train, predict and look at images, as they are run on a full disk; tiny networks, few images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from benchmarks.faults_disk import Command, in_child
from benchmarks.faults_disk_commands import EXAMPLES, command
from nlp.errors import ToolkitError

_OUT = "{out}/"
_CPU = ("--device", "cpu")
_PICTURES = [EXAMPLES / "images" / name for name in ("c01-1.jpg", "c01-2.png")]
_TINY = ("--encoder", "tu-test_resnet", "--weights", "none", "--width", 16, "--size", 64, "--epochs", 1)


_LOADED = (
    *("train.audit_report", "train.explain_files", "train.near_duplicates", "train.neighbour_points"),
    *(
        "train.predictor",
        "train.report",
        "train.results",
        "train.segment_results",
        "train.stages",
        "train.study_parts",
    ),
)


@dataclass(frozen=True)
class Made:
    """What the commands read: tables with their images and settings, two runs, a segmenter."""

    table: Path
    classes: Path
    run: Path
    named: Path
    radiographs: Path
    segmenter: Path

    def learning(self, table: Path) -> tuple[object, ...]:
        """What is learnt from a table, the images and settings beside it."""
        beside = table.parent
        return table, "--images", beside / "images", "--config", beside / "settings.toml"


def network_commands(folder: Path) -> list[Command]:
    """All commands of train, in the order of ``docs/commands.md``."""
    for name in _LOADED:  # once, not in every child; nothing is computed before they fork
        import_module(name)
    made = _made(folder)
    return [*_looking(made), *_predicting(made), *_training(made)]


def _made(folder: Path) -> Made:
    """Train what the commands need, outside the small disk."""
    from tests.train_phantoms import phantom_config, phantom_records, write_phantoms
    from tests.train_radiographs import write_radiographs, write_table
    from train.config_file import write_config

    table = write_phantoms(folder / "phantoms", phantom_records(24))
    radiographs = folder / "radiographs"
    write_radiographs(radiographs, 24)
    classes = write_table(radiographs, 24)
    write_config(phantom_config(epochs=1), table.parent / "settings.toml")
    write_config(phantom_config(epochs=1, classes="diagnosis"), radiographs / "settings.toml")
    made = Made(table, classes, folder / "run", folder / "named", radiographs, folder / "segmenter")
    _do(folder, command("train.run", *made.learning(table), "--out", made.run))
    _do(folder, command("train.run", *made.learning(classes), "--out", made.named))
    _do(folder, command("train.segment", *_segmenting(made), "--out", made.segmenter))
    return made


def _do(folder: Path, wanted: Command) -> None:
    """In a child: what computes here and forks later may wait for ever for its threads."""
    code, said = in_child(wanted, folder, None)
    if code:
        raise ToolkitError(f"{wanted.name} failed: {said[-1000:]}")


def _segmenting(made: Made) -> tuple[object, ...]:
    return made.radiographs / "images", made.radiographs / "masks", *_TINY, *_CPU


def _looking(made: Made) -> Iterator[Command]:
    table = made.table
    yield command(
        "train.audit",
        *(table, "--images", table.parent / "images", "--out", f"{_OUT}audit"),
        results=("audit/report.html", "audit/coverage.csv"),
    )
    yield command("train.contact_sheet", *_PICTURES, "-o", f"{_OUT}sheet.png", results=("sheet.png",))
    yield command(
        "train.explain",
        *(made.run, *_PICTURES, "--out", f"{_OUT}maps", "--compare", made.run, *_CPU),
        results=("maps/c01-1.png", "maps/c01-2.npz", "maps/attention.csv"),
    )
    yield command(
        "train.neighbours",
        *(f"{_OUT}run", table, "--images", table.parent / "images", *_CPU),
        before={"run": made.run},
    )


def _predicting(made: Made) -> Iterator[Command]:
    name, images = "train.predict", made.table.parent / "images"
    yield command(name, made.run, images, "-o", f"{_OUT}p.csv", *_CPU, results=("p.csv",))
    yield command(
        name,
        *(made.run, images, "-o", f"{_OUT}p.jsonl", "--patient-key", f"{_OUT}key", *_CPU),
        variant="as JSON lines",
        results=("p.jsonl",),
    )
    yield command(
        name,
        *(made.named, made.radiographs / "images", "-o", f"{_OUT}p.csv", *_CPU),
        variant="with classes",
        results=("p.csv", "p.diagnosis.csv"),
    )
    yield command(
        name,
        *(made.run, *_PICTURES, "-o", f"{_OUT}p.csv", "--heatmaps", f"{_OUT}maps", *_CPU),
        variant="--heatmaps",
        results=("p.csv", "maps/c01-1.png", "maps/attention.csv"),
    )


def _training(made: Made) -> Iterator[Command]:
    yield command("train.run", *made.learning(made.table), "--out", f"{_OUT}run")
    yield command("train.run", *made.learning(made.classes), "--out", f"{_OUT}run", variant="with classes")
    yield command(
        "train.segment",
        *(*_segmenting(made), "--out", f"{_OUT}lungs", "--force"),
        before={"lungs": made.segmenter},
    )
    yield command(
        "train.segment",
        *(made.radiographs / "images", "--apply", made.segmenter, "--out", f"{_OUT}found"),
        variant="--apply",
        results=("found/00000_000.png", "found/lungs.csv"),
    )
    yield command(
        "train.study",
        *(*made.learning(made.table), "--out", f"{_OUT}study"),
        *("--backbones", "test_resnet", "--modes", "ladnn", "--seeds", 0),
        results=("study/study.csv", "study/study.md", "study/study.tex"),
    )
