"""The folder of a run, and folders of many."""

from __future__ import annotations

import os
from pathlib import Path

from train.run_folder import METRICS, MODEL_FILE, finished_runs


def make_run(folder: Path, *, age: int = 0, model: bool = True) -> Path:
    folder.mkdir(parents=True)
    (folder / METRICS).touch()
    os.utime(folder / METRICS, (10_000 - age, 10_000 - age))
    if model:
        (folder / MODEL_FILE).touch()
    return folder


def test_run_folder_finished_runs_are_found_at_any_depth_the_newest_first(tmp_path: Path) -> None:
    runs = [
        make_run(tmp_path / place, age=age)
        for age, place in enumerate(("published/resnet18/D0/resnet18-ladnn-0", "first", "study/D0/again"))
    ]
    make_run(tmp_path / "segmenter", model=False)
    make_run(tmp_path / ".cache" / "hidden")
    assert finished_runs(tmp_path) == runs
    assert finished_runs(runs[0]) == runs[:1]
    assert finished_runs(tmp_path / "none") == []


def test_run_folder_links_are_followed_and_circles_end(tmp_path: Path) -> None:
    run = make_run(tmp_path / "elsewhere" / "run")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "linked").symlink_to(run)
    (run / "round").symlink_to(tmp_path / "runs")
    assert tmp_path / "runs" / "linked" in finished_runs(tmp_path / "runs")
    assert len(finished_runs(tmp_path / "runs")) <= 2


def test_run_folder_nothing_is_looked_for_below_a_folder_of_images(tmp_path: Path) -> None:
    images = tmp_path / "images"
    make_run(images / "deep" / "run")
    for number in range(1_001):
        (images / f"{number}.png").touch()
    assert finished_runs(tmp_path) == []
