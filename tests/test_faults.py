"""The short form of ``make faults``: each kind of fault for real, a few times."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.faults import PARTS, faults
from benchmarks.faults_common import Fault
from benchmarks.faults_inputs import SUITE, selected
from docs.fault_tables import faults_table, spark_table
from docs.figures import NOT_MEASURED

SHORT = [name for name in PARTS if name not in ("inputs", "load")]
"""The bad inputs are tests themselves; the load has a test of its own, since it needs a server."""


@pytest.mark.parametrize("name", SHORT)
def test_faults_lose_nothing(name: str) -> None:
    found, _ = faults(name, short=True)
    if not found:
        pytest.skip("no database of this kind is installed here")
    assert [fault for fault in found if not fault.held] == []
    assert all(fault.tried for fault in found)


def test_faults_load_is_borne() -> None:
    found, _ = faults("load", short=True)
    assert [fault for fault in found if not fault.held] == []


def test_faults_bad_inputs_are_tests_that_exist() -> None:
    root = Path(__file__).resolve().parents[1]
    for row, tests in SUITE.items():
        for test in tests:
            path, _, name = test.partition("::")
            assert (root / path).is_file() and (not name or f"def {name}(" in (root / path).read_text()), (
                row,
                test,
            )
    assert len(selected()) == len(set(selected()))


def test_faults_table_says_what_was_not_kept(tmp_path: Path) -> None:
    assert faults_table(tmp_path) == spark_table(tmp_path) == NOT_MEASURED
    fault = Fault("a kill", "by hand", 3, "lost 0", False, {"lost": 1, "kinds": ["x"]})
    assert fault.found["lost"] == 1
