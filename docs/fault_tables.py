"""Tables of what breaking it showed, and of the way past one machine, from ``benchmarks/results/*.json``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.faults_inputs import PLACES, SUITE
from docs.figures import NOT_MEASURED, result_of, table, with_machine

NOT_TRIED = "Not tried yet: `make faults`."
REPORTS = 300_000_000
_HOUR = 3600


def faults_table(root: Path) -> str:
    """Each fault: how often it was made, and whether the promise was kept."""
    result = result_of(root, "faults")
    if result is None:
        return NOT_TRIED
    faults = [fault for part in result["parts"].values() for fault in part["faults"]]
    rows = [(each["what"], each["how"], f"{each['tried']:,}", each["target"], _kept(each)) for each in faults]
    return with_machine(table(("fault", "how", "tried", "target", "found"), rows), result)


def bad_inputs_table() -> str:
    """Kinds of bad input and the places where they may come in: how many tests, or why there are none."""
    rows = [
        (kind, *(cases if isinstance(cases, str) else f"{len(cases)} tests" for cases in places.values()))
        for kind, places in SUITE.items()
    ]
    return table(("bad input", *PLACES), rows).replace(" 1 tests ", " 1 test ")


def spark_table(root: Path) -> str:
    """The same table by the plain command and by Spark."""
    result = result_of(root, "spark")
    if result is None:
        return NOT_MEASURED
    rows = [
        (name, f"{result['rows']:,}", f"{each['seconds']:,.0f}", f"{each['rows_per_second']:,.0f}")
        for name, each in result["runs"].items()
    ]
    same = "Equal rows, by hash." if result["equal"] else "**The rows differ.**"
    shown = table(("command", "rows", "seconds, start included", "rows per second"), rows)
    return with_machine(f"{shown}\n\n{same}", result)


def cost_table(root: Path) -> str:
    """Core-hours of 300 million reports at the measured rates."""
    speed, spark = result_of(root, "speed"), result_of(root, "spark")
    if speed is None:
        return NOT_MEASURED
    rows = [*_core_rows(speed), *(_spark_rows(spark) if spark else ())]
    return with_machine(
        table(("what", "texts per core and second", "core-hours of 300 million"), rows), speed
    )


def _core_rows(speed: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    for name, measured in speed["sets"].items():
        about = f"{name}, {measured['mean_characters']:,.0f} characters"
        for what, key in (("the core alone", "core_per_cpu_s"), ("`nlp.extract`", "command_per_cpu_s")):
            yield _cost(f"{what}: {about}", measured[key])


def _spark_rows(spark: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    for name, each in spark["runs"].items():
        yield _cost(f"{name}: captions recombined", each["rows_per_second"] / each["cores"])


def _cost(what: str, rate: float) -> Sequence[str]:
    return what, f"{rate:,.0f}", f"{REPORTS / rate / _HOUR:,.1f}"


def _kept(fault: Mapping[str, Any]) -> str:
    said = "; ".join(
        f"{name.replace('_', ' ')} {_shown(value)}" for name, value in fault["found"].items() if value != []
    )
    return f"{'kept' if fault['held'] else '**not kept**'}: {said}"


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(each)}" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    return f"{value:,}" if isinstance(value, int | float) else str(value)
