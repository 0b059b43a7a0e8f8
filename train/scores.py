"""How good a network is on one set of records: the flag, the findings, and what the findings tell of the flag.

The flag is measured over records with a known ``covid19``; findings over captioned positives, so that an output that
repeats the flag scores nothing. Every figure comes with its n and a 95 % interval over patients.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from train.bootstrap import RESAMPLES
from train.cutoffs import CUTOFFS
from train.metrics import Output, score_output
from train.operating_point import OperatingPoint, Thresholds, check_logits
from train.population import Population, finding_populations, flag_population
from train.records import Records


@dataclass(frozen=True)
class Scores:
    """One set: the flag, findings over captioned positives and over all labelled records, and the paper's Fig. 6.

    ``flag_by_finding`` is how well each finding's output tells the FLAG.
    """

    covid19: Output
    findings: Mapping[str, Output]
    findings_all_labelled: Mapping[str, Output]
    flag_by_finding: Mapping[str, Output]
    n_records: int

    def as_json(self) -> dict[str, Any]:
        """The value of ``metrics.json[split]``; holds no NaN."""
        macro = [
            metric.value
            for each in self.findings.values()
            if (metric := each.metrics["auc"]).value is not None
        ]
        return {
            "n_records": self.n_records,
            "covid19": self.covid19.as_json(),
            "findings": {key: output.as_json() for key, output in self.findings.items()},
            "findings_mean": {"auc": float(np.mean(macro)) if macro else None, "n_findings": len(macro)},
            "findings_all_labelled": {
                key: each.as_json() for key, each in self.findings_all_labelled.items()
            },
            "flag_by_finding": {key: _area(each) for key, each in self.flag_by_finding.items()},
        }


def score(
    records: Records,
    logits: NDArray[np.floating],
    *,
    threshold: Thresholds,
    seed: int,
    bootstraps: int = RESAMPLES,
) -> Scores:
    """Measure the logits of one set.

    Args:
        records: of the set.
        logits: (n_records, 1 + F), the flag first, then findings in order.
        threshold: chosen on val, see ``choose_thresholds``.
        seed: of the bootstrap.
        bootstraps: how many resamples.

    Raises:
        TrainingError: a logit is not a finite number, or the shapes do not fit.
    """
    check_logits(records, logits)

    def outputs(populations: Iterable[tuple[str, Population]]) -> dict[str, Output]:
        points = threshold.findings
        return {
            key: score_output(
                found, found.logits(logits), points.get(key, OperatingPoint()), seed, bootstraps
            )
            for key, found in populations
        }

    flag = flag_population(records)
    temperature = threshold.calibration.temperature
    columns = enumerate(records.finding_keys, start=1)
    return Scores(
        score_output(flag, flag.logits(logits), threshold.covid19, seed, bootstraps, temperature, CUTOFFS),
        outputs(finding_populations(records).items()),
        outputs(finding_populations(records, positives_only=False).items()),
        outputs((key, flag_population(records, column)) for column, key in columns),
        len(records),
    )


def _area(output: Output) -> dict[str, Any]:
    """The AUC alone: a finding's threshold was not chosen for the flag."""
    found = output.as_json()
    names = ("auc", "auc_low", "auc_high", "n", "n_positive", "n_negative", "n_patients")
    return {name: found[name] for name in names}
