"""How well readers agree on a finding: measures with patient-bootstrap intervals. Plain numpy.

Points come from krippendorff and scikit-learn, intervals from the same formulas over ``annotate.agreement_tables``.
Rare findings deflate every chance-corrected measure (Feinstein and Cicchetti 1990, "High agreement but low kappa",
doi:10.1016/0895-4356(90)90158-L), so raw, positive and negative agreement always stand beside it. Where a measure is
undefined there are words, never NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from annotate.agreement_tables import (
    MISSING,
    RESAMPLES,
    VALUES,
    Codes,
    Floats,
    Places,
    alphas,
    differ,
    draw,
    interval,
    mean_kappas,
    patient_count,
    raw_agreement,
    renumbered,
    specific_agreement,
    tables,
)

UNANIMOUS = "undefined: all annotators agree"
LIKE_TEXT = "undefined: text and annotators agree"
ALONE = "undefined: no record has two readings"
NEVER = "undefined: no reading says {}"
_PRESENT, _ABSENT = VALUES.index("1"), VALUES.index("0")


@dataclass(frozen=True)
class Measure:
    """A value with its 95 % interval.

    ``value`` is None where it is undefined, and ``reason`` says why; else that is blank. ``low`` and ``high`` are None
    where there is no interval: too few patients, or no resample in which the measure is defined.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str = ""

    def __str__(self) -> str:
        if self.value is None:
            return self.reason
        if self.low is None or self.high is None:
            return f"{self.value:.2f}"
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"


@dataclass(frozen=True)
class Agreement:
    """How readings of one finding agree.

    Attributes:
        alpha: Krippendorff's α, nominal; None where it does not apply (the text against people).
        kappa: Cohen's κ; of more than two annotators the mean over their pairs (Light 1971,
            doi:10.1037/h0031643), without the pairs in which it is undefined.
        raw: probability that two readings of one record are the same.
        positive: probability that a second reading says present where a first does (Cicchetti and Feinstein
            1990, doi:10.1016/0895-4356(90)90159-M); an uncertain reading does not say present.
        negative: the same for absent.
        prevalence: share of readings that say present, 0 to 1; None without readings.
        records: those with two readings or more.
        disagreed: records whose readings are not all the same.
    """

    alpha: Measure | None
    kappa: Measure
    raw: Measure
    positive: Measure
    negative: Measure
    prevalence: float | None
    records: int
    patients: int
    disagreed: int


def people_agreement(
    codes: Codes, patients: Places, *, seed: int = 0, resamples: int = RESAMPLES
) -> Agreement:
    """How annotators agree with each other on one finding.

    Args:
        codes: (n_records, n_annotators), places in ``VALUES`` or ``MISSING``.
        patients: (n_records,), the patient of each record as a number.
    """
    used = (codes != MISSING).sum(axis=1) > 1
    codes, patients = codes[used], renumbered(patients[used])
    weights = 1 / np.maximum((codes != MISSING).sum(axis=1) - 1, 1)  # a record counts as often as it was read
    pairs = [codes[:, pair].T for pair in combinations(range(codes.shape[1]), 2)]
    pairs = [pair for pair in pairs if (pair != MISSING).all(axis=0).any()]
    of_pairs = [tables(first, second, patients) for first, second in pairs]
    none = np.zeros((patient_count(patients), 3, 3))
    together = sum((tables(first, second, patients, weights) for first, second in pairs), none)
    together = together + together.transpose(0, 2, 1)
    drawn = draw(np.stack([together, *of_pairs], axis=1), seed=seed, resamples=resamples)
    why = _why(together, UNANIMOUS)
    alpha = _measure(_alpha(codes), alphas(drawn[:, 0]), why)
    kappa = _kappa_measure(of_pairs, drawn[:, 1:], why)
    return _agreement(alpha, kappa, codes, together, drawn[:, 0])


