"""The short form of ``make faults``: each kind of fault for real, a few times."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import pytest

import benchmarks.common
import benchmarks.faults
from benchmarks.faults import PARTS, faults, keep
from benchmarks.faults_common import Fault
from benchmarks.faults_disk_commands import NOT_HERE
from benchmarks.faults_inputs import PLACES, SUITE, selected
from docs.fault_tables import NOT_TRIED, cost_table, faults_table, spark_table
from docs.figures import NOT_MEASURED

SHORT = ("race", "disk", "checkpoint", "load")
"""The other parts have their short form in ``test_nlp_extract``, ``test_annotate_store``, ``test_train_loop`` and
``test_train_distributed``; the bad inputs are tests themselves."""


@pytest.mark.parametrize("name", SHORT)
def test_faults_lose_nothing(name: str) -> None:
    found, _ = faults(name, short=True)
    if not found:
        pytest.skip("no database of this kind is installed here")
    assert [fault for fault in found if not fault.held] == []
    assert all(fault.tried for fault in found)


def test_faults_of_parts_side_by_side_are_all_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "benchmarks" / "results"
    results.parent.mkdir()
    for module in (benchmarks.common, benchmarks.faults):
        monkeypatch.setattr(module, "RESULTS", results)
    monkeypatch.setattr(benchmarks.common, "ROOT", tmp_path)
    with ThreadPoolExecutor(len(PARTS)) as pool:
        list(pool.map(lambda name: keep({name: {"seconds": 1.0, "faults": []}}), PARTS))
    assert list(json.loads((results / "faults.json").read_text())["parts"]) == list(PARTS)


def test_faults_bad_inputs_are_tests_that_exist() -> None:
    root = Path(__file__).resolve().parents[1]
    for test in selected():
        path, _, name = test.partition("::")
        assert (root / path).is_file() and (not name or f"def {name}(" in (root / path).read_text()), test


def test_faults_bad_inputs_are_tried_wherever_they_come_in_or_the_suite_says_why_not() -> None:
    for row, places in SUITE.items():
        assert set(places) == set(PLACES) and all(places.values()), row


def test_faults_every_command_is_tried_on_a_full_disk_or_the_list_says_why_not() -> None:
    root = Path(__file__).resolve().parents[1]
    told = set(re.findall(r"^## (\S+)$", (root / "docs" / "commands.md").read_text(), re.MULTILINE))
    modules = ("faults_disk_commands", "faults_disk_networks")
    texts = [(root / "benchmarks" / f"{name}.py").read_text() for name in modules]
    tried = {name for name in told for text in texts if f'"{name}"' in text}
    assert told == tried and set(NOT_HERE) < told


def test_faults_tables_say_what_was_not_kept(tmp_path: Path) -> None:
    assert faults_table(tmp_path) == NOT_TRIED
    assert spark_table(tmp_path) == cost_table(tmp_path) == NOT_MEASURED
    folder = tmp_path / "benchmarks" / "results"
    folder.mkdir(parents=True)
    fault = Fault(
        "a kill", "by hand", 3, "lost 0", held=False, found={"lost": 1200, "same": False, "kinds": []}
    )
    run = {"cores": 2, "seconds": 10.0, "rows_per_second": 3000.0}
    measured = {"mean_characters": 800.0, "core_per_cpu_s": 10_000.0, "command_per_cpu_s": 5_000.0}
    results = {
        "faults": {"parts": {"x": {"seconds": 1, "faults": [asdict(fault)]}}},
        "spark": {"rows": 30_000, "equal": False, "runs": {"on Spark": run}},
        "speed": {"sets": {"reports": measured}},
    }
    for name, result in results.items():
        (folder / f"{name}.json").write_text(json.dumps(result))
    assert "| a kill | by hand | 3 | lost 0 | **not kept**: lost 1,200; same no |" in faults_table(tmp_path)
    assert "| on Spark | 30,000 | 10 | 3,000 |" in spark_table(tmp_path)
    assert "**The rows differ.**" in spark_table(tmp_path)
    assert "| the core alone: reports, 800 characters | 10,000 | 8.3 |" in cost_table(tmp_path)
    assert "| on Spark: captions recombined | 1,500 | 55.6 |" in cost_table(tmp_path)
