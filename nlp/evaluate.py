"""Measure labels against a reference: ``python -m nlp.evaluate labels.csv reference.csv``.

The reference may be anyone's: one row per record with an id (``image``, ``id``, ``caption_id``) or the text
itself, and a column per finding by key or abbreviation. Nothing leaves the machine, and by default only ids,
matched terms and cues are shown; ``--show-text`` adds the words around them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from nlp.command import run_command
from nlp.compare import Joined, compare, join
from nlp.disagreements import disagreement_csv, disagreement_text, disagreements
from nlp.lexicon import load_lexicon
from nlp.reference import Reference, read_reference
from nlp.score_report import as_json, report
from nlp.scores import Scores, score
from nlp.write import replacing

_NO_MENTIONS = """\
note: there is no mentions file beside {labels} (--mentions FILE), and labels alone cannot tell resolved
from negated: resolved is counted as negated on both sides"""


def evaluate(
    reference: Reference, labels: Path, mentions: Path | None, *, seed: int = 0
) -> tuple[Joined, Scores]:
    """Join labels to the reference and score them; see ``nlp.compare.join`` for what it raises."""
    joined = join(reference, labels, mentions)
    return joined, score(compare(joined), seed=seed)


def mentions_beside(labels: Path) -> Path | None:
    """The mentions that ``nlp.extract`` wrote with these labels, if they are there.

    ``a.labels.csv`` goes with ``a.mentions.csv``, ``labels.csv`` with ``mentions.csv``.
    """
    path = labels.with_name(labels.name.replace("labels", "mentions"))
    return path if path != labels and path.exists() else None


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m nlp.evaluate labels.csv reference.csv``."""
    return run_command(_parser(), _run, arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m nlp.evaluate", description="Measure labels against a reference made by people."
    )
    add = parser.add_argument
    add("labels", type=Path, help="labels.csv of nlp.extract")
    add("reference", type=Path, help="a table with an id or the text, and a column per finding")
    add("--mentions", type=Path, metavar="FILE", help="default: mentions.csv beside the labels")
    add("--id-column", metavar="C", help="the reference's id; default: image, id or caption_id")
    add("--encoding", metavar="E", help="of a reference that is not UTF-8")
    add(
        "--lexicon",
        type=Path,
        metavar="DIR",
        help="the lexicon that made the labels, if not the toolkit's own",
    )
    add("--json", type=Path, metavar="FILE", help="write the scores as JSON")
    add("--disagreements", type=Path, metavar="FILE", help="write every disagreement as CSV")
    add("--show-text", action="store_true", help="show the words around each disagreement")
    add("--seed", type=int, default=0, help="of the bootstrap (default: 0)")
    return parser


def _run(options: argparse.Namespace) -> None:
    findings = {finding.key: finding.abbreviation for finding in load_lexicon(options.lexicon).findings}
    reference = read_reference(
        options.reference, findings, id_column=options.id_column, encoding=options.encoding
    )
    mentions = options.mentions or mentions_beside(options.labels)
    if mentions is None:
        print(_NO_MENTIONS.format(labels=options.labels.name), file=sys.stderr)
    joined, scores = evaluate(reference, options.labels, mentions, seed=options.seed)
    differing = list(disagreements(joined, show_text=options.show_text))
    print(report(joined, scores, reference))
    print("\n" + disagreement_text(differing, show_text=options.show_text))
    if options.json:
        result = as_json(joined, scores, reference, options.seed)
        _write(options.json, json.dumps(result, indent=2) + "\n")
    if options.disagreements:
        _write(options.disagreements, disagreement_csv(differing))


def _write(path: Path, text: str) -> None:
    with replacing([path]) as [file]:
        file.write(text.encode())


if __name__ == "__main__":
    sys.exit(main())
