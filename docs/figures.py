"""Tables of what the benchmarks measured, read from ``benchmarks/results/*.json``; nothing is typed by hand."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

UNSEEN = "held_back"
"""The set of texts that had no part in making the rules."""
NOT_MEASURED = "Not measured yet: `make bench`."


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def quality_table(root: Path, *, unseen: bool = False) -> str:
    """F1, states and COVID by set of texts and system; on request of the texts alone that the rules were not made with."""
    result = result_of(root, "quality")
    if result is None:
        return NOT_MEASURED
    header = ("texts", "system", "micro F1 (95 % interval)", "state accuracy (95 % interval)", "COVID state")
    sets = {name: each for name, each in result["sets"].items() if not unseen or name == UNSEEN}
    return table(header, _quality_rows(sets))


def _quality_rows(sets: Mapping[str, Mapping[str, Any]]) -> Iterator[Sequence[str]]:
    for name, systems in sets.items():
        for system, scores in systems.items():
            micro, covid = scores["micro"], scores["covid19"]
            said = _interval(covid, "state_accuracy") if covid else "–"
            yield name, system, _interval(micro, "f1"), _interval(micro, "state_accuracy"), said


def peers_table(root: Path) -> str:
    """Other systems on the same texts with the same terms."""
    result = result_of(root, "peers")
    if result is None:
        return NOT_MEASURED
    systems = result["systems"]
    first = next(measured for measured in systems.values() if "error" not in measured)
    scores = [f"{name} {metric}" for name in first["cells"] for metric in ("F1", "states")]
    rates = [f"{name}/CPU-s" for name in first["rates"]]
    header = ("system", *scores, "negated", "uncertain", "resolved", *rates, "peak MB")
    return with_machine(table(header, _peer_rows(systems, len(header))), result)


def _peer_rows(systems: Mapping[str, Mapping[str, Any]], width: int) -> Iterator[Sequence[str]]:
    for name, measured in systems.items():
        if "error" in measured:
            yield name, f"did not install: {measured['error'].splitlines()[0]}", *["–"] * (width - 2)
            continue
        cells = [cell for pair in measured["cells"].values() for cell in pair]
        numbers = [*measured["rates"].values(), measured["peak_megabytes"]]
        yield name, *cells, *measured["found"], *(f"{number:,.0f}" for number in numbers)


def speed_table(root: Path) -> str:
    """Texts per CPU-second."""
    result = result_of(root, "speed")
    if result is None:
        return NOT_MEASURED
    header = ("texts", "characters", "core, per CPU-second", "whole command", "five bare regexes")
    keys = ("mean_characters", "core_per_cpu_s", "command_per_cpu_s", "regex_per_cpu_s")
    rows = [(name, *(f"{measured[key]:,.0f}" for key in keys)) for name, measured in result["sets"].items()]
    return with_machine(table(header, rows), result)


def memory_table(root: Path) -> str:
    """Peak memory of an extraction."""
    result = result_of(root, "memory")
    if result is None:
        return NOT_MEASURED
    rows = [
        (f"{run['rows']:,}", f"{run['input_megabytes']:,.0f}", f"{run['peak_megabytes']:,.0f}")
        for run in result["runs"]
    ]
    return with_machine(table(("rows", "input, MB", "peak memory, MB"), rows), result)


def startup_table(root: Path) -> str:
    """Wall time of ``--help``."""
    result = result_of(root, "startup")
    if result is None:
        return NOT_MEASURED
    rows = [(f"`{module} --help`", f"{seconds:.2f}") for module, seconds in result["help_seconds"].items()]
    return with_machine(table(("command", "seconds"), rows), result)


def result_of(root: Path, name: str) -> dict[str, Any] | None:
    """What a benchmark wrote last; None: it was never run."""
    path = root / "benchmarks" / "results" / f"{name}.json"
    if not path.is_file():
        return None
    result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return result


def _interval(scores: Mapping[str, float | None], name: str) -> str:
    if scores[name] is None:
        return "undefined"
    low, high = scores[f"{name}_low"], scores[f"{name}_high"]
    spread = "" if low is None or high is None else f" ({low:.3f}–{high:.3f})"
    return f"{scores[name]:.3f}{spread}"


def with_machine(text: str, result: Mapping[str, Any]) -> str:
    """A table with the machine it was measured on below."""
    machine = result.get("machine")
    if not machine:
        return text
    return f"{text}\n\n{machine['processor']}, Python {machine['python']}, spaCy {machine['spacy']}."
