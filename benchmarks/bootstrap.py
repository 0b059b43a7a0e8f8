"""10,000 AUCs of resampled patients: vectorised against a loop over scikit-learn, ``python -m benchmarks.bootstrap``.

Both get the same resamples. The loop runs on the first 500 and its time is scaled, which is said; ``--full`` runs all.
The records are those of the published test set in number: 203 images of 96 patients, 98 of them positive.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence

import numpy as np
from sklearn.metrics import roc_auc_score

from benchmarks.common import write_result
from nlp.command import run_command
from nlp.errors import ToolkitError
from nlp.score_report import format_table
from train.bootstrap import Bools, Floats, Resamples, draw, interval, resampled_auc

RECORDS, POSITIVES, PATIENTS = 203, 98, 96
RESAMPLES, IN_LOOP = 10_000, 500
TARGET_SECONDS, TOLERANCE = 0.3, 1e-6


def example(seed: int) -> tuple[Bools, Floats, list[str]]:
    """Classes, scores of an AUC near .85 with ties, and patients of one class each."""
    generator = np.random.default_rng(seed)
    positive = np.arange(RECORDS) < POSITIVES
    scores = (generator.normal(size=RECORDS) + 1.5 * positive).round(2)
    half = PATIENTS // 2
    patients = np.arange(RECORDS) % half + half * positive
    return positive, scores, [f"p{patient}" for patient in patients]


def plain_loop(positive: Bools, scores: Floats, resamples: Resamples, number: int) -> Floats:
    """The first resamples, one call of scikit-learn each; NaN without both classes."""
    found = np.full(number, np.nan)
    for place in range(number):
        copies = resamples.copies[resamples.patients, place]
        if copies[positive].any() and copies[~positive].any():
            found[place] = roc_auc_score(positive, scores, sample_weight=copies)
    return found


def seconds(work: Callable[[], object], repeats: int) -> list[float]:
    """Wall time of each repeat."""
    found = []
    for _ in range(repeats):
        before = time.perf_counter()
        work()
        found.append(time.perf_counter() - before)
    return found


def run(options: Namespace) -> None:
    """Measure, compare, print and write."""
    positive, scores, patients = example(options.seed)
    resamples = draw(patients, seed=options.seed)
    number = RESAMPLES if options.full else IN_LOOP
    before = time.perf_counter()
    plain = plain_loop(positive, scores, resamples, number)
    loop = (time.perf_counter() - before) * RESAMPLES / number
    fast = resampled_auc(positive, scores, resamples)
    furthest = float(np.nanmax(np.abs(fast[:number] - plain)))
    if furthest > TOLERANCE or not np.array_equal(np.isnan(fast[:number]), np.isnan(plain)):
        raise ToolkitError(f"the two ways differ by {furthest:.2g}; allowed is {TOLERANCE:g}")
    drawing = seconds(lambda: draw(patients, seed=options.seed), options.repeats)
    both = seconds(
        lambda: resampled_auc(positive, scores, draw(patients, seed=options.seed)), options.repeats
    )
    said = "measured" if options.full else f"scaled from {number}"
    rows = [
        (f"{RESAMPLES} AUCs", "seconds", "how"),
        ("vectorised, drawing included", f"{statistics.median(both):.4f}", f"median of {options.repeats}"),
        ("  of that, drawing patients", f"{statistics.median(drawing):.4f}", ""),
        ("loop over scikit-learn", f"{loop:.1f}", said),
    ]
    print(format_table(rows))
    between = interval(fast)
    print(f"\nlargest difference {furthest:.1e}; interval {between.low:.4f} to {between.high:.4f}")
    write_result(
        "bootstrap",
        {
            "threads": os.environ.get("OMP_NUM_THREADS", "default"),
            "records": RECORDS,
            "patients": len(set(patients)),
            "resamples": RESAMPLES,
            "vectorised_seconds": statistics.median(both),
            "vectorised_slowest_seconds": max(both),
            "drawing_seconds": statistics.median(drawing),
            "loop_seconds": loop,
            "loop_resamples_run": number,
            "times_faster": loop / statistics.median(both),
            "largest_difference": furthest,
            "target_seconds": TARGET_SECONDS,
        },
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m benchmarks.bootstrap``."""
    made = ArgumentParser(description="10,000 bootstrap AUCs, vectorised and in a loop over scikit-learn.")
    made.add_argument("--repeats", type=int, default=9, help="how often the fast way runs (default: 9)")
    made.add_argument("--seed", type=int, default=0, help="of the records and resamples (default: 0)")
    made.add_argument("--full", action="store_true", help=f"run all {RESAMPLES} in the loop too")
    return run_command(made, run, arguments)


if __name__ == "__main__":
    sys.exit(main())