def text_agreement(
    text: Codes, codes: Codes, patients: Places, *, seed: int = 0, resamples: int = RESAMPLES
) -> Agreement:
    """How the text's labels agree with people; each record counts once, however many people read it.

    Args:
        text: (n_records,).
        codes: (n_records, n_annotators).
    """
    used = (text != MISSING) & (codes != MISSING).any(axis=1)
    text, codes, patients = text[used], codes[used], renumbered(patients[used])
    weights = 1 / np.maximum((codes != MISSING).sum(axis=1), 1)
    none = np.zeros((patient_count(patients), 3, 3))
    counted = sum((tables(text, column, patients, weights) for column in codes.T), none)
    drawn = draw(counted[:, np.newaxis], seed=seed, resamples=resamples)
    both_ways = [each + each.swapaxes(-1, -2) for each in (counted, drawn[:, 0])]
    kappa = _kappa_measure([counted], drawn, _why(counted, LIKE_TEXT))
    return _agreement(None, kappa, np.column_stack([text, codes]), *both_ways)


def pair_kappa(
    first: Codes, second: Codes, patients: Places, *, seed: int = 0, resamples: int = RESAMPLES
) -> Measure:
    """Cohen's κ of two annotators on one finding, over the records that both read."""
    both = (first != MISSING) & (second != MISSING)
    counted = tables(first[both], second[both], renumbered(patients[both]))
    drawn = draw(counted[:, np.newaxis], seed=seed, resamples=resamples)
    return _kappa_measure([counted], drawn, _why(counted, UNANIMOUS))


def _agreement(
    alpha: Measure | None, kappa: Measure, codes: Codes, together: Floats, drawn: Floats
) -> Agreement:
    """The two and what follows from symmetric tables: all, (n_patients, 3, 3), and resampled."""
    whole = together.sum(axis=0, keepdims=True)
    read = bool(whole.any())

    def specific(value: int, word: str) -> Measure:
        why = NEVER.format(word) if read else ALONE
        return _measure(specific_agreement(whole, value)[0], specific_agreement(drawn, value), why)

    return Agreement(
        alpha,
        kappa,
        raw=_measure(raw_agreement(whole)[0], raw_agreement(drawn), ALONE),
        positive=specific(_PRESENT, "present"),
        negative=specific(_ABSENT, "absent"),
        prevalence=float(whole[0, _PRESENT].sum() / whole.sum()) if read else None,
        records=len(codes),
        patients=len(together),
        disagreed=int(differ(codes).sum()),
    )


def _alpha(codes: Codes) -> float | None:
    """Krippendorff's α, or None where there are fewer than two values to tell apart."""
    counts = np.stack([(codes == value).sum(axis=1) for value in range(len(VALUES))], axis=1)
    if (counts.sum(axis=0) > 0).sum() < 2:
        return None
    import krippendorff

    return float(krippendorff.alpha(value_counts=counts, level_of_measurement="nominal"))


def _kappa(table: Floats) -> float | None:
    """Cohen's κ of one table of counts, (3, 3), or None where chance alone would agree always."""
    if _values_used(table) < 2:
        return None
    from sklearn.metrics import cohen_kappa_score

    first, second = np.divmod(np.arange(table.size), len(table))
    labels = range(len(table))
    return float(cohen_kappa_score(first, second, labels=list(labels), sample_weight=table.ravel()))


def _kappa_measure(of_pairs: Sequence[Floats], drawn: Floats, why: str) -> Measure:
    values = [value for counted in of_pairs if (value := _kappa(counted.sum(axis=0))) is not None]
    return _measure(float(np.mean(values)) if values else None, mean_kappas(drawn), why or UNANIMOUS)


def _measure(value: float | None, drawn: Floats, why: str) -> Measure:
    if value is None or np.isnan(value):
        return Measure(None, reason=why)
    return Measure(float(value), *interval(drawn))


def _values_used(table: Floats) -> int:
    return int(((table.sum(axis=0) + table.sum(axis=1)) > 0).sum())


def _why(counted: Floats, same: str) -> str:
    """Why a chance-corrected measure is undefined, where it is."""
    return {0: ALONE, 1: same}.get(_values_used(counted.sum(axis=0)), "")
