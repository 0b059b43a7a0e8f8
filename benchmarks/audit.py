"""What the audit finds in the published data, ``python -m benchmarks.audit [--data DIR] [--sheet pairs.png]``.

Copies: slices of train, altered by ``benchmarks.slice_copies``, and whether they count as certain. ``CERTAIN`` lies
between them (59 of the first 60 from 0.979 on) and the neighbouring slices inside single sets (to 0.947); ``POSSIBLE``
between pairs of train that show one patient under two ids (from 0.705 on) and others (to 0.374). Pairs across sets,
which are what is reported, took no part in choosing them.

Published split: pairs across sets against ``same_slice_verdicts.csv``, where each pair that a looser search proposed
(60 candidates a slice, six matches on one map, score from 0.35; and an earlier form of it) has a verdict by eye:
``same_slice``, ``same_patient`` (another slice or day), ``different``. The 30 most alike as wholes, and the 30 most
alike to a mirror image, held no further same slice. ``--sheet`` draws them.

Published labels: the cells that contradict their caption by ``captions_reference.csv`` against those that the audit
finds with the mentions of ``nlp.extract``.
"""

from __future__ import annotations

import csv
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from annotate.convert import convert
from benchmarks.common import FINDINGS, ROOT, cpu_seconds, parser, references, write_result
from benchmarks.same_slice import draw_pairs
from benchmarks.slice_copies import altered
from nlp.command import run_command
from nlp.errors import InputError
from nlp.extract import extract
from nlp.reference import ReferenceRow
from nlp.schema import COVID, State, label_columns
from nlp.score_report import format_table
from train.audit import Audit, audit
from train.audit_report import write_audit
from train.audit_text import contradicts
from train.image_forms import read_grey
from train.label_rows import read_label_rows
from train.local_features import describe
from train.near_duplicates import CERTAIN, Pair, across_sets, opposite_flags
from train.records import Records
from train.same_slice import likeness

VERDICTS = ROOT / "benchmarks" / "same_slice_verdicts.csv"
COPIES = 100
_SEED = 0
Row = dict[str, Any]


def measure(data: Path, out: Path) -> tuple[list[Row], Audit]:
    """All rows of the table, and the audit they are about; its files are written below ``out``."""
    labels, mentions = out / "labels.csv", out / "mentions.csv"
    convert("la-dnn", data / "covid-ct", labels)
    extract(labels, output=out / "extracted.csv", mentions=mentions)
    start = cpu_seconds()
    found = audit(labels, data / "covid-ct" / "images", mentions=mentions)
    write_audit(found, out / "audit")
    seconds = cpu_seconds() - start
    captions = [row["caption"] for row in read_label_rows(labels, label_columns(tuple(FINDINGS)))]
    rows = [
        _row("CPU seconds, the whole audit", seconds, f"{len(found.records)} images"),
        *_copy_rows(found.records),
        *_pair_rows(found.records, found.pairs),
        *_text_rows(data, found, captions),
    ]
    return rows, found


def read_verdicts(path: Path = VERDICTS) -> dict[frozenset[str], str]:
    """Two image names → what an eye saw."""
    with path.open(encoding="utf-8", newline="") as file:
        return {frozenset((row["image_a"], row["image_b"])): row["verdict"] for row in csv.DictReader(file)}


def _copy_rows(records: Records) -> list[Row]:
    """How surely altered copies of train slices are known again, and what neighbours reach."""
    generator = np.random.default_rng(_SEED)
    scores = []
    for row in generator.choice(records.rows("train"), COPIES, replace=False):
        image = read_grey(records.paths[row])
        copy = np.asarray(np.asarray(altered(image, generator)) / 255, np.float32)
        scores.append(likeness(describe(image), describe(copy)))
    share = float(np.mean(np.array(scores) >= CERTAIN))
    return [_row("altered copies of train slices that are certain", share, f"{COPIES} copies")]


def _pair_rows(records: Records, pairs: Sequence[Pair]) -> list[Row]:
    """Certain pairs across sets against the verdicts."""
    verdicts = read_verdicts()
    same = {pair for pair, verdict in verdicts.items() if verdict == "same_slice"}
    across = [pair for pair in pairs if across_sets(records, pair)]
    names = {pair: frozenset((records.images[pair.first], records.images[pair.second])) for pair in across}
    if unseen := [sorted(name) for name in names.values() if name not in verdicts]:
        raise InputError(f"{VERDICTS.name} has no verdict on {len(unseen)} pairs, the first is {unseen[0]}")
    certain = [pair for pair in across if pair.certain]
    right = sum(names[pair] in same for pair in certain)
    opposite = sum(opposite_flags(records, pair) for pair in certain)
    return [
        _row("same slice across sets, found as certain", right / len(same), f"{right} of {len(same)} by eye"),
        _row(
            "certain pairs across sets that are the same slice",
            right / len(certain),
            f"{right} of {len(certain)}",
        ),
        _row("of them with opposite flags", opposite, ""),
    ]


def _text_rows(data: Path, found: Audit, captions: Sequence[str]) -> list[Row]:
    """Contradicting cells by the reference against those of the audit, where the reference has the caption."""
    reference = references(data)["captions"]
    by_text = {row.text.strip(): row for row in reference.rows}
    read = {
        record: by_text[caption.strip()]
        for record, caption in enumerate(captions)
        if caption.strip() and caption.strip() in by_text
    }
    wanted = {
        (record, key)
        for record, row in read.items()
        for key, state in _states(reference.findings, row).items()
        if contradicts(key, _label(found.records, record, key), state)
    }
    told = {(each.record, each.key) for each in found.contradictions or () if each.record in read}
    both, cells = len(wanted & told), f"{len(read)} records with a caption in the reference"
    return [
        _row(
            "cells that contradict their caption, found",
            both / len(wanted),
            f"{both} of {len(wanted)}; {cells}",
        ),
        _row("found cells that contradict by the reference", both / len(told), f"{both} of {len(told)}"),
    ]


def _states(findings: Sequence[str], row: ReferenceRow) -> dict[str, State]:
    """What a careful reader understood of each finding and of COVID-19."""
    flags: dict[str, State] = {"confirmed": "present", "control": "negated"}
    return {
        **dict(zip(findings, row.states, strict=True)),
        COVID: flags.get(row.covid or "", "not_mentioned"),
    }


def _label(records: Records, record: int, key: str) -> str:
    if key == COVID:
        value = records.covid19[record]
    else:
        value = records.finding_cells[record, records.finding_keys.index(key)]
    return "" if np.isnan(value) else f"{value:.0f}"


def _row(what: str, value: float, note: str) -> Row:
    return {"what": what, "value": value, "note": note}


def _run(options: Namespace) -> None:
    with TemporaryDirectory() as folder:
        rows, found = measure(options.data, Path(folder))
    print(format_table([(row["what"], f"{row['value']:.3g}", row["note"]) for row in rows]))
    if options.sheet:
        across = [pair for pair in found.pairs if across_sets(found.records, pair)]
        draw_pairs(found.records, across, options.sheet)
    write_result("audit", {"rows": rows})


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m benchmarks.audit``."""
    made = parser("What the audit finds in the published data.")
    made.add_argument("--sheet", type=Path, help="draw the pairs across sets, for the eye")
    return run_command(made, _run, arguments)


if __name__ == "__main__":
    sys.exit(main())
