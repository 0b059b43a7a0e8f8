"""The docs cannot lie: generated parts equal the code, commands exist, blocks and examples run, links lead somewhere."""

from __future__ import annotations

import doctest
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs.figures import NOT_MEASURED, memory_table, peers_table, quality_table, speed_table
from docs.generate import BLOCKS, EXPLAINED, PAGES, commands, filled, help_text
from docs.training_tables import NOT_PUBLISHED, bootstrap_table, data_path_table, epoch_table, published_table

ROOT = Path(__file__).resolve().parent.parent
PROSE = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
HEAVY = ("spacy", "torch", "pandas", "streamlit")
RUN_BLOCK = re.compile(r"<!-- run -->\n```(\w+)\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize("name", PAGES)
def test_page_holds_what_the_code_says_now(name: str) -> None:
    page = (ROOT / name).read_text(encoding="utf-8")
    assert unwrapped(page) == unwrapped(filled(page, BLOCKS)), f"{name} is out of date: make docs"


def unwrapped(page: str) -> str:
    """Without the line breaks that differ between versions of argparse."""
    return re.sub(r"\s+", " ", page)


def test_filled_replaces_only_what_is_marked() -> None:
    page = "before\n<!-- generated: a -->\nold\n<!-- end -->\nafter\n"
    assert filled(page, {"a": lambda: "new"}) == page.replace("old", "\nnew\n")
    with pytest.raises(KeyError, match="b"):
        filled(page.replace("generated: a", "generated: b"), {"a": lambda: "new"})


def test_figures_are_those_of_the_results(tmp_path: Path) -> None:
    folder = tmp_path / "benchmarks" / "results"
    folder.mkdir(parents=True)
    for show in (
        quality_table,
        peers_table,
        speed_table,
        memory_table,
        data_path_table,
        epoch_table,
        bootstrap_table,
    ):
        assert show(tmp_path) == NOT_MEASURED
    assert published_table(tmp_path) == NOT_PUBLISHED
    scores = {"f1": 0.5, "f1_low": 0.25, "f1_high": 0.75}
    scores |= {"state_accuracy": None, "state_accuracy_low": None, "state_accuracy_high": None}
    peer = {"cells": {"open": ["0.9", "0.8"]}, "found": ["1/2", "0/3", "4/4"], "rates": {"captions": 1234.5}}
    results = {
        "quality": {"sets": {"open": {"ours": {"micro": scores, "covid19": None}}}},
        "peers": {
            "systems": {"ours": {**peer, "peak_megabytes": 99.6}, "theirs": {"error": "no wheel\nlog"}}
        },
        "memory": {"runs": [{"rows": 1000, "input_megabytes": 2.0, "peak_megabytes": 120.4}]},
    }
    published = {
        "what": "five folds",
        "n": 746,
        "auc": 0.9,
        "low": 0.875,
        "high": 0.925,
        "note": "by patient",
    }
    results["published"] = {"rows": [published, published | {"low": None, "note": None}]}
    results["epoch"] = {
        "records": 64,
        "cpu_seconds": {"resnet18": {"decode once": 1.0, "plain": 3.0, "ours": 2.0}},
    }
    for name, result in results.items():
        (folder / f"{name}.json").write_text(json.dumps(result))
    assert "| open | ours | 0.500 (0.250–0.750) | undefined | – |" in quality_table(tmp_path)
    assert "| ours | 0.9 | 0.8 | 1/2 | 0/3 | 4/4 | 1,234 | 100 |" in peers_table(tmp_path)
    assert "| theirs | did not install: no wheel | – |" in peers_table(tmp_path)
    assert "| 1,000 | 2 | 120 |" in memory_table(tmp_path)
    assert "| five folds | 746 | 0.900 (0.875–0.925) | by patient |" in published_table(tmp_path)
    assert "| five folds | 746 | 0.900 |  |" in published_table(tmp_path)
    assert "| resnet18 | ours | 2.0 | 1.50 |" in epoch_table(tmp_path)


@pytest.mark.parametrize("command", commands())
def test_command_has_help_and_is_in_the_docs(command: str) -> None:
    text = help_text(command)
    assert text.startswith(f"usage: python -m {command} ")
    assert "--debug" in text
    description = text.split("\n\n")[1]
    assert len(description.split()) >= 4, "the help says in a sentence what the command does"
    assert f"## {command}\n" in (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", [name for name in commands() if not name.startswith("examples.")])
def test_help_waits_for_no_heavy_library(command: str) -> None:
    code = (
        f"import runpy, sys; sys.argv = ['x', '--help']\n"
        f"try: runpy.run_module({command!r}, run_name='__main__')\n"
        f"except SystemExit: pass\n"
        f"print(*[name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not done.stderr.split()


def test_issue_commands_exist() -> None:
    expected = {
        "nlp.extract",
        "nlp.evaluate",
        "nlp.lexicon",
        "examples.draw",
        "annotate.convert",
        "annotate.split",
    }
    assert expected | {"train.run", "train.study", "train.predict", "train.contact_sheet"} <= set(commands())


def readme_blocks() -> list[tuple[str, str]]:
    return RUN_BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))


def test_readme_has_blocks_to_run() -> None:
    blocks = readme_blocks()
    assert len(blocks) >= 4
    assert any(EXPLAINED in block for _, block in blocks), "the output shown belongs to the command shown"


def test_readme_blocks_run_in_order(tmp_path: Path) -> None:
    (tmp_path / "examples").mkdir()
    for path in (ROOT / "examples").glob("*.csv"):
        shutil.copy(path, tmp_path / "examples")
    shutil.copytree(ROOT / "lexicon", tmp_path / "lexicon")
    shutil.copytree(ROOT / "examples" / "images", tmp_path / "examples" / "images")
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    for language, block in readme_blocks():
        command = (
            ["bash", "-euo", "pipefail", "-c", block] if language == "sh" else [sys.executable, "-c", block]
        )
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
    assert (tmp_path / "examples" / "captions.labels.csv").is_file()
    assert (tmp_path / "captions.html").is_file()
    assert (tmp_path / "runs" / "first" / "report.html").is_file()


def options_named(page: Path) -> Iterator[tuple[str, str, str]]:
    """Page, command and option wherever an option stands behind a command, on one line or between backticks."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    for part in re.split(r"(?=\b(?:nlp|annotate|train)\.)", text):
        command, _, rest = part.partition(" ")
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", re.split("[`\n]", rest)[0]):
            yield page.name, command, option


def test_options_named_in_the_docs_exist() -> None:
    reference = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    helps = {name: reference.split(f"## {name}\n")[1].split("\n## ")[0] for name in commands()}
    pages = [page for page in PROSE if page.name != "commands.md"]
    named = {each for page in pages for each in options_named(page) if each[1] in helps}
    assert len(named) > 20
    assert [each for each in sorted(named) if not re.search(rf"{each[2]}\b(?!-)", helps[each[1]])] == []


def with_examples() -> list[str]:
    """The modules whose docstrings show examples."""
    found = [path for package in ("nlp", "annotate", "train") for path in (ROOT / package).rglob("*.py")]
    shown = [path.relative_to(ROOT) for path in sorted(found) if ">>> " in path.read_text(encoding="utf-8")]
    return [".".join(path.with_suffix("").parts) for path in shown]


@pytest.mark.parametrize("module", with_examples())
def test_docstrings_show_what_happens(module: str) -> None:
    done = doctest.testmod(importlib.import_module(module))
    assert done.attempted and not done.failed


@pytest.mark.parametrize("page", PROSE, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", text) + re.findall(r'(?:src|srcset)="([^"]+)"', text)
    missing = [each for each in targets if "://" not in each and not (page.parent / each).exists()]
    assert not missing, missing


def test_make_targets_named_in_the_docs_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = {
        name for page in PROSE for name in re.findall(r"`make ([a-z-]+)", page.read_text(encoding="utf-8"))
    }
    assert named <= targets, named - targets
    assert {"setup", "demo", "demo-train", "test", "check", "bench", "docs"} <= targets
