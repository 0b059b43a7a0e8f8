from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp.errors import TrainingError
from train.augment import Augmentation
from train.config import Config, flag, recipe
from train.config_check import check
from train.config_file import add_flags, given_flags, read_config, read_run_config, write_config
from train.recipes import RECIPES
from train.run_folder import differing_settings

ROOT = Path(__file__).resolve().parents[1]


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", RECIPES)
def test_config_recipes_are_valid(name: str) -> None:
    usual = recipe(name)
    if usual.crop == "segmented":  # what no recipe can know
        usual = replace(usual, segmenter="runs/lungs")
    check(usual)


def test_config_paper_recipe_is_the_published_code() -> None:
    paper = recipe("paper")
    assert (paper.optimizer, paper.learning_rate, paper.weight_decay) == ("adam", 5e-5, 5e-4)
    assert (paper.batch_size, paper.epochs, paper.loss, paper.crop) == (32, 15, "paper", "none")
    assert paper.augmentation == replace(Augmentation.off(), scale=(0.8, 1.2), flip=0.5)


def test_config_every_setting_says_what_it_means() -> None:
    assert all(each.metadata["help"] for each in fields(Config))


@settings(max_examples=20)
@given(
    dropout=st.floats(0, 0.9),
    epochs=st.integers(1, 500),
    average=st.booleans(),
    device=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1),
    scale=st.tuples(st.floats(0.1, 1), st.floats(1, 3)),
    noise=st.floats(0, 1),
)
def test_config_written_then_read_is_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    dropout: float,
    epochs: int,
    average: bool,
    device: str,
    scale: tuple[float, float],
    noise: float,
) -> None:
    augmentation = Augmentation(scale=scale, noise=noise)
    config = Config(dropout=dropout, epochs=epochs, average=average, device=device, augmentation=augmentation)
    path = tmp_path_factory.mktemp("config") / "config.toml"
    write_config(config, path)
    assert read_config(path, {}) == config


def test_config_flags_override_the_file_and_the_file_the_recipe(tmp_path: Path) -> None:
    path = write(tmp_path / "run.toml", 'recipe = "paper"\nepochs = 7\nbatch_size = 4\n')
    config = read_config(path, {"epochs": 3})
    assert (config.epochs, config.batch_size, config.learning_rate) == (3, 4, 5e-5)


def test_config_says_all_problems_at_once(tmp_path: Path) -> None:
    text = 'epoch = 3\nbatch_size = "8"\ndropout = 2\nmode = "both"\naverage = 1\n[augmentation]\nflips = 1\nrotate = 3\nscale = 2\n'
    with pytest.raises(TrainingError) as caught:
        read_config(write(tmp_path / "run.toml", text), {})
    message = str(caught.value)
    for part in (
        "no setting 'epoch'; the nearest is 'epochs'",
        "batch_size must be a whole number; found '8'",
        "dropout must be from 0 to 0.95; found 2",
        "mode must be one of ladnn, baseline; found 'both'",
        "average must be true or false; found 1",
        "no setting 'flips'; the nearest is 'flip'",
        "no setting 'rotate'; the nearest is 'rotation_degrees'",
        "scale must be 2 numbers",
    ):
        assert part in message


@pytest.mark.parametrize(
    ("given_settings", "named"),
    [
        ({"mode": "baseline", "lesion_weight": 3.0}, "lesion_weight"),
        ({"loss": "paper", "primary_weight": 2.0}, "primary_weight"),
        ({"folds": 1}, "folds"),
        ({"primary_weight": 0.0, "lesion_weight": 0.0}, "nothing to learn"),
    ],
)
def test_config_contradictions_are_refused(given_settings: dict[str, object], named: str) -> None:
    with pytest.raises(TrainingError, match=named):
        check(Config(**given_settings))


@pytest.mark.parametrize(
    "made_with",
    [
        Config(mode="baseline"),
        recipe("paper"),
        recipe("deep-covid"),
        replace(recipe("cxr-ai"), segmenter="runs/lungs"),
    ],
    ids=lambda config: config.recipe,
)
def test_config_of_a_run_outlives_a_default_that_it_made_no_use_of(made_with: Config, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    write_config(replace(made_with, lesion_weight=1.0), path)
    with pytest.raises(TrainingError, match=r"no use of lesion_weight = 1\.0"):
        read_config(path, {})
    assert read_run_config(path) == made_with
    assert not list(differing_settings(tmp_path, made_with))
    differing = list(differing_settings(tmp_path, replace(made_with, seed=1)))
    assert differing[1:] == ["  seed: 0 there, 1 now"]


def test_config_of_a_run_is_still_checked(tmp_path: Path) -> None:
    path = write(tmp_path / "config.toml", 'mode = "baseline"\nepochs = 0\nlesions = 1\n')
    with pytest.raises(TrainingError, match=r"(?s)'lesions'.*epochs must be from 1"):
        read_run_config(path)


def test_config_unreadable_files_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", write(tmp_path / "bad.toml", "epochs = = 3")):
        with pytest.raises(TrainingError, match=path.name):
            read_config(path, {})


def test_config_every_setting_has_a_flag() -> None:
    parser = argparse.ArgumentParser()
    add_flags(parser)
    settings = [each for each in fields(Config) if each.name != "augmentation"]
    assert all(flag(each.name) in parser.format_help() for each in settings)
    options = parser.parse_args(["--learning-rate", "1e-3", "--no-average", "--mode", "baseline"])
    assert given_flags(options) == {"learning_rate": 1e-3, "average": False, "mode": "baseline"}


def test_config_help_loads_nothing_heavy() -> None:
    code = "import sys, train.run\ntry: train.run.main(['--help'])\nexcept SystemExit: print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False" and "--backbone" in done.stdout
