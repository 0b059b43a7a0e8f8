"""How far annotators agree: ``python -m annotate.agreement [--db URL]``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nlp.command import run_command

if TYPE_CHECKING:  # numpy and the store load inside the functions: --help must not wait for them
    import sqlalchemy as sa

    from annotate.agreement_readings import Readings
    from annotate.agreement_statistics import Agreement, Measure


@dataclass(frozen=True)
class Row:
    """Agreement on one finding or covid19: of annotators with each other, or of the text with them."""

    key: str
    of: str  # people, or text and people
    agreement: Agreement


@dataclass(frozen=True)
class PairRow:
    """Two annotators, or one and the text, on one finding or covid19.

    Attributes:
        second: None is the text.
        kappa: Cohen's κ.
        records: those that both read.
        disagreed: those of them that they read differently.
    """

    key: str
    first: str
    second: str | None
    kappa: Measure
    records: int
    disagreed: int


@dataclass(frozen=True)
class Report:
    """Everything about agreement in one database.

    Attributes:
        rows: people first, each finding and covid19; then the text.
        pairs: every two annotators that read a record together, and each with the text, for each key.
        late: readings that were made or changed after adjudication and do not count as such.
    """

    keys: tuple[str, ...]
    annotators: tuple[str, ...]
    rows: tuple[Row, ...]
    pairs: tuple[PairRow, ...]
    late: int
    seed: int
    resamples: int


PEOPLE, TEXT = "people", "text and people"


def measure_agreement(
    connection: sa.Connection, findings: Sequence[str], *, seed: int = 0, resamples: int | None = None
) -> Report:
    """Measure agreement before adjudication, with patient-bootstrap intervals.

    Args:
        seed: of the bootstrap.
        resamples: 2,000 by default.
    """
    from annotate.agreement_readings import read_readings

    return report_of(read_readings(connection, findings), seed=seed, resamples=resamples)


def report_of(readings: Readings, *, seed: int = 0, resamples: int | None = None) -> Report:
    """The same for readings at hand."""
    from annotate.agreement_statistics import people_agreement, text_agreement
    from annotate.agreement_tables import RESAMPLES

    number, codes, patients = resamples or RESAMPLES, readings.codes, readings.patients
    rows, by_text = [], []
    for place, key in enumerate(readings.keys):
        said, text = codes[:, :, place], readings.text[:, place]
        people = people_agreement(said, patients, seed=seed, resamples=number)
        rows.append(Row(key, PEOPLE, people))
        by_text.append(Row(key, TEXT, text_agreement(text, said, patients, seed=seed, resamples=number)))
    pairs = _pairs(readings, seed=seed, resamples=number)
    return Report(readings.keys, readings.annotators, (*rows, *by_text), pairs, readings.late, seed, number)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run_command(_parser(), _command, arguments)


def _pairs(readings: Readings, *, seed: int, resamples: int) -> tuple[PairRow, ...]:
    from itertools import combinations

    names: list[str | None] = [*readings.annotators, None]
    found = (
        _pair(readings, key, first, second, seed=seed, resamples=resamples)
        for first, second in combinations(names, 2)
        for key in readings.keys
        if first is not None
    )
    return tuple(pair for pair in found if pair.records)


def _pair(
    readings: Readings, key: str, first: str, second: str | None, *, seed: int, resamples: int
) -> PairRow:
    from annotate.agreement_statistics import pair_kappa
    from annotate.agreement_tables import MISSING

    left, right = readings.column(key, first), readings.column(key, second)
    both = (left != MISSING) & (right != MISSING)
    kappa = pair_kappa(left, right, readings.patients, seed=seed, resamples=resamples)
    return PairRow(key, first, second, kappa, int(both.sum()), int((both & (left != right)).sum()))


def _command(options: argparse.Namespace) -> None:
    from annotate.agreement_report import as_text, write_csv, write_json
    from annotate.store import open_store
    from annotate.store_files import check_spares

    store = open_store(options.db, create=False)
    try:
        check_spares(store, [path for path in (options.json, options.csv) if path])
        with store.read() as connection:
            report = measure_agreement(connection, store.findings, seed=options.seed)
    finally:
        store.close()
    print(as_text(report))
    for path, write in ((options.json, write_json), (options.csv, write_csv)):
        if path:
            write(report, path)
            print(f"written: {path}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m annotate.agreement",
        description="How far annotators agree, per finding: Krippendorff's alpha, Cohen's kappa, raw, positive and"
        " negative agreement, each with a 95 %% interval from resampled patients.",
    )
    parser.add_argument(
        "--db", default="sqlite:///labels.db", metavar="URL", help="the database (default: labels.db)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything as JSON too")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the table as CSV too")
    parser.add_argument("--seed", type=int, default=0, help="of the resampling (default: 0)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
