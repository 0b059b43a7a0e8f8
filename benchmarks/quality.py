"""How well the extractor reads real texts, beside five regexes: ``python -m benchmarks.quality``."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence

from benchmarks.common import (
    bare_states,
    engine_states,
    format_found,
    parser,
    references,
    score_states,
    write_result,
)
from nlp.command import run_command
from nlp.reference import Reference
from nlp.schema import COVID
from nlp.score_report import format_metric, format_table, scores_json
from nlp.scores import MICRO, Scores

ENGINE, REGEX = "this toolkit", "five regexes"
HEADER = (
    "",
    "system",
    "texts",
    "micro F1",
    "state accuracy",
    "negated",
    "uncertain",
    "resolved",
    "COVID state",
)


def run(options: Namespace) -> None:
    """Score both systems on every reference table; print a table and write the result."""
    result = {name: _score(table) for name, table in references(options.data).items()}
    print(format_table([HEADER, *_rows(result)]))
    print()
    print(format_table([("", "finding", "precision", "recall", "F1", "positive"), *_finding_rows(result)]))
    written = {
        name: {system: scores_json(scores) for system, scores in systems.items()}
        for name, systems in result.items()
    }
    write_result("quality", {"sets": written})


def _score(table: Reference) -> dict[str, Scores]:
    texts = [row.text for row in table.rows]
    states, covid = engine_states(texts)
    plain = score_states([table], [bare_states(text) for text in texts])
    return {ENGINE: score_states([table], states, covid), REGEX: plain}


def _rows(result: Mapping[str, Mapping[str, Scores]]) -> Iterator[Sequence[str]]:
    for name, systems in result.items():
        for system, scores in systems.items():
            micro = scores[MICRO]
            covid = [format_metric(target.accuracy) for target in scores.targets if target.target == COVID]
            cells = [
                name,
                system,
                str(scores.n_clusters),
                format_metric(micro.f1),
                format_metric(micro.accuracy),
            ]
            yield [*cells, *format_found(scores), *(covid or ["-"])]


def _finding_rows(result: Mapping[str, Mapping[str, Scores]]) -> Iterator[Sequence[str]]:
    for name, systems in result.items():
        for target in systems[ENGINE].targets:
            metrics = map(format_metric, (target.precision, target.recall, target.f1))
            yield name, target.target, *metrics, f"{target.n_positive} of {target.n}"


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m benchmarks.quality``."""
    return run_command(parser("F1, states and COVID on every reference table at hand."), run, arguments)


if __name__ == "__main__":
    sys.exit(main())
