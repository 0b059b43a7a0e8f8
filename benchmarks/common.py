"""What the benchmarks share: where the texts are, the bare regex, CPU time, and how a result is written."""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import resource
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nlp.compare import covid_codes, state_codes
from nlp.errors import InputError, ToolkitError
from nlp.lexicon import load_lexicon
from nlp.reference import Reference, read_reference
from nlp.schema import COVID, COVID_CELL, RECORD_COLUMNS, State, record_state
from nlp.scores import Comparison, Scores, score

if TYPE_CHECKING:
    import pyarrow as pa

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
FINDINGS = {finding.key: finding.abbreviation for finding in load_lexicon().findings}

BARE_REGEX = {
    "ground_glass_opacity": re.compile(r"ground[\s-]*glass|\bGG[ON]s?\b|frosted glass", re.IGNORECASE),
    "consolidation": re.compile(r"consolidat(?:ions?|ive|ed)\b|condensation", re.IGNORECASE),
    "crazy_paving": re.compile(r"crazy[\s-]*pav\w+|paving[\s-]*stone|cobble[\s-]*stone", re.IGNORECASE),
    "air_bronchogram": re.compile(r"air[\s-]*bronchogram", re.IGNORECASE),
    "septal_thickening": re.compile(
        r"(?:inter[\s-]*lobular|septal) (?:septal )?thick\w+"
        r"|thick\w+ (?:of (?:the )?)?(?:inter[\s-]*lobular )?sept\w+|\bkerley\b",
        re.IGNORECASE,
    ),
}
"""The synonyms one thinks of on the first day, and no idea of negation."""


def parser(description: str) -> argparse.ArgumentParser:
    """A parser with ``--data``, which every benchmark on real texts has."""
    made = argparse.ArgumentParser(description=description)
    default = ROOT.parent / "shared" / "data"
    made.add_argument("--data", type=Path, default=default, help="folder with text/*_reference.csv")
    return made


def run_parser(description: str) -> argparse.ArgumentParser:
    """A parser with ``--run`` and ``--images``, which every benchmark of a finished run has."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--run", type=Path, required=True, metavar="runs/NAME", help="a finished run")
    default = ROOT.parent / "shared" / "data" / "covid-ct" / "images"
    made.add_argument("--images", type=Path, default=default, metavar="DIR", help="folder of images")
    return made


def references(data: Path) -> dict[str, Reference]:
    """The reference tables by name: those of the data folder, then case tables of the tests.

    Raises:
        InputError: there is none.
    """
    paths = [
        *sorted((data / "text").glob("*_reference.csv")),
        *sorted((ROOT / "tests" / "cases").glob("*.csv")),
    ]
    found = {}
    for path in paths:
        try:
            table = read_reference(path, FINDINGS)
        except InputError:
            continue  # a case table of another form, such as cues with their scopes
        if table.has_text:
            found[path.stem.removesuffix("_reference")] = table
    if not found:
        raise InputError(
            f"no reference table in {data / 'text'} or tests/cases; choose the folder with --data"
        )
    return found


def record_batch(texts: Sequence[str]) -> pa.RecordBatch:
    """Records for ``nlp.batch.label_batch`` that have nothing but a text and a number."""
    import pyarrow as pa

    numbers = pa.array([f"{number:07d}" for number in range(len(texts))])
    blank = pa.array([""] * len(texts))
    given = {"image": numbers, "patient_id": numbers, "caption": pa.array(texts, pa.string())}
    return pa.record_batch({name: given.get(name, blank) for name in RECORD_COLUMNS})


def engine_states(texts: Sequence[str]) -> tuple[list[dict[str, State]], list[str]]:
    """The five states and the COVID state that the toolkit reads in each text."""
    from nlp.batch import Reader, label_batch

    labelled = label_batch(record_batch(texts), Reader(load_lexicon()))
    said: list[dict[str, list[str]]] = [{key: [] for key in FINDINGS} for _ in texts]
    columns = (labelled.mentions.column(name).to_pylist() for name in ("image", "finding", "assertion"))
    for image, finding, assertion in zip(*columns, strict=True):
        if finding in FINDINGS:
            said[int(image)][finding].append(assertion)
    covid = {cell: state for state, cell in COVID_CELL.items()}
    states = [{key: record_state(assertions) for key, assertions in row.items()} for row in said]
    return states, [covid[cell] for cell in labelled.labels.column(COVID).to_pylist()]


def score_states(
    tables: Iterable[Reference], states: Sequence[Mapping[str, State]], covid: Sequence[str] | None = None
) -> Scores:
    """Score states of the tables' texts, in order, against what the tables say; every record counts alone."""
    rows = [(table.findings, row) for table in tables for row in table.rows]
    findings = tuple(FINDINGS)
    if any(named != findings for named, _ in rows):
        raise InputError(f"a reference must have all findings: {', '.join(findings)}")
    reference = state_codes([row.states for _, row in rows])
    output = state_codes([[said[key] for key in findings] for said in states])
    clusters = np.arange(len(rows))
    if covid is None or any(row.covid is None for _, row in rows):
        return score(Comparison(findings, reference, output, clusters))
    told = covid_codes([row.covid or "" for _, row in rows])
    return score(Comparison(findings, reference, output, clusters, told, covid_codes(covid)))


def format_found(scores: Scores) -> list[str]:
    """How many of the negated, uncertain and resolved cells were found, as ``24/27``."""
    return ["{}/{}".format(*scores.found(state)) for state in ("negated", "uncertain", "resolved")]


def bare_states(text: str) -> dict[str, State]:
    """What five regular expressions make of a text."""
    return {key: "present" if regex.search(text) else "not_mentioned" for key, regex in BARE_REGEX.items()}


def cpu_seconds() -> float:
    """CPU seconds of this process with all its threads, and of its finished children."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def peak_megabytes() -> float:
    """Highest memory of this process so far; ``ru_maxrss`` may be that of the process which started it."""
    try:
        status = Path("/proc/self/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 * 1024)


def fresh(module: str, *arguments: object) -> dict[str, Any]:
    """Run ``python -m module ...`` in a process of its own, so that every cache is cold; its JSON line."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise ToolkitError(
            f"{module} {arguments[1] if arguments[1:] else ''} failed; its message stands above"
        )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def write_result(name: str, result: Mapping[str, Any]) -> None:
    """Write benchmarks/results/NAME.json with the machine it was measured on."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"machine": machine(), **result}, indent=2) + "\n")
    print(f"\nwritten: {path.relative_to(ROOT)}")


def machine() -> dict[str, Any]:
    """Processor, cores and versions."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{package: version(package) for package in ("spacy", "pyarrow", "rapidfuzz")},
        "lexicon": load_lexicon().version,
    }


def _processor() -> str:
    try:
        lines: Iterable[str] = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
